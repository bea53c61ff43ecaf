/** (A + λ)x = b for K systems at once by conjugate gradients, each by products with its A alone. */
import * as tf from '@tensorflow/tfjs-core';
import { throwIfAborted } from '../../../errors.ts';

export interface SolveOptions {
  readonly damping: number;
  /** Where ‖(A + λ)x - b‖ / ‖b‖ of every system is small enough; default 1e-5. */
  readonly tolerance?: number | undefined;
  /** Default 200. */
  readonly iterations?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Solved {
  /** [K, P]. The caller owns it. */
  readonly x: tf.Tensor2D;
  /** The largest residual that is left, in shares of ‖b‖, and the products taken. */
  readonly residual: number;
  readonly products: number;
}

/** `times` gives A·v of [K, P], positive semi-definite; the result is the caller's, `b` stays theirs. */
export async function solveDamped(
  times: (v: tf.Tensor2D) => tf.Tensor2D,
  b: tf.Tensor2D,
  { damping, tolerance = 1e-5, iterations = 200, signal }: SolveOptions,
): Promise<Solved> {
  const dot = (p: tf.Tensor2D, q: tf.Tensor2D): tf.Tensor2D => tf.sum(tf.mul(p, q), 1, true);
  const size = tf.tidy(() => dot(b, b));
  let x: tf.Tensor2D = tf.zerosLike(b);
  let r: tf.Tensor2D = tf.clone(b);
  let p: tf.Tensor2D = tf.clone(b);
  let norm: tf.Tensor2D = tf.clone(size);
  let residual = 1;
  let products = 0;
  try {
    const start = await size.data();
    while (products < iterations) {
      throwIfAborted(signal, 'influence');
      const [nextX, nextR, nextP, nextNorm] = tf.tidy(() => {
        const image = tf.add(times(p), tf.mul(p, damping)) as tf.Tensor2D;
        const bend = dot(p, image);
        // A system that is solved, or whose b is 0, moves no more.
        const step = tf.div(tf.mul(norm, tf.cast(tf.greater(bend, 0), 'float32')), tf.maximum(bend, 1e-37));
        const left = tf.sub(r, tf.mul(image, step)) as tf.Tensor2D;
        const after = dot(left, left);
        const turn = tf.div(after, tf.maximum(norm, 1e-37));
        return [tf.add(x, tf.mul(p, step)) as tf.Tensor2D, left, tf.add(left, tf.mul(p, turn)) as tf.Tensor2D, after];
      });
      tf.dispose([x, r, p, norm]);
      [x, r, p, norm] = [nextX, nextR, nextP, nextNorm];
      products++;
      const now = await norm.data();
      residual = Math.sqrt(Math.max(...Array.from(now, (value, k) => (start[k] > 0 ? value / start[k] : 0))));
      if (residual < tolerance) break;
    }
    return { x: tf.clone(x), residual, products };
  } finally {
    tf.dispose([x, r, p, norm, size]);
  }
}
