import { describe, expect, test } from 'vitest';
import { masksFromRows, isKept, selectRows, type Masks } from '../../../src/masks.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import { createRandom } from '../../../src/random.ts';
import {
  applyColumns,
  correlate,
  gram,
  parityColumns,
  rowGram,
} from '../../../src/spectrum/regression/parity-columns.ts';
import { ridge, ridgeSpectrum } from '../../../src/spectrum/regression/ridge.ts';
import { evaluate } from '../../../src/spectrum/spectrum.ts';

const SETS = [[0], [1], [4], [0, 1], [2, 5], [1, 3, 6], [0, 2, 4, 6]];

function design(rows: number, sets = SETS, seed = 1): { masks: Masks; y: Float64Array; sets: number[][] } {
  const random = createRandom(seed);
  const masks = uniformMasks(7, rows, random);
  return { masks, y: Float64Array.from({ length: rows }, () => random.normal()), sets };
}

function chi(masks: Masks, row: number, set: readonly number[]): number {
  return set.reduce((sign, player) => (isKept(masks, row, player) ? -sign : sign), 1);
}

describe('parity columns', () => {
  test('Gram matrices by popcount equal the products of the ±1 matrix', () => {
    const { masks, sets, y } = design(45);
    const columns = parityColumns(masks, sets);
    const x = Array.from({ length: 45 }, (_, r) => sets.map((set) => chi(masks, r, set)));
    const dot = (a: number[], b: number[]): number => a.reduce((sum, v, i) => sum + v * b[i], 0);
    const byColumn = sets.map((_, c) => x.map((row) => row[c]));
    expect([...gram(columns)]).toEqual(byColumn.flatMap((a) => byColumn.map((b) => dot(a, b))));
    expect([...rowGram(columns)]).toEqual(x.flatMap((a) => x.map((b) => dot(a, b))));
    expect(correlate(columns, y)).toBeAllClose(
      byColumn.map((a) => dot(a, [...y])),
      1e-12,
    );
    expect(applyColumns(columns, [1, 2, 3, 4, 5, 6, 7], 0.5)).toBeAllClose(
      x.map((row) => 0.5 + dot(row, [1, 2, 3, 4, 5, 6, 7])),
      1e-12,
    );
  });

  test('a player that the masks lack is an error with its number', () => {
    expect(() => parityColumns(design(5).masks, [[1, 9]])).toThrow('names player 9; players are 0..6');
  });
});

describe('ridge', () => {
  test.each([
    ['more masks than sets', 40, SETS],
    ['fewer masks than sets', 6, SETS],
    ['∅ among the sets', 30, [[], ...SETS]],
  ])('the leave-one-out shortcut equals fitting without each row: %s', (_, rows, sets) => {
    const { masks, y } = design(rows);
    const alpha = 0.7;
    const fit = ridge(parityColumns(masks, sets), y, [alpha]);
    for (let r = 0; r < rows; r++) {
      const others = Array.from({ length: rows }, (_, i) => i).filter((i) => i !== r);
      const without = ridge(
        parityColumns(selectRows(masks, others), sets),
        Float64Array.from(others, (i) => y[i]),
        [alpha],
      );
      const nonEmpty = sets.map((set, c) => (set.length > 0 ? without.coefficients[c] * chi(masks, r, set) : 0));
      const predicted = nonEmpty.reduce((a, b) => a + b, without.intercept);
      expect(y[r] - predicted).toBeCloseTo(fit.looResiduals[r], 9);
    }
  });

  test('the fit is the minimum of its objective: gradient 0 for sets and for ∅', () => {
    for (const rows of [40, 5]) {
      const { masks, y, sets } = design(rows);
      const columns = parityColumns(masks, sets);
      const { coefficients, intercept } = ridge(columns, y, [2]);
      const fitted = applyColumns(columns, coefficients, intercept);
      const residual = y.map((value, r) => value - fitted[r]);
      expect(correlate(columns, residual)).toBeAllClose(
        coefficients.map((c) => 2 * c),
        1e-9,
      );
      expect(residual.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 9);
    }
  });

  test('chooses the penalty with the least leave-one-out error', () => {
    const { masks, y, sets } = design(40);
    const columns = parityColumns(masks, sets);
    const alphas = [1e-3, 1, 10, 100, 1e4];
    const chosen = ridge(columns, y, alphas);
    const errors = alphas.map((alpha) => ridge(columns, y, [alpha]).looError);
    expect(chosen.looError).toBe(Math.min(...errors));
    expect(chosen.alpha).toBe(alphas[errors.indexOf(Math.min(...errors))]);
  });

  test('recovers a sparse function from fewer masks than 2^n, and a constant as ∅ alone', () => {
    const { masks, sets } = design(60);
    const truth = {
      basis: 'fourier',
      players: 7,
      terms: [{ members: [], value: 3 }, ...sets.map((members, c) => ({ members, value: (c + 1) / 4 }))],
    } as const;
    const fit = ridgeSpectrum(masks, evaluate(truth, masks), sets);
    for (const { members, value } of truth.terms) {
      expect(fit.spectrum.terms.find((term) => term.members.join() === members.join())?.value).toBeCloseTo(value, 5);
    }
    const constant = ridgeSpectrum(masks, new Float64Array(60).fill(2), sets);
    expect(constant.spectrum.terms).toEqual([{ members: [], value: 2 }]);
    expect(constant.heldError).toBe(0);
    expect(ridgeSpectrum(masks, evaluate(truth, masks), []).spectrum.terms).toHaveLength(1);
  });

  test('two equal columns share the coefficient and leave-one-out stays finite', () => {
    const masks = masksFromRows([
      [1, 1],
      [0, 0],
      [1, 1],
      [0, 0],
      [1, 1],
    ]);
    const fit = ridge(parityColumns(masks, [[0], [1]]), Float64Array.from([1, 3, 1, 3, 1]), [1e-6]);
    expect(fit.coefficients).toBeAllClose([0.5, 0.5], 1e-5);
    expect(fit.looError).toBeLessThan(1e-9);
  });

  test('says which input it cannot use', () => {
    const { masks, y, sets } = design(10);
    const columns = parityColumns(masks, sets);
    expect(() => ridge(columns, y.subarray(1))).toThrow('9 values for 10 masks');
    expect(() => ridge(columns, y, [0])).toThrow('penalties [0]; positive ones are needed');
  });
});
