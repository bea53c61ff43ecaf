/** Values of rows, and their gradients with respect to what they were made from. */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import { record } from '../hooks/backward.ts';

export interface Passed {
  readonly value: tf.Tensor1D;
  /** Of each of the factors; undefined where nothing depends on them. */
  readonly gradients: readonly (tf.Tensor | undefined)[];
}

/**
 * The values that `run` returns and their gradients; the caller owns both. `who` is what they are of.
 * @throws 'input' where nothing depends on `factors`.
 */
export function passBack(factors: readonly tf.Tensor[], who: string, run: () => tf.Tensor1D): Passed {
  const recording = record(run);
  try {
    const gradients = recording.gradients(recording.value, factors);
    if (gradients.every((gradient) => gradient === undefined))
      throw fail('input', who, 'has no gradient: it does not vary smoothly with the logits.');
    return { value: recording.value, gradients };
  } catch (error) {
    recording.value.dispose();
    throw error;
  }
}
