/**
 * OLMo (model_type "olmo"): llama with layer norms that have no weights, and queries, keys and values that may be cut
 * to a range (clip_qkv). Checked against transformers' modeling_olmo.
 */
import { z } from 'zod';
import { activationOf, parseConfig, refuseUnless, type Family } from './family.ts';
import { decoderConfig, decoderFields, decoderSources, isDecoderBuffer } from './llama.ts';

const schema = z.object({
  ...decoderFields,
  hidden_act: z.string().default('silu'),
  clip_qkv: z.number().positive().nullish(),
});

export const olmo: Family = {
  name: 'olmo',
  bos: 'none',
  matches: (raw) => raw['model_type'] === 'olmo',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'olmo');
    refuseUnless(raw, 'olmo', {});
    const config = decoderConfig(raw, c, 'olmo');
    return {
      ...config,
      norm: { kind: 'layer', eps: 1e-5, affine: false },
      activation: activationOf(c.hidden_act, 'hidden_act', 'olmo'),
      attention: { ...config.attention, clip: c.clip_qkv ?? undefined },
    };
  },
  sources: (config, names, raw) => decoderSources(config, names, raw),
  isBuffer: isDecoderBuffer,
};
