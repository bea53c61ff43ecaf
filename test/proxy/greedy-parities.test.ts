import { describe, expect, test } from 'vitest';
import { hierarchical, staircases } from '../../bench/synthetic.ts';
import { allMasks } from '../../src/masks.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { fitGreedyParities, growParities } from '../../src/proxy/parities/greedy-parities.ts';
import { parityPath } from '../../src/proxy/parities/parity-path.ts';
import { createRandom } from '../../src/random.ts';
import { r2 } from '../../src/spectrum/r2.ts';
import { ridgeSpectrum } from '../../src/spectrum/regression/ridge.ts';
import { createSpectrum, evaluate, setKey, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';

const term = (members: number[], value: number): { members: number[]; value: number } => ({ members, value });

/** R² on 1,000 fresh masks. */
function score(truth: FourierSpectrum, found: FourierSpectrum): number {
  const fresh = uniformMasks(truth.players, 1000, createRandom(77));
  return r2(evaluate(truth, fresh), evaluate(found, fresh));
}

describe('parityPath', () => {
  const truth = createSpectrum('fourier', 12, [
    term([], 3),
    term([1], 2),
    term([1, 4], -1),
    term([1, 4, 7], 0.5),
    term([9], 0.25),
  ]);
  const masks = uniformMasks(12, 300, createRandom(0));
  const values = evaluate(truth, masks);

  test('takes the largest terms first, climbing from subsets to supersets, and stops when nothing is left', () => {
    const path = parityPath(masks, values, []);
    path.advance(100);
    expect(path.sets.map(setKey)).toEqual(['', '1', '1,4', '1,4,7', '9']);
    expect(path.coefficients()).toBeAllClose([3, 2, -1, 0.5, 0.25], 1e-9);
  });

  test('coefficients are those of least squares on its sets', () => {
    const random = createRandom(5);
    const noisy = values.map((value) => value + random.normal());
    const path = parityPath(masks, noisy, []);
    path.advance(10);
    const direct = ridgeSpectrum(masks, noisy, path.sets, [1e-9]).spectrum;
    const found = createSpectrum(
      'fourier',
      12,
      path.sets.map((members, k) => ({ members, value: path.coefficients()[k] })),
    );
    expect(found.terms.map((t) => setKey(t.members))).toEqual(direct.terms.map((t) => setKey(t.members)));
    expect(found.terms.map((t) => t.value)).toBeAllClose(
      direct.terms.map((t) => t.value),
      1e-9,
    );
  });

  test('a set none of whose subsets matters is out of reach, unless it is a seed', () => {
    const lonely = createSpectrum('fourier', 40, [term([3, 8, 20, 31], 1)]);
    const some = uniformMasks(40, 300, createRandom(0));
    const blind = parityPath(some, evaluate(lonely, some), []);
    blind.advance(5);
    expect(blind.sets.map(setKey)).not.toContain('3,8,20,31');
    const led = parityPath(some, evaluate(lonely, some), [
      [2, 5],
      [3, 8, 20, 31],
    ]);
    led.advance(5);
    expect(led.sets.map(setKey)).toEqual(['', '3,8,20,31']);
  });

  test('a column that the masks cannot tell from those in the fit is passed over', () => {
    // Players 0 and 1 always agree.
    const twins = uniformMasks(6, 40, createRandom(1));
    for (let row = 0; row < 40; row++) twins.words[row] = (twins.words[row] & ~2) | ((twins.words[row] & 1) << 1);
    const path = parityPath(twins, evaluate(createSpectrum('fourier', 6, [term([0], 1), term([2], 0.5)]), twins), []);
    path.advance(6);
    expect(path.coefficients().every(Number.isFinite)).toBe(true);
    expect(path.sets.map(setKey)).toEqual(['', '0', '2']);
  });
});

describe('fitGreedyParities', () => {
  test.each([0, 1])('prefix staircases of 100 players from 2,650 masks, seed %i: R² above .99', async (seed) => {
    const truth = staircases(100, seed);
    const masks = uniformMasks(100, 2650, createRandom(seed, 'm'));
    const fit = await fitGreedyParities(masks, evaluate(truth, masks));
    expect(score(truth, fit.spectrum)).toBeGreaterThan(0.99);
    expect(fit.terms).toBeLessThan(60);
  });

  test('all subsets of ten 5-sets of 100 players from 2,650 masks: R² above .99 with about as many terms as there are', () => {
    // At the count that cross-validation finds (bench/proxy.ts runs the whole); a fifth of the time.
    const truth = hierarchical(100, 0);
    const masks = uniformMasks(100, 2650, createRandom(0, 'm'));
    expect(score(truth, growParities(masks, evaluate(truth, masks), [], 325))).toBeGreaterThan(0.99);
  });

  test('cross-validation stops at the terms that noise leaves standing, and its R² is honest', async () => {
    const random = createRandom(8);
    const truth = createSpectrum('fourier', 14, [
      term([], 1),
      term([2], 1),
      term([2, 5], 1),
      term([5], -1),
      term([11], 0.7),
    ]);
    const masks = uniformMasks(14, 400, random);
    const fit = await fitGreedyParities(
      masks,
      evaluate(truth, masks).map((value) => value + random.normal()),
    );
    expect(fit.terms).toBeGreaterThanOrEqual(4);
    expect(fit.terms).toBeLessThan(10);
    expect(score(truth, fit.spectrum)).toBeGreaterThan(0.95);
    expect(Math.abs(fit.r2 - 3.49 / 4.49)).toBeLessThan(0.1);
    expect(fit.r2).toBeLessThanOrEqual(Math.max(...fit.curve.map((point) => point.r2)) + 0.02);
  });

  test('constant values and one player have a defined answer; fewer masks than folds is an error', async () => {
    const constant = await fitGreedyParities(uniformMasks(6, 30, createRandom(0)), new Float64Array(30).fill(2));
    expect(constant.spectrum.terms).toEqual([{ members: [], value: 2 }]);
    const one = await fitGreedyParities(allMasks(1), [1, 3], { folds: 2 });
    expect(one.spectrum.players).toBe(1);
    await expect(fitGreedyParities(uniformMasks(6, 3, createRandom(0)), [1, 2, 3])).rejects.toThrow(
      '3 distinct masks for 5 folds',
    );
  });
});
