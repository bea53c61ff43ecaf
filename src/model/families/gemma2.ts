/**
 * Gemma 2 (model_type "gemma2"): gemma with four norms a block, soft caps on scores and logits, and a sliding
 * window in every other layer. Checked against transformers' modeling_gemma2.
 */
import { z } from 'zod';
import { field, parseConfig, refuseUnless, type Family } from './family.ts';
import { gemmaConfig } from './gemma.ts';
import { decoderFields, decoderSources, isDecoderBuffer } from './llama.ts';
import { readLayerTypes, readWindows } from './rope.ts';

const schema = z.object({
  ...decoderFields,
  num_key_value_heads: field.size.nullish().default(4),
  head_dim: field.size.default(256),
  hidden_activation: z.string().nullish(),
  query_pre_attn_scalar: z.number().positive().default(256),
  sliding_window: field.size.nullish().default(4096),
  attn_logit_softcapping: z.number().positive().nullable().default(50),
  final_logit_softcapping: z.number().positive().nullable().default(30),
});

/** The names of the four norms, shared with gemma 3. */
export const FOUR_NORMS = {
  ln1Post: 'post_attention_layernorm',
  ln2: 'pre_feedforward_layernorm',
  ln2Post: 'post_feedforward_layernorm',
} as const;

export const gemma2: Family = {
  name: 'gemma2',
  bos: 'bos',
  matches: (raw) => raw['model_type'] === 'gemma2',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'gemma2');
    refuseUnless(raw, 'gemma2', {});
    const config = gemmaConfig(raw, c, 'gemma2', c.hidden_activation ?? 'gelu_pytorch_tanh');
    const types = readLayerTypes(raw, c.num_hidden_layers, 'gemma2', (l) =>
      l % 2 === 0 ? 'sliding_attention' : 'full_attention',
    );
    return {
      ...config,
      layout: 'sandwich',
      attention: {
        causal: true,
        scales: types.map(() => c.query_pre_attn_scalar ** -0.5),
        windows: readWindows(types, c.sliding_window, 'gemma2'),
        softcap: c.attn_logit_softcapping ?? undefined,
      },
      logitSoftcap: c.final_logit_softcapping ?? undefined,
    };
  },
  sources: (config, names, raw) => decoderSources(config, names, raw, { ...FOUR_NORMS, tied: true }),
  isBuffer: isDecoderBuffer,
};
