import { describe, expect, test } from 'vitest';
import { hierarchical, pureParities, staircases } from '../../bench/synthetic.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { boost } from '../../src/proxy/trees/boost.ts';
import { fitFirstOrder } from '../../src/proxy/first-order.ts';
import { treeFourier } from '../../src/proxy/trees/tree-fourier.ts';
import { predict } from '../../src/proxy/trees/tree.ts';
import { createRandom } from '../../src/random.ts';
import { directSubsetRate } from '../../src/spectrum/energy.ts';
import { scoreR2, squaredError } from '../../src/spectrum/regression/folds.ts';
import { createSpectrum, evaluate, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';

const SEEDS = [0, 1, 2];

/** Mean R² on 1,000 fresh masks of raw trees (rate .1, 500 trees, better of depth 3 and 5) and of the first-order LASSO. */
function quality(
  game: (players: number, seed: number) => FourierSpectrum,
  alpha: number,
): { trees: number; linear: number } {
  const scores = SEEDS.map((seed) => {
    const truth = game(20, seed);
    const masks = uniformMasks(20, Math.ceil(alpha * 20 * Math.log2(20)), createRandom(seed));
    const values = evaluate(truth, masks);
    const fresh = uniformMasks(20, 1000, createRandom(77));
    const expected = evaluate(truth, fresh);
    const score = (predicted: Float64Array): number => scoreR2(expected, squaredError(expected, predicted));
    const trees = [3, 5].map((maxDepth) =>
      score(predict(boost(masks, values, { maxDepth, numIterations: 500, minDataInLeaf: 20 }).ensemble, fresh)),
    );
    return { trees: Math.max(...trees), linear: score(evaluate(fitFirstOrder(masks, values).spectrum, fresh)) };
  });
  const mean = (pick: (score: { trees: number; linear: number }) => number): number =>
    scores.reduce((sum, score) => sum + pick(score) / scores.length, 0);
  return { trees: mean((score) => score.trees), linear: mean((score) => score.linear) };
}

// LightGBM 4.7 on the same masks, with the same settings: hierarchical .549; staircases .355 at α = 4, .605 at α = 8; pure parities -.305.
describe('raw trees on 20 players, calibrated', () => {
  test('all subsets of ten 5-sets: half of the variance at α = 8, against an eighth for a linear fit', () => {
    const { trees, linear } = quality(hierarchical, 8);
    expect(trees).toBeGreaterThan(0.45);
    expect(trees).toBeLessThan(0.7);
    expect(linear).toBeLessThan(0.25);
  });

  test('prefix staircases of order up to 4: .5 to .75 at α = 8, and more masks help', () => {
    const [some, more] = [4, 8].map((alpha) => quality(staircases, alpha));
    expect(more.trees).toBeGreaterThan(0.5);
    expect(more.trees).toBeLessThan(0.75);
    expect(some.trees).toBeGreaterThan(0.2);
    expect(some.trees).toBeLessThan(more.trees);
    expect(more.linear).toBeLessThan(0.3);
  });

  test('pure parities of order 5 are invisible to greedy trees: worse than the mean', () => {
    const { trees, linear } = quality(pureParities, 8);
    expect(trees).toBeLessThan(0);
    expect(linear).toBeGreaterThan(trees);
  });
});

describe('hierarchy (DSR)', () => {
  test('the worked example has 7/8, and trees grow hierarchical spectra', () => {
    const term = (members: number[]): { members: number[]; value: number } => ({ members, value: 1 });
    expect(directSubsetRate(createSpectrum('fourier', 4, [[], [1], [2], [1, 3]].map(term)))).toBeCloseTo(7 / 8, 12);
    const truth = hierarchical(20, 0);
    const masks = uniformMasks(20, 700, createRandom(0));
    const polynomial = treeFourier(boost(masks, evaluate(truth, masks), { maxDepth: 3, numIterations: 200 }).ensemble);
    const terms = Array.from({ length: polynomial.size }, (_, t) => ({
      members: polynomial.members(t),
      value: polynomial.values[t],
    }));
    expect(directSubsetRate(createSpectrum('fourier', 20, terms), 50)).toBeGreaterThan(0.8);
  });
});
