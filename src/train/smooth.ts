/**
 * Functions whose gradients have gradients.
 *
 * TensorFlow.js loses the second derivative through an operation that keeps its own output for the way back (tfjs-core 4.22 puts the
 * copy that it keeps on the tape before the operation that makes it). These keep their input instead, and make the output again.
 */
import * as tf from '@tensorflow/tfjs-core';

/** y = f(x) with dx = back(dy, x), where back is made of operations that have gradients. */
function ofInput(
  f: (x: tf.Tensor) => tf.Tensor,
  back: (dy: tf.Tensor, x: tf.Tensor) => tf.Tensor,
): <T extends tf.Tensor>(x: T) => T {
  return <T extends tf.Tensor>(x: T): T =>
    tf.customGrad((given, save) => {
      (save as tf.GradSaveFunc)([given as tf.Tensor]);
      return {
        value: f(given as tf.Tensor),
        gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => back(dy, saved[0]),
      };
    })(x) as T;
}

/** Over the last axis. */
export const softmax = ofInput(
  (x) => tf.softmax(x),
  (dy, x) => {
    const y = softmax(x);
    return tf.mul(y, tf.sub(dy, tf.sum(tf.mul(dy, y), -1, true)));
  },
);

/** Over the last axis. */
export const logSoftmax = ofInput(
  (x) => tf.logSoftmax(x),
  (dy, x) => tf.sub(dy, tf.mul(tf.sum(dy, -1, true), softmax(x))),
);

export const tanh = ofInput(
  (x) => tf.tanh(x),
  (dy, x) => tf.mul(dy, tf.sub(1, tf.square(tanh(x)))),
);

const sigmoid = ofInput(
  (x) => tf.sigmoid(x),
  (dy, x) => {
    const y = sigmoid(x);
    return tf.mul(dy, tf.mul(y, tf.sub(1, y)));
  },
);

/** x·σ(x). */
export const silu = ofInput(
  (x) => tf.mul(x, tf.sigmoid(x)),
  (dy, x) => {
    const y = sigmoid(x);
    return tf.mul(dy, tf.mul(y, tf.add(1, tf.mul(x, tf.sub(1, y)))));
  },
);

/** 1/√x. */
export const rsqrt = ofInput(
  (x) => tf.rsqrt(x),
  (dy, x) => {
    const y = rsqrt(x);
    return tf.mul(dy, tf.mul(tf.mul(y, tf.square(y)), -0.5));
  },
);

/** log Σ exp over the last axis, which it takes away. */
export const logSumExp: (x: tf.Tensor) => tf.Tensor = ofInput(
  (x) => tf.logSumExp(x, -1),
  (dy, x) => tf.mul(tf.expandDims(dy, -1), softmax(x)),
);

/** 1 where x is the largest of its last axis, shared out among equals; has no slope. */
const hits = ofInput(
  (x) => {
    const hit = tf.cast(tf.equal(x, tf.max(x, -1, true)), 'float32');
    return tf.div(hit, tf.sum(hit, -1, true));
  },
  (_dy, x) => tf.zerosLike(x),
);

/** The largest of the last axis, which it takes away. */
export const largest: (x: tf.Tensor) => tf.Tensor = ofInput(
  (x) => tf.max(x, -1),
  (dy, x) => tf.mul(tf.expandDims(dy, -1), hits(x)),
);
