/**
 * TracInCP: what an example's steps did for the test examples, at checkpoints on the way.
 *
 * τ_n = -Σ_c s_c ∇f(θ_c)·∇ℓ_n(θ_c), s_c the size of all steps that it took since the checkpoint before (Pruthi, Liu, Kale, Sundararajan,
 * NeurIPS 2020, §3.2). It takes a step for one of gradient descent, whatever the optimiser.
 */
import * as tf from '@tensorflow/tfjs-core';
import { slopesAlong } from '../../../train/derivatives.ts';
import { stepsOf } from '../../../train/schedule.ts';
import { trainOnAll, type Trained } from './trained.ts';

const CHECKPOINTS = 6;

/** [N], in units of f, averaged over seeds. Trains again up to each checkpoint. */
export async function tracIn({
  asked,
}: Trained): Promise<{ readonly scores: Float64Array; readonly checkpoints: number }> {
  const { architecture, training, examples, seeds } = asked;
  const steps = stepsOf(training, examples.count, seeds[0]);
  const scores = new Float64Array(examples.count);
  const at = [
    ...new Set(
      Array.from({ length: CHECKPOINTS }, (_, c) => Math.max(1, Math.round((steps.length * (c + 1)) / CHECKPOINTS))),
    ),
  ];
  let before = 0;
  for (const last of at) {
    // Each example is met once an epoch and counts 1 of its step's B.
    const size = steps.slice(before, last).reduce((sum, { rate }) => sum + rate * training.optimiser.learningRate, 0);
    before = last;
    const trained = await trainOnAll(asked, last);
    try {
      const along = tf.tidy(() =>
        slopesAlong(architecture, trained.theta, (theta) => architecture.losses(theta, trained.all), trained.gradient),
      );
      const found = await along.data();
      along.dispose();
      for (let k = 0; k < seeds.length; k++)
        for (let n = 0; n < examples.count; n++)
          scores[n] -= (size * found[k * examples.count + n]) / (examples.count * seeds.length);
    } finally {
      trained[Symbol.dispose]();
    }
  }
  return { scores, checkpoints: at.length };
}
