/**
 * The TransformerLens format: its own config fields (d_model, n_layers, ...) and tensor names
 * (blocks.0.attn.W_Q [head, d_model, d_head]). Attention-only, GELU, SoLU and ReLU toys; missing biases are zero.
 */
import { z } from 'zod';
import { fail } from '../../errors.ts';
import type { Activation, ModelConfig, Norm } from '../config.ts';
import {
  field,
  MOST_LAYERS,
  parseConfig,
  refuseUnless,
  same,
  swapLeading,
  type Family,
  type Source,
} from './family.ts';

const schema = z.object({
  d_model: field.size,
  n_layers: z.number().int().nonnegative().max(MOST_LAYERS),
  n_heads: field.count.optional(),
  d_head: field.size,
  d_mlp: field.size.nullish(),
  n_ctx: field.size,
  d_vocab: field.size,
  d_vocab_out: z.number().int().nullish(),
  act_fn: z.string().nullish(),
  attn_only: field.flag.default(false),
  normalization_type: z.string().nullish(),
  eps: field.eps.default(1e-5),
  positional_embedding_type: z.string().default('standard'),
  attention_dir: z.enum(['causal', 'bidirectional']).default('causal'),
  use_attn_scale: field.flag.default(true),
  attn_scale: z.number().nullish(),
  scale_attn_by_inverse_layer_idx: field.flag.default(false),
});

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  relu: 'relu',
  gelu: 'gelu',
  gelu_new: 'gelu_new',
  silu: 'silu',
  solu_ln: 'solu_ln',
};
const NORMS: Readonly<Record<string, boolean>> = { LN: true, LNPre: false };

export const transformerLens: Family = {
  name: 'transformer-lens',
  bos: 'none',
  matches: (raw) =>
    raw['model_type'] === 'transformer-lens' ||
    (raw['model_type'] === undefined && 'd_model' in raw && 'd_head' in raw && 'd_vocab' in raw),

  readConfig(raw, names) {
    const c = parseConfig(schema, raw, 'transformer-lens');
    refuseUnless(raw, 'transformer-lens', {
      parallel_attn_mlp: [false],
      gated_mlp: [false],
      use_local_attn: [false],
      window_size: [],
      n_key_value_heads: [c.n_heads],
      attn_scores_soft_cap: [-1, 0],
      output_logits_soft_cap: [-1, 0],
      use_qk_norm: [false],
      post_embedding_ln: [false],
      use_normalization_before_and_after: [false],
      final_rms: [false],
      num_experts: [],
      tie_word_embeddings: [false],
    });
    const positions = c.positional_embedding_type === 'standard' ? 'learned' : c.positional_embedding_type;
    if (positions !== 'learned' && positions !== 'shortformer') {
      throw fail(
        'checkpoint',
        'config.json',
        `"positional_embedding_type" is "${positions}"; transformer-lens supports standard, shortformer.`,
      );
    }
    if (c.normalization_type != null && !Object.hasOwn(NORMS, c.normalization_type)) {
      throw fail(
        'checkpoint',
        'config.json',
        `"normalization_type" is "${c.normalization_type}"; transformer-lens supports null, LN, LNPre.`,
      );
    }
    const activation = c.attn_only ? 'relu' : (c.act_fn ?? '');
    if (!Object.hasOwn(ACTIVATIONS, activation)) {
      throw fail(
        'checkpoint',
        'config.json',
        `"act_fn" is ${JSON.stringify(c.act_fn ?? null)}; transformer-lens supports ${Object.keys(ACTIVATIONS).join(', ')}.`,
      );
    }
    const norm: Norm =
      c.normalization_type == null
        ? { kind: 'none' }
        : { kind: 'layer', eps: c.eps, affine: NORMS[c.normalization_type] };
    const scale = c.use_attn_scale
      ? 1 / (c.attn_scale != null && c.attn_scale > 0 ? c.attn_scale : Math.sqrt(c.d_head))
      : 1;
    const config: ModelConfig = {
      family: 'transformer-lens',
      nLayers: c.n_layers,
      dModel: c.d_model,
      nHeads: c.n_heads !== undefined && c.n_heads > 0 ? c.n_heads : Math.floor(c.d_model / c.d_head),
      dHead: c.d_head,
      dMlp: c.attn_only ? 0 : (c.d_mlp ?? 4 * c.d_model),
      nCtx: c.n_ctx,
      dVocab: c.d_vocab,
      dVocabOut: c.d_vocab_out != null && c.d_vocab_out > 0 ? c.d_vocab_out : c.d_vocab,
      norm,
      positions,
      activation: ACTIVATIONS[activation],
      attention: {
        scales: Array.from({ length: c.n_layers }, (_, l) =>
          c.scale_attn_by_inverse_layer_idx ? scale / (l + 1) : scale,
        ),
        causal: c.attention_dir === 'causal',
      },
      biases: {
        qkv: names.has('blocks.0.attn.b_Q'),
        attnOut: names.has('blocks.0.attn.b_O'),
        mlp: names.has('blocks.0.mlp.b_in'),
        unembed: names.has('unembed.b_U'),
      },
    };
    return config;
  },

  sources(config) {
    const { dModel: d, nHeads: h, dHead: e, dMlp: m, biases } = config;
    const list: Source[] = [];
    const add = (name: string, shape: number[], take = same): void => {
      list.push({ tensor: name, shape, gives: { [name]: take } });
    };
    const affine = config.norm.kind === 'layer' && config.norm.affine;
    const norm = (name: string, width: number): void => {
      if (!affine) return;
      add(`${name}.w`, [width]);
      add(`${name}.b`, [width]);
    };
    add('embed.W_E', [config.dVocab, d]);
    add('pos_embed.W_pos', [config.nCtx, d]);
    for (let l = 0; l < config.nLayers; l++) {
      const b = `blocks.${l}`;
      norm(`${b}.ln1`, d);
      for (const x of ['Q', 'K', 'V']) {
        add(`${b}.attn.W_${x}`, [h, d, e], swapLeading(h, d, e));
        if (biases.qkv) add(`${b}.attn.b_${x}`, [h, e]);
      }
      add(`${b}.attn.W_O`, [h, e, d]);
      if (biases.attnOut) add(`${b}.attn.b_O`, [d]);
      if (m === 0) continue;
      norm(`${b}.ln2`, d);
      add(`${b}.mlp.W_in`, [d, m]);
      if (biases.mlp) add(`${b}.mlp.b_in`, [m]);
      if (config.activation === 'solu_ln') norm(`${b}.mlp.ln`, m);
      add(`${b}.mlp.W_out`, [m, d]);
      if (biases.mlp) add(`${b}.mlp.b_out`, [d]);
    }
    norm('ln_final', d);
    add('unembed.W_U', [d, config.dVocabOut]);
    if (biases.unembed) add('unembed.b_U', [config.dVocabOut]);
    return list;
  },

  isBuffer: (name) => /\.attn\.(mask|IGNORE)$/.test(name),
};
