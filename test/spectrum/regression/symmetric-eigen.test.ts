import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../../src/random.ts';
import { symmetricEigen } from '../../../src/spectrum/regression/symmetric-eigen.ts';

/** A random symmetric matrix of the given rank (sum of signed outer products). */
function symmetric(n: number, rank: number, seed = 1): Float64Array {
  const random = createRandom(seed);
  const a = new Float64Array(n * n);
  for (let k = 0; k < rank; k++) {
    const v = Array.from({ length: n }, () => random.normal());
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) a[i * n + j] += (k % 3 === 0 ? -1 : 1) * v[i] * v[j];
  }
  return a;
}

describe('symmetricEigen', () => {
  test.each([
    [1, 1],
    [2, 2],
    [7, 7],
    [40, 40],
    [40, 5],
    [12, 0],
  ])('rebuilds a matrix of %i rows and rank %i from an orthonormal basis', (n, rank) => {
    const a = symmetric(n, rank);
    const { values, vectors } = symmetricEigen(a, n);
    const rebuilt = new Float64Array(n * n);
    const identity = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        for (let k = 0; k < n; k++) {
          rebuilt[i * n + j] += values[k] * vectors[k * n + i] * vectors[k * n + j];
          identity[i * n + j] += vectors[i * n + k] * vectors[j * n + k];
        }
      }
    }
    expect(rebuilt).toBeAllClose(a, 1e-11);
    expect(identity).toBeAllClose(
      Array.from({ length: n * n }, (_, at) => Number(at % (n + 1) === 0)),
      1e-12,
    );
  });

  test('agrees with ml-matrix, also where eigenvalues repeat', () => {
    const n = 30;
    const a = symmetric(n, n, 2);
    for (const matrix of [a, Float64Array.from({ length: n * n }, (_, at) => Number(at % (n + 1) === 0) * 3 + 1)]) {
      const theirs = new EigenvalueDecomposition(Matrix.from1DArray(n, n, matrix), {
        assumeSymmetric: true,
      }).realEigenvalues.sort((x, y) => x - y);
      expect(symmetricEigen(matrix, n).values.sort()).toBeAllClose(theirs, 1e-11);
    }
  });

  test('a matrix that is not finite is an error that names the entry', () => {
    expect(() => symmetricEigen(symmetric(5, 5).with(7, Number.NaN), 5)).toThrow('entry (1, 2) is NaN');
  });
});
