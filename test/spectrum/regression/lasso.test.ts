import { describe, expect, test } from 'vitest';
import { emptyMasks } from '../../../src/masks.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import { createRandom } from '../../../src/random.ts';
import { squaredError } from '../../../src/spectrum/regression/folds.ts';
import { lassoPath, lassoSpectrum } from '../../../src/spectrum/regression/lasso.ts';
import { applyColumns, correlate, parityColumns } from '../../../src/spectrum/regression/parity-columns.ts';
import { evaluate } from '../../../src/spectrum/spectrum.ts';

const singles = (n: number): number[][] => Array.from({ length: n }, (_, i) => [i]);

describe('lasso', () => {
  test('satisfies the optimality conditions at every penalty of the path, also with more sets than masks', () => {
    const random = createRandom(4);
    for (const [n, rows] of [
      [10, 60],
      [40, 25],
    ]) {
      const masks = uniformMasks(n, rows, random);
      const y = Float64Array.from({ length: rows }, () => random.normal());
      const columns = parityColumns(masks, singles(n));
      const path = lassoPath(columns, y);
      for (const lambda of [0.8, 0.4, 0.2, 0.1].map((share) => share * path.lambdaMax)) {
        const beta = path.advance(lambda);
        const fitted = applyColumns(columns, beta, path.intercept());
        const residual = y.map((value, r) => (value - fitted[r]) / rows);
        expect(residual.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 9);
        correlate(columns, residual).forEach((gradient, c) => {
          expect(Math.abs(gradient)).toBeLessThan(lambda + 1e-4);
          if (beta[c] !== 0) expect(gradient).toBeCloseTo(Math.sign(beta[c]) * lambda, 3);
        });
      }
    }
  });

  test('nothing is active at lambdaMax and something is just below it', () => {
    const random = createRandom(5);
    const masks = uniformMasks(12, 50, random);
    const path = lassoPath(
      parityColumns(masks, singles(12)),
      Float64Array.from({ length: 50 }, () => random.normal()),
    );
    expect([...path.advance(path.lambdaMax * 1.0001)].every((b) => b === 0)).toBe(true);
    expect([...path.advance(path.lambdaMax * 0.99)].filter((b) => b !== 0)).toHaveLength(1);
  });

  test('cross-validation finds the few players that matter among many', () => {
    const random = createRandom(6);
    const masks = uniformMasks(60, 150, random);
    const truth = {
      basis: 'fourier',
      players: 60,
      terms: [
        { members: [3], value: 2 },
        { members: [17], value: -1 },
        { members: [], value: 5 },
      ],
    } as const;
    const y = evaluate(truth, masks).map((value) => value + 0.1 * random.normal());
    const { spectrum, heldError, outOfFold } = lassoSpectrum(masks, y, singles(60), { seed: 0 });
    expect(spectrum.terms.slice(0, 3).map((term) => term.members)).toEqual([[], [3], [17]]);
    expect(spectrum.terms[1].value).toBeCloseTo(2, 1);
    expect(heldError).toBeLessThan(0.02);
    expect(squaredError(y, outOfFold) / 150).toBeCloseTo(heldError, 12);
    expect(lassoSpectrum(masks, y, singles(60), { seed: 0 })).toEqual({
      spectrum,
      heldError,
      alpha: expect.any(Number),
      outOfFold,
    });
  });

  test('a constant function is ∅ alone; fewer masks than folds is an error', () => {
    const masks = uniformMasks(6, 20, createRandom(7));
    expect(lassoSpectrum(masks, new Float64Array(20).fill(4), singles(6), { seed: 0 }).spectrum.terms).toEqual([
      { members: [], value: 4 },
    ]);
    expect(() => lassoSpectrum(emptyMasks(6, 3), new Float64Array(3), singles(6), { seed: 0 })).toThrow(
      '3 distinct masks for 5 folds; measure at least 5 masks',
    );
  });
});
