/**
 * foldLayerNorm: the weights of a norm go into the matrices that read what it gives.
 *
 * (x̂·w + b)·W + c = x̂·(w∘W) + (b·W + c), so norms are left with nothing to multiply or add, and the rows of W_Q, W_in,
 * W_U, ... say how the bare normalised residual is read. After a layer norm x̂ has mean 0, and the columns of those
 * matrices are centred too, as in TransformerLens: what they read of the mean is nothing.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { hasFinalNorm, hasWeights, type ModelConfig } from '../config.ts';
import { layoutOf } from '../layout.ts';
import { linear } from '../forward/layers.ts';
import type { Model } from '../model.ts';
import { processed, type Edit, type Processed, type ProcessOptions, type Tensors } from './processed.ts';

/**
 * The model with the weights of ln1, ln2, ln_final (and mlp.ln) in the matrices after them.
 * Norms over what a part writes (ln1_post, ln2_post) and over queries and keys stay: no matrix reads them.
 *
 * @throws 'input' where there is nothing to fold, or the residual itself is normed (post-norm models, BERT), or
 * positions are added behind the norm (shortformer).
 */
export function foldLayerNorm(model: Model, options: ProcessOptions = {}): Promise<Processed> {
  return processed('foldLayerNorm', model, options, fold);
}

const refuse = (what: string): Error => fail('input', 'foldLayerNorm', what);

function fold(config: ModelConfig, parameters: Tensors): Edit {
  const { norm } = config;
  const { attn, mlp } = layoutOf(config);
  if (norm.kind === 'none') throw refuse(`this ${config.family} model has no norms; there is nothing to fold.`);
  if (!hasWeights(norm))
    throw refuse(`the norms of this ${config.family} model have no weights; there is nothing left to fold.`);
  if (attn.stream !== undefined || mlp.stream !== undefined)
    throw refuse(
      `the norms of this ${config.family} model stand on the residual stream, which is read by more than one matrix; leave them.`,
    );
  if (config.mlmHead === true)
    throw refuse(
      `a masked-LM head stands behind the last norm of this ${config.family} model; that is not implemented.`,
    );
  if (config.positions === 'shortformer')
    throw refuse('positions are added between ln1 and W_Q, W_K of this shortformer model; its norms cannot be folded.');

  const changed: Record<string, tf.Tensor> = {};
  const isLayer = norm.kind === 'layer';
  const weight = (name: string): tf.Tensor =>
    norm.kind === 'rms' && norm.offset === 1 ? tf.add(parameters[`${name}.w`], 1) : parameters[`${name}.w`]; // [width]
  const folded = new Set<string>();
  const into = (
    name: string,
    part: string,
    letters: readonly string[],
    bias = (letter: string): string => `${part}.b_${letter}`,
  ): void => {
    folded.add(name);
    for (const letter of letters) {
      const W = parameters[`${part}.W_${letter}`]; // [width, n]
      const scaled = tf.mul(W, tf.reshape(weight(name), [-1, 1]));
      changed[`${part}.W_${letter}`] = isLayer ? tf.sub(scaled, tf.mean(scaled, 0, true)) : scaled;
      if (!isLayer) continue;
      const own = parameters[bias(letter)];
      let added = linear(tf.reshape(parameters[`${name}.b`], [1, -1]), W, undefined); // [1, n]
      // A matrix without bias of its own (OPT's way back to a narrow embedding): the bias passes through the next one.
      if (bias(letter) === 'unembed.b_U' && letter === 'in')
        added = linear(added, parameters['unembed.W_U'], undefined);
      const flat = tf.reshape(added, [-1]);
      changed[bias(letter)] = own === undefined ? flat : tf.add(own, flat);
    }
  };
  for (let l = 0; l < config.nLayers; l++) {
    const b = `blocks.${l}`;
    if (attn.input !== undefined) into(`${b}.${attn.input}`, `${b}.attn`, ['Q', 'K', 'V']);
    if (config.dMlp === 0) continue;
    if (mlp.input !== undefined)
      into(`${b}.${mlp.inputWeights ?? mlp.input}`, `${b}.mlp`, [
        ...(config.experts === undefined ? [] : ['router']),
        ...(config.gated === true ? ['gate', 'in'] : ['in']),
      ]);
    if (config.activation === 'solu_ln') into(`${b}.mlp.ln`, `${b}.mlp`, ['out']);
  }
  if (hasFinalNorm(config))
    into('ln_final', 'unembed', [parameters['unembed.W_in'] === undefined ? 'U' : 'in'], () => 'unembed.b_U');

  const biases = isLayer
    ? {
        ...config.biases,
        qkv: true,
        mlp: config.dMlp > 0 || config.biases.mlp,
        unembed: hasFinalNorm(config) || config.biases.unembed,
      }
    : config.biases;
  const others = attn.output !== undefined || mlp.output !== undefined || config.embedding?.norm !== undefined; // norms of the same kind that keep their weights
  if (isLayer && !others) return { config: { ...config, biases, norm: { ...norm, affine: false } }, changed };
  for (const name of folded) {
    const width = parameters[`${name}.w`].shape;
    changed[`${name}.w`] = tf.fill(width, norm.kind === 'rms' ? 1 - norm.offset : 1);
    if (isLayer) changed[`${name}.b`] = tf.zeros(width);
  }
  return { config: { ...config, biases }, changed };
}
