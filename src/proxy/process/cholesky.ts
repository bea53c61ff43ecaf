/**
 * Inverse and log-determinant of a positive definite matrix by its Cholesky factor, in the WebAssembly kernels
 * (wasm/dense.ts): N³/2 multiply-adds.
 */
import { withKernels } from '../../kernels/kernels.ts';

export interface Inverse {
  /** A⁻¹, n x n row-major, both triangles. */
  readonly inverse: Float64Array;
  /** log |A|. */
  readonly logDeterminant: number;
}

/** A⁻¹ and log |A| of a symmetric n x n matrix (its lower triangle is read), or undefined when it is not positive definite. */
export function invertPositive(matrix: Float64Array, n: number): Inverse | undefined {
  return withKernels((kernels) => {
    const [at, lower, scratch] = [kernels.reserve(8 * n * n), kernels.reserve(8 * n * n), kernels.reserve(32)];
    kernels.float64(at, n * n).set(matrix);
    const logDeterminant = kernels.factorise(at, n, scratch);
    if (Number.isNaN(logDeterminant)) return undefined;
    kernels.invertFactor(at, lower, n);
    const inverse = kernels.float64(at, n * n).slice();
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) inverse[j * n + i] = inverse[i * n + j];
    return { inverse, logDeterminant };
  });
}
