/** Players whose loss is nothing: those that others stand in for, and those that do nothing. */
import { describe, expect, it } from 'vitest';
import { gameFromFunction, type Game } from '../../src/game.ts';
import { allButOne, isKept, masksFromMembers } from '../../src/masks.ts';
import { seenScores } from '../../src/methods/stand-ins.ts';

const N = 40;
/** Counts what is asked of a game over N players. */
function counted(f: (has: (player: number) => boolean) => number): { game: Game; asked: () => number } {
  let asked = 0;
  const game = gameFromFunction('made', N, (row, masks) => {
    asked++;
    return f((player) => isKept(masks, row, player));
  });
  return { game, asked: () => asked };
}

async function scoresOf(game: Game, claims: Float64Array, most: number): Promise<Float64Array> {
  const everyone = Array.from({ length: N }, (_, i) => i);
  const [full, empty] = await game.value(masksFromMembers(N, [everyone, []]));
  const losses = (await game.value(allButOne(N))).map((value) => full - value);
  return seenScores(game, { ends: { full, empty }, losses, claims, most });
}

const claimsOf = (claims: Readonly<Record<number, number>>): Float64Array =>
  Float64Array.from({ length: N }, (_, i) => claims[i] ?? 0);
const nonZero = (scores: Float64Array): number[] => Array.from(scores.keys()).filter((i) => scores[i] !== 0);

describe('players that others stand in for', () => {
  it.each([2, 3, 4])(
    'are found where %i do the same, beside one whose loss is seen, in some log n masks each',
    async (count) => {
      const twins = [3, 17, 21, 38].slice(0, count);
      const { game, asked } = counted((has) => (has(9) ? 1 : 0) + (twins.some(has) ? 2 : 0));
      const scores = await scoresOf(game, claimsOf({}), 200);
      expect(nonZero(scores)).toEqual([9, ...twins].sort((a, b) => a - b));
      expect(twins.map((i) => scores[i])).toEqual(twins.map(() => 2));
      expect(scores[9]).toBe(1);
      expect(asked() - N - 2).toBeLessThan(200);
    },
  );

  it('are found where two of three suffice, in two parts each', async () => {
    const arms = [
      [1, 2],
      [11, 12],
      [31, 32],
    ];
    const { game } = counted((has) => (arms.filter((arm) => arm.every(has)).length >= 2 ? 1 : 0));
    const scores = await scoresOf(game, claimsOf({}), 200);
    expect(nonZero(scores)).toEqual(arms.flat());
  });

  it('are none where the estimate claims what is noise: less than could be seen, in its order', async () => {
    const { game, asked } = counted((has) => (has(9) ? 1 : 0));
    const scores = await scoresOf(game, claimsOf({ 4: 0.9, 5: -0.3, 9: 0.5 }), 200);
    expect(asked() - N - 2).toBe(2); // all hidden ones at once, in the whole and in the broken circuit
    expect(scores[9]).toBe(1);
    expect(scores[4]).toBeGreaterThan(0);
    expect(scores[4]).toBeLessThan(1e-6);
    expect(scores[5]).toBeCloseTo(-scores[4] / 3, 12);
  });

  it('and that show in a broken circuit alone are below what is seen in the whole one', async () => {
    // Without 9 half is lost, and 4 matters; what 5 does there brings the value back.
    const { game } = counted((has) => (has(9) ? 4 : 2 - (has(4) ? 0 : 2) - (has(5) ? 1 : 0)) + (has(30) ? 0.5 : 0));
    const scores = await scoresOf(game, claimsOf({}), 200);
    expect(nonZero(scores)).toEqual([4, 9, 30]);
    expect(scores[4]).toBeCloseTo(0.25, 12);
    expect(scores[30]).toBeCloseTo(0.5, 12);
  });

  it('are asked within the masks that there are', async () => {
    const { game, asked } = counted((has) => (has(3) || has(17) ? 2 : 0) + (has(9) ? 1 : 0));
    await scoresOf(game, claimsOf({}), 5);
    expect(asked() - N - 2).toBeLessThanOrEqual(7);
    const none = counted((has) => (has(3) || has(17) ? 2 : 0) + (has(9) ? 1 : 0));
    const scores = await scoresOf(none.game, claimsOf({}), 0);
    expect(none.asked() - N - 2).toBe(0);
    expect(nonZero(scores)).toEqual([9]);
  });
});
