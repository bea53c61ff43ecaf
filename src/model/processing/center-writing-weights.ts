/**
 * centerWritingWeights: everything that is written to the residual stream has mean 0 over d_model.
 *
 * Every reader of the residual in a pre-norm model is a layer norm, which subtracts the mean first: what is
 * written along the vector of ones is never read. Without it, directions and norms of what is written mean what they say.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { hasFinalNorm, type ModelConfig } from '../config.ts';
import { layoutOf } from '../layout.ts';
import type { Model } from '../model.ts';
import { processed, type Edit, type Processed, type ProcessOptions, type Tensors } from './processed.ts';

/**
 * The model with W_E, W_pos, W_O, b_O, W_out, b_out (and token types) centred along d_model.
 *
 * @throws 'input' where the mean of the residual is read: RMS norms or none, norms of what is written (sandwich, post), no ln_final.
 */
export function centerWritingWeights(model: Model, options: ProcessOptions = {}): Promise<Processed> {
  return processed('centerWritingWeights', model, options, center);
}

function center(config: ModelConfig, parameters: Tensors): Edit {
  const reason = whyRead(config);
  if (reason !== undefined)
    throw fail(
      'input',
      'centerWritingWeights',
      `${reason} in this ${config.family} model, so centring would change its numbers; leave it.`,
    );
  const written = [
    parameters['embed.W_in'] === undefined ? 'embed.W_E' : 'embed.W_in',
    'token_type_embed.W_token_type',
    // A shortformer's positions are added behind the norm, not written to the residual.
    ...(config.positions === 'learned' ? ['pos_embed.W_pos'] : []),
    ...Array.from({ length: config.nLayers }, (_, l) =>
      ['attn.W_O', 'attn.b_O', 'mlp.W_out', 'mlp.b_out'].map((name) => `blocks.${l}.${name}`),
    ).flat(),
  ];
  const present = written.filter((name) => parameters[name] !== undefined);
  return {
    config,
    changed: Object.fromEntries(
      present.map((name) => [name, tf.sub(parameters[name], tf.mean(parameters[name], -1, true))]),
    ),
  };
}

/** Who reads the mean of the residual stream; undefined when nobody does. */
function whyRead(config: ModelConfig): string | undefined {
  const { norm } = config;
  const { attn, mlp } = layoutOf(config);
  if (norm.kind === 'none') return 'no norm takes the mean away';
  if (norm.kind === 'rms') return 'RMS norms do not take the mean away';
  if (attn.stream !== undefined || mlp.stream !== undefined) return 'norms stand on the residual stream itself';
  if (attn.output !== undefined || mlp.output !== undefined) return 'a norm stands behind what each part writes';
  if (config.embedding?.norm !== undefined) return 'a norm stands behind the embeddings';
  if (!hasFinalNorm(config)) return 'the unembedding reads the residual without a norm';
  return undefined;
}
