/**
 * OLMo 2 (model_type "olmo2"): llama with its norms over what each part writes, and RMS norms over the queries and keys
 * of all heads together. Checked against transformers' modeling_olmo2; ln1 and ln2 as TransformerLens names them.
 */
import { z } from 'zod';
import { activationOf, field, parseConfig, refuseUnless, type Family } from './family.ts';
import { decoderConfig, decoderFields, decoderSources, isDecoderBuffer } from './llama.ts';

const schema = z.object({
  ...decoderFields,
  rms_norm_eps: field.eps.default(1e-5),
  hidden_act: z.string().default('silu'),
});

export const olmo2: Family = {
  name: 'olmo2',
  bos: 'none',
  matches: (raw) => raw['model_type'] === 'olmo2',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'olmo2');
    refuseUnless(raw, 'olmo2', { clip_qkv: [] });
    const config = decoderConfig(raw, c, 'olmo2');
    return {
      ...config,
      layout: 'output',
      activation: activationOf(c.hidden_act, 'hidden_act', 'olmo2'),
      attention: { ...config.attention, qkNorm: config.norm, qkNormAcrossHeads: true },
    };
  },
  sources: (config, names, raw) =>
    decoderSources(config, names, raw, { ln1: 'post_attention_layernorm', ln2: 'post_feedforward_layernorm' }),
  isBuffer: isDecoderBuffer,
};
