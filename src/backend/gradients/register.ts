/**
 * The gradient of every operation that the forward pass and its hooks are made of, registered with TensorFlow.js when a
 * backend opens.
 *
 * tfjs-core brings none; the union package @tensorflow/tfjs does, by a side effect, and for everything from images to audio (the
 * tensorflow backend's package loads it). Ours are those of a transformer (stock.ts); the kernels of our own bring theirs along
 * (model/forward). What somebody has registered before stays, but for passes that are recorded: there ours hold, as those of the union
 * package take kernels that wasm lacks.
 */
import * as tf from '@tensorflow/tfjs-core';
import { STOCK_GRADIENTS } from './stock.ts';

const OURS: readonly tf.GradConfig[] = Object.entries(STOCK_GRADIENTS).map(([kernelName, config]) => ({
  kernelName,
  ...config,
}));

/** Gradients belong to operations, not to backends: one registration serves all of them. */
export function registerGradients(): void {
  for (const config of OURS) if (tf.getGradient(config.kernelName) == null) tf.registerGradient(config);
}

/** Runs `f`, in which operations are recorded with our gradients. */
export function withOurGradients<T>(f: () => T): T {
  const others = OURS.flatMap((config) => {
    const other = tf.getGradient(config.kernelName) as tf.GradConfig | undefined;
    if (other?.gradFunc === config.gradFunc) return [];
    tf.registerGradient(config);
    return [other ?? config];
  });
  try {
    return f();
  } finally {
    for (const other of others) tf.registerGradient(other);
  }
}
