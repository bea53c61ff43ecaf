/**
 * GPT-NeoX (model_type "gpt_neox": Pythia): attention and MLP in parallel or not, rotary positions on a part of
 * each head, fused query_key_value whose rows are (head, q | k | v, d_head), untied unembedding.
 * Checked against transformers' modeling_gpt_neox.
 */
import { z } from 'zod';
import { activationOf, field, isTied, parseConfig, refuseUnless, requireMultiple, type Family } from './family.ts';
import { blocks, nameMap, prefixOf } from './name-map.ts';
import { contextOf, readRotary, ropeObject } from './rope.ts';

const schema = z.object({
  vocab_size: field.size,
  hidden_size: field.size,
  num_hidden_layers: field.layers,
  num_attention_heads: field.size,
  intermediate_size: field.size,
  max_position_embeddings: field.size,
  layer_norm_eps: field.eps.default(1e-5),
  hidden_act: z.string().default('gelu'),
  use_parallel_residual: field.flag.default(true),
  attention_bias: field.flag.default(true),
  rotary_pct: z.number().positive().max(1).default(0.25),
  rotary_emb_base: z.number().positive().default(10000),
});

export const gptNeox: Family = {
  name: 'gpt_neox',
  bos: 'none',
  matches: (raw) => raw['model_type'] === 'gpt_neox',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'gpt_neox');
    refuseUnless(raw, 'gpt_neox', { head_dim: [c.hidden_size / c.num_attention_heads] });
    requireMultiple(['hidden_size', c.hidden_size], ['num_attention_heads', c.num_attention_heads]);
    const dHead = c.hidden_size / c.num_attention_heads;
    // As in transformers, base and share stand in the rotary parameters or under these names, and nowhere else.
    const elsewhere = { ...raw, rope_theta: undefined, partial_rotary_factor: undefined };
    const rotary = readRotary(elsewhere, ropeObject(raw), {
      family: 'gpt_neox',
      dHead,
      theta: c.rotary_emb_base,
      share: c.rotary_pct,
      partial: true,
    });
    const each = <T>(value: T): T[] => Array.from({ length: c.num_hidden_layers }, () => value);
    return {
      family: 'gpt_neox',
      nLayers: c.num_hidden_layers,
      dModel: c.hidden_size,
      nHeads: c.num_attention_heads,
      dHead,
      dMlp: c.intermediate_size,
      nCtx: contextOf(c.max_position_embeddings, rotary),
      dVocab: c.vocab_size,
      dVocabOut: c.vocab_size,
      norm: { kind: 'layer', eps: c.layer_norm_eps, affine: true },
      layout: c.use_parallel_residual ? 'parallel' : 'pre',
      positions: 'rotary',
      rotary: each(rotary),
      activation: activationOf(c.hidden_act, 'hidden_act', 'gpt_neox'),
      attention: { scales: each(1 / Math.sqrt(dHead)), causal: true },
      biases: { qkv: c.attention_bias, attnOut: c.attention_bias, mlp: true, unembed: false },
    };
  },
  sources(config, names, raw) {
    const map = nameMap(config, prefixOf(names, 'embed_in.weight', ['gpt_neox.', '']));
    map.vocabulary('embed_in', 'embed_out', isTied(raw, names, 'embed_out.weight', false));
    for (const { l, b } of blocks(config)) {
      map.norm(`layers.${l}.input_layernorm`, `${b}.ln1`);
      map.fusedHeads(`layers.${l}.attention.query_key_value`, `${b}.attn`);
      map.linear(`layers.${l}.attention.dense`, `${b}.attn`, 'O');
      map.norm(`layers.${l}.post_attention_layernorm`, `${b}.ln2`);
      map.linear(`layers.${l}.mlp.dense_h_to_4h`, `${b}.mlp`, 'in');
      map.linear(`layers.${l}.mlp.dense_4h_to_h`, `${b}.mlp`, 'out');
    }
    map.norm('final_layer_norm', 'ln_final');
    return map.list;
  },
  isBuffer: (name) => /\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/.test(name),
};
