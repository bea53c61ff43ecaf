/**
 * OPT (model_type "opt"): GPT-2's block with ReLU; position p is row p + 2 of its table. OPT-350m norms after
 * each part instead of before (do_layer_norm_before false) and embeds in a narrower space (word_embed_proj_dim).
 * Checked against transformers' modeling_opt.
 */
import { z } from 'zod';
import {
  activationOf,
  field,
  isTied,
  parseConfig,
  refuseUnless,
  requireMultiple,
  transposed,
  type Family,
} from './family.ts';
import { blocks, nameMap, prefixOf } from './name-map.ts';

const schema = z.object({
  vocab_size: field.size,
  hidden_size: field.size,
  num_hidden_layers: field.layers,
  num_attention_heads: field.size,
  ffn_dim: field.size,
  max_position_embeddings: field.size,
  word_embed_proj_dim: field.size.nullish(),
  do_layer_norm_before: field.flag.default(true),
  _remove_final_layer_norm: field.flag.default(false),
  layer_norm_elementwise_affine: field.flag.default(true),
  enable_bias: field.flag.default(true),
  activation_function: z.string().default('relu'),
});

/** Rows of the position table before position 0. */
const OFFSET = 2;

export const opt: Family = {
  name: 'opt',
  bos: 'bos',
  matches: (raw) => raw['model_type'] === 'opt',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'opt');
    refuseUnless(raw, 'opt', {});
    requireMultiple(['hidden_size', c.hidden_size], ['num_attention_heads', c.num_attention_heads]);
    const dHead = c.hidden_size / c.num_attention_heads;
    return {
      family: 'opt',
      nLayers: c.num_hidden_layers,
      dModel: c.hidden_size,
      nHeads: c.num_attention_heads,
      dHead,
      dMlp: c.ffn_dim,
      nCtx: c.max_position_embeddings,
      dVocab: c.vocab_size,
      dVocabOut: c.vocab_size,
      norm: { kind: 'layer', eps: 1e-5, affine: c.layer_norm_elementwise_affine },
      layout: c.do_layer_norm_before ? 'pre' : 'post',
      finalNorm: c.do_layer_norm_before && !c._remove_final_layer_norm,
      positions: 'learned',
      activation: activationOf(c.activation_function, 'activation_function', 'opt'),
      attention: { scales: Array.from({ length: c.num_hidden_layers }, () => 1 / Math.sqrt(dHead)), causal: true },
      biases: { qkv: c.enable_bias, attnOut: c.enable_bias, mlp: c.enable_bias, unembed: false },
      embedding: { width: c.word_embed_proj_dim ?? undefined },
    };
  },
  sources(config, names, raw) {
    const { dModel: d, nCtx, embedding: { width = d } = {} } = config;
    const prefix = prefixOf(names, 'embed_tokens.weight', ['model.decoder.', 'decoder.']);
    const map = nameMap(config, prefix);
    map.vocabulary('embed_tokens', 'lm_head', isTied(raw, names, 'lm_head.weight', true));
    map.add({
      tensor: `${prefix}embed_positions.weight`,
      shape: [nCtx + OFFSET, d],
      gives: { 'pos_embed.W_pos': (data) => data.slice(OFFSET * d) },
    });
    if (width !== d) {
      map.add({
        tensor: `${prefix}project_in.weight`,
        shape: [d, width],
        gives: { 'embed.W_in': transposed(d, width) },
      });
      map.add({
        tensor: `${prefix}project_out.weight`,
        shape: [width, d],
        gives: { 'unembed.W_in': transposed(width, d) },
      });
    }
    for (const { l, b } of blocks(config)) {
      const layer = `layers.${l}`;
      map.norm(`${layer}.self_attn_layer_norm`, `${b}.ln1`);
      for (const letter of ['Q', 'K', 'V'])
        map.linear(`${layer}.self_attn.${letter.toLowerCase()}_proj`, `${b}.attn`, letter);
      map.linear(`${layer}.self_attn.out_proj`, `${b}.attn`, 'O');
      map.norm(`${layer}.final_layer_norm`, `${b}.ln2`);
      map.linear(`${layer}.fc1`, `${b}.mlp`, 'in');
      map.linear(`${layer}.fc2`, `${b}.mlp`, 'out');
    }
    map.norm('final_layer_norm', 'ln_final');
    return map.list;
  },
  isBuffer: () => false,
};
