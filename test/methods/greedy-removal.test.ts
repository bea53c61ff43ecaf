/** Greedy removal where the order is known. */
import { describe, expect, it } from 'vitest';
import { gameFromFunction } from '../../src/game.ts';
import { isKept } from '../../src/masks.ts';
import { greedyRemoval } from '../../src/methods/greedy-removal.ts';
import { harmOf } from '../../src/methods/harm.ts';
import { meterOf } from '../../src/methods/metered-game.ts';

const weights = [3, 1, 7, 2, 5, 4, 6, 8];
const full = 36;
const sum = gameFromFunction('sum', 8, (row, masks) =>
  weights.reduce((f, w, i) => f + (isKept(masks, row, i) ? w : 0), 0),
);
const harm = harmOf('metric', { full, empty: 0 });
const byWeight = [1, 3, 0, 5, 4, 6, 2, 7];

describe('greedy removal', () => {
  it('removes the players of an additive game by weight, one a round', async () => {
    const game = meterOf(sum, 36);
    expect(await greedyRemoval(game, { harm, budget: 36 })).toEqual({ order: byWeight, rounds: 8 });
    expect(game.spent).toBe(36);
  });

  it.each([8, 12, 20, 30])('does so in fewer rounds for %d masks, and never takes more', async (budget) => {
    const game = meterOf(sum, budget);
    const { order, rounds } = await greedyRemoval(game, { harm, budget });
    expect(order).toEqual(byWeight);
    expect(rounds).toBeLessThan(8);
    expect(game.spent).toBeLessThanOrEqual(budget);
  });

  it('sees that of two that do the same one has to stay', async () => {
    const either = gameFromFunction(
      'either',
      3,
      (row, masks) => 2 * Number(isKept(masks, row, 0) || isKept(masks, row, 1)) + Number(isKept(masks, row, 2)),
    );
    const { order } = await greedyRemoval(either, { harm: harmOf('metric', { full: 3, empty: 0 }), budget: Infinity });
    expect(order).toEqual([0, 2, 1]);
  });

  it('needs a mask a player', async () => {
    await expect(greedyRemoval(sum, { harm, budget: 7 })).rejects.toThrow(/7 masks are left; its first round takes 8/);
  });
});
