/**
 * Llama (model_type "llama": Llama 1 to 3, SmolLM2): RMS norm, rotary positions, grouped heads, gated SiLU.
 * The tensor names are also those of mistral, qwen and gemma. Checked against transformers' modeling_llama.
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
  type Family,
  type Source,
} from './family.ts';
import { blocks, nameMap, prefixOf } from './name-map.ts';
import { contextOf, readRotary, ropeObject, type RopeDefaults } from './rope.ts';

type Raw = Readonly<Record<string, unknown>>;

/** Fields that llama and its relatives share. */
export const decoderFields = {
  vocab_size: field.size,
  hidden_size: field.size,
  intermediate_size: field.size,
  num_hidden_layers: field.layers,
  num_attention_heads: field.size,
  num_key_value_heads: field.size.nullish(),
  head_dim: field.size.nullish(),
  max_position_embeddings: field.size,
  rms_norm_eps: field.eps.default(1e-6),
  attention_bias: field.flag.default(false),
};
export type DecoderFields = z.infer<z.ZodObject<typeof decoderFields>>;

const schema = z.object({
  ...decoderFields,
  hidden_act: z.string().default('silu'),
  mlp_bias: field.flag.default(false),
});

/** The record of a llama-like decoder: what its fields say in the same way everywhere. */
export function decoderConfig(
  raw: Raw,
  c: DecoderFields,
  family: string,
  rope: Partial<RopeDefaults> = {},
): ModelConfig {
  const dHead = c.head_dim ?? c.hidden_size / c.num_attention_heads;
  if (c.head_dim === undefined || c.head_dim === null)
    requireMultiple(['hidden_size', c.hidden_size], ['num_attention_heads', c.num_attention_heads]);
  const nKvHeads = c.num_key_value_heads ?? c.num_attention_heads;
  requireMultiple(['num_attention_heads', c.num_attention_heads], ['num_key_value_heads', nKvHeads]);
  const rotary = readRotary(raw, ropeObject(raw), { ...rope, family, dHead });
  const each = <T>(value: T): T[] => Array.from({ length: c.num_hidden_layers }, () => value);
  return {
    family,
    nLayers: c.num_hidden_layers,
    dModel: c.hidden_size,
    nHeads: c.num_attention_heads,
    nKvHeads,
    dHead,
    dMlp: c.intermediate_size,
    nCtx: contextOf(c.max_position_embeddings, rotary),
    dVocab: c.vocab_size,
    dVocabOut: c.vocab_size,
    norm: { kind: 'rms', eps: c.rms_norm_eps, offset: 0 },
    positions: 'rotary',
    rotary: each(rotary),
    activation: 'silu',
    gated: true,
    attention: { scales: each(1 / Math.sqrt(dHead)), causal: true },
    biases: { qkv: c.attention_bias, attnOut: c.attention_bias, mlp: false, unembed: false },
  };
}

/** Where llama-like checkpoints keep the decoder, how they name the norms of a block, and what they say of the head. */
export interface DecoderNames {
  readonly prefixes?: readonly string[];
  /** What an absent tie_word_embeddings means; false when absent. */
  readonly tied?: boolean;
  readonly ln1?: string;
  readonly ln1Post?: string;
  readonly ln2?: string;
  readonly ln2Post?: string;
  /** Of a mixture, within a layer: the router, and expert e's matrices. */
  readonly experts?: {
    readonly router: string;
    readonly matrices: (expert: number) => Readonly<Record<'gate' | 'in' | 'out', string>>;
  };
}

export function decoderSources(
  config: ModelConfig,
  names: ReadonlySet<string>,
  raw: Raw,
  {
    prefixes = ['model.', ''],
    tied = false,
    ln1 = 'input_layernorm',
    ln1Post,
    ln2 = 'post_attention_layernorm',
    ln2Post,
    experts,
  }: DecoderNames = {},
): readonly Source[] {
  const prefix = prefixOf(names, 'embed_tokens.weight', prefixes);
  const map = nameMap(config, prefix);
  const head = `${prefix.replace(/(^|\.)model\.(language_model\.)?$/, '$1')}lm_head`;
  map.vocabulary('embed_tokens', head, isTied(raw, names, `${head}.weight`, tied));
  for (const { l, b } of blocks(config)) {
    const layer = `layers.${l}`;
    map.norm(`${layer}.${ln1}`, `${b}.ln1`);
    for (const letter of ['Q', 'K', 'V', 'O'])
      map.linear(`${layer}.self_attn.${letter.toLowerCase()}_proj`, `${b}.attn`, letter);
    map.norm(`${layer}.self_attn.q_norm`, `${b}.attn.q_norm`);
    map.norm(`${layer}.self_attn.k_norm`, `${b}.attn.k_norm`);
    if (ln1Post !== undefined) map.norm(`${layer}.${ln1Post}`, `${b}.ln1_post`);
    map.norm(`${layer}.${ln2}`, `${b}.ln2`);
    if (experts === undefined) {
      map.linear(`${layer}.mlp.gate_proj`, `${b}.mlp`, 'gate');
      map.linear(`${layer}.mlp.up_proj`, `${b}.mlp`, 'in');
      map.linear(`${layer}.mlp.down_proj`, `${b}.mlp`, 'out');
    } else {
      map.linear(`${layer}.${experts.router}`, `${b}.mlp`, 'router');
      const names = (letter: 'gate' | 'in' | 'out') => (expert: number) =>
        `${layer}.${experts.matrices(expert)[letter]}`;
      for (const letter of ['gate', 'in', 'out'] as const) map.experts(names(letter), `${b}.mlp`, letter);
    }
    if (ln2Post !== undefined) map.norm(`${layer}.${ln2Post}`, `${b}.ln2_post`);
  }
  map.norm('norm', 'ln_final');
  return map.list;
}

/** Old checkpoints carry the rotary frequencies. */
export const isDecoderBuffer = (name: string): boolean => name.endsWith('.rotary_emb.inv_freq');

export const llama: Family = {
  name: 'llama',
  bos: 'bos',
  matches: (raw) => raw['model_type'] === 'llama',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'llama');
    refuseUnless(raw, 'llama', {});
    const config = decoderConfig(raw, c, 'llama');
    return {
      ...config,
      activation: activationOf(c.hidden_act, 'hidden_act', 'llama'),
      biases: { ...config.biases, mlp: c.mlp_bias },
    };
  },
  sources: (config, names, raw) => decoderSources(config, names, raw),
  isBuffer: isDecoderBuffer,
};
