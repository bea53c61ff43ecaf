/**
 * DistilBERT with its masked-LM head (model_type "distilbert"): BERT without token types, under names of its own.
 * Checked against transformers' modeling_distilbert.
 */
import { z } from 'zod';
import { headSources, type HeadNames } from './bert.ts';
import {
  activationOf,
  field,
  isTied,
  parseConfig,
  refuseUnless,
  requireMultiple,
  same,
  transposed,
  type Family,
} from './family.ts';
import { blocks, nameMap, prefixOf } from './name-map.ts';

const schema = z.object({
  vocab_size: field.size,
  dim: field.size,
  n_layers: field.layers,
  n_heads: field.size,
  hidden_dim: field.size,
  max_position_embeddings: field.size.default(512),
  activation: z.string().default('gelu'),
});

const HEAD: HeadNames = { dense: 'vocab_transform', norm: 'vocab_layer_norm', decoder: 'vocab_projector' };
const SUFFIXES = ['weight', 'bias'] as const;
const LINEARS = { q_lin: 'Q', k_lin: 'K', v_lin: 'V', out_lin: 'O' } as const;

export const distilbert: Family = {
  name: 'distilbert',
  bos: 'cls-sep',
  matches: (raw) => raw['model_type'] === 'distilbert',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'distilbert');
    refuseUnless(raw, 'distilbert', {});
    requireMultiple(['dim', c.dim], ['n_heads', c.n_heads]);
    const dHead = c.dim / c.n_heads;
    return {
      family: 'distilbert',
      nLayers: c.n_layers,
      dModel: c.dim,
      nHeads: c.n_heads,
      dHead,
      dMlp: c.hidden_dim,
      nCtx: c.max_position_embeddings,
      dVocab: c.vocab_size,
      dVocabOut: c.vocab_size,
      norm: { kind: 'layer', eps: 1e-12, affine: true },
      layout: 'post',
      positions: 'learned',
      activation: activationOf(c.activation, 'activation', 'distilbert'),
      attention: { scales: Array.from({ length: c.n_layers }, () => 1 / Math.sqrt(dHead)), causal: false },
      biases: { qkv: true, attnOut: true, mlp: true, unembed: true },
      embedding: { norm: 'sum' },
      mlmHead: true,
    };
  },
  sources(config, names, raw) {
    const { dModel: d, dVocab: V } = config;
    const prefix = prefixOf(names, 'embeddings.word_embeddings.weight', ['distilbert.', '']);
    const tied = isTied(raw, names, `${HEAD.decoder}.weight`, true);
    const map = nameMap(config, prefix);
    map.add({
      tensor: `${prefix}embeddings.word_embeddings.weight`,
      shape: [V, d],
      gives: { 'embed.W_E': same, ...(tied ? { 'unembed.W_U': transposed(V, d) } : {}) },
    });
    map.table('embeddings.position_embeddings.weight', 'pos_embed.W_pos');
    map.norm('embeddings.LayerNorm', 'embed.ln');
    for (const { l, b } of blocks(config)) {
      const layer = `transformer.layer.${l}`;
      for (const [name, letter] of Object.entries(LINEARS))
        map.linear(`${layer}.attention.${name}`, `${b}.attn`, letter);
      map.norm(`${layer}.sa_layer_norm`, `${b}.ln1`);
      map.linear(`${layer}.ffn.lin1`, `${b}.mlp`, 'in');
      map.linear(`${layer}.ffn.lin2`, `${b}.mlp`, 'out');
      map.norm(`${layer}.output_layer_norm`, `${b}.ln2`);
    }
    return [...map.list, ...headSources(config, names, HEAD, SUFFIXES, tied)];
  },
  isBuffer: (name) => name.endsWith('embeddings.position_ids'),
};
