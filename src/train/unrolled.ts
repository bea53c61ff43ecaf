/**
 * How the trained models would differ if an example weighed a little more: the exact derivative through every step of training.
 *
 * States are kept at every √T-th of T steps and made again between them; then the steps are gone back, each giving what its examples'
 * weights did to it: for a step along g = s Σ w_b ∇ℓ_b with s = N/(B·W), ∂(λ·g)/∂w_n = s λ·∇ℓ_n for its own examples, - λ·g/W for all. (Maclaurin et al., ICML 2015;
 * Ilyas, Engstrom, 2025, arXiv:2503.13751, "MAGIC: near-optimal data attribution", whose replay this is.) Influence functions are what this
 * becomes when training has converged.
 */
import * as tf from '@tensorflow/tfjs-core';
import { throwIfAborted } from '../errors.ts';
import { breathe } from '../platform/breathe.ts';
import type { Architecture, Examples } from './architecture.ts';
import { curvature, gradientOf, weightedGradient } from './derivatives.ts';
import type { State } from './optimiser.ts';
import { openStep, planRun, shareOf, startOf, takeStep, type Run, type TrainOptions } from './train.ts';
import type { Training } from './schedule.ts';

export interface Unrolled {
  /** f of each trained model, [K]. */
  readonly values: Float64Array;
  /** ∂f/∂(weight of each example), [K, N]. */
  readonly slopes: Float32Array;
}

/**
 * Trains as train() does, and differentiates `f`, a number a model [K] of its parameters, with respect to every weight.
 * Costs some four to five trainings, and the memory of 2√T states.
 * @throws as train().
 */
export async function trainUnrolled(
  model: Architecture,
  examples: Examples,
  training: Training,
  weights: Float32Array,
  f: (parameters: readonly tf.Tensor[]) => tf.Tensor1D,
  { seed, signal, onStep }: TrainOptions,
): Promise<Unrolled> {
  const run = planRun(model, examples, training, weights, seed);
  const total = run.steps.length;
  const stride = Math.max(1, Math.ceil(Math.sqrt(total)));
  const kept: State[] = [];
  let segment: State[] = [];
  let adjoint: tf.Tensor2D[] = [];
  const slopes = new Float32Array(weights.length);
  const tell = (done: number): void => onStep?.(done, 2 * total);
  try {
    kept.push(startOf(run, seed));
    let state = kept[0];
    for (let t = 0; t < total; t++) {
      throwIfAborted(signal, 'train');
      const next = takeStep(run, state, t);
      if (t % stride !== 0) dispose(state);
      state = next;
      if ((t + 1) % stride === 0 && t + 1 < total) kept.push(state);
      tell(t + 1);
      if (t % 16 === 15) await breathe();
    }
    const end = state;
    const { values, gradient } = gradientOf(model, end[0], f);
    const read = Float64Array.from(await values.data());
    values.dispose();
    if (total % stride !== 0 || !kept.includes(end)) dispose(end);
    adjoint = [gradient, ...Array.from({ length: run.stepper.tensors - 1 }, () => tf.zerosLike(gradient))];
    for (let from = stride * (kept.length - 1); from >= 0; from -= stride) {
      const start = kept.pop() as State;
      segment = [start];
      const last = Math.min(from + stride, total) - 1;
      for (let t = from; t < last; t++) segment.push(takeStep(run, segment[segment.length - 1], t));
      const pending: { readonly t: number; readonly slopes: tf.Tensor2D }[] = [];
      for (let t = last; t >= from; t--) {
        throwIfAborted(signal, 'train');
        const before = segment[t - from];
        const back = backStep(run, before, adjoint, t);
        dispose(adjoint);
        adjoint = back.adjoint;
        pending.push({ t, slopes: back.slopes });
        dispose(before);
        segment.pop();
        tell(2 * total - t);
      }
      for (const { t, slopes: some } of pending) {
        const along = (await some.data()) as Float32Array;
        some.dispose();
        addSlopes(run, t, along, slopes);
      }
      await breathe();
    }
    return { values: read, slopes };
  } finally {
    for (const state of [...kept, ...segment, adjoint]) dispose(state);
  }
}

function dispose(state: State): void {
  for (const tensor of state) tensor.dispose();
}

/** From the derivatives with respect to the state after step t to those before it, and each example's slope along the step's. */
function backStep(
  run: Run,
  before: State,
  after: State,
  t: number,
): { readonly adjoint: tf.Tensor2D[]; readonly slopes: tf.Tensor2D } {
  const [slopes, ...adjoint] = tf.tidy(() => {
    const { batch, coefficients } = openStep(run, t);
    const gradient = run.stepper.remembers ? weightedGradient(run.model, before[0], batch, coefficients) : before[0];
    const back = run.stepper.adjoint(before, gradient, after, t, run.steps[t].rate);
    const { product, slopes: along } = curvature(run.model, before[0], batch, coefficients, back.ofGradient);
    const [theta, ...rest] = back.before;
    return [along, tf.add(theta, product) as tf.Tensor2D, ...rest];
  });
  return { adjoint, slopes };
}

/** Adds what step t gives every weight, from λ·∇ℓ_b. */
function addSlopes(run: Run, t: number, along: Float32Array, slopes: Float32Array): void {
  const { steps, weights, totals, models, examples } = run;
  const { rows } = steps[t];
  const { count } = examples;
  for (let k = 0; k < models; k++) {
    if (totals[k] === 0) continue;
    const share = shareOf(run, t, k);
    let product = 0;
    for (let b = 0; b < rows.length; b++) {
      const slope = share * along[k * rows.length + b];
      product += weights[k * count + rows[b]] * slope;
      slopes[k * count + rows[b]] += slope;
    }
    for (let n = 0; n < count; n++) slopes[k * count + n] -= product / totals[k];
  }
}
