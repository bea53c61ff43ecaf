/**
 * What a trained model is worth on a test example: numbers of its logits and the right class.
 *
 * One entry a value. All but accuracy have a slope, so that training can be differentiated with respect to them.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { largest, logSoftmax, logSumExp, softmax } from '../../train/smooth.ts';

/** One number of a model's logits on a test example. */
export interface TestValue {
  readonly name: string;
  readonly unit: string;
  /** Whether more of it is better. */
  readonly moreIsBetter: boolean;
  /** Whether it has a slope. */
  readonly smooth: boolean;
  /** [K, M] of logits [K, M, C] and float32 [M, C], 1 at each right class. A pure operation. */
  value(logits: tf.Tensor3D, right: tf.Tensor2D): tf.Tensor2D;
}

const rightLogit = (logits: tf.Tensor3D, right: tf.Tensor2D): tf.Tensor2D =>
  tf.sum(tf.mul(logits, tf.expandDims(right, 0)), 2);
/** The logits with the right one out of the way. */
export const otherLogits = (logits: tf.Tensor3D, right: tf.Tensor2D): tf.Tensor3D => {
  const chosen = tf.tile(tf.expandDims(tf.cast(right, 'bool'), 0), [logits.shape[0], 1, 1]);
  return tf.where(chosen, tf.fill(logits.shape, -Infinity), logits);
};

/** What a model is worth on test examples, by name. */
export const TEST_VALUES = {
  /** Right logit less the largest other one (Ilyas et al., ICML 2022, "Datamodels", §2). */
  margin: {
    name: 'margin',
    unit: 'logits',
    moreIsBetter: true,
    smooth: true,
    value: (logits, right) => tf.sub(rightLogit(logits, right), largest(otherLogits(logits, right)) as tf.Tensor2D),
  },
  /** log p / (1 - p) of the right class (Park et al., ICML 2023, "TRAK", §3.1). */
  'log-odds': {
    name: 'log-odds',
    unit: 'nats',
    moreIsBetter: true,
    smooth: true,
    value: (logits, right) => tf.sub(rightLogit(logits, right), logSumExp(otherLogits(logits, right)) as tf.Tensor2D),
  },
  /** -log p of the right class. */
  loss: {
    name: 'loss',
    unit: 'nats',
    moreIsBetter: false,
    smooth: true,
    value: (logits, right) => tf.neg(rightLogit(logSoftmax(logits), right)),
  },
  probability: {
    name: 'probability',
    unit: '',
    moreIsBetter: true,
    smooth: true,
    value: (logits, right) => rightLogit(softmax(logits), right),
  },
  /** 1 where the right class has the largest logit. */
  accuracy: {
    name: 'accuracy',
    unit: '',
    moreIsBetter: true,
    smooth: false,
    value: (logits, right) =>
      tf.cast(tf.greater(rightLogit(logits, right), tf.max(otherLogits(logits, right), 2)), 'float32'),
  },
} as const satisfies Readonly<Record<string, TestValue>>;

/** @throws 'input' for a name that is none. */
export function testValueOf(name: string): TestValue {
  if (!Object.hasOwn(TEST_VALUES, name))
    throw fail('input', 'value', `"${name}" is unknown; there are ${Object.keys(TEST_VALUES).join(', ')}.`);
  return TEST_VALUES[name as keyof typeof TEST_VALUES];
}
