/**
 * Cholesky factor, inverse and log-determinant of a positive definite matrix, row-major.
 *
 * Every inner loop runs along rows: N³/2 multiply-adds for the factor and the inverse together.
 */

export interface Inverse {
  /** A⁻¹, n x n row-major, both triangles. */
  readonly inverse: Float64Array;
  /** log |A|. */
  readonly logDeterminant: number;
}

/** A⁻¹ and log |A| of a symmetric n x n matrix (its lower triangle is read), or undefined when it is not positive definite. */
export function invertPositive(matrix: Float64Array, n: number): Inverse | undefined {
  const factor = new Float64Array(n * n); // L, then L⁻¹ below the diagonal
  let logDeterminant = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) factor[i * n + j] = (matrix[i * n + j] - dot(factor, i * n, j * n, j)) / factor[j * n + j];
    const square = matrix[i * n + i] - dot(factor, i * n, i * n, i);
    if (!(square > 0)) return undefined;
    factor[i * n + i] = Math.sqrt(square);
    logDeterminant += Math.log(square);
  }
  // L⁻¹ row by row: row i = (e_i - Σ_{k<i} L_ik · row k) / L_ii.
  const lower = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) addScaled(lower, i * n, lower, k * n, k + 1, -factor[i * n + k]);
    lower[i * n + i] = 1;
    const scale = 1 / factor[i * n + i];
    for (let j = 0; j <= i; j++) lower[i * n + j] *= scale;
  }
  // A⁻¹ = Σ_i (row i of L⁻¹)ᵀ(row i of L⁻¹), lower triangle, then mirrored.
  const inverse = factor.fill(0);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) addScaled(inverse, j * n, lower, i * n, j + 1, lower[i * n + j]);
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) inverse[j * n + i] = inverse[i * n + j];
  return { inverse, logDeterminant };
}

/** Σ_{k<count} rows[a + k]·rows[b + k], in four sums that do not wait for each other. */
function dot(rows: Float64Array, a: number, b: number, count: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < count; k += 4) {
    s0 += rows[a + k] * rows[b + k];
    s1 += rows[a + k + 1] * rows[b + k + 1];
    s2 += rows[a + k + 2] * rows[b + k + 2];
    s3 += rows[a + k + 3] * rows[b + k + 3];
  }
  for (; k < count; k++) s0 += rows[a + k] * rows[b + k];
  return s0 + s1 + (s2 + s3);
}

/** to[at + j] += factor · from[start + j] for j < count. */
function addScaled(to: Float64Array, at: number, from: Float64Array, start: number, count: number, factor: number): void {
  for (let j = 0; j < count; j++) to[at + j] += factor * from[start + j];
}
