/**
 * The frozen hook vocabulary: the names and meanings of TransformerLens 3 (HookedTransformer, and HookedEncoder for
 * BERT), each with its shape beside it.
 *
 * As there, every hook_normalized stands before the norm's weight and bias (TransformerLens 2 had layer norms' behind
 * them), and hook_attn_out and hook_mlp_out are what is added to the residual. The forward pass visits a point only when somebody asks for it, so the costly ones (hook_result,
 * hook_attn_in, split q/k/v inputs) need no flags: naming them switches them on.
 */
import { hasFinalNorm, hasPositionTable, kvHeads, type ModelConfig } from './config.ts';
import { layoutOf, type BlockNorm } from './layout.ts';

type BlockHook =
  | 'hook_resid_pre' // [batch, pos, d_model]
  | 'hook_resid_mid' // [batch, pos, d_model], absent in attention-only and parallel blocks
  | 'hook_resid_post' // [batch, pos, d_model]
  | 'hook_normalized_resid_post' // [batch, pos, d_model], post-norm blocks only: what the next block reads
  | 'hook_attn_in' // [batch, pos, head, d_model], absent while key/value heads are grouped
  | 'hook_q_input' // [batch, pos, head, d_model]
  | 'hook_k_input' // [batch, pos, kv_head, d_model]
  | 'hook_v_input' // [batch, pos, kv_head, d_model]
  | 'hook_mlp_in' // [batch, pos, d_model], what the MLP alone reads (in TransformerLens's BERT: the residual before ln1)
  | 'hook_attn_out' // [batch, pos, d_model]
  | 'hook_mlp_out' // [batch, pos, d_model]
  | 'attn.hook_q' // [batch, pos, head, d_head]
  | 'attn.hook_k' // [batch, pos, kv_head, d_head]
  | 'attn.hook_v' // [batch, pos, kv_head, d_head]
  | 'attn.hook_rot_q' // [batch, pos, head, d_head], rotary positions only
  | 'attn.hook_rot_k' // [batch, pos, kv_head, d_head], rotary positions only
  | 'attn.hook_z' // [batch, pos, head, d_head]
  | 'attn.hook_attn_scores' // [batch, head, q_pos, k_pos]
  | 'attn.hook_pattern' // [batch, head, q_pos, k_pos]
  | 'attn.hook_result' // [batch, pos, head, d_model]
  | 'mlp.hook_pre' // [batch, pos, d_mlp]
  | 'mlp.hook_pre_linear' // [batch, pos, d_mlp], gated MLPs only
  | 'mlp.hook_mid' // [batch, pos, d_mlp], solu_ln only
  | 'mlp.hook_post'; // [batch, pos, d_mlp]

/** Every norm has hook_scale [batch, pos, 1] and hook_normalized [batch, pos, width]; q_norm and k_norm also a head axis. */
export type NormName =
  | 'embed.ln' // BERT, BLOOM
  | `blocks.${number}.${BlockNorm}` // those of the model's layout (layout.ts)
  | `blocks.${number}.attn.q_norm` // [..., head, d_head], or [..., head·d_head] over all heads together
  | `blocks.${number}.attn.k_norm` // [..., kv_head, d_head], or [..., kv_head·d_head]
  | `blocks.${number}.mlp.ln` // solu_ln only, [..., d_mlp]
  | 'ln_final'
  | 'mlm_head.ln'; // BERT

/** What enters the residual; in models that norm the sum (BERT) these stand inside `embed.`. */
type EmbeddingHook =
  | 'hook_embed' // [batch, pos, d_model]
  | 'hook_pos_embed' // [batch, pos, d_model], absent with rotary positions and alibi
  | 'hook_token_type_embed'; // [batch, pos, d_model], BERT

/** Every name that a hook point can have, its shape beside it in the source; TransformerLens's names. */
export type HookName =
  | EmbeddingHook
  | `embed.${EmbeddingHook}` // BERT
  | 'hook_full_embed' // [batch, pos, d_model], BERT: behind embed.ln
  | `blocks.${number}.${BlockHook}`
  | `${NormName}.hook_scale`
  | `${NormName}.hook_normalized`
  | 'unembed.hook_in' // [batch, pos, d_model]
  | 'unembed.hook_out'; // [batch, pos, d_vocab], before a soft cap

/** The name that the embedding hook `hook` has in this model. */
export function embeddingHook<H extends EmbeddingHook>(config: ModelConfig, hook: H): H | `embed.${H}` {
  return config.embedding?.norm === 'sum' ? `embed.${hook}` : hook;
}

export type Axis =
  | 'batch'
  | 'pos'
  | 'q_pos'
  | 'k_pos'
  | 'head'
  | 'kv_head'
  | 'head·d_head'
  | 'kv_head·d_head'
  | 'd_model'
  | 'd_head'
  | 'd_mlp'
  | 'd_vocab'
  | '1';

/** A place of the forward pass that can be seen and changed, and its axes. */
export interface HookPoint {
  readonly name: HookName;
  readonly axes: readonly Axis[];
}

/** Every hook point of a model, in the order in which the forward pass reaches them. */
export function hookPoints(config: ModelConfig): HookPoint[] {
  const points: HookPoint[] = [];
  const add = (name: HookName, ...axes: Axis[]): void => {
    points.push({ name, axes: ['batch', ...axes] });
  };
  const addNorm = (name: NormName, ...width: Axis[]): void => {
    const kind = /\.[qk]_norm$/.test(name) ? config.attention.qkNorm : config.norm;
    if (kind === undefined || kind.kind === 'none') return;
    add(`${name}.hook_scale`, 'pos', ...width.slice(0, -1), '1');
    add(`${name}.hook_normalized`, 'pos', ...width);
  };
  const { embedding = {} } = config;
  const layout = layoutOf(config);
  const own = (hook: EmbeddingHook): HookName => embeddingHook(config, hook);
  if (embedding.norm === 'token') addNorm('embed.ln', 'd_model');
  add(own('hook_embed'), 'pos', 'd_model');
  if (hasPositionTable(config)) add(own('hook_pos_embed'), 'pos', 'd_model');
  if (embedding.tokenTypes !== undefined) add(own('hook_token_type_embed'), 'pos', 'd_model');
  if (embedding.norm === 'sum') {
    addNorm('embed.ln', 'd_model');
    add('hook_full_embed', 'pos', 'd_model');
  }
  for (let l = 0; l < config.nLayers; l++) {
    const b: `blocks.${number}` = `blocks.${l}`;
    const addBlockNorm = (name: BlockNorm | undefined): void => {
      if (name !== undefined) addNorm(`${b}.${name}`, 'd_model');
    };
    add(`${b}.hook_resid_pre`, 'pos', 'd_model');
    addBlockNorm(layout.attn.input);
    addAttention(config, b, add, addNorm);
    addBlockNorm(layout.attn.output);
    add(`${b}.hook_attn_out`, 'pos', 'd_model');
    if (config.dMlp > 0) {
      if (!layout.parallel) add(`${b}.hook_resid_mid`, 'pos', 'd_model');
      addBlockNorm(layout.attn.stream);
      add(`${b}.hook_mlp_in`, 'pos', 'd_model');
      addBlockNorm(layout.mlp.input);
      add(`${b}.mlp.hook_pre`, 'pos', 'd_mlp');
      if (config.gated === true) add(`${b}.mlp.hook_pre_linear`, 'pos', 'd_mlp');
      if (config.activation === 'solu_ln') {
        add(`${b}.mlp.hook_mid`, 'pos', 'd_mlp');
        addNorm(`${b}.mlp.ln`, 'd_mlp');
      }
      add(`${b}.mlp.hook_post`, 'pos', 'd_mlp');
      addBlockNorm(layout.mlp.output);
      add(`${b}.hook_mlp_out`, 'pos', 'd_model');
    }
    add(`${b}.hook_resid_post`, 'pos', 'd_model');
    if (config.dMlp === 0 || layout.mlp.stream === undefined) continue;
    addBlockNorm(layout.mlp.stream);
    add(`${b}.hook_normalized_resid_post`, 'pos', 'd_model');
  }
  if (hasFinalNorm(config)) addNorm('ln_final', 'd_model');
  if (config.mlmHead === true) addNorm('mlm_head.ln', 'd_model');
  add('unembed.hook_in', 'pos', 'd_model');
  add('unembed.hook_out', 'pos', 'd_vocab');
  return points;
}

function addAttention(
  config: ModelConfig,
  b: `blocks.${number}`,
  add: (name: HookName, ...axes: Axis[]) => void,
  addNorm: (name: NormName, ...width: Axis[]) => void,
): void {
  const grouped = kvHeads(config) < config.nHeads && config.attention.ungrouped !== true;
  const kv: Axis = grouped ? 'kv_head' : 'head';
  if (!grouped) add(`${b}.hook_attn_in`, 'pos', 'head', 'd_model');
  add(`${b}.hook_q_input`, 'pos', 'head', 'd_model');
  add(`${b}.attn.hook_q`, 'pos', 'head', 'd_head');
  for (const letter of ['k', 'v'] as const) {
    add(`${b}.hook_${letter}_input`, 'pos', kv, 'd_model');
    add(`${b}.attn.hook_${letter}`, 'pos', kv, 'd_head');
  }
  for (const [letter, heads] of [
    ['q', 'head'],
    ['k', kv],
  ] as const) {
    if (config.attention.qkNormAcrossHeads === true)
      addNorm(`${b}.attn.${letter}_norm`, heads === 'head' ? 'head·d_head' : 'kv_head·d_head');
    else addNorm(`${b}.attn.${letter}_norm`, heads, 'd_head');
    if (config.positions === 'rotary') add(`${b}.attn.hook_rot_${letter}`, 'pos', heads, 'd_head');
  }
  add(`${b}.attn.hook_attn_scores`, 'head', 'q_pos', 'k_pos');
  add(`${b}.attn.hook_pattern`, 'head', 'q_pos', 'k_pos');
  add(`${b}.attn.hook_z`, 'pos', 'head', 'd_head');
  add(`${b}.attn.hook_result`, 'pos', 'head', 'd_model');
}

/** Why this model has no hook point of TransformerLens's that it could be expected to have, and what to take instead. */
export function whyAbsent(name: string, config: ModelConfig): string | undefined {
  if (name.endsWith('.hook_attn_in') && kvHeads(config) < config.nHeads)
    return `its ${config.nHeads} heads share ${kvHeads(config)} key/value heads, so they have no input of one shape; take hook_q_input, hook_k_input and hook_v_input, or withUngroupedHeads(model), which has it`;
  if (name.endsWith('.hook_resid_mid') && (layoutOf(config).parallel || config.dMlp === 0))
    return 'nothing stands between attention and MLP in its blocks; take hook_resid_pre or hook_resid_post';
  const inside = /^hook_(pos_|token_type_)?embed$/.test(name) && config.embedding?.norm === 'sum';
  return inside
    ? `its embeddings are added inside embed; take embed.${name}, or hook_full_embed for their normed sum`
    : undefined;
}

/** The shape of a hook point for `batch` rows of `positions` tokens. */
export function hookShape(point: HookPoint, config: ModelConfig, batch: number, positions: number): number[] {
  const sizes: Record<Axis, number> = {
    batch,
    pos: positions,
    q_pos: positions,
    k_pos: positions,
    head: config.nHeads,
    kv_head: kvHeads(config),
    'head·d_head': config.nHeads * config.dHead,
    'kv_head·d_head': kvHeads(config) * config.dHead,
    d_model: config.dModel,
    d_head: config.dHead,
    d_mlp: config.dMlp,
    d_vocab: config.dVocabOut,
    '1': 1,
  };
  return point.axes.map((axis) => sizes[axis]);
}
