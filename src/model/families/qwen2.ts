/** Qwen 2 and 2.5 (model_type "qwen2"): llama with q, k, v biases; later layers may slide. Checked against transformers' modeling_qwen2. */
import { z } from 'zod';
import type { ModelConfig } from '../config.ts';
import { activationOf, field, parseConfig, refuseUnless, type Family } from './family.ts';
import { decoderConfig, decoderFields, decoderSources, isDecoderBuffer } from './llama.ts';
import { readLayerTypes, readWindows } from './rope.ts';

/** Fields of qwen2 and qwen3. */
export const qwenSchema = z.object({
  ...decoderFields,
  num_key_value_heads: field.size.nullish().default(32),
  hidden_act: z.string().default('silu'),
  use_sliding_window: field.flag.default(false),
  sliding_window: field.size.nullish().default(4096),
  /** Without layer_types, the layers from here on slide. */
  max_window_layers: field.count.default(28),
});

/** What qwen2 and qwen3 share. */
export function qwenConfig(
  raw: Readonly<Record<string, unknown>>,
  c: z.infer<typeof qwenSchema>,
  family: string,
): ModelConfig {
  const config = decoderConfig(raw, c, family);
  const window = c.use_sliding_window ? c.sliding_window : null;
  const types = readLayerTypes(raw, c.num_hidden_layers, family, (l) =>
    window != null && l >= c.max_window_layers ? 'sliding_attention' : 'full_attention',
  );
  return {
    ...config,
    activation: activationOf(c.hidden_act, 'hidden_act', family),
    attention: { ...config.attention, windows: readWindows(types, window, family) },
  };
}

export const qwen2: Family = {
  name: 'qwen2',
  bos: 'none',
  matches: (raw) => raw['model_type'] === 'qwen2',
  readConfig(raw) {
    const c = parseConfig(qwenSchema, raw, 'qwen2');
    refuseUnless(raw, 'qwen2', {});
    const config = qwenConfig(raw, c, 'qwen2');
    return { ...config, biases: { ...config.biases, qkv: true, attnOut: false } };
  },
  sources: (config, names, raw) => decoderSources(config, names, raw),
  isBuffer: isDecoderBuffer,
};
