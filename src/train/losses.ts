/** Cross-entropy of K models' logits. */
import * as tf from '@tensorflow/tfjs-core';
import { logSoftmax } from './smooth.ts';

/** -log p(target), in nats, of logits [..., C] and int32 targets [...] without the first, the models' axis -> [K, ...]. */
export function crossEntropy(logits: tf.Tensor, targets: tf.Tensor): tf.Tensor {
  const classes = logits.shape[logits.rank - 1];
  const chosen = tf.oneHot(tf.cast(targets, 'int32'), classes);
  const picked = tf.mul(logSoftmax(logits), tf.expandDims(tf.cast(chosen, 'float32'), 0));
  return tf.neg(tf.sum(picked, logits.rank - 1));
}
