/**
 * Singular value decomposition A = U diag(S) Vᵀ by one-sided Jacobi rotations (Hestenes 1958; Golub and Van Loan, Matrix
 * Computations, 8.6.3): columns of A are turned in pairs until all are orthogonal. Small and accurate to the last bits, also for
 * small singular values.
 */
import { transposed, zeroMatrix, type Matrix } from './matrix.ts';

export interface SingularValues {
  /** [rows, r], orthonormal columns (zero where the singular value is). */
  readonly U: Matrix;
  /** r = min(rows, columns) of them, largest first. */
  readonly S: Float64Array;
  /** [columns, r] */
  readonly V: Matrix;
}

const SWEEPS = 60;

export function singularValues(a: Matrix): SingularValues {
  if (a.rows < a.columns) {
    const { U, S, V } = singularValues(transposed(a));
    return { U: V, S, V: U };
  }
  const n = a.columns;
  const work = transposed(a); // row j is column j of A
  const turns = zeroMatrix(n, n);
  for (let j = 0; j < n; j++) turns.values[j * n + j] = 1;
  for (let sweep = 0; sweep < SWEEPS && turnAll(work, turns); sweep++);
  const norms = Float64Array.from({ length: n }, (_, j) => Math.sqrt(dot(work, j, j)));
  const order = Array.from(norms.keys()).sort((i, j) => norms[j] - norms[i]);
  const U = zeroMatrix(a.rows, n);
  const V = zeroMatrix(n, n);
  order.forEach((j, place) => {
    for (let i = 0; i < a.rows; i++)
      U.values[i * n + place] = norms[j] === 0 ? 0 : work.values[j * a.rows + i] / norms[j];
    for (let i = 0; i < n; i++) V.values[i * n + place] = turns.values[j * n + i];
  });
  return { U, S: Float64Array.from(order, (j) => norms[j]), V };
}

/** One sweep over all pairs of rows; false when none needed to be turned. */
function turnAll(work: Matrix, turns: Matrix): boolean {
  let turned = false;
  for (let p = 0; p < work.rows; p++)
    for (let q = p + 1; q < work.rows; q++) {
      const [pp, qq, pq] = [dot(work, p, p), dot(work, q, q), dot(work, p, q)];
      if (Math.abs(pq) <= 1e-15 * Math.sqrt(pp * qq)) continue;
      turned = true;
      const tau = (qq - pp) / (2 * pq);
      const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.hypot(1, tau));
      const c = 1 / Math.hypot(1, t);
      turn(work, p, q, c, c * t);
      turn(turns, p, q, c, c * t);
    }
  return turned;
}

function dot({ columns, values }: Matrix, p: number, q: number): number {
  let sum = 0;
  for (let k = 0; k < columns; k++) sum += values[p * columns + k] * values[q * columns + k];
  return sum;
}

function turn({ columns, values }: Matrix, p: number, q: number, c: number, s: number): void {
  for (let k = 0; k < columns; k++) {
    const [x, y] = [values[p * columns + k], values[q * columns + k]];
    values[p * columns + k] = c * x - s * y;
    values[q * columns + k] = s * x + c * y;
  }
}
