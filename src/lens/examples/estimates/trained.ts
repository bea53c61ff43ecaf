/**
 * Models trained on everything, one a seed: where the estimates that need no retraining start from.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../../errors.ts';
import { disposeBatch, type Batch } from '../../../train/architecture.ts';
import { gradientOf } from '../../../train/derivatives.ts';
import type { Optimiser } from '../../../train/optimiser.ts';
import { stepsOf } from '../../../train/schedule.ts';
import { train } from '../../../train/train.ts';
import type { DataGameOptions } from '../data-game.ts';
import { openValue } from '../test-values.ts';

/** What an estimate is asked of: the game's own question, of no players. */
export type Asked = Omit<DataGameOptions, 'players' | 'seeds' | 'inside' | 'modelsAtOnce' | 'onStep'> & {
  readonly seeds: readonly number[];
  readonly signal?: AbortSignal | undefined;
};

/** The models trained on everything, one a seed, and their gradients. */
export interface Trained extends Disposable {
  readonly asked: Asked;
  /** Parameters, [seeds, P]. */
  readonly theta: tf.Tensor2D;
  /** All training examples on the device. */
  readonly all: Batch;
  readonly testBatch: Batch;
  /** The value on the test examples, a number a model, [K] of any parameters. */
  readonly f: (parameters: readonly tf.Tensor[]) => tf.Tensor1D;
  /** f of each seed's model, and its gradient [seeds, P]. */
  readonly values: Float64Array;
  readonly gradient: tf.Tensor2D;
  /** Weight decay that is part of the loss: what SGD's pulls by. */
  readonly decay: number;
}

/** Trains on everything, up to step `steps` of each seed (default all). The caller disposes it. @throws 'input' on a value without a slope. */
export async function trainOnAll(asked: Asked, steps?: number): Promise<Trained> {
  const { architecture, training, examples, test, value, seeds, signal } = asked;
  if (!value.smooth)
    throw fail('input', 'estimate', `${value.name} has no slope; take margin, log-odds, loss or probability.`);
  const weights = new Float32Array(examples.count).fill(1);
  const rows: tf.Tensor2D[] = [];
  try {
    for (const seed of seeds)
      rows.push(await train(architecture, examples, training, weights, { seed, signal, steps }));
    const theta = tf.concat(rows, 0);
    const all = examples.batch(Array.from({ length: examples.count }, (_, row) => row));
    const testBatch = test.batch(Array.from({ length: test.count }, (_, row) => row));
    const valued = openValue(value, asked, test.count, architecture.classes);
    const f = (parameters: readonly tf.Tensor[]): tf.Tensor1D =>
      tf.mean(valued.of(architecture.logits(parameters, testBatch)), 1);
    const found = gradientOf(architecture, theta, f);
    const values = Float64Array.from(await found.values.data());
    found.values.dispose();
    return {
      asked,
      theta,
      all,
      testBatch,
      f,
      values,
      gradient: found.gradient,
      decay: decayOf(training.optimiser),
      [Symbol.dispose]() {
        tf.dispose([theta, found.gradient]);
        valued[Symbol.dispose]();
        disposeBatch(all);
        disposeBatch(testBatch);
      },
    };
  } finally {
    tf.dispose(rows);
  }
}

/** The class of each training example, [N]: of a row of tokens, what its answer begins with. */
export async function trainClasses({ all }: Pick<Trained, 'all'>): Promise<Int32Array> {
  const classes = tf.tidy(() => {
    if (all.positions === undefined) return tf.clone(all.targets);
    const [, length] = all.targets.shape as [number, number];
    const here = tf.cast(tf.oneHot(tf.cast(all.positions, 'int32'), length), 'float32');
    return tf.cast(tf.sum(tf.mul(tf.cast(all.targets, 'float32'), here), 1), 'int32');
  });
  const found = Int32Array.from(await classes.data());
  classes.dispose();
  return found;
}

/** AdamW's decay is decoupled: no part of what its minimum is of (Loshchilov, Hutter, ICLR 2019). */
function decayOf(optimiser: Optimiser): number {
  return optimiser.kind === 'sgd' ? (optimiser.weightDecay ?? 0) : 0;
}

/**
 * How far training has gone, as a damping: gradient descent for a time τ = Σ η reaches of a direction of curvature h what a
 * minimum with 1/τ added to h would (Bae, Lin, Lorraine, Grosse, NeurIPS 2024, "Training data attribution via approximate unrolling", §3).
 * For AdamW, whose steps have no common η, a tenth of the mean curvature is taken (as in Grosse et al., arXiv:2308.03296, §2.2).
 */
export function dampingOf({ training, examples, seeds }: Asked, meanCurvature: () => number): number {
  const { optimiser } = training;
  if (optimiser.kind === 'adamw') return 0.1 * meanCurvature();
  const { learningRate, momentum = 0 } = optimiser;
  const time = stepsOf(training, examples.count, seeds[0]).reduce(
    (sum, { rate }) => sum + (rate * learningRate) / (1 - momentum),
    0,
  );
  return 1 / time;
}
