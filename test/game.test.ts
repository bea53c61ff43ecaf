import { describe, expect, it } from 'vitest';
import { allMasks, type Masks } from '../src/masks.ts';
import { checkPlayers, gameFromFunction, requireDistinctNames, valueOf } from '../src/game.ts';

const index = (row: number, masks: Masks): number => masks.words[row];

describe('a game from a function', () => {
  it('evaluates every mask in order', async () => {
    const game = gameFromFunction('index', 3, index);
    expect(await game.value(allMasks(3))).toEqual(Float64Array.of(0, 1, 2, 3, 4, 5, 6, 7));
    expect(game.players.map(({ name }) => name)).toEqual(['x0', 'x1', 'x2']);
    expect(await valueOf(game, [0, 2])).toBe(5);
    const players = [{ name: 'L0H1', place: { kind: 'head', layer: 0, head: 1 } }] as const;
    expect(gameFromFunction('named', players, index).players).toEqual(players);
  });

  it('refuses masks over other players, and a fired signal', async () => {
    const game = gameFromFunction('index', 3, index);
    await expect(game.value(allMasks(4))).rejects.toThrow('index: masks over 4 players were given; this game has 3');
    await expect(game.value(allMasks(3), { signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'aborted' });
    await expect(valueOf(game, [0], { signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'aborted' });
  });
});

describe('what every game is held to', () => {
  it('masks over its players, by a check that names both numbers', () => {
    expect(() => checkPlayers('mine', 3, allMasks(3))).not.toThrow();
    expect(() => checkPlayers('mine', 3, allMasks(2))).toThrow(
      'mine: masks over 2 players were given; this game has 3.',
    );
  });

  it('players of different names', () => {
    const twins = gameFromFunction('twins', [{ name: 'a' }, { name: 'b' }, { name: 'a' }], () => 0);
    expect(() => requireDistinctNames(twins)).toThrow('twins: two players are called "a"; names must be distinct.');
  });
});
