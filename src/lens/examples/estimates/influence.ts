/**
 * Influence functions: what an example's presence is worth by the curvature of the loss at the model trained on everything.
 *
 * The minimum of (1/N) Σ w_n ℓ_n moves by -(H + λ)⁻¹∇ℓ_n / N for a weight, so f by τ_n = -∇f·(H + λ)⁻¹∇ℓ_n / N (Koh, Liang, ICML
 * 2017). H is the Gauss-Newton matrix, plus what weight decay adds; λ follows from how long was trained (trained.ts).
 *
 * Second order adds what two groups do together. Leaving out the groups i of a set moves the parameters by δ, (H - Σ H_i)δ = Σ g_i,
 * and to second order in the groups δ = Σ u_i + (H + λ)⁻¹ Σ_ij H_i u_j with u_i = (H + λ)⁻¹g_i; put into f + ∇f·δ + ½δ·F·δ this is a
 * quadratic game in closed form (Basu, You, Feizi, ICML 2020, "On second-order group influence functions"; here with the curvature
 * F of f itself).
 */
import * as tf from '@tensorflow/tfjs-core';
import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { fail } from '../../../errors.ts';
import { gaussNewton, hessianTimes, slopesAlong, weightedGradient } from '../../../train/derivatives.ts';
import { solveDamped } from './conjugate-gradients.ts';
import { dampingOf, type Trained } from './trained.ts';

export interface InfluenceOptions {
  /** Added to the curvature; default by how long was trained. */
  readonly damping?: number | undefined;
  /** By conjugate gradients (default), or with the curvature written out, of models of at most MOST_EXACT parameters. */
  readonly solve?: 'conjugate gradients' | 'exact' | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Influences {
  /** τ_n of each example, [N], in units of f: what its presence adds. */
  readonly scores: Float64Array;
  readonly damping: number;
  /** The largest residual of the systems, in shares of the right side. */
  readonly residual: number;
}

/** First-order influences, averaged over the trained models. */
export async function influences(trained: Trained, options: InfluenceOptions = {}): Promise<Influences> {
  const { asked, theta, all, gradient } = trained;
  const { examples, architecture } = asked;
  const { x, damping, residual } = await inverse(trained, gradient, options);
  const along = tf.tidy(() =>
    slopesAlong(architecture, theta, (parameters) => architecture.losses(parameters, all), x),
  );
  x.dispose();
  const found = await along.data();
  along.dispose();
  const scores = new Float64Array(examples.count);
  const models = theta.shape[0];
  for (let k = 0; k < models; k++)
    for (let n = 0; n < examples.count; n++) scores[n] -= found[k * examples.count + n] / (examples.count * models);
  return { scores, damping, residual };
}

/** (H + λ)⁻¹b for rows b [K, P] of models [K, P]; one model is taken for all rows of b. */
async function inverse(
  trained: Trained,
  b: tf.Tensor2D,
  { damping, solve = 'conjugate gradients', signal }: InfluenceOptions,
): Promise<{ readonly x: tf.Tensor2D; readonly damping: number; readonly residual: number }> {
  const { asked, theta, all, decay } = trained;
  const { architecture, examples } = asked;
  const [systems] = b.shape;
  const many = theta.shape[0] === systems ? tf.clone(theta) : tf.tile(theta, [systems, 1]);
  const mean = tf.fill([systems, examples.count], 1 / examples.count) as tf.Tensor2D;
  const times = (v: tf.Tensor2D): tf.Tensor2D => {
    const product = gaussNewton(architecture, many, all, mean, v);
    return decay === 0 ? product : tf.add(product, tf.mul(v, decay));
  };
  const used = damping ?? dampingOf(asked, () => meanCurvature(times, many.shape));
  try {
    if (solve === 'exact') return { x: await solveExactly(trained, b, used + decay), damping: used, residual: 0 };
    const { x, residual } = await solveDamped(times, b, { damping: used, signal });
    return { x, damping: used, residual };
  } finally {
    tf.dispose([many, mean]);
  }
}

const MOST_EXACT = 1024;

/** (H + λ)⁻¹b with H written out, a column a parameter. */
async function solveExactly({ asked, theta, all }: Trained, b: tf.Tensor2D, damping: number): Promise<tf.Tensor2D> {
  const { architecture, examples } = asked;
  const [models, P] = theta.shape;
  if (P > MOST_EXACT)
    throw fail(
      'input',
      'influence',
      `the curvature of ${P} parameters is not written out; at most ${MOST_EXACT} are. Take conjugate gradients.`,
    );
  const given = await b.data();
  const rows = b.shape[0];
  const solved = new Float32Array(rows * P);
  for (let k = 0; k < models; k++) {
    const curvature = tf.tidy(() => {
      const many = tf.tile(tf.slice(theta, [k, 0], [1, P]), [P, 1]) as tf.Tensor2D;
      const mean = tf.fill([P, examples.count], 1 / examples.count) as tf.Tensor2D;
      return tf.add(gaussNewton(architecture, many, all, mean, tf.eye(P)), tf.mul(tf.eye(P), damping));
    });
    const H = Matrix.from1DArray(P, P, await curvature.data());
    curvature.dispose();
    // One model stands for all rows.
    const mine = models === rows ? [k] : Array.from({ length: rows }, (_, row) => row);
    const right = new Matrix(P, mine.length);
    mine.forEach((row, j) => {
      for (let i = 0; i < P; i++) right.set(i, j, given[row * P + i]);
    });
    const x = new CholeskyDecomposition(H.add(H.transpose()).mul(0.5)).solve(right);
    mine.forEach((row, j) => {
      for (let i = 0; i < P; i++) solved[row * P + i] = x.get(i, j);
    });
  }
  return tf.tensor2d(solved, [rows, P]);
}

/** tr(A) / P by a few random signs (Hutchinson). */
function meanCurvature(times: (v: tf.Tensor2D) => tf.Tensor2D, shape: [number, number]): number {
  return tf.tidy(() => {
    const probes = [1, 2, 3, 4].map((seed) => {
      const v = tf.sign(tf.randomNormal(shape, 0, 1, 'float32', seed)) as tf.Tensor2D;
      return tf.mean(tf.mul(v, times(v)));
    });
    return tf.mean(tf.stack(probes)).dataSync()[0];
  });
}

/** f(S) ≈ constant + Σ_i linear_i out_i + Σ_ij pairs_ij out_i out_j, with out_i = 1 where group i is left out, else 0. */
export interface LeftOut {
  readonly constant: number;
  /** [n] */
  readonly linear: Float64Array;
  /** [n, n], symmetric; its diagonal is a group's own second order. Absent where it is linear. */
  readonly pairs?: Float64Array | undefined;
}

/**
 * The interaction-aware estimate over `groups` of examples (their rows), averaged over the trained models.
 * Costs one system and two products a group, and no retraining.
 */
export async function secondOrderInfluence(
  trained: Trained,
  groups: readonly (readonly number[])[],
  options: InfluenceOptions = {},
): Promise<LeftOut> {
  const { theta, values } = trained;
  const n = groups.length;
  const models = theta.shape[0];
  const linear = new Float64Array(n);
  const pairs = new Float64Array(n * n);
  for (let k = 0; k < models; k++) {
    const one: Trained = {
      ...trained,
      theta: tf.slice(theta, [k, 0], [1, -1]),
      gradient: tf.slice(trained.gradient, [k, 0], [1, -1]),
    };
    try {
      const found = await ofOneModel(one, groups, options);
      found.linear.forEach((x, i) => (linear[i] += x / models));
      found.pairs.forEach((x, i) => (pairs[i] += x / models));
    } finally {
      tf.dispose([one.theta, one.gradient]);
    }
  }
  const clean = values.reduce((sum, x) => sum + x / models, 0);
  return { constant: clean, linear, pairs };
}

async function ofOneModel(
  trained: Trained,
  groups: readonly (readonly number[])[],
  options: InfluenceOptions,
): Promise<{ readonly linear: Float64Array; readonly pairs: Float64Array }> {
  const { asked, theta, all, gradient, decay, f } = trained;
  const { architecture, examples } = asked;
  const n = groups.length;
  const count = examples.count;
  const share = new Float32Array(n * count);
  groups.forEach((rows, i) => rows.forEach((row) => (share[i * count + row] = 1 / count)));
  const coefficients = tf.tensor2d(share, [n, count]);
  const many = tf.tile(theta, [n, 1]) as tf.Tensor2D;
  const held: tf.Tensor[] = [coefficients, many];
  try {
    // g_i, with the decay that goes with the examples.
    const sizes = tf.tensor2d(
      groups.map((rows) => rows.length / count),
      [n, 1],
    );
    held.push(sizes);
    const g = tf.tidy(() =>
      tf.add(weightedGradient(architecture, many, all, coefficients), tf.mul(many, tf.mul(sizes, decay))),
    ) as tf.Tensor2D;
    held.push(g);
    const solved = await inverse(trained, g, options);
    const u = solved.x;
    held.push(u);
    const { x } = await inverse(trained, gradient, { ...options, damping: solved.damping });
    held.push(x);
    const pairs = tf.tidy(() => {
      const along = tf.tile(x, [n, 1]) as tf.Tensor2D;
      const bent = tf.add(
        gaussNewton(architecture, many, all, coefficients, along),
        tf.mul(along, tf.mul(sizes, decay)),
      ) as tf.Tensor2D;
      const throughF = hessianTimes(architecture, many, f, u);
      const first = tf.matMul(bent, u, false, true); // x·H_i·u_j
      const second = tf.matMul(throughF, u, false, true);
      return tf.add(
        tf.mul(tf.add(first, tf.transpose(first)), 0.5),
        tf.mul(tf.add(second, tf.transpose(second)), 0.25),
      );
    });
    const linear = tf.tidy(() => tf.matMul(u, gradient, false, true));
    held.push(pairs, linear);
    return { linear: Float64Array.from(await linear.data()), pairs: Float64Array.from(await pairs.data()) };
  } finally {
    tf.dispose(held);
  }
}
