/**
 * Eigenvalues of a real square matrix: to Hessenberg form by Householder reflections, then QR steps with Francis's double shift
 * (Golub and Van Loan, Matrix Computations, 7.4 and 7.5; Wilkinson and Reinsch's hqr).
 */
import { fail } from '../../errors.ts';
import type { Matrix } from './matrix.ts';

export interface Complex {
  readonly re: number;
  readonly im: number;
}

/** All n of them, largest magnitude first; of a pair of conjugates the one with im > 0 first. */
export function eigenvalues({ rows: n, columns, values }: Matrix): Complex[] {
  if (n !== columns) throw fail('input', 'eigenvalues', `the matrix is [${n}, ${columns}]; a square one is needed.`);
  const h = Array.from({ length: n }, (_, i) => values.slice(i * n, (i + 1) * n));
  toHessenberg(h);
  const found: Complex[] = [];
  let size = n;
  let steps = 0;
  while (size > 0) {
    const start = blockStart(h, size);
    if (start === size - 1) {
      found.push({ re: h[size - 1][size - 1], im: 0 });
      [size, steps] = [size - 1, 0];
    } else if (start === size - 2) {
      found.push(...pairOf(h, size - 2));
      [size, steps] = [size - 2, 0];
    } else {
      if (++steps > 100)
        throw fail('input', 'eigenvalues', `QR did not converge in ${steps} steps; are all entries finite?`);
      francisStep(h, start, size, steps % 10 === 0);
    }
  }
  return found.sort((a, b) => Math.hypot(b.re, b.im) - Math.hypot(a.re, a.im) || b.re - a.re || b.im - a.im);
}

function toHessenberg(h: Float64Array[]): void {
  const n = h.length;
  for (let k = 0; k + 2 < n; k++) {
    const v = Float64Array.from({ length: n - k - 1 }, (_, i) => h[k + 1 + i][k]);
    const length = Math.hypot(...v);
    if (length === 0) continue;
    v[0] += v[0] >= 0 ? length : -length;
    reflect(h, v, k + 1, k, n, 0, n);
  }
}

/** P h P with the reflection P along v at rows and columns from.., where only some columns (rows) have entries. */
function reflect(
  h: Float64Array[],
  v: Float64Array,
  from: number,
  firstColumn: number,
  lastColumn: number,
  firstRow: number,
  lastRow: number,
): void {
  const square = v.reduce((sum, x) => sum + x * x, 0);
  if (square === 0) return;
  for (let j = firstColumn; j < lastColumn; j++) {
    let sum = 0;
    for (let i = 0; i < v.length; i++) sum += v[i] * h[from + i][j];
    for (let i = 0; i < v.length; i++) h[from + i][j] -= ((2 * sum) / square) * v[i];
  }
  for (let i = firstRow; i < lastRow; i++) {
    let sum = 0;
    for (let j = 0; j < v.length; j++) sum += v[j] * h[i][from + j];
    for (let j = 0; j < v.length; j++) h[i][from + j] -= ((2 * sum) / square) * v[j];
  }
}

/** The first row of the last unreduced block; a negligible entry below the diagonal becomes 0. */
function blockStart(h: Float64Array[], size: number): number {
  for (let k = size - 1; k > 0; k--) {
    const around = Math.abs(h[k - 1][k - 1]) + Math.abs(h[k][k]);
    if (Math.abs(h[k][k - 1]) > Number.EPSILON * (around === 0 ? 1 : around)) continue;
    h[k][k - 1] = 0;
    return k;
  }
  return 0;
}

/** Of the 2 x 2 block at k. */
function pairOf(h: Float64Array[], k: number): Complex[] {
  const half = (h[k][k] + h[k + 1][k + 1]) / 2;
  const gap = (h[k][k] - h[k + 1][k + 1]) / 2;
  const square = gap * gap + h[k][k + 1] * h[k + 1][k];
  const root = Math.sqrt(Math.abs(square));
  if (square < 0) return [root, -root].map((im) => ({ re: half, im }));
  return [half + root, half - root].map((re) => ({ re, im: 0 }));
}

/** One implicit double-shift step on rows start .. size - 1; an exceptional shift gets it out of a circle. */
function francisStep(h: Float64Array[], start: number, size: number, exceptional: boolean): void {
  const [m, l] = [size - 2, size - 1];
  const odd = Math.abs(h[l][m]) + Math.abs(h[m][Math.max(m - 1, start)]);
  const trace = exceptional ? 1.5 * odd : h[m][m] + h[l][l];
  const determinant = exceptional ? odd * odd : h[m][m] * h[l][l] - h[m][l] * h[l][m];
  const s = start;
  let x = h[s][s] * h[s][s] + h[s][s + 1] * h[s + 1][s] - trace * h[s][s] + determinant;
  let y = h[s + 1][s] * (h[s][s] + h[s + 1][s + 1] - trace);
  let z = h[s + 1][s] * h[s + 2][s + 1];
  for (let k = s; k < size - 1; k++) {
    const v = Float64Array.from(k < size - 2 ? [x, y, z] : [x, y]);
    const length = Math.hypot(...v);
    if (length > 0) {
      v[0] += v[0] >= 0 ? length : -length;
      reflect(h, v, k, Math.max(k - 1, s), h.length, 0, Math.min(k + 4, size));
    }
    if (k === size - 2) break;
    x = h[k + 1][k];
    y = h[k + 2][k];
    z = k + 3 < size ? h[k + 3][k] : 0;
  }
  for (let i = s + 2; i < size; i++) for (let j = s; j < i - 1; j++) h[i][j] = 0;
}
