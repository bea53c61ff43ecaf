/**
 * The frozen hook vocabulary: TransformerLens's names, each with its shape beside it.
 *
 * The forward pass visits a point only when somebody asks for it, so the costly ones (hook_result,
 * hook_attn_in, split q/k/v inputs) need no flags: naming them switches them on.
 */
import type { ModelConfig } from './config.ts';

type BlockHook =
  | 'hook_resid_pre' // [batch, pos, d_model]
  | 'hook_resid_mid' // [batch, pos, d_model], absent in attention-only blocks
  | 'hook_resid_post' // [batch, pos, d_model]
  | 'hook_attn_in' // [batch, pos, head, d_model]
  | 'hook_q_input' // [batch, pos, head, d_model]
  | 'hook_k_input' // [batch, pos, head, d_model]
  | 'hook_v_input' // [batch, pos, head, d_model]
  | 'hook_mlp_in' // [batch, pos, d_model]
  | 'hook_attn_out' // [batch, pos, d_model]
  | 'hook_mlp_out' // [batch, pos, d_model]
  | 'ln1.hook_scale' // [batch, pos, 1]
  | 'ln1.hook_normalized' // [batch, pos, d_model]
  | 'ln2.hook_scale' // [batch, pos, 1]
  | 'ln2.hook_normalized' // [batch, pos, d_model]
  | 'attn.hook_q' // [batch, pos, head, d_head]
  | 'attn.hook_k' // [batch, pos, head, d_head]
  | 'attn.hook_v' // [batch, pos, head, d_head]
  | 'attn.hook_z' // [batch, pos, head, d_head]
  | 'attn.hook_attn_scores' // [batch, head, q_pos, k_pos]
  | 'attn.hook_pattern' // [batch, head, q_pos, k_pos]
  | 'attn.hook_result' // [batch, pos, head, d_model]
  | 'mlp.hook_pre' // [batch, pos, d_mlp]
  | 'mlp.hook_mid' // [batch, pos, d_mlp], solu_ln only
  | 'mlp.ln.hook_scale' // [batch, pos, 1], solu_ln only
  | 'mlp.ln.hook_normalized' // [batch, pos, d_mlp], solu_ln only
  | 'mlp.hook_post'; // [batch, pos, d_mlp]

export type HookName =
  | 'hook_embed' // [batch, pos, d_model]
  | 'hook_pos_embed' // [batch, pos, d_model]
  | `blocks.${number}.${BlockHook}`
  | 'ln_final.hook_scale' // [batch, pos, 1]
  | 'ln_final.hook_normalized'; // [batch, pos, d_model]

export type Axis = 'batch' | 'pos' | 'q_pos' | 'k_pos' | 'head' | 'd_model' | 'd_head' | 'd_mlp' | '1';

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
  const addNorm = (name: 'ln_final' | `blocks.${number}.${'ln1' | 'ln2' | 'mlp.ln'}`, width: Axis): void => {
    if (config.norm.kind === 'none') return;
    add(`${name}.hook_scale` as HookName, 'pos', '1');
    add(`${name}.hook_normalized` as HookName, 'pos', width);
  };
  add('hook_embed', 'pos', 'd_model');
  add('hook_pos_embed', 'pos', 'd_model');
  for (let l = 0; l < config.nLayers; l++) {
    const b: `blocks.${number}` = `blocks.${l}`;
    add(`${b}.hook_resid_pre`, 'pos', 'd_model');
    add(`${b}.hook_attn_in`, 'pos', 'head', 'd_model');
    for (const input of ['hook_q_input', 'hook_k_input', 'hook_v_input'] as const) add(`${b}.${input}`, 'pos', 'head', 'd_model');
    addNorm(`${b}.ln1`, 'd_model');
    for (const part of ['hook_q', 'hook_k', 'hook_v'] as const) add(`${b}.attn.${part}`, 'pos', 'head', 'd_head');
    add(`${b}.attn.hook_attn_scores`, 'head', 'q_pos', 'k_pos');
    add(`${b}.attn.hook_pattern`, 'head', 'q_pos', 'k_pos');
    add(`${b}.attn.hook_z`, 'pos', 'head', 'd_head');
    add(`${b}.attn.hook_result`, 'pos', 'head', 'd_model');
    add(`${b}.hook_attn_out`, 'pos', 'd_model');
    if (config.dMlp > 0) {
      add(`${b}.hook_resid_mid`, 'pos', 'd_model');
      add(`${b}.hook_mlp_in`, 'pos', 'd_model');
      addNorm(`${b}.ln2`, 'd_model');
      add(`${b}.mlp.hook_pre`, 'pos', 'd_mlp');
      if (config.activation === 'solu_ln') {
        add(`${b}.mlp.hook_mid`, 'pos', 'd_mlp');
        addNorm(`${b}.mlp.ln`, 'd_mlp');
      }
      add(`${b}.mlp.hook_post`, 'pos', 'd_mlp');
      add(`${b}.hook_mlp_out`, 'pos', 'd_model');
    }
    add(`${b}.hook_resid_post`, 'pos', 'd_model');
  }
  addNorm('ln_final', 'd_model');
  return points;
}

/** The shape of a hook point for `batch` rows of `positions` tokens. */
export function hookShape(point: HookPoint, config: ModelConfig, batch: number, positions: number): number[] {
  const sizes: Record<Axis, number> = {
    batch,
    pos: positions,
    q_pos: positions,
    k_pos: positions,
    head: config.nHeads,
    d_model: config.dModel,
    d_head: config.dHead,
    d_mlp: config.dMlp,
    '1': 1,
  };
  return point.axes.map((axis) => sizes[axis]);
}
