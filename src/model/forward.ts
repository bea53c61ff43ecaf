/**
 * The forward pass: tokens in, logits out, every activation offered to a tap on the way.
 *
 * forward(model, tokens, { tap }) is a pure function of its arguments. A hook is an argument of one
 * call, not state of the model: when the call ends, also by a throw, nothing is left to reset.
 * Batches broadcast: while nothing differs between rows, activations have batch 1; the first tap that
 * returns B rows makes everything after it B rows, so work before the first ablated part is done once.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { ModelConfig } from './config.ts';
import type { HookName } from './hook-points.ts';
import { activate, causalMask, centreAndScale, linear, perHeadOutput, perHeadProjection } from './layers.ts';

/** Parameters by canonical name; see parameterShapes. */
export type Parameters = Readonly<Record<string, tf.Tensor>>;

export interface Tap {
  /** Whether `visit` is to be called for this point; points nobody wants cost nothing. */
  wants(name: HookName): boolean;
  /**
   * Sees the activation and returns what the forward pass goes on with: the same tensor, or one of the
   * same shape (a batch of 1 may become B). Runs inside tf.tidy; must not dispose `activation`.
   * `positions` are the token positions along the pos (or q_pos) axis: all of them, or the scored ones in the last layer.
   */
  visit(name: HookName, activation: tf.Tensor, positions: readonly number[]): tf.Tensor;
}

export interface ForwardOptions {
  readonly tap?: Tap | undefined;
  /**
   * Positions whose logits are wanted, increasing; all when absent. In the last layer queries, MLP and norms
   * are then computed there only, and hooks of that layer see only those positions.
   */
  readonly scored?: readonly number[] | undefined;
  /** An unembedding restricted to some vocabulary columns ([d, C] and [C]), instead of the model's own. */
  readonly unembed?: { readonly W: tf.Tensor; readonly b?: tf.Tensor | undefined } | undefined;
  /** Stop before this layer and return the residual stream there, [B, S, d]. */
  readonly stopAtLayer?: number | undefined;
  /** Start from this embedding [B, S, d] instead of looking tokens up (training takes gradients through it). */
  readonly embedding?: tf.Tensor | undefined;
}

/** tokens int32 [B, S] -> logits [B, S, V] (or [B, scored, C]; or the residual with stopAtLayer). The caller owns the result. */
export function forward(config: ModelConfig, parameters: Parameters, tokens: tf.Tensor2D, options: ForwardOptions = {}): tf.Tensor3D {
  return tf.tidy(() => {
    const { tap, scored } = options;
    const length = tokens.shape[1];
    const everywhere = Array.from({ length }, (_, p) => p);
    const last = options.stopAtLayer ?? config.nLayers;
    const visit = visitor(tap);

    const looked = options.embedding ?? tf.reshape(tf.gather(parameters['embed.W_E'], tf.reshape(tokens, [-1])), [tokens.shape[0], length, config.dModel]);
    const embedding = visit('hook_embed', looked, everywhere); // [B, S, d]
    let positional = tf.reshape(tf.slice(parameters['pos_embed.W_pos'], [0, 0], [length, config.dModel]), [1, length, config.dModel]);
    if (tap?.wants('hook_pos_embed')) {
      positional = visit('hook_pos_embed', tf.tile(positional, [tokens.shape[0], 1, 1]), everywhere); // [B, S, d]
    }
    let residual = config.positions === 'learned' ? tf.add(embedding, positional) : embedding;
    const context = { config, parameters, visit, wants: (name: HookName) => tap?.wants(name) ?? false, positional };
    let at: readonly number[] = everywhere;
    for (let layer = 0; layer < last; layer++) {
      const narrowed = scored !== undefined && layer === config.nLayers - 1;
      const before = residual;
      residual = tf.tidy(() => block(context, layer, before, everywhere, narrowed ? scored : everywhere));
      if (narrowed) at = scored;
    }
    if (options.stopAtLayer !== undefined && options.stopAtLayer < config.nLayers) return tf.clone(residual) as tf.Tensor3D;
    if (scored !== undefined && config.nLayers === 0) residual = takePositions(residual, (at = scored), everywhere);
    const normed = norm(context, 'ln_final', residual, at);
    const { W, b } = options.unembed ?? { W: parameters['unembed.W_U'], b: parameters['unembed.b_U'] };
    return linear(normed, W, b) as tf.Tensor3D; // [B, S, V]
  });
}

type Visit = (name: HookName, activation: tf.Tensor, positions: readonly number[]) => tf.Tensor;

interface Context {
  readonly config: ModelConfig;
  readonly parameters: Parameters;
  readonly visit: Visit;
  readonly wants: (name: HookName) => boolean;
  /** [1 or B, S, d] */
  readonly positional: tf.Tensor;
}

function visitor(tap: Tap | undefined): Visit {
  return (name, activation, positions) => (tap?.wants(name) ? tap.visit(name, activation, positions) : activation);
}

/** One block: residual [B, S, d] -> [B, |queries|, d]. */
function block(context: Context, layer: number, input: tf.Tensor, everywhere: readonly number[], queries: readonly number[]): tf.Tensor {
  const { config, parameters, visit } = context;
  const b: `blocks.${number}` = `blocks.${layer}`;
  const residual = visit(`${b}.hook_resid_pre`, input, everywhere);
  const attended = tf.tidy(() => attend(context, layer, residual, everywhere, queries));
  const attention = visit(`${b}.hook_attn_out`, attended, queries); // [B, Sq, d]
  const kept = takePositions(residual, queries, everywhere);
  if (config.dMlp === 0) return visit(`${b}.hook_resid_post`, tf.add(kept, attention), queries);

  const mid = visit(`${b}.hook_resid_mid`, tf.add(kept, attention), queries);
  const mlpIn = norm(context, `${b}.ln2`, visit(`${b}.hook_mlp_in`, mid, queries), queries);
  const pre = visit(`${b}.mlp.hook_pre`, linear(mlpIn, parameters[`${b}.mlp.W_in`], parameters[`${b}.mlp.b_in`]), queries); // [B, Sq, m]
  let active = tf.tidy(() => activate(pre, config.activation));
  if (config.activation === 'solu_ln') active = norm(context, `${b}.mlp.ln`, visit(`${b}.mlp.hook_mid`, active, queries), queries);
  const post = visit(`${b}.mlp.hook_post`, active, queries); // [B, Sq, m]
  const out = visit(`${b}.hook_mlp_out`, linear(post, parameters[`${b}.mlp.W_out`], parameters[`${b}.mlp.b_out`]), queries);
  return visit(`${b}.hook_resid_post`, tf.add(mid, out), queries);
}

/** Attention of one layer: residual [B, S, d] -> attn_out [B, |queries|, d] (before hook_attn_out). */
function attend(context: Context, layer: number, residual: tf.Tensor, everywhere: readonly number[], queries: readonly number[]): tf.Tensor {
  const { config, parameters, visit } = context;
  const b: `blocks.${number}` = `blocks.${layer}`;
  const { q, k, v } = projections(context, layer, residual, everywhere, queries);
  // scores [B, H, Sq, S] = q [B, H, Sq, e] · k [B, H, e, S]
  const raw = tf.mul(tf.matMul(tf.transpose(q, [0, 2, 1, 3]), tf.transpose(k, [0, 2, 3, 1])), config.attention.scales[layer]);
  const masked = config.attention.causal ? tf.add(raw, causalMask(queries, everywhere.length)) : raw;
  const scores = visit(`${b}.attn.hook_attn_scores`, masked, queries);
  const pattern = visit(`${b}.attn.hook_pattern`, tf.softmax(scores), queries); // [B, H, Sq, S]
  const mixed = tf.transpose(tf.matMul(pattern, tf.transpose(v, [0, 2, 1, 3])), [0, 2, 1, 3]);
  const z = visit(`${b}.attn.hook_z`, mixed, queries); // [B, Sq, H, e]
  const W_O = parameters[`${b}.attn.W_O`];
  const b_O = parameters[`${b}.attn.b_O`];
  if (context.wants(`${b}.attn.hook_result`)) {
    const result = visit(`${b}.attn.hook_result`, perHeadOutput(z, W_O), queries); // [B, Sq, H, d]
    const sum = tf.sum(result, 2);
    return b_O === undefined ? sum : tf.add(sum, b_O);
  }
  return linear(tf.reshape(z, [z.shape[0], z.shape[1] as number, config.nHeads * config.dHead]), W_O, b_O);
}

/** q [B, Sq, H, e], k and v [B, S, H, e], from the shared normalised residual or, when someone hooks them, from per-head inputs. */
function projections(context: Context, layer: number, residual: tf.Tensor, everywhere: readonly number[], queries: readonly number[]): Record<'q' | 'k' | 'v', tf.Tensor> {
  const { config, parameters, visit, wants } = context;
  const b: `blocks.${number}` = `blocks.${layer}`;
  const { nHeads, dHead } = config;
  const perHead = (x: tf.Tensor): tf.Tensor => tf.tile(tf.expandDims(x, 2), [1, 1, nHeads, 1]); // [B, S, H, d]
  const normed = norm(context, `${b}.ln1`, residual, everywhere);
  const shared = wants(`${b}.hook_attn_in`) ? visit(`${b}.hook_attn_in`, perHead(residual), everywhere) : undefined;
  const part = (letter: 'q' | 'k' | 'v'): tf.Tensor => {
    const W = parameters[`${b}.attn.W_${letter.toUpperCase()}`];
    const bias = parameters[`${b}.attn.b_${letter.toUpperCase()}`];
    const at = letter === 'q' ? queries : everywhere;
    const shifts = config.positions === 'shortformer' && letter !== 'v';
    const input: HookName = `${b}.hook_${letter}_input`;
    const hooked = wants(input) ? visit(input, shared ?? perHead(residual), everywhere) : shared;
    let projected: tf.Tensor;
    if (hooked === undefined) {
      const x = shifts ? tf.add(normed, context.positional) : normed;
      const flat = linear(takePositions(x, at, everywhere), W, bias);
      projected = tf.reshape(flat, [flat.shape[0], at.length, nHeads, dHead]);
    } else {
      // ln1's own hooks fire once, on the shared residual; here each head's copy is normalised silently.
      const own = norm({ ...context, visit: (_name, x) => x }, `${b}.ln1`, hooked, everywhere);
      const x = shifts ? tf.add(own, tf.expandDims(context.positional, 2)) : own;
      projected = perHeadProjection(takePositions(x, at, everywhere), W, bias);
    }
    return visit(`${b}.attn.hook_${letter}`, projected, at);
  };
  return { q: part('q'), k: part('k'), v: part('v') };
}

/** The configured norm over the last axis, with its hook_scale [B, S, 1] and hook_normalized. */
function norm(context: Context, name: 'ln_final' | `blocks.${number}.${'ln1' | 'ln2' | 'mlp.ln'}`, x: tf.Tensor, positions: readonly number[]): tf.Tensor {
  const { config, parameters, visit } = context;
  const kind = config.norm;
  if (kind.kind === 'none') return x;
  return tf.tidy(() => {
    const { centred, scale } = centreAndScale(x, kind.eps);
    let out = tf.div(centred, visit(`${name}.hook_scale` as HookName, scale, positions));
    if (kind.affine) out = tf.add(tf.mul(out, parameters[`${name}.w`]), parameters[`${name}.b`]);
    return visit(`${name}.hook_normalized` as HookName, out, positions);
  });
}

/** The rows of x [B, S, ...] at `wanted` positions, of the `present` ones; x itself when they are the same. */
function takePositions(x: tf.Tensor, wanted: readonly number[], present: readonly number[]): tf.Tensor {
  if (wanted.length === present.length) return x;
  const first = present.indexOf(wanted[0]);
  const consecutive = wanted.every((p, i) => present[first + i] === p);
  if (consecutive) {
    const begin = x.shape.map((_, axis) => (axis === 1 ? first : 0));
    return tf.slice(x, begin, x.shape.map((size, axis) => (axis === 1 ? wanted.length : size)));
  }
  return tf.gather(x, tf.tensor1d(wanted.map((p) => present.indexOf(p)), 'int32'), 1);
}
