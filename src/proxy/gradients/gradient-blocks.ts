/** Preconditioners of a gradient process: the inverses of its two blocks, values with values and slopes with slopes. */
import { invertPositive } from '../process/cholesky.ts';
import { symmetricEigen } from '../../spectrum/regression/symmetric-eigen.ts';
import { factorsOf } from './gradient-covariance.ts';
import type { Prior } from './gradient-prior.ts';
import type { Matrices, Matrix } from './matrix.ts';

/** The inverse of the values' own block, from r to out; its diagonal where that is not positive definite in floating point. */
export function valueBlock(
  matrices: Matrices,
  points: Matrix,
  N: number,
  n: number,
  prior: Prior,
  kernel: Matrix,
): (r: Float64Array, out: Float64Array) => void {
  const scaled = matrices.create(points.columns, points.rows);
  const x = matrices.numbers(points);
  const turned = matrices.numbers(scaled);
  for (let b = 0; b < N; b++)
    for (let i = 0; i < n; i++) turned[i * scaled.columns + b] = prior.singles[i] * x[b * points.columns + i];
  const linear = matrices.create(points.rows, points.rows);
  matrices.multiply(points, scaled, linear);
  const [k, l] = [matrices.numbers(kernel), matrices.numbers(linear)];
  const block = new Float64Array(N * N);
  for (let a = 0; a < N; a++)
    for (let b = 0; b < N; b++)
      block[a * N + b] = k[a * kernel.columns + b] + l[a * linear.columns + b] + prior.constant;
  for (let a = 0; a < N; a++) block[a * N + a] += prior.valueNoise;
  const inverse = invertPositive(block, N)?.inverse;
  if (inverse === undefined) return (r, out) => r.forEach((value, a) => (out[a] = value / block[a * N + a]));
  return (r, out) => {
    for (let a = 0; a < N; a++) {
      let sum = 0;
      for (let b = 0; b < N; b++) sum += inverse[a * N + b] * r[b];
      out[a] = sum;
    }
  };
}

/** The inverse, player by player, of c_i K + v_i 1 1ᵀ + noise_i: what is largest of the slopes' block. */
export function slopeBlock(
  matrices: Matrices,
  T: number,
  n: number,
  prior: Prior,
  kernel: Matrix,
): (r: Float32Array, out: Float32Array) => void {
  if (T === 0) return (r, solved) => solved.set(r);
  const { c } = factorsOf(prior);
  const k = matrices.numbers(kernel);
  const square = new Float64Array(T * T);
  for (let a = 0; a < T; a++) for (let b = 0; b < T; b++) square[a * T + b] = k[a * kernel.columns + b];
  const { values, vectors } = symmetricEigen(square, T);
  const [forth, back] = [matrices.create(T, T), matrices.create(T, T)];
  const [given, inside, out] = [matrices.create(T, n), matrices.create(T, n), matrices.create(T, n)];
  const [f, b] = [forth, back].map((matrix) => matrices.numbers(matrix));
  const ones = new Float64Array(T);
  for (let j = 0; j < T; j++) {
    for (let t = 0; t < T; t++) {
      f[j * forth.columns + t] = b[t * back.columns + j] = vectors[j * T + t];
      ones[j] += vectors[j * T + t];
    }
  }
  const inverse = new Float64Array(T * n);
  const factor = new Float64Array(n); // of the rank-one part (Sherman, Morrison)
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < T; j++) {
      inverse[j * n + i] = 1 / (c[i] * Math.max(0, values[j]) + prior.slopeNoise[i]);
      sum += ones[j] ** 2 * inverse[j * n + i];
    }
    factor[i] = prior.singles[i] / (1 + prior.singles[i] * sum);
  }
  const along = new Float64Array(n);
  return (r, solved) => {
    const [g, w, o] = [given, inside, out].map((matrix) => matrices.numbers(matrix));
    for (let t = 0; t < T; t++) for (let i = 0; i < n; i++) g[t * given.columns + i] = r[t * n + i];
    matrices.multiply(forth, given, inside);
    along.fill(0);
    for (let j = 0; j < T; j++)
      for (let i = 0; i < n; i++) along[i] += ones[j] * inverse[j * n + i] * w[j * inside.columns + i];
    for (let j = 0; j < T; j++)
      for (let i = 0; i < n; i++) {
        const e = j * inside.columns + i;
        w[e] = inverse[j * n + i] * (w[e] - ones[j] * factor[i] * along[i]);
      }
    matrices.multiply(back, inside, out);
    for (let t = 0; t < T; t++) for (let i = 0; i < n; i++) solved[t * n + i] = o[t * out.columns + i];
  };
}
