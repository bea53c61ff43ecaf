/**
 * StableLM 3B and 2 (model_type "stablelm"): llama's gated block with layer norms and rotary positions on a quarter of
 * each head, in parallel behind one norm where use_parallel_residual says so. Norms over queries and keys with weights
 * for every head (qk_layernorm, StableLM 2 12B) are refused. Checked against transformers' modeling_stablelm.
 */
import { z } from 'zod';
import { activationOf, field, parseConfig, refuseUnless, type Family } from './family.ts';
import { decoderConfig, decoderFields, decoderSources, isDecoderBuffer } from './llama.ts';

const schema = z.object({
  ...decoderFields,
  num_key_value_heads: field.size.default(32),
  layer_norm_eps: field.eps.default(1e-5),
  hidden_act: z.string().default('silu'),
  use_qkv_bias: field.flag.default(false),
  use_parallel_residual: field.flag.default(false),
});

export const stablelm: Family = {
  name: 'stablelm',
  bos: 'none',
  matches: (raw) => raw['model_type'] === 'stablelm',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'stablelm');
    refuseUnless(raw, 'stablelm', {
      qk_layernorm: [false],
      head_dim: [c.hidden_size / c.num_attention_heads],
    });
    const config = decoderConfig(raw, c, 'stablelm', { share: 0.25, partial: true });
    return {
      ...config,
      norm: { kind: 'layer', eps: c.layer_norm_eps, affine: true },
      layout: c.use_parallel_residual ? 'parallel-shared' : 'pre',
      activation: activationOf(c.hidden_act, 'hidden_act', 'stablelm'),
      biases: { qkv: c.use_qkv_bias, attnOut: false, mlp: false, unembed: false },
    };
  },
  sources: (config, names, raw) => decoderSources(config, names, raw),
  isBuffer: isDecoderBuffer,
};
