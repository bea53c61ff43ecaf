/**
 * Qwen 3 with mixtures (model_type "qwen3_moe"): qwen3 with a mixture of gated MLPs in every block. Blocks without one
 * (decoder_sparse_step, mlp_only_layers) are refused: a record has one d_mlp. Checked against transformers' modeling_qwen3_moe.
 */
import { withExperts } from './experts.ts';
import { activationOf, field, parseConfig, refuseUnless, type Family } from './family.ts';
import { decoderConfig, decoderSources, isDecoderBuffer } from './llama.ts';
import { qwenSchema } from './qwen2.ts';

const schema = qwenSchema.extend({
  head_dim: field.size.nullish(),
  num_key_value_heads: field.size.nullish().default(4),
  intermediate_size: field.size.default(6144),
  moe_intermediate_size: field.size.default(768),
  num_experts: field.size.nullish(),
  /** What transformers 5 writes for num_experts. */
  num_local_experts: field.size.nullish(),
  num_experts_per_tok: field.size.default(8),
  norm_topk_prob: field.flag.default(false),
});

export const qwen3Moe: Family = {
  name: 'qwen3_moe',
  bos: 'none',
  matches: (raw) => raw['model_type'] === 'qwen3_moe',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'qwen3_moe');
    const steps = Array.isArray(raw['mlp_only_layers']) ? raw['mlp_only_layers'].length : 0;
    refuseUnless({ ...raw, mlp_only_layers: steps }, 'qwen3_moe', {
      decoder_sparse_step: [1],
      mlp_only_layers: [0],
      layer_types: [],
    });
    const config = decoderConfig(raw, c, 'qwen3_moe');
    // Unlike in qwen3 every layer slides, whatever max_window_layers says.
    const window = c.use_sliding_window ? (c.sliding_window ?? null) : null;
    const windows = window === null ? undefined : config.rotary?.map(() => window);
    const activation = activationOf(c.hidden_act, 'hidden_act', 'qwen3_moe');
    return withExperts(
      { ...config, activation, attention: { ...config.attention, windows, qkNorm: config.norm } },
      {
        count: c.num_local_experts ?? c.num_experts ?? 128,
        active: c.num_experts_per_tok,
        normalised: c.norm_topk_prob,
      },
      c.moe_intermediate_size,
    );
  },
  sources: (config, names, raw) =>
    decoderSources(config, names, raw, {
      experts: {
        router: 'mlp.gate',
        matrices: (e) => {
          const expert = `mlp.experts.${e}`;
          return { gate: `${expert}.gate_proj`, in: `${expert}.up_proj`, out: `${expert}.down_proj` };
        },
      },
    }),
  isBuffer: isDecoderBuffer,
};
