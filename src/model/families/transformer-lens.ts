/**
 * The TransformerLens format: HookedTransformer's own config fields (d_model, n_layers, ...) and tensor names
 * (blocks.0.attn.W_Q [head, d_model, d_head]); missing biases are zero. Checked against TransformerLens 3.9.
 *
 * A field that is not in FIELDS below is refused: a list of what is known sees what a newer version adds.
 */
import { z } from 'zod';
import { fail } from '../../errors.ts';
import type { Activation, ModelConfig, Norm, Positions, Rotary } from '../config.ts';
import { field, MOST_LAYERS, parseConfig, refuseUnless, type Family } from './family.ts';
import { turningDims } from './rope.ts';
import { refuseUnknown } from './transformer-lens-fields.ts';
import { lensSources } from './transformer-lens-names.ts';

const schema = z.object({
  d_model: field.size,
  n_layers: z.number().int().nonnegative().max(MOST_LAYERS),
  n_heads: z.number().int().optional(),
  n_key_value_heads: field.size.nullish(),
  d_head: field.size,
  d_mlp: field.size.nullish(),
  n_ctx: field.size,
  d_vocab: field.size,
  d_vocab_out: z.number().int().nullish(),
  act_fn: z.string().nullable().default('relu'),
  attn_only: field.flag.default(false),
  gated_mlp: field.flag.default(false),
  parallel_attn_mlp: field.flag.default(false),
  normalization_type: z.string().nullable().default('LN'),
  use_normalization_before_and_after: field.flag.default(false),
  use_qk_norm: field.flag.default(false),
  post_embedding_ln: field.flag.default(false),
  eps: field.eps.default(1e-5),
  positional_embedding_type: z.string().default('standard'),
  rotary_dim: field.size.nullish(),
  rotary_base: z.number().positive().default(10000),
  rotary_base_local: z.number().positive().nullish(),
  rotary_scaling_factor: z.number().positive().default(1),
  rotary_adjacent_pairs: field.flag.default(false),
  attention_dir: z.enum(['causal', 'bidirectional']).default('causal'),
  use_attn_scale: field.flag.default(true),
  attn_scale: z.number().nullish(),
  scale_attn_by_inverse_layer_idx: field.flag.default(false),
  use_local_attn: field.flag.default(false),
  window_size: field.size.nullish(),
  attn_types: z.array(z.enum(['global', 'local'])).nullish(),
  attn_scores_soft_cap: z.number().nullish(),
  output_logits_soft_cap: z.number().nullish(),
  clip_qkv: z.number().positive().nullish(),
});
type Fields = z.infer<typeof schema>;

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  relu: 'relu',
  relu2: 'relu2',
  gelu: 'gelu',
  gelu_new: 'gelu_new',
  gelu_fast: 'gelu_new', // the same function, its constant rounded
  gelu_pytorch_tanh: 'gelu_new',
  silu: 'silu',
  solu: 'solu',
  solu_ln: 'solu_ln',
};
const POSITIONS: Readonly<Record<string, Positions>> = {
  standard: 'learned',
  shortformer: 'shortformer',
  rotary: 'rotary',
  alibi: 'alibi',
};
const NORMS: Readonly<Record<string, (eps: number) => Norm>> = {
  LN: (eps) => ({ kind: 'layer', eps, affine: true }),
  LNPre: (eps) => ({ kind: 'layer', eps, affine: false }),
  RMS: (eps) => ({ kind: 'rms', eps, offset: 0 }),
  RMSPre: (eps) => ({ kind: 'rms', eps, offset: 0, affine: false }),
};

/** What `table` has for the value of a field. @throws naming both. */
function lookUp<T>(table: Readonly<Record<string, T>>, name: string, value: string | null | undefined): T {
  if (value != null && Object.hasOwn(table, value)) return table[value];
  throw fail(
    'checkpoint',
    'config.json',
    `"${name}" is ${JSON.stringify(value ?? null)}; transformer-lens supports ${Object.keys(table).join(', ')}.`,
  );
}

export const transformerLens: Family = {
  name: 'transformer-lens',
  bos: 'none',
  matches: (raw) =>
    raw['model_type'] === 'transformer-lens' ||
    (raw['model_type'] === undefined && 'd_model' in raw && 'd_head' in raw && 'd_vocab' in raw),

  readConfig(raw, names) {
    refuseUnknown(raw);
    const c = parseConfig(schema, raw, 'transformer-lens');
    const positions = lookUp(POSITIONS, 'positional_embedding_type', c.positional_embedding_type);
    const norm: Norm =
      c.normalization_type === null
        ? { kind: 'none' }
        : lookUp(NORMS, 'normalization_type', c.normalization_type)(c.eps);
    refuseMixtures(raw, c, norm);
    const nHeads = c.n_heads !== undefined && c.n_heads > 0 ? c.n_heads : Math.floor(c.d_model / c.d_head);
    const nKvHeads = c.n_key_value_heads ?? nHeads;
    if (nHeads % nKvHeads !== 0)
      throw fail('checkpoint', 'config.json', `n_heads ${nHeads} is not a multiple of n_key_value_heads ${nKvHeads}.`);
    // There and in BLOOM, slopes differ for other counts.
    if (positions === 'alibi' && 2 ** Math.round(Math.log2(nHeads)) !== nHeads)
      throw fail('checkpoint', 'config.json', `n_heads is ${nHeads}; with alibi a power of two is needed.`);
    const each = <T>(make: (layer: number) => T): T[] => Array.from({ length: c.n_layers }, (_, l) => make(l));
    const scale = c.use_attn_scale
      ? 1 / (c.attn_scale != null && c.attn_scale > 0 ? c.attn_scale : Math.sqrt(c.d_head))
      : 1;
    const local = localLayers(c);
    const config: ModelConfig = {
      family: 'transformer-lens',
      nLayers: c.n_layers,
      dModel: c.d_model,
      nHeads,
      ...(nKvHeads === nHeads ? {} : { nKvHeads }),
      dHead: c.d_head,
      dMlp: c.attn_only ? 0 : (c.d_mlp ?? 4 * c.d_model),
      nCtx: c.n_ctx,
      dVocab: c.d_vocab,
      dVocabOut: c.d_vocab_out != null && c.d_vocab_out > 0 ? c.d_vocab_out : c.d_vocab,
      norm,
      ...(c.parallel_attn_mlp ? { layout: 'parallel' } : {}),
      ...(c.use_normalization_before_and_after ? { layout: 'sandwich' } : {}),
      positions,
      ...(positions === 'rotary' ? { rotary: each((l) => rotaryOf(c, local?.[l] === true)) } : {}),
      activation: c.attn_only ? 'relu' : lookUp(ACTIVATIONS, 'act_fn', c.act_fn),
      ...(c.gated_mlp && !c.attn_only ? { gated: true } : {}),
      attention: {
        scales: each((l) => (c.scale_attn_by_inverse_layer_idx ? scale / (l + 1) : scale)),
        causal: c.attention_dir === 'causal',
        ...(local === undefined ? {} : { windows: local.map((is) => (is ? (c.window_size ?? null) : null)) }),
        ...(above0(c.attn_scores_soft_cap) ? { softcap: c.attn_scores_soft_cap } : {}),
        ...(c.use_qk_norm ? { qkNorm: NORMS['RMS'](c.eps) } : {}),
        ...(c.clip_qkv == null ? {} : { clip: c.clip_qkv }),
      },
      biases: {
        qkv: names.has('blocks.0.attn.b_Q'),
        attnOut: names.has('blocks.0.attn.b_O'),
        mlp: names.has('blocks.0.mlp.b_in'),
        unembed: names.has('unembed.b_U'),
      },
      ...(c.post_embedding_ln ? { embedding: { norm: 'token' } } : {}),
      ...(above0(c.output_logits_soft_cap) ? { logitSoftcap: c.output_logits_soft_cap } : {}),
    };
    return config;
  },
  sources: lensSources,
  isBuffer: (name) => /\.attn\.(mask|IGNORE|rotary_(sin|cos))$/.test(name),
};

const above0 = (cap: number | null | undefined): cap is number => cap != null && cap > 0;

/** @throws for fields that are known, and for combinations that the record cannot say. */
function refuseMixtures(raw: Readonly<Record<string, unknown>>, c: Fields, norm: Norm): void {
  const who = 'transformer-lens';
  refuseUnless(raw, who, {
    num_experts: [],
    use_logn_attn: [false],
    use_attention_sinks: [false],
    use_dynamic_ntk_rope: [false],
    use_yarn_rope: [false],
    use_NTK_by_parts_rope: [false],
    load_in_4bit: [false],
    quantization_method: [],
    tie_word_embeddings: [false],
    layer_norm_folding: [false],
    uses_rms_norm: norm.kind === 'rms' ? [true, false] : [false],
    // ln_final is of the blocks' kind here, and norms over queries, keys and embeddings have weights of theirs.
    final_rms: norm.kind === 'rms' ? [true, false] : [false],
    original_architecture: ARCHITECTURES,
    ...(norm.kind === 'layer' && norm.affine ? {} : { post_embedding_ln: [false] }),
    ...(c.parallel_attn_mlp || norm.kind !== 'rms' || norm.affine === false
      ? { use_normalization_before_and_after: [false] }
      : {}),
    ...(c.attn_only ? { parallel_attn_mlp: [false] } : {}),
    ...(c.act_fn === 'solu_ln' ? { gated_mlp: [false] } : {}),
    // TransformerLens norms solu_ln's layer in its own way where the blocks' norms are no layer norms.
    ...(c.act_fn === 'solu_ln' && norm.kind !== 'layer' ? { act_fn: [] } : {}),
    ...(c.positional_embedding_type === 'alibi' || c.use_local_attn ? { attention_dir: ['causal'] } : {}),
  });
}

/** Architectures that HookedTransformer treats as any other; OLMo 2 and 3, for one, move their norms without a field saying so. */
const ARCHITECTURES = [
  'GPT2LMHeadModel',
  'GPTNeoForCausalLM',
  'GPTNeoXForCausalLM',
  'GPTJForCausalLM',
  'LlamaForCausalLM',
  'MistralForCausalLM',
  'Qwen2ForCausalLM',
  'Qwen3ForCausalLM',
  'PhiForCausalLM',
  'Phi3ForCausalLM',
  'BloomForCausalLM',
  'neel',
  'neel-solu-old',
  'mingpt',
];

/** Which layers see a window only; undefined when none does. */
function localLayers(c: Fields): boolean[] | undefined {
  if (!c.use_local_attn) return undefined;
  if (c.attn_types?.length !== c.n_layers || c.window_size == null)
    throw fail(
      'checkpoint',
      'config.json',
      `"use_local_attn" is true with ${c.attn_types?.length ?? 'no'} "attn_types" and "window_size" ${c.window_size ?? null}; a type for each of ${c.n_layers} layers and a size are needed.`,
    );
  return c.attn_types.map((type) => type === 'local');
}

function rotaryOf(c: Fields, local: boolean): Rotary {
  return {
    dims: turningDims(c.rotary_dim ?? c.d_head, c.d_head),
    theta: local ? (c.rotary_base_local ?? c.rotary_base) : c.rotary_base,
    ...(c.rotary_adjacent_pairs ? { pairs: 'adjacent' } : {}),
    ...(c.rotary_scaling_factor === 1 || local ? {} : { scaling: { kind: 'linear', factor: c.rotary_scaling_factor } }),
  };
}
