/**
 * Phi 1, 1.5 and 2 (model_type "phi"): attention and MLP in parallel behind one norm, rotary positions on a part
 * of each head, optional layer norm over each head's queries and keys, biases everywhere.
 * Checked against transformers' modeling_phi.
 */
import { z } from 'zod';
import type { Norm } from '../config.ts';
import { activationOf, field, isTied, parseConfig, refuseUnless, requireMultiple, type Family } from './family.ts';
import { blocks, nameMap, prefixOf } from './name-map.ts';
import { contextOf, readRotary, ropeObject } from './rope.ts';

const schema = z.object({
  vocab_size: field.size,
  hidden_size: field.size,
  num_hidden_layers: field.layers,
  num_attention_heads: field.size,
  num_key_value_heads: field.size.nullish(),
  intermediate_size: field.size,
  max_position_embeddings: field.size,
  layer_norm_eps: field.eps.default(1e-5),
  hidden_act: z.string().default('gelu_new'),
  qk_layernorm: field.flag.default(false),
});

export const phi: Family = {
  name: 'phi',
  bos: 'none',
  matches: (raw) => raw['model_type'] === 'phi',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'phi');
    refuseUnless(raw, 'phi', { head_dim: [c.hidden_size / c.num_attention_heads] });
    requireMultiple(['hidden_size', c.hidden_size], ['num_attention_heads', c.num_attention_heads]);
    const nKvHeads = c.num_key_value_heads ?? c.num_attention_heads;
    requireMultiple(['num_attention_heads', c.num_attention_heads], ['num_key_value_heads', nKvHeads]);
    const dHead = c.hidden_size / c.num_attention_heads;
    const rotary = readRotary(raw, ropeObject(raw), { family: 'phi', dHead, share: 0.5, partial: true });
    const each = <T>(value: T): T[] => Array.from({ length: c.num_hidden_layers }, () => value);
    const norm: Norm = { kind: 'layer', eps: c.layer_norm_eps, affine: true };
    return {
      family: 'phi',
      nLayers: c.num_hidden_layers,
      dModel: c.hidden_size,
      nHeads: c.num_attention_heads,
      nKvHeads,
      dHead,
      dMlp: c.intermediate_size,
      nCtx: contextOf(c.max_position_embeddings, rotary),
      dVocab: c.vocab_size,
      dVocabOut: c.vocab_size,
      norm,
      layout: 'parallel-shared',
      positions: 'rotary',
      rotary: each(rotary),
      activation: activationOf(c.hidden_act, 'hidden_act', 'phi'),
      attention: { scales: each(1 / Math.sqrt(dHead)), causal: true, qkNorm: c.qk_layernorm ? norm : undefined },
      biases: { qkv: true, attnOut: true, mlp: true, unembed: true },
    };
  },
  sources(config, names, raw) {
    const map = nameMap(config, prefixOf(names, 'embed_tokens.weight', ['model.', '']));
    map.vocabulary('embed_tokens', 'lm_head', isTied(raw, names, 'lm_head.weight', false));
    for (const { l, b } of blocks(config)) {
      const layer = `layers.${l}`;
      map.norm(`${layer}.input_layernorm`, `${b}.ln1`);
      for (const letter of ['Q', 'K', 'V'])
        map.linear(`${layer}.self_attn.${letter.toLowerCase()}_proj`, `${b}.attn`, letter);
      map.norm(`${layer}.self_attn.q_layernorm`, `${b}.attn.q_norm`);
      map.norm(`${layer}.self_attn.k_layernorm`, `${b}.attn.k_norm`);
      map.linear(`${layer}.self_attn.dense`, `${b}.attn`, 'O');
      map.linear(`${layer}.mlp.fc1`, `${b}.mlp`, 'in');
      map.linear(`${layer}.mlp.fc2`, `${b}.mlp`, 'out');
    }
    map.norm('final_layernorm', 'ln_final');
    return map.list;
  },
  isBuffer: (name) => name.endsWith('.rotary_emb.inv_freq'),
};
