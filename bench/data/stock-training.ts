/**
 * One model as a user of TensorFlow.js alone would train it: its wasm backend's own kernels, tf.train.momentum. The same
 * perceptron, start, order and recipe as src/train's.
 */
import * as tf from '@tensorflow/tfjs-core';
import { registerWasmKernels, unregisterWasmKernels } from '../../src/backend/wasm-kernels.ts';
import { fail } from '../../src/errors.ts';
import type { Architecture, Examples } from '../../src/train/architecture.ts';
import { stepsOf, type Training } from '../../src/train/schedule.ts';
import { createRandom } from '../../src/random.ts';

/** Parameters [P] at the end of training on everything, and steps a second. @throws 'input' on a recipe that is not SGD with momentum at a constant rate. */
export async function trainOnStock(
  model: Architecture,
  examples: Examples,
  training: Training,
  seed: number,
): Promise<{ readonly theta: Float32Array; readonly rate: number }> {
  const { optimiser, schedule = 'constant' } = training;
  if (optimiser.kind !== 'sgd' || optimiser.momentum === undefined || optimiser.weightDecay !== undefined)
    throw fail('input', 'stock training', 'is written for SGD with momentum and without decay.');
  if (schedule !== 'constant')
    throw fail('input', 'stock training', `is written for a constant rate, not ${schedule}.`);
  unregisterWasmKernels();
  try {
    const { parameters, classes } = model;
    const start = model.initialise(createRandom(seed, 'train/start'));
    let at = 0;
    const variables = parameters.map(({ shape }) => {
      const size = tf.util.sizeFromShape([...shape]);
      const numbers = start.slice(at, (at += size));
      return tf.variable(tf.tensor2d(numbers, shape as [number, number]));
    });
    const { inputs, targets } = examples.batch(Array.from({ length: examples.count }, (_, row) => row));
    const right = tf.tidy(() => tf.cast(tf.oneHot(targets as tf.Tensor1D, classes), 'float32')) as tf.Tensor2D;
    const optimizer = tf.train.momentum(optimiser.learningRate, optimiser.momentum);
    const steps = stepsOf(training, examples.count, seed);
    const began = performance.now();
    for (const { rows } of steps)
      tf.tidy(() => {
        const picked = tf.tensor1d(rows, 'int32');
        const [x, y] = [tf.gather(inputs, picked), tf.gather(right, picked)];
        const loss = (): tf.Scalar => {
          let a: tf.Tensor = x;
          for (let l = 0; l < variables.length; l += 2) {
            const z = tf.add(tf.matMul(a as tf.Tensor2D, variables[l] as tf.Tensor2D), variables[l + 1]);
            a = l + 2 < variables.length ? tf.mul(z, tf.sigmoid(z)) : z;
          }
          return tf.losses.softmaxCrossEntropy(y, a);
        };
        optimizer.minimize(loss);
      });
    const last = await Promise.all(variables.map((variable) => variable.data()));
    const rate = (1000 * steps.length) / (performance.now() - began);
    tf.dispose([inputs, targets, right, ...variables]);
    optimizer.dispose();
    return { theta: Float32Array.from(last.flatMap((numbers) => Array.from(numbers))), rate };
  } finally {
    registerWasmKernels('auto');
  }
}
