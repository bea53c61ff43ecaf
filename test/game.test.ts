import { describe, expect, it } from 'vitest';
import { allMasks, masksFromMembers, concatMasks, maskHex, type Masks } from '../src/masks.ts';
import { gameFromFunction, memoise, meter, valueOf, type Game, type ValueLog } from '../src/game.ts';

const index = (row: number, masks: Masks): number => masks.words[row];

/** A game over 4 players whose value is the mask's index, in batches, with the masks it was asked for. */
function batched(size: number): { game: Game; asked: number[]; stopAfter(batches: number): void } {
  const asked: number[] = [];
  let left = Infinity;
  const game: Game = {
    name: 'batched',
    players: Array.from({ length: 4 }, (_, i) => ({ name: `x${i}` })),
    async value(masks, options = {}) {
      const values = new Float64Array(masks.count);
      for (let start = 0; start < masks.count; start += size) {
        if (left-- <= 0) throw new Error('the machine died');
        const end = Math.min(masks.count, start + size);
        for (let row = start; row < end; row++) asked.push((values[row] = index(row, masks)));
        options.onBatch?.(start, values.subarray(start, end));
      }
      return values;
    },
  };
  return { game, asked, stopAfter: (batches) => (left = batches) };
}

function memoryLog(entries: [string, number][] = []): ValueLog & { readonly lines: [string, number][] } {
  return {
    lines: entries,
    entries: () => entries.slice(),
    append: (hexes, values) => hexes.forEach((hex, k) => entries.push([hex, values[k]])),
  };
}

describe('a game from a function', () => {
  it('evaluates every mask in order and reports them as one batch', async () => {
    const batches: [number, number[]][] = [];
    const game = gameFromFunction('index', 3, index);
    expect(await game.value(allMasks(3), { onBatch: (start, values) => batches.push([start, [...values]]) })).toEqual(
      Float64Array.of(0, 1, 2, 3, 4, 5, 6, 7),
    );
    expect(batches).toEqual([[0, [0, 1, 2, 3, 4, 5, 6, 7]]]);
    expect(game.players.map(({ name }) => name)).toEqual(['x0', 'x1', 'x2']);
    expect(await valueOf(game, [0, 2])).toBe(5);
    expect(gameFromFunction('named', [{ name: 'L0H1', layer: 0 }], index).players).toEqual([
      { name: 'L0H1', layer: 0 },
    ]);
  });

  it('refuses masks over other players, and a fired signal', async () => {
    const game = gameFromFunction('index', 3, index);
    await expect(game.value(allMasks(4))).rejects.toThrow('index: masks over 4 players were given; this game has 3');
    await expect(game.value(allMasks(3), { signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'aborted' });
  });
});

describe('memoise', () => {
  it('refuses a game with two players of one name', () => {
    const twins = gameFromFunction('twins', [{ name: 'a' }, { name: 'b' }, { name: 'a' }], () => 0);
    expect(() => memoise(twins)).toThrow(/twins: two players are called "a"; names must be distinct/);
  });

  it('asks for every distinct mask once, within a call and across calls', async () => {
    const { game, asked } = batched(3);
    const memo = memoise(game);
    const masks = masksFromMembers(4, [[1], [0], [1], [], [0]]);
    expect(await memo.value(masks)).toEqual(Float64Array.of(2, 1, 2, 0, 1));
    expect(asked).toEqual([2, 1, 0]);
    expect(await memo.value(allMasks(4))).toEqual(Float64Array.from({ length: 16 }, (_, j) => j));
    expect(asked).toHaveLength(16);
    expect(memo.measured).toBe(16);
  });

  it('reports every mask once, in order, whatever was known and however the batches fall', async () => {
    const { game } = batched(2);
    const memo = memoise(game);
    await memo.value(masksFromMembers(4, [[1], [3]]));
    const masks = masksFromMembers(4, [[1], [0], [0], [3], [2], [0, 1], [2]]);
    const seen: number[] = [];
    const values = await memo.value(masks, {
      onBatch(start, batch) {
        expect(start).toBe(seen.length);
        seen.push(...batch);
      },
    });
    expect(seen).toEqual([...values]);
    expect(seen).toEqual([2, 1, 1, 8, 4, 3, 4]);
  });

  it('resumes from its log without asking again, and keeps what a killed run had measured', async () => {
    const log = memoryLog();
    const first = batched(3);
    first.stopAfter(2);
    await expect(memoise(first.game, log).value(allMasks(4))).rejects.toThrow('the machine died');
    expect(log.lines).toHaveLength(6);
    const second = batched(3);
    const memo = memoise(second.game, log);
    expect(memo.resumed).toBe(6);
    expect(await memo.value(allMasks(4))).toEqual(Float64Array.from({ length: 16 }, (_, j) => j));
    expect(second.asked).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    expect(memo.measured).toBe(10);
    expect(new Set(log.lines.map(([hex]) => hex)).size).toBe(16);
  });

  it.each([Number.NaN, Infinity, -Infinity])(
    'refuses the value %d by the name of its mask, and does not log it',
    async (bad) => {
      const log = memoryLog();
      const memo = memoise(
        gameFromFunction('broken', 4, (row, masks) => (index(row, masks) === 9 ? bad : 1)),
        log,
      );
      await expect(memo.value(allMasks(4))).rejects.toMatchObject({
        kind: 'input',
        message: expect.stringContaining(`mask 09 (hex, player 0 = lowest bit of the first byte) is ${bad}`),
      });
      expect(log.lines.some(([hex]) => hex === maskHex(masksFromMembers(4, [[0, 3]]), 0))).toBe(false);
    },
  );

  it('says so when the inner game reports too few masks', async () => {
    const silent: Game = {
      ...gameFromFunction('silent', 2, index),
      value: async (masks) => new Float64Array(masks.count),
    };
    await expect(memoise(silent).value(allMasks(2))).rejects.toThrow('4 of 4 masks got no value');
  });

  it('serves no masks at all', async () => {
    expect(await memoise(gameFromFunction('index', 2, index)).value(masksFromMembers(2, []))).toHaveLength(0);
  });
});

describe('meter', () => {
  it('counts distinct masks, over all calls', async () => {
    const game = meter(gameFromFunction('index', 4, index), 5);
    await game.value(masksFromMembers(4, [[0], [0], [1]]));
    await game.value(masksFromMembers(4, [[1], [2]]));
    expect([game.spent, game.remaining]).toEqual([3, 2]);
  });

  it('refuses what would pass the budget before measuring any of it', async () => {
    const { game, asked } = batched(2);
    const metered = meter(game, 3);
    await metered.value(masksFromMembers(4, [[0], [1]]));
    const more = concatMasks([masksFromMembers(4, [[0]]), masksFromMembers(4, [[2], [3]])]);
    await expect(metered.value(more)).rejects.toMatchObject({
      kind: 'budget',
      message: 'batched: 2 more masks asked for with 1 of 3 left; raise the budget to at least 4.',
    });
    expect(asked).toHaveLength(2);
    expect(metered.spent).toBe(2);
    await metered.value(masksFromMembers(4, [[3]]));
    expect(metered.remaining).toBe(0);
  });

  it.each([0, -1, 2.5, Number.NaN])('refuses a budget of %d', (budget) => {
    expect(() => meter(gameFromFunction('index', 4, index), budget)).toThrow(`${budget} masks`);
  });

  it('passes signal and progress through', async () => {
    const metered = meter(gameFromFunction('index', 2, index), 4);
    let reported = 0;
    await metered.value(allMasks(2), { onBatch: (_, values) => (reported += values.length) });
    expect(reported).toBe(4);
    await expect(metered.value(allMasks(2), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      kind: 'aborted',
    });
  });
});
