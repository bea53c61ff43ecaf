/** The covariances of a gradient process (gradient-process.ts), applied without being written down. */
import type { Prior } from './gradient-prior.ts';
import type { Matrices, Matrix } from './matrix.ts';

/** c = ρ/(1-ρ²) and d = ρ²/(1-ρ²). */
export function factorsOf({ rho }: Prior): { readonly c: Float64Array; readonly d: Float64Array } {
  return { c: rho.map((r) => r / (1 - r * r)), d: rho.map((r) => (r * r) / (1 - r * r)) };
}

/** a Π_i (1 + ρ_i x_i x'_i) of all pairs of rows of `left` and of `right`. */
export function productKernel(matrices: Matrices, left: Matrix, right: Matrix, { rho, amplitude }: Prior): Matrix {
  const turned = matrices.create(left.columns, right.rows);
  const scaled = matrices.numbers(turned);
  const other = matrices.numbers(right);
  let level = 0;
  rho.forEach((r, i) => {
    level += Math.log1p(-r * r) / 2;
    const tilt = Math.atanh(r);
    for (let b = 0; b < right.rows; b++) scaled[i * turned.columns + b] = tilt * other[b * right.columns + i];
  });
  const kernel = matrices.create(left.rows, right.rows);
  matrices.multiply(left, turned, kernel);
  const k = matrices.numbers(kernel);
  // Rows of padding have x = 0; what stands there is never read.
  for (let e = 0; e < k.length; e++) k[e] = amplitude * Math.exp(level + k[e]);
  return kernel;
}

/** The covariances of values and slopes at rows of `at` with those at the fitted points, applied to (α, β). */
export interface Covariance {
  /** Adds to `values` [rows] and, where asked for, `slopes` [rows x wide]. */
  apply(alpha: Float64Array, beta: Float32Array, values: Float64Array, slopes: Float32Array | undefined): void;
}

/**
 * `at` are the first rows of the points or other masks; `points` N x n, T of them with slopes. `rows` of `at` are wanted, slopes
 * of the first `sloped` of them.
 */
export function covariance(
  matrices: Matrices,
  at: Matrix,
  rows: number,
  sloped: number,
  points: Matrix,
  N: number,
  T: number,
  n: number,
  prior: Prior,
  kernel: Matrix,
): Covariance {
  const { c, d } = factorsOf(prior);
  const wide = points.columns;
  const turned = matrices.create(wide, T);
  const inner = matrices.create(at.rows, T); // P
  const weights = matrices.create(sloped, N); // M
  const first = matrices.create(sloped, wide);
  const square = matrices.create(sloped, T); // the kernel of the sloped rows with the T points
  const factor = matrices.create(T, wide);
  const signed = matrices.create(T, wide);
  const [second, third] = [matrices.create(sloped, wide), matrices.create(sloped, wide)];
  const [from, q] = [matrices.numbers(kernel), matrices.numbers(square)];
  for (let a = 0; a < sloped; a++) for (let t = 0; t < T; t++) q[a * square.columns + t] = from[a * kernel.columns + t];
  const all = [points, at, turned, inner, weights, first, factor, signed, second, third, kernel];
  const linear = new Float64Array(n);
  const shift = new Float64Array(T);
  return {
    apply(alpha, beta, values, slopes) {
      const [x, y, turn, P, M, R, B, S, R2, R3, k] = all.map((matrix) => matrices.numbers(matrix));
      let constant = 0;
      linear.fill(0);
      for (let b = 0; b < N; b++) {
        constant += alpha[b];
        for (let i = 0; i < n; i++) linear[i] += alpha[b] * x[b * wide + i];
      }
      for (let t = 0; t < T; t++) {
        let sum = 0;
        for (let i = 0; i < n; i++) {
          const value = beta[t * n + i];
          linear[i] += value;
          turn[i * turned.columns + t] = c[i] * value;
          const sign = x[t * wide + i];
          sum += d[i] * value * sign;
          B[t * wide + i] = value;
          S[t * wide + i] = value * sign;
        }
        shift[t] = sum;
      }
      for (let i = 0; i < n; i++) linear[i] *= prior.singles[i];
      if (T > 0) matrices.multiply(at, turned, inner);
      for (let a = 0; a < rows; a++) {
        let sum = prior.constant * constant;
        for (let i = 0; i < n; i++) sum += y[a * wide + i] * linear[i];
        const from = a * kernel.columns;
        for (let b = 0; b < N; b++) sum += k[from + b] * alpha[b];
        for (let t = 0; t < T; t++) sum += k[from + t] * (P[a * inner.columns + t] - shift[t]);
        values[a] += sum;
      }
      if (slopes === undefined || sloped === 0) return;
      for (let a = 0; a < sloped; a++) {
        const from = a * kernel.columns;
        for (let b = 0; b < N; b++) {
          const more = b < T ? P[a * inner.columns + b] - shift[b] : 0;
          M[a * weights.columns + b] = k[from + b] * (alpha[b] + more);
        }
      }
      matrices.multiply(weights, points, first);
      matrices.multiply(square, factor, second);
      matrices.multiply(square, signed, third);
      for (let a = 0; a < sloped; a++) {
        let total = 0;
        for (let b = 0; b < N; b++) total += M[a * weights.columns + b];
        for (let i = 0; i < n; i++) {
          const e = a * wide + i;
          const [ci, di] = [c[i], d[i]];
          slopes[a * n + i] +=
            ci * R[e] + (ci + 2 * ci * di) * R2[e] - y[e] * (di * total + (di + ci * ci + di * di) * R3[e]) + linear[i];
        }
      }
    },
  };
}
