/** Dense matrices of numbers, by rows, in double precision: what OV and QK circuits are taken apart with. */
import { fail } from '../../errors.ts';

export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** [rows · columns] */
  readonly values: Float64Array;
}

export function zeroMatrix(rows: number, columns: number): Matrix {
  return { rows, columns, values: new Float64Array(rows * columns) };
}

/** a · b. @throws 'input' where their sizes do not fit. */
export function multiply(a: Matrix, b: Matrix): Matrix {
  if (a.columns !== b.rows)
    throw fail('input', 'matrix', `[${a.rows}, ${a.columns}] and [${b.rows}, ${b.columns}] have no product.`);
  const out = zeroMatrix(a.rows, b.columns);
  for (let i = 0; i < a.rows; i++)
    for (let k = 0; k < a.columns; k++) {
      const factor = a.values[i * a.columns + k];
      for (let j = 0; j < b.columns; j++) out.values[i * b.columns + j] += factor * b.values[k * b.columns + j];
    }
  return out;
}

export function transposed({ rows, columns, values }: Matrix): Matrix {
  const out = zeroMatrix(columns, rows);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out.values[j * rows + i] = values[i * columns + j];
  return out;
}

/** The root of the sum of squares. */
export function frobenius({ values }: Matrix): number {
  return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
}
