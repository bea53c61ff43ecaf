/**
 * foldValueBiases: what a value bias always adds is added by b_O.
 *
 * A pattern's rows sum to 1, so b_V reaches every z unchanged and the residual as the constant b_V·W_O, whatever is
 * attended to. Moved to b_O, a head's z and result hold only what attention brought.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { kvHeads, type ModelConfig } from '../config.ts';
import { linear } from '../forward/layers.ts';
import type { Model } from '../model.ts';
import { processed, type Edit, type Processed, type ProcessOptions, type Tensors } from './processed.ts';

/**
 * The model with b_V = 0 and b_O + b_V·W_O in place of b_O. Ablating a head to zero then keeps what its bias added.
 *
 * @throws 'input' where values have no bias, or are cut to a range with it (clip).
 */
export function foldValueBiases(model: Model, options: ProcessOptions = {}): Promise<Processed> {
  return processed('foldValueBiases', model, options, fold);
}

function fold(config: ModelConfig, parameters: Tensors): Edit {
  if (!config.biases.qkv)
    throw fail(
      'input',
      'foldValueBiases',
      `values have no biases in this ${config.family} model; there is nothing to fold.`,
    );
  if (config.attention.clip !== undefined)
    throw fail(
      'input',
      'foldValueBiases',
      `values of this ${config.family} model are cut to ±${config.attention.clip} with their biases, which cannot be moved behind that; leave them.`,
    );
  const { nHeads, dHead } = config;
  const groups = kvHeads(config);
  const changed: Record<string, tf.Tensor> = {};
  for (let l = 0; l < config.nLayers; l++) {
    const attn = `blocks.${l}.attn`;
    const b_V = parameters[`${attn}.b_V`]; // [K·e]
    const byHead = tf.tile(tf.reshape(b_V, [groups, 1, dHead]), [1, nHeads / groups, 1]); // [K, H/K, e]
    const constant = tf.reshape(linear(tf.reshape(byHead, [1, nHeads * dHead]), parameters[`${attn}.W_O`], undefined), [
      -1,
    ]); // [d]
    const b_O = parameters[`${attn}.b_O`];
    changed[`${attn}.b_O`] = b_O === undefined ? constant : tf.add(b_O, constant);
    changed[`${attn}.b_V`] = tf.zerosLike(b_V);
  }
  return { config: { ...config, biases: { ...config.biases, attnOut: true } }, changed };
}
