/** K models' parameters as one matrix [K, P], which optimisers and solvers work on, and as the tensors that a model works with. */
import * as tf from '@tensorflow/tfjs-core';
import type { Architecture } from './architecture.ts';

const COLUMNS = 'SpexlensColumns';

/** [K, P] -> a tensor [K, ...shape] for each parameter. */
export function unflatten({ parameters }: Architecture, theta: tf.Tensor2D): tf.Tensor[] {
  const [models] = theta.shape;
  let at = 0;
  return parameters.map(({ shape }) => {
    const size = tf.util.sizeFromShape([...shape]);
    const part = columns(theta, at, size);
    at += size;
    return tf.reshape(part, [models, ...shape]);
  });
}

/** Without a gradient: it is asked for with respect to the parts. */
function columns(theta: tf.Tensor2D, begin: number, size: number): tf.Tensor2D {
  return tf.getKernel(COLUMNS, tf.getBackend()) == null
    ? tf.slice(theta, [0, begin], [theta.shape[0], size])
    : (tf.engine().runKernel(COLUMNS, { x: theta }, { begin, size }) as tf.Tensor2D);
}

/** The way back. */
export function flatten(tensors: readonly tf.Tensor[]): tf.Tensor2D {
  const rows = tensors.map((tensor) => tf.reshape(tensor, [tensor.shape[0], -1]) as tf.Tensor2D);
  return tf.concat(rows, 1);
}

/** One model's parameters, K times. */
export function repeated(parameters: Float32Array, models: number): tf.Tensor2D {
  const all = new Float32Array(models * parameters.length);
  for (let k = 0; k < models; k++) all.set(parameters, k * parameters.length);
  return tf.tensor2d(all, [models, parameters.length]);
}
