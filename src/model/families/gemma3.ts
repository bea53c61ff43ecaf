/**
 * Gemma 3, text (model_type "gemma3_text", or "gemma3" with a text_config: its vision part is not read): gemma 2
 * without soft caps, with norms over each head's queries and keys, and rotary positions of their own in sliding
 * layers. Checked against transformers' modeling_gemma3, which also reads attn_logit_softcapping but never applies it.
 */
import { z } from 'zod';
import { fail } from '../../errors.ts';
import { field, parseConfig, refuseUnless, type Family } from './family.ts';
import { gemmaConfig } from './gemma.ts';
import { FOUR_NORMS } from './gemma2.ts';
import { decoderFields, decoderSources, isDecoderBuffer } from './llama.ts';
import { readLayerTypes, readRotary, readWindows, type LayerType } from './rope.ts';

type Raw = Readonly<Record<string, unknown>>;

/** Multimodal files leave out what equals transformers' defaults. */
const schema = z.object({
  ...decoderFields,
  vocab_size: field.size.default(262_208),
  hidden_size: field.size.default(2304),
  intermediate_size: field.size.default(9216),
  num_hidden_layers: field.layers.default(26),
  num_attention_heads: field.size.default(8),
  num_key_value_heads: field.size.nullish().default(4),
  head_dim: field.size.default(256),
  max_position_embeddings: field.size.default(131_072),
  hidden_activation: z.string().default('gelu_pytorch_tanh'),
  query_pre_attn_scalar: z.number().positive().default(256),
  sliding_window: field.size.nullish().default(4096),
  sliding_window_pattern: field.size.default(6),
  final_logit_softcapping: z.number().positive().nullish(),
  rope_theta: z.number().positive().default(1e6),
  rope_local_base_freq: z.number().positive().default(1e4),
  /** By layer type; rope_scaling is for the layers that see everything. */
  rope_parameters: z.record(z.string(), z.record(z.string(), z.unknown()).nullable()).nullish(),
  rope_scaling: z.record(z.string(), z.unknown()).nullish(),
});

function textOf(raw: Raw): Raw {
  if (raw['model_type'] !== 'gemma3') return raw;
  const text = raw['text_config'];
  if (typeof text !== 'object' || text === null)
    throw fail(
      'checkpoint',
      'config.json',
      '"text_config" is missing; a gemma3 file needs it (or model_type gemma3_text).',
    );
  return text as Raw;
}

export const gemma3: Family = {
  name: 'gemma3',
  bos: 'bos',
  matches: (raw) => raw['model_type'] === 'gemma3_text' || raw['model_type'] === 'gemma3',
  readConfig(whole) {
    const raw = textOf(whole);
    const c = parseConfig(schema, raw, 'gemma3');
    refuseUnless(raw, 'gemma3', { attn_logit_softcapping: [] });
    // Rotary parameters are read by layer type below.
    const plain: Raw = {
      ...raw,
      max_position_embeddings: c.max_position_embeddings,
      rope_parameters: undefined,
      rope_scaling: undefined,
      rope_theta: undefined,
    };
    const config = gemmaConfig(plain, c, 'gemma3', c.hidden_activation);
    const types = readLayerTypes(raw, c.num_hidden_layers, 'gemma3', (l) =>
      (l + 1) % c.sliding_window_pattern === 0 ? 'full_attention' : 'sliding_attention',
    );
    const given = c.rope_parameters ?? {};
    const unknown = Object.keys(given).find((key) => key !== 'full_attention' && key !== 'sliding_attention');
    if (unknown !== undefined)
      throw fail(
        'checkpoint',
        'config.json',
        `"rope_parameters" has "${unknown}"; gemma3 reads them by layer type: full_attention, sliding_attention.`,
      );
    if (c.rope_scaling != null && 'type' in c.rope_scaling && !('rope_type' in c.rope_scaling))
      throw fail(
        'checkpoint',
        'config.json',
        `"rope_scaling" has "type" ${JSON.stringify(c.rope_scaling['type'])} and no "rope_type", which transformers ignores in gemma3; write "rope_type".`,
      );
    const turn = (type: LayerType): ReturnType<typeof readRotary> => {
      const scaling = type === 'full_attention' ? c.rope_scaling : undefined;
      const theta = type === 'full_attention' ? c.rope_theta : c.rope_local_base_freq;
      return readRotary(plain, { ...given[type], ...scaling }, { family: 'gemma3', dHead: c.head_dim, theta });
    };
    return {
      ...config,
      layout: 'sandwich',
      rotary: types.map(turn),
      attention: {
        causal: true,
        scales: types.map(() => c.query_pre_attn_scalar ** -0.5),
        windows: readWindows(types, c.sliding_window, 'gemma3'),
        qkNorm: config.norm,
      },
      logitSoftcap: c.final_logit_softcapping ?? undefined,
    };
  },
  sources: (config, names, raw) =>
    decoderSources(config, names, raw, {
      ...FOUR_NORMS,
      tied: true,
      prefixes: ['model.', 'language_model.model.', 'model.language_model.', ''],
    }),
  isBuffer: isDecoderBuffer,
};
