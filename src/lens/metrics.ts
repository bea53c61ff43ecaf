/**
 * What a run is worth: one number per row, computed on the device.
 *
 * Every metric is per prompt; a game's value is the mean over its prompts. Units: logits or nats.
 */
import * as tf from '@tensorflow/tfjs-core';
import { closest, fail } from '../errors.ts';

/** What a metric needs to know of a prompt. */
export interface Target {
  /** Token ids of the prompt. */
  readonly tokens: readonly number[];
  readonly correct: number | undefined;
  readonly incorrect: number | undefined;
  /** Where the answer is read; the last position when absent. */
  readonly position?: number | undefined;
}

/** One number of a run's logits, differentiable. */
export interface Metric {
  /** `logit-diff`, ...; what a study and a record say. */
  readonly name: string;
  /** `logits`, `nats`, ...; empty for a pure number. */
  readonly unit: string;
  /** True when more is better for the model on the task. */
  readonly moreIsBetter: boolean;
  readonly needs: { readonly correct: boolean; readonly incorrect: boolean; readonly clean: boolean };
  /** False where it has no gradient: a share of prompts that are right. Default true. */
  readonly differentiable?: boolean;
  /** @throws 'input' for a prompt on which it is not defined. */
  readonly check?: ((target: Target, who: string) => void) | undefined;
  /** Positions whose logits it reads. */
  positions(target: Target): number[];
  /** Vocabulary columns it reads, or undefined for all. */
  columns(target: Target): number[] | undefined;
  /** logits [B, P, C] (C: `columns` or V), those of the clean run [1, P, V] where needed -> [B]. */
  value(logits: tf.Tensor3D, target: Target, clean: tf.Tensor3D | undefined): tf.Tensor1D;
}

/** What `metric` makes of the logits of B rows, [B]. @throws 'input' when that is not one number a row. */
export function metricOfRows(
  metric: Pick<Metric, 'name' | 'value'>,
  logits: tf.Tensor3D,
  target: Target,
  clean: tf.Tensor3D | undefined,
): tf.Tensor1D {
  return requireRowNumbers(`metric ${metric.name}`, metric.value(logits, target, clean), logits.shape[0]);
}

/** @throws 'input' in the name of `who` unless `value` is a tensor [rows] that lives. */
export function requireRowNumbers(who: string, value: unknown, rows: number): tf.Tensor1D {
  const wanted = `a tensor [${rows}], one number for each row of the logits, is needed`;
  if (!(value instanceof tf.Tensor))
    throw fail('input', who, `returned ${value instanceof Promise ? 'a Promise' : typeof value}; ${wanted}.`);
  if (value.isDisposed) throw fail('input', who, `returned a tensor that it had disposed; ${wanted}.`);
  if (value.rank !== 1 || value.shape[0] !== rows)
    throw fail('input', who, `returned a tensor [${value.shape.join()}]; ${wanted}.`);
  return value as tf.Tensor1D;
}

const answering = ({ tokens, position }: Target): number[] => [position ?? tokens.length - 1];
const everything = (): undefined => undefined;
const answer = { correct: true, incorrect: false, clean: false };

export type MetricName = 'logit-diff' | 'logit' | 'logprob' | 'prob' | 'cross-entropy' | 'kl' | 'l2' | 'accuracy';

/** The metrics by name. */
export const METRICS: Readonly<Record<MetricName, Metric>> = {
  /** logit(correct) - logit(incorrect) where the answer is read. */
  'logit-diff': {
    name: 'logit-diff',
    unit: 'logits',
    moreIsBetter: true,
    needs: { correct: true, incorrect: true, clean: false },
    positions: answering,
    columns: ({ correct, incorrect }) => [correct as number, incorrect as number],
    value: (logits) => tf.sub(column(logits, 0), column(logits, 1)),
  },
  logit: {
    name: 'logit',
    unit: 'logits',
    moreIsBetter: true,
    needs: answer,
    positions: answering,
    columns: ({ correct }) => [correct as number],
    value: (logits) => column(logits, 0),
  },
  logprob: {
    name: 'logprob',
    unit: 'nats',
    moreIsBetter: true,
    needs: answer,
    positions: answering,
    columns: everything,
    value: (logits, { correct }) => column(tf.logSoftmax(logits), correct as number),
  },
  prob: {
    name: 'prob',
    unit: 'probability',
    moreIsBetter: true,
    needs: answer,
    positions: answering,
    columns: everything,
    value: (logits, { correct }) => column(tf.softmax(logits), correct as number),
  },
  /** -log p(correct); without a correct token, the mean next-token loss over the prompt. */
  'cross-entropy': {
    name: 'cross-entropy',
    unit: 'nats',
    moreIsBetter: false,
    needs: { correct: false, incorrect: false, clean: false },
    check({ tokens, correct, position }, who) {
      if (correct !== undefined) return;
      if (position !== undefined)
        throw fail(
          'input',
          who,
          `cross-entropy of a masked model needs a correct token; give one as the prompt's "correct".`,
        );
      if (tokens.length < 2) throw fail('input', who, 'cross-entropy over a prompt needs at least 2 tokens.');
    },
    positions: (target) => (target.correct === undefined ? target.tokens.slice(1).map((_, p) => p) : answering(target)),
    columns: everything,
    value(logits, { tokens, correct }) {
      const targets = correct === undefined ? tokens.slice(1) : [correct];
      const hot = tf.cast(tf.oneHot(tf.tensor1d(targets, 'int32'), logits.shape[2]), 'float32'); // [P, V]
      return tf.neg(
        tf.div(tf.sum(tf.mul(tf.logSoftmax(logits), tf.expandDims(hot, 0)), [1, 2]), targets.length),
      ) as tf.Tensor1D;
    },
  },
  /** KL(clean || ablated) of the next-token distribution where the answer is read. */
  kl: {
    name: 'kl',
    unit: 'nats',
    moreIsBetter: false,
    needs: { correct: false, incorrect: false, clean: true },
    positions: answering,
    columns: everything,
    value(logits, _target, clean) {
      const reference = tf.logSoftmax(clean as tf.Tensor3D);
      return tf.sum(tf.mul(tf.exp(reference), tf.sub(reference, tf.logSoftmax(logits))), [1, 2]) as tf.Tensor1D;
    },
  },
  /**
   * The squared distance of the logits from the clean run's, the mean over the positions behind the first: for models whose outputs are
   * no probabilities (Conmy et al., ACDC, arXiv 2304.14997, on compiled programs).
   */
  l2: {
    name: 'l2',
    unit: 'logits²',
    moreIsBetter: false,
    needs: { correct: false, incorrect: false, clean: true },
    positions: ({ tokens }) => (tokens.length === 1 ? [0] : tokens.slice(1).map((_, p) => p + 1)),
    columns: everything,
    value: (logits, _target, clean) =>
      tf.div(tf.sum(tf.squaredDifference(logits, clean as tf.Tensor3D), [1, 2]), logits.shape[1]) as tf.Tensor1D,
  },
  /** 1 where the correct token has the largest logit. */
  accuracy: {
    name: 'accuracy',
    unit: 'share of prompts',
    moreIsBetter: true,
    differentiable: false,
    needs: answer,
    positions: answering,
    columns: everything,
    value: (logits, { correct }) =>
      tf.cast(
        tf.equal(tf.squeeze(tf.argMax(logits, 2), [1]), tf.scalar(correct as number, 'int32')),
        'float32',
      ) as tf.Tensor1D,
  },
};

/** [B, 1, C] -> [B], one column. */
function column(logits: tf.Tensor, index: number): tf.Tensor1D {
  return tf.reshape(tf.slice(logits, [0, 0, index], [-1, 1, 1]), [-1]);
}

/** The metric of a name. @throws 'input' for an unknown one, with suggestions. */
export function metricOf(name: string): Metric {
  if (isMetricName(name)) return METRICS[name];
  const names = Object.keys(METRICS);
  const near = closest(name, names).join(', ');
  throw fail('input', 'metric', `"${name}" is unknown; did you mean ${near}? There are ${names.join(', ')}.`);
}

/** Whether `metric` is the one of its name, so that the name says all about it. */
export function isNamedMetric(metric: Metric): boolean {
  return isMetricName(metric.name) && METRICS[metric.name] === metric;
}

function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name);
}
