/** Row-major matrices of 32-bit numbers in the memory of the WebAssembly kernels, padded with zeros to multiples of 8. */
import { createKernels, type Kernels } from '../../kernels/kernels.ts';

export interface Matrix {
  /** Padded. */
  readonly rows: number;
  readonly columns: number;
  readonly at: number;
}

/** Matrices that live and go together. */
export interface Matrices {
  /** A matrix of zeros, at least rows x columns. */
  create(rows: number, columns: number): Matrix;
  /** Its numbers; void after the next `create`. */
  numbers(matrix: Matrix): Float32Array;
  /** out = a b. */
  multiply(a: Matrix, b: Matrix, out: Matrix): void;
}

export function createMatrices(): Matrices {
  const kernels: Kernels = createKernels();
  return {
    create(rows, columns) {
      const [padded, wide] = [padTo8(rows), padTo8(columns)];
      const matrix = { rows: padded, columns: wide, at: kernels.reserve(4 * padded * wide) };
      kernels.float32(matrix.at, padded * wide).fill(0);
      return matrix;
    },
    numbers: ({ at, rows, columns }) => kernels.float32(at, rows * columns),
    multiply(a, b, out) {
      kernels.product(a.at, b.at, out.at, a.rows, a.columns, b.columns);
    },
  };
}

export function padTo8(count: number): number {
  return 8 * Math.ceil(count / 8);
}
