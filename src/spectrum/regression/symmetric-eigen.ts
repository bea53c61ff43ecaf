/**
 * Eigenvalues and eigenvectors of a real symmetric matrix, in the WebAssembly kernels (wasm/dense.ts): Householder to
 * tridiagonal, implicit QL with shifts. Eigenvectors are kept as ROWS, so that every inner loop runs over neighbouring
 * numbers; several times faster than ml-matrix, which rotates columns.
 */
import { fail } from '../../errors.ts';
import { withKernels } from '../../kernels/kernels.ts';

export interface SymmetricEigen {
  /** n values, in no order. */
  readonly values: Float64Array;
  /** n x n row-major; row j is the unit eigenvector of values[j]. */
  readonly vectors: Float64Array;
}

/** A = Σ_j values[j] v_j v_jᵀ for a symmetric n x n row-major matrix, left as it is; 9 n³ flops or so. @throws on an entry that is not finite. */
export function symmetricEigen(matrix: Float64Array, n: number): SymmetricEigen {
  const broken = matrix.findIndex((entry) => !Number.isFinite(entry));
  if (broken >= 0)
    throw fail(
      'input',
      'symmetricEigen',
      `entry (${Math.floor(broken / n)}, ${broken % n}) is ${matrix[broken]}; all must be finite.`,
    );
  return withKernels((kernels) => {
    const [a, vectors] = [kernels.reserve(8 * n * n), kernels.reserve(8 * n * n)];
    const [diagonal, off, betas, p] = [0, 1, 2, 3].map(() => kernels.reserve(8 * n));
    kernels.float64(a, n * n).set(matrix);
    const open = kernels.symmetricEigen(a, vectors, diagonal, off, betas, p, n);
    if (open >= 0) throw fail('input', 'symmetricEigen', `no convergence for eigenvalue ${open} of ${n}.`);
    return { values: kernels.float64(diagonal, n).slice(), vectors: kernels.float64(vectors, n * n).slice() };
  });
}
