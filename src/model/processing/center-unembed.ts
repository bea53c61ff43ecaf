/**
 * centerUnembed: the logits of every token position have mean 0 over the vocabulary.
 *
 * A constant added to all logits changes no probability. Centred, one token's logit alone means something: it is
 * the logit difference to the average token.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import type { ModelConfig } from '../config.ts';
import type { Model } from '../model.ts';
import { processed, type Edit, type Processed, type ProcessOptions, type Tensors } from './processed.ts';

/**
 * The model with W_U and b_U centred along the vocabulary. Logits shift (largestLogitChange says how far),
 * log-probabilities do not.
 *
 * @throws 'input' where logits are capped: the cap bends the shift, and probabilities would change.
 */
export function centerUnembed(model: Model, options: ProcessOptions = {}): Promise<Processed> {
  return processed('centerUnembed', model, options, center);
}

function center(config: ModelConfig, parameters: Tensors): Edit {
  if (config.logitSoftcap !== undefined) {
    throw fail(
      'input',
      'centerUnembed',
      `this ${config.family} model caps its logits at ${config.logitSoftcap}·tanh(logit / ${config.logitSoftcap}), so a shift before it changes the probabilities; leave it.`,
    );
  }
  const names = ['unembed.W_U', 'unembed.b_U'].filter((name) => parameters[name] !== undefined);
  return {
    config,
    changed: Object.fromEntries(
      names.map((name) => [name, tf.sub(parameters[name], tf.mean(parameters[name], -1, true))]),
    ),
  };
}
