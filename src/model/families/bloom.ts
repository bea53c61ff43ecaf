/**
 * BLOOM (model_type "bloom"): no embedded positions but ALiBi, a norm over the token embedding, fused query_key_value
 * whose rows are (head, q | k | v, d_head), tanh-GELU always, a tied head. Checked against transformers' modeling_bloom.
 */
import { z } from 'zod';
import { field, isTied, parseConfig, refuseUnless, requireMultiple, type Family } from './family.ts';
import { blocks, nameMap, prefixOf } from './name-map.ts';

const schema = z.object({
  vocab_size: field.size,
  /** transformers calls it hidden_size; files have n_embed, which then counts. */
  n_embed: field.size.nullish(),
  hidden_size: field.size.nullish(),
  n_layer: field.layers.nullish(),
  num_hidden_layers: field.layers.nullish(),
  n_head: field.size.nullish(),
  num_attention_heads: field.size.nullish(),
  layer_norm_epsilon: field.eps.default(1e-5),
  /** ALiBi has no longest row; this is what the model was trained on. */
  seq_length: field.size.nullish(),
});

export const bloom: Family = {
  name: 'bloom',
  bos: 'none',
  matches: (raw) => raw['model_type'] === 'bloom',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'bloom');
    refuseUnless(raw, 'bloom', { apply_residual_connection_post_layernorm: [false] });
    const dModel = c.n_embed ?? c.hidden_size ?? 64;
    const nLayers = c.n_layer ?? c.num_hidden_layers ?? 2;
    const nHeads = c.n_head ?? c.num_attention_heads ?? 8;
    requireMultiple(['hidden_size', dModel], ['n_head', nHeads]);
    const dHead = dModel / nHeads;
    return {
      family: 'bloom',
      nLayers,
      dModel,
      nHeads,
      dHead,
      dMlp: 4 * dModel,
      nCtx: c.seq_length ?? 2048,
      dVocab: c.vocab_size,
      dVocabOut: c.vocab_size,
      norm: { kind: 'layer', eps: c.layer_norm_epsilon, affine: true },
      positions: 'alibi',
      activation: 'gelu_new',
      attention: { scales: Array.from({ length: nLayers }, () => 1 / Math.sqrt(dHead)), causal: true },
      biases: { qkv: true, attnOut: true, mlp: true, unembed: false },
      embedding: { norm: 'token' },
    };
  },
  sources(config, names, raw) {
    const map = nameMap(config, prefixOf(names, 'word_embeddings.weight', ['transformer.', '']));
    map.vocabulary('word_embeddings', 'lm_head', isTied(raw, names, 'lm_head.weight', true));
    map.norm('word_embeddings_layernorm', 'embed.ln');
    for (const { l, b } of blocks(config)) {
      map.norm(`h.${l}.input_layernorm`, `${b}.ln1`);
      map.fusedHeads(`h.${l}.self_attention.query_key_value`, `${b}.attn`);
      map.linear(`h.${l}.self_attention.dense`, `${b}.attn`, 'O');
      map.norm(`h.${l}.post_attention_layernorm`, `${b}.ln2`);
      map.linear(`h.${l}.mlp.dense_h_to_4h`, `${b}.mlp`, 'in');
      map.linear(`h.${l}.mlp.dense_4h_to_h`, `${b}.mlp`, 'out');
    }
    map.norm('ln_f', 'ln_final');
    return map.list;
  },
  isBuffer: () => false,
};
