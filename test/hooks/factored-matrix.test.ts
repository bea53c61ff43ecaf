/** Singular values and eigenvalues of factored matrices: laws on random ones, and matrices whose eigenvalues are known. */
import { describe, expect, it } from 'vitest';
import { eigenvalues } from '../../src/hooks/heads/eigenvalues.ts';
import { factoredMatrix } from '../../src/hooks/heads/factored-matrix.ts';
import { frobenius, multiply, transposed, zeroMatrix, type Matrix } from '../../src/hooks/heads/matrix.ts';
import { singularValues } from '../../src/hooks/heads/singular-values.ts';
import { createRandom } from '../../src/random.ts';

const random = createRandom(7);
const matrix = (rows: number, columns: number): Matrix => ({
  rows,
  columns,
  values: Float64Array.from({ length: rows * columns }, () => random.normal()),
});
const identity = (n: number): Matrix => {
  const out = zeroMatrix(n, n);
  for (let i = 0; i < n; i++) out.values[i * n + i] = 1;
  return out;
};
const diagonal = (values: ArrayLike<number>): Matrix => {
  const out = zeroMatrix(values.length, values.length);
  Array.from(values).forEach((value, i) => (out.values[i * values.length + i] = value));
  return out;
};

describe('a factored matrix', () => {
  it.each([
    [9, 4, 9],
    [4, 9, 4],
    [6, 1, 3],
    [3, 8, 12],
  ])('[%i, %i] · [.., %i] is its singular vectors and values', (m, e, n) => {
    const factored = factoredMatrix(matrix(m, e), matrix(e, n));
    const { U, S, V } = factored.svd();
    expect(S.length).toBe(Math.min(m, e, n));
    expect(Array.from(S).toSorted((a, b) => b - a)).toEqual(Array.from(S));
    expect(multiply(multiply(U, diagonal(S)), transposed(V)).values).toBeAllClose(factored.AB().values, 1e-12);
    expect(multiply(transposed(U), U).values).toBeAllClose(identity(S.length).values, 1e-12);
    expect(multiply(transposed(V), V).values).toBeAllClose(identity(S.length).values, 1e-12);
    expect(factored.norm()).toBeCloseTo(frobenius(factored.AB()), 10);
    expect(factored.transpose().AB().values).toBeAllClose(transposed(factored.AB()).values, 1e-14);
  });

  it('keeps a singular value of 0 where columns repeat', () => {
    const a = matrix(5, 2);
    const twice = {
      rows: 5,
      columns: 3,
      values: Float64Array.from({ length: 15 }, (_, i) => a.values[Math.floor(i / 3) * 2 + ((i % 3) % 2)]),
    };
    expect(singularValues(twice).S[2]).toBeLessThan(1e-14);
    expect(factoredMatrix(twice, matrix(3, 4)).svd().S.length).toBe(3);
  });

  it('has the eigenvalues of its product, of which the others are 0', () => {
    const factored = factoredMatrix(matrix(7, 3), matrix(3, 7));
    const [thin, whole] = [factored.eigenvalues(), eigenvalues(factored.AB())];
    expect(thin.length).toBe(3);
    for (const { re, im } of thin)
      expect(Math.min(...whole.map((x) => Math.hypot(x.re - re, x.im - im)))).toBeLessThan(1e-9);
    expect(whole.slice(3).every(({ re, im }) => Math.hypot(re, im) < 1e-9)).toBe(true);
  });
});

describe('eigenvalues', () => {
  it.each([1, 2, 3, 5, 8, 40])(
    'of a random matrix of %i: their sum is its trace, their squares sum to that of its square',
    (n) => {
      const a = matrix(n, n);
      const trace = ({ values }: Matrix): number =>
        Array.from({ length: n }, (_, i) => values[i * n + i]).reduce((x, y) => x + y);
      const found = eigenvalues(a);
      expect(found.length).toBe(n);
      expect(found.reduce((sum, { re }) => sum + re, 0)).toBeCloseTo(trace(a), 8);
      expect(found.reduce((sum, { im }) => sum + im, 0)).toBeCloseTo(0, 8);
      expect(found.reduce((sum, { re, im }) => sum + re * re - im * im, 0)).toBeCloseTo(trace(multiply(a, a)), 7);
    },
  );

  it('are the roots of a polynomial in its companion matrix, complex ones too', () => {
    // (x - 1)(x - 2)(x + 3)(x² + 4) = x⁵ - 3x³ + 6x² - 28x + 24
    const rows = [
      [0, 3, -6, 28, -24],
      [1, 0, 0, 0, 0],
      [0, 1, 0, 0, 0],
      [0, 0, 1, 0, 0],
      [0, 0, 0, 1, 0],
    ];
    const found = eigenvalues({ rows: 5, columns: 5, values: Float64Array.from(rows.flat()) });
    for (const [re, im] of [
      [1, 0],
      [2, 0],
      [-3, 0],
      [0, 2],
      [0, -2],
    ])
      expect(Math.min(...found.map((x) => Math.hypot(x.re - re, x.im - im)))).toBeLessThan(1e-10);
  });

  it('of a cyclic permutation are roots of unity, which need an exceptional shift', () => {
    const n = 6;
    const values = new Float64Array(n * n);
    for (let i = 0; i < n; i++) values[i * n + ((i + 1) % n)] = 1;
    const found = eigenvalues({ rows: n, columns: n, values });
    for (let k = 0; k < n; k++) {
      const [re, im] = [Math.cos((2 * Math.PI * k) / n), Math.sin((2 * Math.PI * k) / n)];
      expect(Math.min(...found.map((x) => Math.hypot(x.re - re, x.im - im)))).toBeLessThan(1e-10);
    }
  });

  it('refuses what is not square', () => {
    expect(() => eigenvalues(matrix(2, 3))).toThrow(/is \[2, 3\]; a square one is needed/);
  });
});
