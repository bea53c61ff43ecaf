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
  /** Whether it compares with a second answer, the field `against` of each test example. */
  readonly against?: boolean | undefined;
  /** [K, M] of logits [K, M, C] and float32 [M, C], 1 at each right class and, where it compares, at each other one. A pure operation. */
  value(logits: tf.Tensor3D, right: tf.Tensor2D, against?: tf.Tensor2D): tf.Tensor2D;
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
  /** Right logit less that of the answer which the test example has as its field `against`. */
  'logit-diff': {
    name: 'logit-diff',
    unit: 'logits',
    moreIsBetter: true,
    smooth: true,
    against: true,
    value: (logits, right, against) => tf.sub(rightLogit(logits, right), rightLogit(logits, against as tf.Tensor2D)),
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

/** The examples that a value is taken of, as it reads them. */
export interface Tested {
  /** The class of each. */
  readonly labels: ArrayLike<number>;
  /** The class that each is held against; -1 where it has none. */
  readonly against?: ArrayLike<number> | undefined;
}

/** A value's own function of logits [K, M, C] -> [K, M], and what it holds. */
export interface OpenedValue extends Disposable {
  of(logits: tf.Tensor3D): tf.Tensor2D;
}

/** The caller disposes it. @throws 'input' on a class that is none, or where a value compares and there is nothing to compare with. */
export function openValue(
  value: TestValue,
  { labels, against = [] }: Tested,
  count: number,
  classes: number,
): OpenedValue {
  const right = ones(labels, count, classes, 'is of class');
  let other: tf.Tensor2D | undefined;
  if (value.against === true) {
    for (let m = 0; m < count; m++)
      if (!(against[m] >= 0) || against[m] === labels[m]) {
        right.dispose();
        throw fail(
          'input',
          'test',
          `example ${m} has ${against[m] === labels[m] ? 'its own label as' : 'no'} "against"; ${value.name} compares its label with another answer.`,
        );
      }
    other = ones(against, count, classes, 'is held against class');
  }
  return {
    of: (logits) => value.value(logits, right, other),
    [Symbol.dispose]: () => tf.dispose([right, ...(other === undefined ? [] : [other])]),
  };
}

/** [count, classes], 1 at each class. @throws 'input' on a class that is none. */
function ones(labels: ArrayLike<number>, count: number, classes: number, what: string): tf.Tensor2D {
  const all = new Float32Array(count * classes);
  for (let m = 0; m < count; m++) {
    if (!(labels[m] >= 0 && labels[m] < classes))
      throw fail('input', 'test', `example ${m} ${what} ${labels[m]}; there are 0 to ${classes - 1}.`);
    all[m * classes + labels[m]] = 1;
  }
  return tf.tensor2d(all, [count, classes]);
}

/** @throws 'input' for a name that is none. */
export function testValueOf(name: string): TestValue {
  if (!Object.hasOwn(TEST_VALUES, name))
    throw fail('input', 'value', `"${name}" is unknown; there are ${Object.keys(TEST_VALUES).join(', ')}.`);
  return TEST_VALUES[name as keyof typeof TEST_VALUES];
}
