/**
 * The forward pass: tokens in, logits out, every activation offered to a tap on the way.
 *
 * forward(config, parameters, tokens, { tap }) is a pure function of its arguments. A hook is an argument of one
 * call, not state of the model: when the call ends, also by a throw, nothing is left to reset.
 * Batches broadcast: while nothing differs between rows, activations have batch 1; the first tap that
 * returns B rows makes everything after it B rows, so work before the first ablated part is done once.
 * The parts are embedding.ts, block.ts (attention.ts, mlp.ts, norm.ts) and, for positions and masks,
 * rotary.ts, alibi.ts and attention-mask.ts.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { attentionMask, checkPadding, checkSeen, tokenPositions, type PaddingMask } from './attention-mask.ts';
import { block } from './block.ts';
import { alibiPenalties } from './alibi.ts';
import { hasFinalNorm, type ModelConfig } from '../config.ts';
import { embed, positionEmbedding } from './embedding.ts';
import { activate, linear, softcap } from './layers.ts';
import { norm } from './norm.ts';
import type { Weights } from '../weights/parameters.ts';
import { aligner, takePositions, visitor, type Pass } from './pass.ts';
import type { KeyValueCache, Tap } from './tap.ts';
import { turnTables, type Turn } from './rotary.ts';
import { longestPath, pathAttention, treePositions, type PathAttention, type TokenTree } from './token-tree.ts';

export type { Parameters } from '../weights/parameters.ts';
export type { KeyValueCache, Tap } from './tap.ts';
export type { PaddingMask } from './attention-mask.ts';
export type { TokenTree } from './token-tree.ts';

/** Where a forward pass begins and ends, what it is masked by, and who sees its activations. */
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
  /** Start at this layer from the residual stream before it, [B, S, d], as stopAtLayer returned it for the same tokens. */
  readonly start?: { readonly layer: number; readonly residual: tf.Tensor } | undefined;
  /** Start from this token embedding [B, S, d] (hook_embed) instead of looking tokens up (training takes gradients through it). */
  readonly embedding?: tf.Tensor | undefined;
  /** 1 = token, 0 = padding, on either side: padding is never seen, and positions count tokens only. */
  readonly attentionMask?: PaddingMask | undefined;
  /**
   * 0 for a token that no other one attends to, [B][past + S]: it stays in its place, keeps its position and reads the others,
   * but nothing of it goes anywhere else. All are seen when absent.
   */
  readonly seen?: PaddingMask | undefined;
  /** The kind of each token, [B][S], in models that have kinds (BERT); all 0 when absent. */
  readonly tokenTypes?: readonly (readonly number[])[] | undefined;
  /** Keys and values of tokens before these. */
  readonly cache?: KeyValueCache | undefined;
  /**
   * The tokens, [1, T], are those of a tree: each stands at its place on its path, and attends along that. `seen` is by column then.
   * For causal models whose rotary frequencies do not depend on the length, without a tap and a padding mask.
   */
  readonly tree?: TokenTree | undefined;
}

/** tokens int32 [B, S] -> logits [B, S, V] (or [B, scored, C]; or the residual with stopAtLayer). The caller owns the result. */
export function forward(
  config: ModelConfig,
  parameters: Weights,
  tokens: tf.Tensor2D,
  options: ForwardOptions = {},
): tf.Tensor3D {
  return tf.tidy(() => {
    const { scored } = options;
    const begun = begin(config, parameters, tokens, options);
    const { everywhere } = begun;
    const { layer: first, residual: given } = options.start ?? { layer: 0, residual: undefined };
    const embedded =
      given === undefined
        ? embed(begun, tokens, options.embedding, options.tokenTypes)
        : { residual: given, positional: positionEmbedding(begun, tokens.shape[0]) };
    const pass: Pass = { ...begun, positional: embedded.positional };
    let { residual } = embedded; // [B, S, d]
    let at: readonly number[] = everywhere;
    for (let layer = first; layer < (options.stopAtLayer ?? config.nLayers); layer++) {
      const narrowed = scored !== undefined && layer === config.nLayers - 1;
      const before = residual;
      residual = tf.tidy(() => block(pass, layer, before, narrowed ? scored : everywhere));
      if (narrowed) at = scored;
    }
    if (options.stopAtLayer !== undefined && options.stopAtLayer < config.nLayers)
      return tf.clone(residual) as tf.Tensor3D;
    if (scored !== undefined && config.nLayers === 0) residual = takePositions(residual, (at = scored), everywhere);
    return unembed(pass, residual, at, options.unembed) as tf.Tensor3D; // [B, S, V]
  });
}

/** What is computed once for all layers. */
function begin(
  config: ModelConfig,
  parameters: Weights,
  tokens: tf.Tensor2D,
  { tap, scored, attentionMask: padding, seen, cache, tree }: ForwardOptions,
): Omit<Pass, 'positional'> {
  const [batch, length] = tokens.shape;
  const past = cache?.length ?? 0;
  if (padding !== undefined) checkPadding(padding, batch, past + length);
  if (seen !== undefined) checkSeen(seen, batch, past + length);
  const everywhere = Array.from({ length }, (_, p) => p);
  if (tree !== undefined) checkTree(tree, batch, length, tap !== undefined || padding !== undefined);
  const positions = tree === undefined ? tokenPositions(length, past, padding) : [treePositions(tree)];
  const count = (row: readonly number[]): number => row.reduce((sum, kept) => sum + kept, 0);
  const lengths = padding?.map((row) => ({ before: count(row.slice(0, past)), after: count(row) })) ?? [
    { before: past, after: tree === undefined ? past + length : longestPath(tree) },
  ];
  const turns = new Map<string, Turn>();
  const masks = new Map<string, tf.Tensor | undefined>();
  const along = new Map<number, PathAttention>();
  const layers = Array.from({ length: config.nLayers }, (_, layer) => {
    const queries = scored !== undefined && layer === config.nLayers - 1 ? scored : everywhere;
    const window = config.attention.windows?.[layer] ?? null;
    const key = `${window} ${queries.length}`;
    if (tree !== undefined) {
      if (!along.has(queries.length)) along.set(queries.length, pathAttention(tree, queries, seen?.[0]));
    } else if (!masks.has(key)) {
      const columns = queries.map((q) => past + q);
      const mask = attentionMask(columns, past + length, { causal: config.attention.causal, window, padding, seen });
      const penalties =
        config.positions === 'alibi'
          ? alibiPenalties(config.nHeads, tokenPositions(past + length, 0, padding), columns)
          : undefined;
      masks.set(key, mask === undefined || penalties === undefined ? (penalties ?? mask) : tf.add(mask, penalties));
    }
    const rotary = config.rotary?.[layer];
    const attended = { mask: masks.get(key), along: along.get(queries.length) };
    if (rotary === undefined) return { turn: undefined, ...attended };
    const spec = JSON.stringify(rotary);
    const turn = turns.get(spec) ?? turnTables(rotary, config.dHead, positions, lengths);
    turns.set(spec, turn);
    return { turn, ...attended };
  });
  return {
    config,
    parameters,
    visit: visitor(tap),
    wants: (name) => tap?.wants(name) ?? false,
    alike: aligner(tap),
    liveHeads: (layer) => tap?.liveHeads?.(layer),
    everywhere,
    positions,
    turns: layers.map((layer) => layer.turn),
    masks: layers.map((layer) => layer.mask),
    along: layers.map((layer) => layer.along),
    cache,
  };
}

/** @throws 'input' for a tree that is not of these tokens, or beside what it does not go with. */
function checkTree({ own, paths }: TokenTree, batch: number, length: number, besides: boolean): void {
  if (besides) throw fail('input', 'forward', 'takes a tree of tokens without a tap and without an attention mask.');
  const count = own.reduce((sum, each) => sum + each, 0);
  if (batch !== 1 || count !== length || own.length !== paths.length)
    throw fail(
      'input',
      'forward',
      `a tree of ${count} tokens on ${paths.length} paths does not go with ${batch} rows of ${length}; one row of as many is needed.`,
    );
}

/** The last residual [B, S, d] -> logits [B, S, V]. */
function unembed(
  pass: Pass,
  residual: tf.Tensor,
  at: readonly number[],
  restricted: ForwardOptions['unembed'],
): tf.Tensor {
  const { config, parameters } = pass;
  let x = hasFinalNorm(config) ? norm(pass, 'ln_final', residual, at) : residual;
  if (config.mlmHead === true) {
    x = norm(
      pass,
      'mlm_head.ln',
      activate(
        linear(x, parameters['mlm_head.W'], parameters['mlm_head.b']),
        config.mlmActivation ?? config.activation,
      ),
      at,
    );
  }
  x = pass.visit('unembed.hook_in', x, at);
  const W_in = parameters['unembed.W_in'];
  if (W_in !== undefined) x = linear(x, W_in, undefined);
  const { W, b } = restricted ?? { W: parameters['unembed.W_U'], b: parameters['unembed.b_U'] };
  const logits = pass.visit('unembed.hook_out', linear(x, W, b), at);
  return config.logitSoftcap === undefined ? logits : softcap(logits, config.logitSoftcap);
}
