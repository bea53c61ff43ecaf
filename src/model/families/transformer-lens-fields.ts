/**
 * Every field that a TransformerLens configuration may have (HookedTransformerConfig of TransformerLens 1 to 3.9), so
 * that one that nobody here knows is refused instead of ignored: it may change the numbers.
 */
import { closest, fail } from '../../errors.ts';

/** Fields that transformer-lens.ts reads, or refuses by their value. */
const READ = [
  'd_model',
  'n_layers',
  'n_heads',
  'n_key_value_heads',
  'd_head',
  'd_mlp',
  'n_ctx',
  'd_vocab',
  'd_vocab_out',
  'act_fn',
  'attn_only',
  'gated_mlp',
  'parallel_attn_mlp',
  'normalization_type',
  'use_normalization_before_and_after',
  'use_qk_norm',
  'post_embedding_ln',
  'final_rms',
  'uses_rms_norm',
  'layer_norm_folding',
  'eps',
  'positional_embedding_type',
  'rotary_dim',
  'rotary_base',
  'rotary_base_local',
  'rotary_scaling_factor',
  'rotary_adjacent_pairs',
  'use_NTK_by_parts_rope',
  'use_dynamic_ntk_rope',
  'use_yarn_rope',
  'attention_dir',
  'use_attn_scale',
  'attn_scale',
  'scale_attn_by_inverse_layer_idx',
  'use_local_attn',
  'window_size',
  'attn_types',
  'attn_scores_soft_cap',
  'output_logits_soft_cap',
  'clip_qkv',
  'use_logn_attn',
  'use_attention_sinks',
  'num_experts',
  'load_in_4bit',
  'quantization_method',
  'tie_word_embeddings',
  'original_architecture',
];

/** Fields that change no number of a forward pass, or only with another that is refused. */
const HARMLESS = [
  'model_type',
  'model_name',
  'architectures',
  'device',
  'n_devices',
  'dtype',
  'torch_dtype',
  'seed',
  'init_mode',
  'init_weights',
  'initializer_range',
  'n_params',
  'checkpoint_index',
  'checkpoint_label_type',
  'checkpoint_value',
  'from_checkpoint',
  'tokenizer_name',
  'tokenizer_prepends_bos',
  'default_prepend_bos',
  'trust_remote_code',
  'use_attn_result',
  'use_attn_in',
  'use_split_qkv_input',
  'use_hook_mlp_in',
  'use_hook_tokens',
  'ungroup_grouped_query_attention',
  'train_seq_length', // of logn attention and dynamic NTK
  'experts_per_token',
  'norm_topk_prob',
  'NTK_by_parts_low_freq_factor',
  'NTK_by_parts_high_freq_factor',
  'NTK_by_parts_factor',
  'NTK_original_ctx_len',
  'yarn_factor',
  'yarn_attention_factor',
  'yarn_beta_fast',
  'yarn_beta_slow',
  'yarn_original_max_position_embeddings',
  'yarn_truncate',
  'yarn_global_attn_only',
  'relative_attention_max_distance', // of T5's positions
  'relative_attention_num_buckets',
  'decoder_start_token_id',
  // Transformers' own, beside which such a file may stand.
  'transformers_version',
  'bos_token_id',
  'eos_token_id',
  'pad_token_id',
  // Fields that every family is asked for.
  'quantization_config',
  'is_encoder_decoder',
  'add_cross_attention',
  'alibi',
  'use_alibi',
  'use_bidirectional_attention',
];

const KNOWN: ReadonlySet<string> = new Set([...READ, ...HARMLESS]);

/** @throws naming the first field that no version of TransformerLens up to 3.9 has. */
export function refuseUnknown(raw: Readonly<Record<string, unknown>>): void {
  const unknown = Object.keys(raw).find((name) => !KNOWN.has(name));
  if (unknown === undefined) return;
  throw fail(
    'checkpoint',
    'config.json',
    `"${unknown}" is ${JSON.stringify(raw[unknown])}, and transformer-lens has no such field that is known here, so it may change the numbers; the closest known: ${closest(unknown, KNOWN).join(', ')}.`,
  );
}
