/** Nested sets by estimates that are right, and by one that is wrong and one that is not. */
import { describe, expect, it } from 'vitest';
import { spectrumOfRanking } from '../../src/attribution/rankings.ts';
import { gameFromFunction } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import { isKept } from '../../src/masks.ts';
import { steeredOrder, type SteeringOptions } from '../../src/methods/steering.ts';
import { createRandom } from '../../src/random.ts';
import { exactSolver } from '../../src/spectrum/exact.ts';

const sumOf = (weights: ArrayLike<number>) =>
  gameFromFunction('sum', weights.length, (row, masks) =>
    Array.from(weights).reduce((f, w, i) => f + (isKept(masks, row, i) ? w : 0), 0),
  );
const additive = (weights: Float64Array) => () => spectrumOfRanking({ scores: weights });
const oneByOne = (size: number): number => size - 1;

describe('steering', () => {
  const weights = Float64Array.of(8, 4, 2, 1, -1, -2, -4);
  const ends = { full: 8, empty: 0 };
  const options = { ends, estimates: [additive(weights)], leave: oneByOne };

  it('towards most of the metric keeps what helps most', async () => {
    expect(await steeredOrder(sumOf(weights), { ...options, aim: 'most' })).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('towards what the model does has what hurts leave with what helps', async () => {
    const order = await steeredOrder(sumOf(weights), { ...options, aim: 'model' });
    expect([...order].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    for (const size of [1, 3, 5])
      expect(
        order.slice(0, size).reduce((f, i) => f + weights[i], 0),
        `${size} players`,
      ).toBe(8);
  });

  it('of two that do the same keeps one', async () => {
    const either = gameFromFunction(
      'either',
      3,
      (row, masks) => 2 * Number(isKept(masks, row, 0) || isKept(masks, row, 1)) + Number(isKept(masks, row, 2)),
    );
    const { spectrum } = await exactSolver.solve(either, { budget: 8, seed: 0 });
    const asked = { ends: { full: 3, empty: 0 }, estimates: [() => spectrum], leave: oneByOne };
    expect((await steeredOrder(either, { ...asked, aim: 'most' }))[1]).toBe(2);
  });

  it('goes below: a metric that is less with everything kept', async () => {
    const order = await steeredOrder(sumOf(weights.map((w) => -w)), {
      ends: { full: -8, empty: 0 },
      estimates: [additive(weights.map((w) => -w))],
      leave: oneByOne,
      aim: 'most',
    });
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('has measured sets decide between an estimate that is right and chance', async () => {
    const random = createRandom(2);
    const n = 40;
    const truth = Float64Array.from({ length: n }, () => 0.3 + random.normal());
    const full = truth.reduce((sum, w) => sum + w, 0);
    const chance = additive(truth.map(() => random.normal()));
    const ask = async (estimates: SteeringOptions['estimates']) => {
      const game = openLedger(sumOf(truth));
      const leave = (size: number): number => Math.floor(0.7 * size);
      const order = await steeredOrder(game, { ends: { full, empty: 0 }, estimates, leave, aim: 'most' });
      return { order, measured: game.measured };
    };
    const right = await ask([additive(truth)]);
    const both = await ask([chance, additive(truth)]);
    expect(both.order).toEqual(right.order);
    expect((await ask([chance])).order).not.toEqual(right.order);
    expect(both.measured).toBe(2 * right.measured);
  });

  it('makes up for what was measured to be off', async () => {
    // Player 7 is thought to do nothing and carries 3: once it has left, what hurts has to leave before what helps.
    const thought = Float64Array.of(8, 1, 1, 1, -1, -1, -1, 0);
    const order = await steeredOrder(sumOf([...thought.subarray(0, 7), 3]), {
      ends: { full: 11, empty: 0 },
      estimates: [additive(thought)],
      leave: oneByOne,
      aim: 'model',
    });
    expect(order.at(-1)).toBe(7);
    expect(order.slice(4, 7).sort((a, b) => a - b)).toEqual([4, 5, 6]);
  });
});
