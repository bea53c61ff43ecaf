/** Mistral (model_type "mistral"): llama with a sliding window in every layer. Checked against transformers' modeling_mistral. */
import { z } from 'zod';
import { activationOf, field, parseConfig, refuseUnless, type Family } from './family.ts';
import { decoderConfig, decoderFields, decoderSources, isDecoderBuffer } from './llama.ts';

const schema = z.object({
  ...decoderFields,
  num_key_value_heads: field.size.nullish().default(8),
  hidden_act: z.string().default('silu'),
  /** null (Mistral 0.2 and later): every layer sees everything. */
  sliding_window: field.size.nullable().default(4096),
});

export const mistral: Family = {
  name: 'mistral',
  bos: 'bos',
  matches: (raw) => raw['model_type'] === 'mistral',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'mistral');
    refuseUnless(raw, 'mistral', { attention_bias: [false], mlp_bias: [false], layer_types: [] });
    const config = decoderConfig(raw, c, 'mistral');
    const windows = c.sliding_window === null ? undefined : config.rotary?.map(() => c.sliding_window);
    return {
      ...config,
      activation: activationOf(c.hidden_act, 'hidden_act', 'mistral'),
      attention: { ...config.attention, windows },
    };
  },
  sources: (config, names, raw) => decoderSources(config, names, raw),
  isBuffer: isDecoderBuffer,
};
