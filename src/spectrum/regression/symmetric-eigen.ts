/**
 * Eigenvalues and eigenvectors of a real symmetric matrix: Householder to tridiagonal, implicit QL with shifts
 * (Wilkinson, Reinsch, Handbook for Automatic Computation II, 1971: tred2, tql2).
 *
 * Eigenvectors are kept as ROWS, so that every inner loop runs over neighbouring numbers; several times
 * faster than ml-matrix, which rotates columns. Only what ridge and Gaussian processes need: all of the basis.
 */
import { fail } from '../../errors.ts';

export interface SymmetricEigen {
  /** n values, in no order. */
  readonly values: Float64Array;
  /** n x n row-major; row j is the unit eigenvector of values[j]. */
  readonly vectors: Float64Array;
}

/** QL steps for one eigenvalue; 3 are usual. */
const MAX_STEPS = 60;

/** A = Σ_j values[j] v_j v_jᵀ for a symmetric n x n row-major matrix, left as it is; 9 n³ flops or so. @throws on an entry that is not finite. */
export function symmetricEigen(matrix: Float64Array, n: number): SymmetricEigen {
  const broken = matrix.findIndex((entry) => !Number.isFinite(entry));
  if (broken >= 0) throw fail('input', 'symmetricEigen', `entry (${Math.floor(broken / n)}, ${broken % n}) is ${matrix[broken]}; all must be finite.`);
  const a = matrix.slice();
  const diagonal = new Float64Array(n);
  const off = new Float64Array(n); // off[i] couples i and i + 1
  const betas = new Float64Array(n);
  const p = new Float64Array(n);
  for (let k = 0; k + 2 < n; k++) betas[k] = reflect(a, n, k, off, p);
  if (n > 1) off[n - 2] = a[(n - 1) * n + n - 2];
  for (let i = 0; i < n; i++) diagonal[i] = a[i * n + i];

  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  for (let k = n - 3; k >= 0; k--) if (betas[k] !== 0) for (let row = k + 1; row < n; row++) applyReflection(vectors, row * n, a, k * n, k + 1, n, betas[k]);

  let scale = 0;
  for (let i = 0; i < n; i++) scale = Math.max(scale, Math.abs(diagonal[i]) + Math.abs(off[i]));
  const tiny = Number.EPSILON * scale;
  for (let l = 0; l < n; l++) {
    for (let steps = 0; ; steps++) {
      let m = l;
      while (m < n - 1 && Math.abs(off[m]) > tiny) m++;
      if (m === l) break;
      if (steps === MAX_STEPS) throw fail('input', 'symmetricEigen', `no convergence after ${MAX_STEPS} steps for eigenvalue ${l} of ${n}.`);
      qlStep(diagonal, off, vectors, n, l, m);
    }
  }
  return { values: diagonal, vectors };
}

/**
 * Zeroes column k below the subdiagonal by A <- HAH, H = 1 - β vvᵀ; leaves v in row k (from k + 1 on) and
 * the new subdiagonal entry in off[k]. Returns β.
 */
function reflect(a: Float64Array, n: number, k: number, off: Float64Array, p: Float64Array): number {
  const v = k * n; // row k, by symmetry column k
  let norm = 0;
  for (let i = k + 1; i < n; i++) norm += a[v + i] * a[v + i];
  norm = Math.sqrt(norm);
  const head = a[v + k + 1];
  const alpha = head > 0 ? -norm : norm;
  off[k] = alpha;
  const length = norm * norm - alpha * head; // vᵀv / 2
  if (!(length > 0)) {
    off[k] = head;
    return 0;
  }
  a[v + k + 1] = head - alpha;
  const beta = 1 / length;
  let shift = 0;
  for (let i = k + 1; i < n; i++) {
    let sum = 0;
    for (let j = k + 1; j < n; j++) sum += a[i * n + j] * a[v + j];
    p[i] = beta * sum;
    shift += p[i] * a[v + i];
  }
  shift *= beta / 2;
  for (let i = k + 1; i < n; i++) p[i] -= shift * a[v + i];
  for (let i = k + 1; i < n; i++) {
    const vi = a[v + i];
    const wi = p[i];
    for (let j = k + 1; j < n; j++) a[i * n + j] -= vi * p[j] + wi * a[v + j];
  }
  return beta;
}

/** x <- x - β (x·v) v over entries first.. of a row at `x` with v at `v`. */
function applyReflection(rows: Float64Array, x: number, a: Float64Array, v: number, first: number, n: number, beta: number): void {
  let sum = 0;
  for (let j = first; j < n; j++) sum += rows[x + j] * a[v + j];
  sum *= beta;
  for (let j = first; j < n; j++) rows[x + j] -= sum * a[v + j];
}

/** One implicit QL step on the unreduced block l..m, rotations carried into the rows of `vectors`. */
function qlStep(d: Float64Array, e: Float64Array, vectors: Float64Array, n: number, l: number, m: number): void {
  const ratio = (d[l + 1] - d[l]) / (2 * e[l]);
  const root = Math.sqrt(ratio * ratio + 1);
  let g = d[m] - d[l] + e[l] / (ratio + (ratio < 0 ? -root : root));
  let s = 1;
  let c = 1;
  let p = 0;
  for (let i = m - 1; i >= l; i--) {
    const f = s * e[i];
    const b = c * e[i];
    const r = Math.sqrt(f * f + g * g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1] -= p;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - p;
    const t = (d[i] - g) * s + 2 * c * b;
    p = s * t;
    d[i + 1] = g + p;
    g = c * t - b;
    rotate(vectors, i * n, (i + 1) * n, n, c, s);
  }
  d[l] -= p;
  e[l] = g;
  e[m] = 0;
}

function rotate(rows: Float64Array, x: number, y: number, n: number, c: number, s: number): void {
  for (let k = 0; k < n; k++) {
    const upper = rows[x + k];
    const lower = rows[y + k];
    rows[y + k] = s * upper + c * lower;
    rows[x + k] = c * upper - s * lower;
  }
}
