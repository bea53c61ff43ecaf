/**
 * BERT with its masked-LM head (model_type "bert"): bidirectional, norms after each part, token types, a norm over
 * the embeddings; the unembedding is tied and has a bias. Old files call a norm's w and b gamma and beta.
 * Checked against transformers' modeling_bert.
 */
import { z } from 'zod';
import type { ModelConfig } from '../config.ts';
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
  type Source,
} from './family.ts';
import { blocks, nameMap, prefixOf } from './name-map.ts';

type Raw = Readonly<Record<string, unknown>>;

const schema = z.object({
  vocab_size: field.size,
  hidden_size: field.size,
  num_hidden_layers: field.layers,
  num_attention_heads: field.size,
  intermediate_size: field.size,
  max_position_embeddings: field.size,
  type_vocab_size: field.size.default(2),
  layer_norm_eps: field.eps.default(1e-12),
  hidden_act: z.string().default('gelu'),
});

/** What bert and roberta share. */
export function encoderConfig(raw: Raw, family: string): ModelConfig {
  const c = parseConfig(schema, raw, family);
  refuseUnless(raw, family, { is_decoder: [false], position_embedding_type: ['absolute'] });
  requireMultiple(['hidden_size', c.hidden_size], ['num_attention_heads', c.num_attention_heads]);
  const dHead = c.hidden_size / c.num_attention_heads;
  return {
    family,
    nLayers: c.num_hidden_layers,
    dModel: c.hidden_size,
    nHeads: c.num_attention_heads,
    dHead,
    dMlp: c.intermediate_size,
    nCtx: c.max_position_embeddings,
    dVocab: c.vocab_size,
    dVocabOut: c.vocab_size,
    norm: { kind: 'layer', eps: c.layer_norm_eps, affine: true },
    layout: 'post',
    positions: 'learned',
    activation: activationOf(c.hidden_act, 'hidden_act', family),
    attention: { scales: Array.from({ length: c.num_hidden_layers }, () => 1 / Math.sqrt(dHead)), causal: false },
    biases: { qkv: true, attnOut: true, mlp: true, unembed: true },
    embedding: { tokenTypes: c.type_vocab_size, norm: 'sum' },
    mlmHead: true,
  };
}

/** Embeddings (but positions) and blocks under `prefix`. */
export function encoderSources(
  config: ModelConfig,
  prefix: string,
  suffixes: readonly [w: string, b: string],
  tied: boolean,
): readonly Source[] {
  const { dModel: d, dVocab: V } = config;
  const map = nameMap(config, prefix);
  map.add({
    tensor: `${prefix}embeddings.word_embeddings.weight`,
    shape: [V, d],
    gives: { 'embed.W_E': same, ...(tied ? { 'unembed.W_U': transposed(V, d) } : {}) },
  });
  map.table('embeddings.token_type_embeddings.weight', 'token_type_embed.W_token_type');
  map.norm('embeddings.LayerNorm', 'embed.ln', suffixes);
  for (const { l, b } of blocks(config)) {
    const layer = `encoder.layer.${l}`;
    for (const part of ['query', 'key', 'value'])
      map.linear(`${layer}.attention.self.${part}`, `${b}.attn`, part[0].toUpperCase());
    map.linear(`${layer}.attention.output.dense`, `${b}.attn`, 'O');
    map.norm(`${layer}.attention.output.LayerNorm`, `${b}.ln1`, suffixes);
    map.linear(`${layer}.intermediate.dense`, `${b}.mlp`, 'in');
    map.linear(`${layer}.output.dense`, `${b}.mlp`, 'out');
    map.norm(`${layer}.output.LayerNorm`, `${b}.ln2`, suffixes);
  }
  return map.list;
}

/** How a masked-LM head calls its tensors, without .weight and .bias. */
export interface HeadNames {
  readonly dense: string;
  readonly norm: string;
  readonly decoder: string;
  /** The output's bias beside the decoder's own, where there is one. */
  readonly bias?: string;
}

/** The masked-LM head. A file has decoder.bias or bias or both; the decoder's own counts, as for its weight. */
export function headSources(
  config: ModelConfig,
  names: ReadonlySet<string>,
  { dense, norm, decoder, bias }: HeadNames,
  suffixes: readonly [w: string, b: string],
  tied: boolean,
): readonly Source[] {
  const { dModel: d, dVocab: V } = config;
  const map = nameMap(config, '');
  map.add({ tensor: `${dense}.weight`, shape: [d, d], gives: { 'mlm_head.W': transposed(d, d) } });
  map.table(`${dense}.bias`, 'mlm_head.b');
  map.norm(norm, 'mlm_head.ln', suffixes);
  if (!tied) map.add({ tensor: `${decoder}.weight`, shape: [V, d], gives: { 'unembed.W_U': transposed(V, d) } });
  const own = `${decoder}.bias`;
  const order = bias === undefined ? [own] : [own, bias];
  map.table(order.find((name) => names.has(name)) ?? order[0], 'unembed.b_U');
  return map.list;
}

const HEAD: HeadNames = {
  dense: 'cls.predictions.transform.dense',
  norm: 'cls.predictions.transform.LayerNorm',
  decoder: 'cls.predictions.decoder',
  bias: 'cls.predictions.bias',
};

export const bert: Family = {
  name: 'bert',
  bos: 'cls-sep',
  matches: (raw) => raw['model_type'] === 'bert',
  readConfig: (raw) => encoderConfig(raw, 'bert'),
  sources(config, names, raw) {
    const prefix = prefixOf(names, 'embeddings.word_embeddings.weight', ['bert.', '']);
    const old = names.has(`${prefix}embeddings.LayerNorm.gamma`);
    const suffixes = old ? (['gamma', 'beta'] as const) : (['weight', 'bias'] as const);
    const tied = isTied(raw, names, `${HEAD.decoder}.weight`, true);
    const positions = nameMap(config, prefix);
    positions.table('embeddings.position_embeddings.weight', 'pos_embed.W_pos');
    return [
      ...encoderSources(config, prefix, suffixes, tied),
      ...positions.list,
      ...headSources(config, names, HEAD, suffixes, tied),
    ];
  },
  isBuffer: (name) =>
    name.endsWith('embeddings.position_ids') || /^cls\.predictions\.(bias|decoder\.(weight|bias))$/.test(name),
};
