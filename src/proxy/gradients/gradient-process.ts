/**
 * A Gaussian process on masks that learns from values and from gradients.
 *
 * k(x,x') = constant + Σ_i v_i x_i x'_i + a Π_i (1 + ρ_i x_i x'_i), x = 1 - 2m, so every F(S) has a prior of its own. A
 * slope ∂f/∂x_i is a linear function of f, and its covariances are derivatives of k (Solak et al., Derivative observations in
 * Gaussian process models of dynamic systems, NIPS 2002). With a_i(x,x') = ρ_i x'_i/(1 + ρ_i x_i x'_i) = c_i x'_i - d_i x_i,
 * c = ρ/(1-ρ²), d = ρ²/(1-ρ²), on x_i x'_i = ±1: ∂k/∂x_i = k a_i, and ∂²k/∂x_i∂x'_j = k (a_i a'_j + [i=j](..)). So the N + T n
 * equations of N values and T gradients take products of N x T x n, not a matrix of (N + T n)²; they are solved by conjugate
 * gradients, preconditioned by their two blocks (the idea for kernels of inner products: de Roos, Gessner, Hennig,
 * High-dimensional Gaussian process inference with derivatives, ICML 2021).
 */
import { isKept, type Masks } from '../../masks.ts';
import { slopeBlock, valueBlock } from './gradient-blocks.ts';
import { covariance, productKernel } from './gradient-covariance.ts';
import type { Prior, Slopes } from './gradient-prior.ts';
import { createMatrices, type Matrices, type Matrix } from './matrix.ts';

export interface Solved {
  /** α_b of every value, β_ti of every slope (T x n). */
  readonly alpha: Float64Array;
  readonly beta: Float32Array;
  /** Steps of the conjugate gradients. */
  readonly steps: number;
}

export interface GradientProcess extends Solved {
  readonly masks: Masks;
  readonly prior: Prior;
  /** What was subtracted from the values. */
  readonly centre: number;
  /** f̂ of other masks. */
  predict(masks: Masks): Float64Array;
  /** f̂ and ∂f̂/∂x of other masks. */
  predictSlopes(masks: Masks): { readonly values: Float64Array; readonly slopes: Float32Array };
}

/** Conjugate gradients end at this share of the right side, or after so many steps. */
const SOLVED = 3e-3;
const MOST_STEPS = 200;

/** Fits `values` of all N masks and the slopes of the first T. */
export function fitGradientProcess(masks: Masks, values: Float64Array, slopes: Slopes, prior: Prior): GradientProcess {
  const matrices = createMatrices();
  const points = signsOf(matrices, masks);
  const centre = values.reduce((sum, value) => sum + value, 0) / values.length;
  const { alpha, beta, steps } = solve(
    matrices,
    points,
    masks.count,
    masks.players,
    values.map((value) => value - centre),
    slopes,
    prior,
  );
  const fitted = { masks, prior, centre, alpha, beta, steps };
  return {
    ...fitted,
    predict: (others) => predictAt(fitted, others, false).values,
    predictSlopes: (others) => predictAt(fitted, others, true),
  };
}

/** x of every mask, [count x n]. */
function signsOf(matrices: Matrices, masks: Masks): Matrix {
  const signs = matrices.create(masks.count, masks.players);
  const x = matrices.numbers(signs);
  for (let row = 0; row < masks.count; row++)
    for (let i = 0; i < masks.players; i++) x[row * signs.columns + i] = isKept(masks, row, i) ? -1 : 1;
  return signs;
}

/** (α, β) by preconditioned conjugate gradients. */
function solve(
  matrices: Matrices,
  points: Matrix,
  N: number,
  n: number,
  y: Float64Array,
  { count: T, slopes }: Slopes,
  prior: Prior,
): Solved {
  const kernel = productKernel(matrices, points, points, prior);
  const conditionValues = valueBlock(matrices, points, N, n, prior, kernel);
  const conditionSlopes = slopeBlock(matrices, T, n, prior, kernel);
  const cover = covariance(matrices, points, N, T, points, N, T, n, prior, kernel);
  const alpha = new Float64Array(N);
  const beta = new Float32Array(T * n);
  const residual = { values: y.slice(), slopes: slopes.slice() };
  const better = { values: new Float64Array(N), slopes: new Float32Array(T * n) };
  const condition = (): void => {
    conditionValues(residual.values, better.values);
    conditionSlopes(residual.slopes, better.slopes);
  };
  condition();
  const direction = { values: better.values.slice(), slopes: better.slopes.slice() };
  const product = { values: new Float64Array(N), slopes: new Float32Array(T * n) };
  let square = dot(residual.values, direction.values) + dot(residual.slopes, direction.slopes);
  const enough = SOLVED ** 2 * square;
  let steps = 0;
  for (; steps < MOST_STEPS && square > enough; steps++) {
    product.values.fill(0);
    product.slopes.fill(0);
    cover.apply(direction.values, direction.slopes, product.values, product.slopes);
    for (let b = 0; b < N; b++) product.values[b] += prior.valueNoise * direction.values[b];
    for (let t = 0; t < T; t++)
      for (let i = 0; i < n; i++) product.slopes[t * n + i] += prior.slopeNoise[i] * direction.slopes[t * n + i];
    const length = square / (dot(direction.values, product.values) + dot(direction.slopes, product.slopes));
    if (!Number.isFinite(length)) break;
    for (let b = 0; b < N; b++) {
      alpha[b] += length * direction.values[b];
      residual.values[b] -= length * product.values[b];
    }
    for (let e = 0; e < beta.length; e++) {
      beta[e] += length * direction.slopes[e];
      residual.slopes[e] -= length * product.slopes[e];
    }
    condition();
    const next = dot(residual.values, better.values) + dot(residual.slopes, better.slopes);
    const turn = next / square;
    for (let b = 0; b < N; b++) direction.values[b] = better.values[b] + turn * direction.values[b];
    for (let e = 0; e < beta.length; e++) direction.slopes[e] = better.slopes[e] + turn * direction.slopes[e];
    square = next;
  }
  return { alpha, beta, steps };
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let e = 0; e < a.length; e++) sum += a[e] * b[e];
  return sum;
}

function predictAt(
  { masks, prior, centre, alpha, beta }: Pick<GradientProcess, 'masks' | 'prior' | 'centre' | 'alpha' | 'beta'>,
  others: Masks,
  sloped: boolean,
): { values: Float64Array; slopes: Float32Array } {
  const n = masks.players;
  const matrices = createMatrices();
  const points = signsOf(matrices, masks);
  const at = signsOf(matrices, others);
  const kernel = productKernel(matrices, at, points, prior);
  const rows = others.count;
  const values = new Float64Array(rows).fill(centre);
  const slopes = new Float32Array(sloped ? rows * n : 0);
  const wanted = sloped ? rows : 0;
  const cover = covariance(matrices, at, rows, wanted, points, masks.count, beta.length / n, n, prior, kernel);
  cover.apply(alpha, beta, values, sloped ? slopes : undefined);
  return { values, slopes };
}
