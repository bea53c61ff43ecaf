/** Mixtral (model_type "mixtral"): mistral with a mixture of gated MLPs in every block. Checked against transformers' modeling_mixtral. */
import { z } from 'zod';
import { activationOf, field, parseConfig, refuseUnless, type Family } from './family.ts';
import { decoderConfig, decoderFields, decoderSources, isDecoderBuffer } from './llama.ts';
import { withExperts } from './experts.ts';

const schema = z.object({
  ...decoderFields,
  rms_norm_eps: field.eps.default(1e-5),
  num_key_value_heads: field.size.nullish().default(8),
  hidden_act: z.string().default('silu'),
  sliding_window: field.size.nullish(),
  num_local_experts: field.size.default(8),
  num_experts_per_tok: field.size.default(2),
});

export const mixtral: Family = {
  name: 'mixtral',
  bos: 'bos',
  matches: (raw) => raw['model_type'] === 'mixtral',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'mixtral');
    refuseUnless(raw, 'mixtral', { attention_bias: [false], mlp_bias: [false], layer_types: [] });
    const config = decoderConfig(raw, c, 'mixtral', { theta: 1e6 });
    const window = c.sliding_window ?? null;
    const windows = window === null ? undefined : config.rotary?.map(() => window);
    const activation = activationOf(c.hidden_act, 'hidden_act', 'mixtral');
    return withExperts(
      { ...config, activation, attention: { ...config.attention, windows } },
      { count: c.num_local_experts, active: c.num_experts_per_tok, normalised: true },
      c.intermediate_size,
    );
  },
  sources: (config, names, raw) =>
    decoderSources(config, names, raw, {
      experts: {
        router: 'block_sparse_moe.gate',
        matrices: (e) => {
          const expert = `block_sparse_moe.experts.${e}`;
          return { gate: `${expert}.w1`, in: `${expert}.w3`, out: `${expert}.w2` };
        },
      },
    }),
  isBuffer: isDecoderBuffer,
};
