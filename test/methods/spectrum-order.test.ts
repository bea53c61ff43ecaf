/** Nested sets of a spectrum that is the game's own, and of one that is wrong. */
import { describe, expect, it } from 'vitest';
import { gameFromFunction } from '../../src/game.ts';
import { isKept } from '../../src/masks.ts';
import { helpingOrder, steeredOrder, steeringRounds } from '../../src/methods/spectrum-order.ts';
import { openLedger } from '../../src/ledger.ts';
import { createRandom } from '../../src/random.ts';
import { exactSolver } from '../../src/spectrum/exact.ts';
import { createSpectrum } from '../../src/spectrum/spectrum.ts';

const sumOf = (weights: ArrayLike<number>) =>
  gameFromFunction('sum', weights.length, (row, masks) =>
    Array.from(weights).reduce((f, w, i) => f + (isKept(masks, row, i) ? w : 0), 0),
  );
const additive = (weights: ArrayLike<number>) =>
  createSpectrum('fourier', weights.length, [
    { members: [], value: Array.from(weights).reduce((sum, w) => sum + w / 2, 0) },
    ...Array.from(weights, (w, i) => ({ members: [i], value: -w / 2 })),
  ]);

describe('nested sets of a spectrum', () => {
  const weights = [8, 4, 2, 1, -1, -2, -4];
  const ends = { full: 8, empty: 0 };

  it('keep what helps most', () => {
    expect(helpingOrder(additive(weights), ends)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('of two that do the same keep one', async () => {
    const either = gameFromFunction(
      'either',
      3,
      (row, masks) => 2 * Number(isKept(masks, row, 0) || isKept(masks, row, 1)) + Number(isKept(masks, row, 2)),
    );
    const { spectrum } = await exactSolver.solve(either, { budget: 8, seed: 0 });
    expect(helpingOrder(spectrum, { full: 3, empty: 0 })[1]).toBe(2);
  });

  it('or do as the model does, what hurts leaving with what helps', async () => {
    const order = await steeredOrder(sumOf(weights), additive(weights), { ends, seed: 0, candidates: 0 });
    expect([...order].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    for (const size of [1, 3, 5])
      expect(
        order.slice(0, size).reduce((f, i) => f + weights[i], 0),
        `${size} players`,
      ).toBe(8);
  });

  it('are corrected by what is measured where the spectrum is off', async () => {
    const random = createRandom(2);
    const n = 60;
    const truth = Float64Array.from({ length: n }, () => 0.3 + random.normal());
    const wrong = truth.map((w) => w + 0.7 * random.normal());
    const full = truth.reduce((sum, w) => sum + w, 0);
    const game = openLedger(sumOf(truth));
    const distance = async (candidates: number) => {
      const order = await steeredOrder(game, additive(wrong), { ends: { full, empty: 0 }, seed: 0, candidates });
      return [12, 20, 30, 45].reduce((sum, size) => {
        const value = order.slice(0, size).reduce((f, i) => f + truth[i], 0);
        return sum + Math.abs(value - full) / Math.abs(full);
      }, 0);
    };
    const believed = await distance(0);
    expect(game.measured).toBe(0);
    expect(await distance(8)).toBeLessThan(believed / 3);
    expect(game.measured).toBeLessThanOrEqual(8 * steeringRounds(n));
  });
});
