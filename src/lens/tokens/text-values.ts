/**
 * What a text is worth to a model: how it scores an answer after it, as one number a row.
 *
 * An answer of several tokens is scored teacher-forced: its tokens stand after the prompt, and log p(answer) is the sum over
 * them. A value says which rows it reads (an answer each), reduces their logits on the device, and combines the numbers.
 */
import * as tf from '@tensorflow/tfjs-core';
import { closest, fail } from '../../errors.ts';
import { METRICS, type Metric, type Target } from '../metrics.ts';

/** One forward row of every mask: what stands after the prompt, and what is made of the logits. */
export interface Reading {
  /** Tokens after the prompt that the model reads. */
  readonly forced: readonly number[];
  /** Columns of the vocabulary it looks at; all when undefined. */
  readonly columns: readonly number[] | undefined;
  /** Logits [B, 1 + forced, C] from the end of the prompt on, the clean run's [1, 1 + forced, V] if asked for -> [B]. */
  reduce(logits: tf.Tensor3D, clean: tf.Tensor3D | undefined): tf.Tensor1D;
  /** What the number is the sum of, one for each token of the answer, [B, 1 + forced]; absent where it is no such sum. */
  readonly byToken?: ((logits: tf.Tensor3D) => tf.Tensor2D) | undefined;
  readonly needsClean: boolean;
}

export interface OpenedValue {
  readonly readings: readonly Reading[];
  /** One number for each reading -> the value. */
  combine(numbers: readonly number[]): number;
  /** Whether the value is the sum of what its one reading has by token. */
  readonly sumsTokens?: boolean | undefined;
  /** ∂value/∂number of each reading, for gradients of masks; a value without it has none. */
  readonly slopes?: ((numbers: readonly number[]) => readonly number[]) | undefined;
}

/** One number of what a model says to a prompt. */
export interface TextValue {
  /** `logprob`, `contrast`, ...; what a study and a record say. */
  readonly name: string;
  readonly unit: string;
  readonly about: string;
  readonly moreIsBetter: boolean;
  readonly needs: { readonly answer: boolean; readonly against: boolean };
  /** @throws 'input' for an answer it cannot score. */
  open(answer: readonly number[], against: readonly number[]): OpenedValue;
}

export type TextValueName = 'logit' | 'logprob' | 'prob' | 'log-odds' | 'contrast' | 'kl';

const answering = { answer: true, against: false };
/** Of one reading, the value itself. */
const itself = { combine: ([value]: readonly number[]): number => value, slopes: (): readonly number[] => [1] };

/** The values by name. */
export const TEXT_VALUES: Readonly<Record<TextValueName, TextValue>> = {
  logit: {
    ...fromMetric(METRICS.logit, "the logit of the answer's one token"),
  },
  logprob: {
    name: 'logprob',
    unit: 'nats',
    about: 'log p(answer), summed over its tokens',
    moreIsBetter: true,
    needs: answering,
    open: (answer) => ({ readings: [logProb(answer)], sumsTokens: true, ...itself }),
  },
  prob: {
    name: 'prob',
    unit: 'probability',
    about: 'p(answer)',
    moreIsBetter: true,
    needs: answering,
    open: (answer) => ({
      readings: [logProb(answer)],
      combine: ([value]) => Math.exp(value),
      slopes: ([value]) => [Math.exp(value)],
    }),
  },
  'log-odds': {
    name: 'log-odds',
    unit: 'nats',
    about: 'log p(answer) / (1 - p(answer))',
    moreIsBetter: true,
    needs: answering,
    open: (answer) =>
      answer.length === 1
        ? { readings: [logOdds(answer[0])], ...itself }
        : {
            readings: [logProb(answer)],
            combine: ([value]) => value - Math.log(-Math.expm1(Math.min(value, -1e-7))),
            slopes: ([value]) => [-1 / Math.expm1(Math.min(value, -1e-7))],
          },
  },
  contrast: {
    name: 'contrast',
    unit: 'nats',
    about: 'log p(answer) - log p(against); of single tokens their logit difference',
    moreIsBetter: true,
    needs: { answer: true, against: true },
    open(answer, against) {
      if (answer.length === 1 && against.length === 1)
        return fromMetric(METRICS['logit-diff'], '').open(answer, against);
      return { readings: [logProb(answer), logProb(against)], combine: ([a, b]) => a - b, slopes: () => [1, -1] };
    },
  },
  kl: {
    ...fromMetric(METRICS.kl, 'KL(all kept || masked) of the next token'),
    needs: { answer: false, against: false },
  },
};

/** A metric of the component lens, or one of your own, as a value of a text: read after the prompt, of single tokens. */
export function fromMetric(metric: Metric, about = metric.name): TextValue {
  const { name, unit, moreIsBetter, needs } = metric;
  return {
    name,
    unit,
    about,
    moreIsBetter,
    needs: { answer: needs.correct, against: needs.incorrect },
    open(answer, against) {
      for (const [what, ids] of [
        ['answer', needs.correct ? answer : []],
        ['against', needs.incorrect ? against : []],
      ] as const)
        if (ids.length > 1)
          throw fail(
            'input',
            name,
            `${what} is ${ids.length} tokens, and ${name} is of one; use logprob or contrast, which sum.`,
          );
      const target: Target = { tokens: [0], correct: answer[0], incorrect: against[0], position: 0 };
      metric.check?.(target, name);
      const reading: Reading = {
        forced: [],
        columns: metric.columns(target),
        needsClean: needs.clean,
        reduce: (logits, clean) => metric.value(logits, target, clean),
      };
      return {
        readings: [reading],
        combine: itself.combine,
        ...(metric.differentiable === false ? {} : { slopes: itself.slopes }),
      };
    },
  };
}

/** Σ_j log p(answer_j | the prompt, answer_<j). */
function logProb(answer: readonly number[]): Reading {
  const byToken = (logits: tf.Tensor3D): tf.Tensor2D => {
    const all = tf.logSumExp(logits, 2); // [B, k]
    const picked = answer.map((id, j) => tf.reshape(tf.slice(logits, [0, j, id], [-1, 1, 1]), [-1, 1]));
    return tf.sub(picked.length === 1 ? picked[0] : tf.concat(picked, 1), all);
  };
  return {
    forced: answer.slice(0, -1),
    columns: undefined,
    needsClean: false,
    byToken,
    reduce: (logits) => tf.sum(byToken(logits), 1) as tf.Tensor1D,
  };
}

/** logit(answer) - log Σ exp of all others': exact also where p is close to 1. */
function logOdds(answer: number): Reading {
  return {
    forced: [],
    columns: undefined,
    needsClean: false,
    reduce(logits) {
      const vocabulary = logits.shape[2];
      const hidden = tf.mul(tf.oneHot(tf.tensor1d([answer], 'int32'), vocabulary), -1e30); // [1, V]
      const others = tf.logSumExp(tf.add(logits, tf.expandDims(hidden, 0)), 2); // [B, 1]
      return tf.reshape(tf.sub(tf.reshape(tf.slice(logits, [0, 0, answer], [-1, 1, 1]), [-1, 1]), others), [
        -1,
      ]) as tf.Tensor1D;
    },
  };
}

/** The value of a name. @throws 'input' for an unknown one, with suggestions. */
export function textValueOf(name: string): TextValue {
  if (Object.hasOwn(TEXT_VALUES, name)) return TEXT_VALUES[name as TextValueName];
  const names = Object.keys(TEXT_VALUES);
  throw fail(
    'input',
    'value',
    `"${name}" is unknown; did you mean ${closest(name, names).join(', ')}? There are ${names.join(', ')}.`,
  );
}

/** Whether `value` is the one of its name, so that the name says all about it. */
export function isNamedValue(value: TextValue): boolean {
  return Object.hasOwn(TEXT_VALUES, value.name) && TEXT_VALUES[value.name as TextValueName] === value;
}
