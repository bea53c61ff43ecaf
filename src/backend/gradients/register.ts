/**
 * The gradient of every operation that the forward pass and its hooks are made of, registered with TensorFlow.js when a
 * backend opens.
 *
 * tfjs-core brings none; the union package @tensorflow/tfjs does, by a side effect, and for everything from images to audio.
 * Ours are those of a transformer (stock.ts); the kernels of our own bring theirs along (model/forward). What somebody has
 * registered before stays.
 */
import * as tf from '@tensorflow/tfjs-core';
import { STOCK_GRADIENTS } from './stock.ts';

/** Gradients belong to operations, not to backends: one registration serves all of them. */
export function registerGradients(): void {
  for (const [kernelName, config] of Object.entries(STOCK_GRADIENTS))
    if (tf.getGradient(kernelName) == null) tf.registerGradient({ kernelName, ...config });
}
