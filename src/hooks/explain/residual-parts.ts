/**
 * The parts that wrote into the residual stream, each as it arrives where the stream is read.
 *
 * Writers have places in a row: the embeddings at -1, attention of layer l at 2l, its MLP at 2l + 1. Whatever is read sees the
 * writers before it. In most models a part arrives as it was written. Where norms stand in the stream itself (BERT) it goes
 * through each of them on its way, and each adds a bias; where a norm stands over what a part writes (Gemma 2), its heads and
 * neurons go through that norm.
 */
import * as tf from '@tensorflow/tfjs-core';
import { embeddingHook, type NormName } from '../../model/hook-points.ts';
import { layoutOf, type BlockNorm } from '../../model/layout.ts';
import { perHeadOutput } from '../../model/forward/layers.ts';
import { tensorOf } from '../../model/weights/parameters.ts';
import {
  frozenNorm,
  layerRead,
  normBias,
  read,
  type ExplainedRun,
  type ReadPoint,
  type Where,
} from './explained-run.ts';

/** Components [n, batch, pos, d_model] with their names. */
export interface Part {
  readonly labels: readonly string[];
  readonly stack: tf.Tensor;
}

export interface ResidualParts {
  /** `embed`, `pos_embed`, ... */
  embeddings(): Part[];
  /** What a layer's attention added; nothing where it comes after the reader. */
  attention(layer: number): Part[];
  /** The same of its MLP. */
  mlp(layer: number): Part[];
  /** Biases of the norms in the stream behind them. */
  streamBiases(layer: number, part: 'attn' | 'mlp'): Part[];
  /** The heads of a layer, [heads, batch, pos, d_model]. */
  heads(layer: number): Part[];
  /** Neurons of a layer. */
  neurons(layer: number, which: readonly number[]): Part[];
  /** The sum of all that no head (and, with `mlps`, no neuron) wrote: biases, [1, 1 or batch, 1 or pos, d_model]. */
  bias(of: 'heads' | 'heads and neurons'): Part;
}

/** The writers before a read point. Inside tf.tidy. */
export function residualParts(run: ExplainedRun, at: ReadPoint, where: Where): ResidualParts {
  const { config, parameters } = run.model;
  const layout = layoutOf(config);
  const end = 2 * layerRead(run, at) + (at.mlpInput === true && !layout.parallel ? 1 : 0);
  const normOf = (place: number): NormName | undefined => {
    const name = config.dMlp === 0 ? undefined : (place % 2 === 0 ? layout.attn : layout.mlp).stream;
    return name === undefined ? undefined : `blocks.${Math.floor(place / 2)}.${name}`;
  };
  /** x [n, batch, pos, d] through the norms in the stream from `place` on. */
  const arrive = (x: tf.Tensor, place: number): tf.Tensor => {
    let there = x;
    for (let p = Math.max(place, 0); p < end; p++) {
      const name = normOf(p);
      if (name !== undefined) there = frozenNorm(run, name, there, where);
    }
    return there;
  };
  const writes = (place: number, make: () => Part): Part[] => (place < end ? [make()] : []);
  const output = (layer: number, name: BlockNorm | undefined, x: tf.Tensor): tf.Tensor =>
    name === undefined ? x : frozenNorm(run, `blocks.${layer}.${name}`, x, where);
  const row = (bias: tf.Tensor): tf.Tensor => tf.reshape(bias, [1, 1, 1, config.dModel]);
  const embedded = (x: tf.Tensor): tf.Tensor =>
    arrive(config.embedding?.norm === 'sum' ? frozenNorm(run, 'embed.ln', x, where) : x, -1);
  const one = (label: string, x: tf.Tensor): Part => ({ labels: [label], stack: tf.expandDims(x, 0) });
  const embeddingBias = (): Part[] => {
    const bias = config.embedding?.norm === 'sum' ? normBias(run, 'embed.ln') : undefined;
    return bias === undefined ? [] : [{ labels: ['embed_bias'], stack: arrive(row(bias), -1) }];
  };
  const streamBiases = (layer: number, part: 'attn' | 'mlp'): Part[] => {
    const place = 2 * layer + (part === 'attn' ? 0 : 1);
    const name = place < end ? normOf(place) : undefined;
    const bias = name === undefined ? undefined : normBias(run, name);
    if (name === undefined || bias === undefined) return [];
    return [
      { labels: [`${layer}_${name.slice(name.lastIndexOf('.') + 1)}_bias`], stack: arrive(row(bias), place + 1) },
    ];
  };
  /** What a part adds that none of its heads or neurons wrote. */
  const ownBias = (layer: number, part: 'attn' | 'mlp'): tf.Tensor[] => {
    const name = part === 'attn' ? layout.attn.output : layout.mlp.output;
    const given = parameters[`blocks.${layer}.${part === 'attn' ? 'attn.b_O' : 'mlp.b_out'}`];
    const behind = name === undefined ? undefined : normBias(run, `blocks.${layer}.${name}`);
    const place = 2 * layer + (part === 'attn' ? 0 : 1);
    return [
      ...(given === undefined ? [] : [arrive(output(layer, name, row(tensorOf(given))), place)]),
      ...(behind === undefined ? [] : [arrive(row(behind), place)]),
    ];
  };
  return {
    embeddings() {
      const parts = [one('embed', embedded(read(run, embeddingHook(config, 'hook_embed'), where)))];
      if (config.positions === 'learned')
        parts.push(one('pos_embed', embedded(read(run, embeddingHook(config, 'hook_pos_embed'), where))));
      if (config.embedding?.tokenTypes !== undefined)
        parts.push(one('token_type_embed', embedded(read(run, embeddingHook(config, 'hook_token_type_embed'), where))));
      return [...parts, ...embeddingBias()];
    },
    attention: (layer) =>
      writes(2 * layer, () =>
        one(`${layer}_attn_out`, arrive(read(run, `blocks.${layer}.hook_attn_out`, where), 2 * layer)),
      ),
    mlp: (layer) =>
      writes(2 * layer + 1, () =>
        one(`${layer}_mlp_out`, arrive(read(run, `blocks.${layer}.hook_mlp_out`, where), 2 * layer + 1)),
      ),
    streamBiases,
    heads: (layer) =>
      writes(2 * layer, () => {
        const z = read(run, `blocks.${layer}.attn.hook_z`, where);
        const result = tf.transpose(perHeadOutput(z, tensorOf(parameters[`blocks.${layer}.attn.W_O`])), [2, 0, 1, 3]);
        return {
          labels: Array.from({ length: config.nHeads }, (_, head) => `L${layer}H${head}`),
          stack: arrive(output(layer, layout.attn.output, result), 2 * layer),
        };
      }),
    neurons: (layer, which) =>
      writes(2 * layer + 1, () => {
        const some = tf.tensor1d([...which], 'int32');
        const post = tf.transpose(tf.gather(read(run, `blocks.${layer}.mlp.hook_post`, where), some, 2), [2, 0, 1]);
        const W = tf.gather(tensorOf(parameters[`blocks.${layer}.mlp.W_out`]), some); // [n, d]
        const written = tf.mul(tf.expandDims(post, 3), tf.reshape(W, [which.length, 1, 1, config.dModel]));
        return {
          labels: which.map((neuron) => `L${layer}N${neuron}`),
          stack: arrive(output(layer, layout.mlp.output, written), 2 * layer + 1),
        };
      }),
    bias(of) {
      const parts = embeddingBias().map(({ stack }) => stack);
      for (let layer = 0; 2 * layer < end; layer++) {
        parts.push(...ownBias(layer, 'attn'), ...streamBiases(layer, 'attn').map(({ stack }) => stack));
        if (config.dMlp === 0 || 2 * layer + 1 >= end) continue;
        parts.push(...(of === 'heads' ? [] : ownBias(layer, 'mlp')));
        parts.push(...streamBiases(layer, 'mlp').map(({ stack }) => stack));
      }
      return {
        labels: ['bias'],
        stack: parts.reduce((sum, part) => tf.add(sum, part), tf.zeros([1, 1, 1, config.dModel])),
      };
    },
  };
}
