/**
 * The tangent kernel of a trained model: how far a step along one example's gradient moves another one's logits (Jacot, Gabriel, Hongler,
 * NeurIPS 2018).
 *
 * Of small models it is exact, a direction a parameter; of others it comes of random signs, as TRAK's features do.
 */
import * as tf from '@tensorflow/tfjs-core';
import { throwIfAborted } from '../../../errors.ts';
import { createRandom } from '../../../random.ts';
import { slopesAlong } from '../../../train/derivatives.ts';
import type { Trained } from './trained.ts';

export interface KernelOptions {
  /** Random directions, of a model of more parameters than MOST_EXACT; default 512. */
  readonly directions?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Directions of a stacked pass. */
const AT_ONCE = 32;
/** Parameters up to which every one is a direction. */
const MOST_EXACT = 4096;

/**
 * Of the model of seed number `k`, over training examples and then test examples: K(a, b) = Σ_c ∇z_c(a)·∇z_c(b), [N + M, N + M], of
 * 'examples'; of their 'logits' ∇z_c(a)·∇z_c'(b), [(N + M)·C, (N + M)·C].
 */
export async function tangentKernel(
  { asked, theta, all, testBatch }: Trained,
  k: number,
  of: 'examples' | 'logits',
  { directions = 512, signal }: KernelOptions = {},
): Promise<Float32Array> {
  const { architecture, seeds, examples, test } = asked;
  const { size, classes } = architecture;
  const rows = examples.count + test.count;
  const width = of === 'logits' ? rows * classes : rows;
  const isExact = size <= MOST_EXACT;
  const count = isExact ? size : directions;
  const random = createRandom(seeds[k], 'tangent kernel');
  let sum: tf.Tensor2D = tf.zeros([width, width]);
  try {
    for (let from = 0; from < count; from += AT_ONCE) {
      throwIfAborted(signal, 'tangent kernel');
      const some = Math.min(AT_ONCE, count - from);
      const vectors = new Float32Array(some * size);
      if (isExact) for (let d = 0; d < some; d++) vectors[d * size + from + d] = 1;
      else vectors.forEach((_, i) => (vectors[i] = random.bits() & 1 ? 1 : -1));
      const next = tf.tidy(() => {
        const many = tf.tile(tf.slice(theta, [k, 0], [1, size]), [some, 1]) as tf.Tensor2D;
        const v = tf.tensor2d(vectors, [some, size]);
        const along = [all, testBatch].map((batch) =>
          slopesAlong(architecture, many, (parameters) => architecture.logits(parameters, batch), v),
        );
        // [directions, N + M, C] -> [N + M, C, directions]
        const features = tf.reshape(tf.transpose(tf.concat(along, 1), [1, 2, 0]), [width, -1]) as tf.Tensor2D;
        const part = tf.matMul(features, tf.transpose(features));
        return tf.add(sum, isExact ? part : tf.mul(part, 1 / count)) as tf.Tensor2D;
      });
      sum.dispose();
      sum = next;
      await sum.data(); // a turn for others
    }
    return (await sum.data()) as Float32Array;
  } finally {
    sum.dispose();
  }
}
