/**
 * K models trained at once, each on its own examples.
 *
 * They start alike, meet the same examples in the same order, and differ in what an example weighs: 1, 0 for one that is left out, or
 * anything between. A step of B of all N examples follows Σ_b w_b ℓ_b over B·W/N, what B of them weigh on average (W = Σ w): all
 * examples at a step, that is their weighted mean. So a model with weights of 0 and 1 is one that is trained on what it keeps, in steps of
 * what is left of the common ones, and how it ends is a smooth function of the weights. A model that keeps no example stays as
 * it began, but for what decays.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail, throwIfAborted } from '../errors.ts';
import { breathe } from '../platform/breathe.ts';
import { createRandom } from '../random.ts';
import { type Architecture, type Batch, type Examples } from './architecture.ts';
import { weightedGradient } from './derivatives.ts';
import { stepperOf, type State, type Stepper } from './optimiser.ts';
import { repeated } from './parameters.ts';
import { stepsOf, type Step, type Training } from './schedule.ts';

export interface TrainOptions {
  /** Of the models' start and the examples' order. */
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  /** Stop after so many steps of the plan; default all. */
  readonly steps?: number | undefined;
  /** After each step. */
  readonly onStep?: ((step: number, steps: number) => void) | undefined;
}

/** What a run of training is made of. */
export interface Run {
  readonly model: Architecture;
  readonly examples: Examples;
  readonly steps: readonly Step[];
  readonly stepper: Stepper;
  /** [K, N]. */
  readonly weights: Float32Array;
  /** Σ_n w_n of each model. */
  readonly totals: Float64Array;
  readonly models: number;
}

/**
 * Trains one model for each row of `weights` [K, N], N the number of examples. Resolves with the parameters [K, P], which the caller
 * owns.
 * @throws 'input' on weights that are negative or do not fit, 'aborted'.
 */
export async function train(
  model: Architecture,
  examples: Examples,
  training: Training,
  weights: Float32Array,
  { seed, signal, steps, onStep }: TrainOptions,
): Promise<tf.Tensor2D> {
  const run = planRun(model, examples, training, weights, seed);
  let state = startOf(run, seed);
  try {
    const last = Math.min(steps ?? Infinity, run.steps.length);
    for (let t = 0; t < last; t++) {
      throwIfAborted(signal, 'train');
      const next = takeStep(run, state, t);
      for (const tensor of state) tensor.dispose();
      state = next;
      onStep?.(t + 1, last);
      if (t % BREATHE === BREATHE - 1) await breathe();
    }
  } catch (error) {
    for (const tensor of state) tensor.dispose();
    throw error;
  }
  const [theta, ...rest] = state;
  for (const tensor of rest) tensor.dispose();
  return theta;
}

/** Steps after which others have their turn: signals, timers. */
const BREATHE = 16;

export function planRun(
  model: Architecture,
  examples: Examples,
  training: Training,
  weights: Float32Array,
  seed: number,
): Run {
  const models = weights.length / examples.count;
  if (!Number.isInteger(models) || models < 1)
    throw fail(
      'input',
      'train',
      `${weights.length} weights for ${examples.count} examples; one for each in every model is needed.`,
    );
  const bad = weights.findIndex((weight) => !(weight >= 0 && weight < Infinity));
  if (bad >= 0)
    throw fail(
      'input',
      'train',
      `example ${bad % examples.count} of model ${Math.floor(bad / examples.count)} weighs ${weights[bad]}; a finite weight >= 0 is needed.`,
    );
  const steps = stepsOf(training, examples.count, seed);
  const totals = Float64Array.from({ length: models }, (_, k) =>
    weights.subarray(k * examples.count, (k + 1) * examples.count).reduce((sum, weight) => sum + weight, 0),
  );
  return { model, examples, steps, stepper: stepperOf(training.optimiser), weights, totals, models };
}

/** The state before the first step. */
export function startOf({ model, models, stepper }: Run, seed: number): tf.Tensor2D[] {
  const theta = repeated(model.initialise(createRandom(seed, 'train/start')), models);
  return [theta, ...Array.from({ length: stepper.tensors - 1 }, () => tf.zeros([models, model.size]) as tf.Tensor2D)];
}

/** The state after step t. Borrows `state`. */
export function takeStep(run: Run, state: State, t: number): tf.Tensor2D[] {
  return tf.tidy(() => {
    const { batch, coefficients } = openStep(run, t);
    const gradient = weightedGradient(run.model, state[0], batch, coefficients);
    return run.stepper.step(state, gradient, t, run.steps[t].rate);
  });
}

/** The examples of step t and what each counts in it, [K, B]. To be called inside a tidy. */
export function openStep(run: Run, t: number): { readonly batch: Batch; readonly coefficients: tf.Tensor2D } {
  const { examples, steps, models } = run;
  const { rows } = steps[t];
  const coefficients = new Float32Array(models * rows.length);
  for (let k = 0; k < models; k++) {
    const share = shareOf(run, t, k);
    for (let b = 0; b < rows.length; b++)
      coefficients[k * rows.length + b] = run.weights[k * examples.count + rows[b]] * share;
  }
  return { batch: examples.batch(rows), coefficients: tf.tensor2d(coefficients, [models, rows.length]) };
}

/** What an example of weight 1 counts in step t of model k: N / (B·W). */
export function shareOf({ examples, steps, totals }: Run, t: number, k: number): number {
  return totals[k] === 0 ? 0 : examples.count / (steps[t].rows.length * totals[k]);
}
