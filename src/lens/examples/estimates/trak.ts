/**
 * TRAK: a linear model of the trained one, on random projections of its gradients.
 *
 * φ(z) = P·∇log-odds(z); τ = mean over seeds of φ(test)·(ΦᵀΦ)⁻¹Φᵀ, times the mean over seeds of 1 - p_n (Park, Georgiev, Ilyas,
 * Leclerc, Mądry, ICML 2023, Algorithm 1). Projections are random signs; all seeds and many directions are one stacked pass, each
 * giving every example's slope along its own direction.
 *
 * The paper has far more examples than directions; with fewer ΦᵀΦ says nothing of most of them, and needs a ridge. It stands for the
 * curvature Φᵀ·diag(p(1 - p))·Φ / N with every p(1 - p) at its mean, so that what influence functions add to that one, N of it by the
 * mean of p(1 - p) is added here.
 */
import * as tf from '@tensorflow/tfjs-core';
import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { fail, throwIfAborted } from '../../../errors.ts';
import { createRandom } from '../../../random.ts';
import { slopesAlong } from '../../../train/derivatives.ts';
import { logSumExp } from '../../../train/smooth.ts';
import { unflatten } from '../../../train/parameters.ts';
import { otherLogits } from '../test-values.ts';
import { dampingOf, trainClasses, type Asked, type Trained } from './trained.ts';

export interface TrakOptions {
  /** Directions; default 512, at most as many as parameters. */
  readonly dimension?: number | undefined;
  /** What is added to ΦᵀΦ's diagonal, of projections by signs of size 1; default what influence functions add, in its units. */
  readonly ridge?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Directions of a stacked pass. */
const AT_ONCE = 32;
/** Below it float32 has no p(1 - p). */
const LEAST_SPREAD = 1e-7;
/** Least ridge, in shares of the mean of ΦᵀΦ's diagonal. */
const LEAST_RIDGE = 1e-3;

/** [N]; their scale is that of TRAK's regression, not of f. */
export async function trak(
  trained: Trained,
  options: TrakOptions = {},
): Promise<{ readonly scores: Float64Array; readonly dimension: number; readonly ridge: number }> {
  const { asked, theta, all, decay } = trained;
  const { architecture, examples, seeds } = asked;
  const N = examples.count;
  const dimension = Math.min(options.dimension ?? 512, architecture.size);
  const classes = await trainClasses(trained);
  const trainRight = tf.tidy(() =>
    tf.cast(tf.oneHot(tf.tensor1d(classes, 'int32'), architecture.classes), 'float32'),
  ) as tf.Tensor2D;
  const scores = new Float64Array(N);
  const doubt = new Float64Array(N);
  let ridge = options.ridge;
  try {
    for (let k = 0; k < seeds.length; k++) {
      const random = createRandom(seeds[k], 'trak');
      const phi = new Float64Array(N * dimension);
      const tested = new Float64Array(dimension);
      const own = tf.slice(theta, [k, 0], [1, architecture.size]);
      for (let from = 0; from < dimension; from += AT_ONCE) {
        throwIfAborted(options.signal, 'trak');
        const some = Math.min(AT_ONCE, dimension - from);
        const directions = Float32Array.from({ length: some * architecture.size }, () => (random.bits() & 1 ? 1 : -1));
        const [slopes, tests] = tf.tidy(() => {
          const many = tf.tile(own, [some, 1]) as tf.Tensor2D;
          const v = tf.tensor2d(directions, [some, architecture.size]);
          const odds = (parameters: readonly tf.Tensor[]): tf.Tensor => {
            const logits = architecture.logits(parameters, all);
            const right = tf.sum(tf.mul(logits, tf.expandDims(trainRight, 0)), 2);
            return tf.sub(right, logSumExp(otherLogits(logits, trainRight)));
          };
          const f = (parameters: readonly tf.Tensor[]): tf.Tensor => tf.expandDims(trained.f(parameters), 1);
          return [slopesAlong(architecture, many, odds, v), slopesAlong(architecture, many, f, v)];
        });
        const [along, alongTest] = [await slopes.data(), await tests.data()];
        tf.dispose([slopes, tests]);
        for (let d = 0; d < some; d++) {
          tested[from + d] = alongTest[d];
          for (let n = 0; n < N; n++) phi[n * dimension + from + d] = along[d * N + n];
        }
      }
      const p = tf.tidy(() =>
        tf.sum(
          tf.mul(tf.softmax(architecture.logits(unflatten(architecture, own), all)), tf.expandDims(trainRight, 0)),
          2,
        ),
      );
      const chances = await p.data();
      chances.forEach((x, n) => (doubt[n] += (1 - x) / seeds.length));
      tf.dispose([p, own]);
      const product = gramOf(phi, N, dimension);
      ridge ??= ridgeOf(asked, product.trace() / dimension, meanOf(chances.map((x) => x * (1 - x))), dimension, decay);
      const gram = new CholeskyDecomposition(Matrix.add(product, Matrix.eye(dimension).mul(ridge)));
      if (!gram.isPositiveDefinite())
        throw fail(
          'input',
          'trak',
          `${dimension} directions of ${N} examples' slopes depend on each other; a ridge above ${ridge} is needed.`,
        );
      const weights = gram.solve(Matrix.columnVector(tested)).to1DArray();
      for (let n = 0; n < N; n++) {
        let sum = 0;
        for (let d = 0; d < dimension; d++) sum += phi[n * dimension + d] * weights[d];
        scores[n] += sum / seeds.length;
      }
    }
  } finally {
    trainRight.dispose();
  }
  return { scores: scores.map((score, n) => score * doubt[n]), dimension, ridge: ridge as number };
}

function meanOf(x: ArrayLike<number>): number {
  return Array.from(x).reduce((sum, value) => sum + value / x.length, 0);
}

/**
 * N·δ / mean p(1 - p), δ the damping and the decay, of ΦᵀΦ of the parameters' own gradients; of their products with d signs each it is d
 * times as much. `spread` is the mean of p(1 - p), `diagonal` that of ΦᵀΦ's diagonal.
 */
function ridgeOf(asked: Asked, diagonal: number, spread: number, dimension: number, decay: number): number {
  const N = asked.examples.count;
  const { size } = asked.architecture;
  // With signs of size 1 the mean of a projection's square is that of a gradient's, Σ over `size` parameters.
  const damping = dampingOf(asked, () => (spread * diagonal) / (N * size)) + decay;
  return Math.max(LEAST_RIDGE * diagonal, (dimension * N * damping) / Math.max(spread, LEAST_SPREAD));
}

/** ΦᵀΦ, [d, d]. */
function gramOf(phi: Float64Array, rows: number, d: number): Matrix {
  const product = new Float64Array(d * d);
  for (let n = 0; n < rows; n++)
    for (let i = 0; i < d; i++) {
      const x = phi[n * d + i];
      for (let j = 0; j <= i; j++) product[i * d + j] += x * phi[n * d + j];
    }
  for (let i = 0; i < d; i++) for (let j = 0; j < i; j++) product[j * d + i] = product[i * d + j];
  return Matrix.from1DArray(d, d, product);
}
