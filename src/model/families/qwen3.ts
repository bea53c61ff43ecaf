/** Qwen 3 (model_type "qwen3"): qwen2 with an RMS norm over each head's queries and keys, and d_head of its own. Checked against transformers' modeling_qwen3. */
import { field, parseConfig, refuseUnless, type Family } from './family.ts';
import { decoderSources, isDecoderBuffer } from './llama.ts';
import { qwenConfig, qwenSchema } from './qwen2.ts';

const schema = qwenSchema.extend({ head_dim: field.size.nullish().default(128) });

export const qwen3: Family = {
  name: 'qwen3',
  bos: 'none',
  matches: (raw) => raw['model_type'] === 'qwen3',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'qwen3');
    refuseUnless(raw, 'qwen3', {});
    const config = qwenConfig(raw, c, 'qwen3');
    return { ...config, attention: { ...config.attention, qkNorm: config.norm } };
  },
  sources: (config, names, raw) => decoderSources(config, names, raw),
  isBuffer: isDecoderBuffer,
};
