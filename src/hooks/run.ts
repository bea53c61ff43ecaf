/**
 * Watch or change any activation: runWithHooks, runWithCache, and both in one call.
 *
 * Hooks are arguments of one call. Every name is checked before anything runs, a named hook that never
 * fires is an error, and the tensor count after a call is the count before plus what was returned, also
 * when the call throws.
 */
import * as tf from '@tensorflow/tfjs-core';
import { closest, fail } from '../errors.ts';
import type { ModelConfig } from '../model/config.ts';
import { forward, type ForwardOptions, type Tap } from '../model/forward/forward.ts';
import { hookPoints, hookShape, whyAbsent, type HookName, type HookPoint } from '../model/hook-points.ts';
import type { Model } from '../model/model.ts';
import { tokenTensor, toTokens, type BatchOptions, type Input, type TokenBatch } from '../model/tokens.ts';
import { createCache, type ActivationCache } from './cache.ts';
import { atPositions } from './cached-activations.ts';

export interface HookContext {
  readonly name: HookName;
  /** Undefined for hook_embed, hook_pos_embed and ln_final. */
  readonly layer: number | undefined;
  /** The columns of the input along the pos (or q_pos) axis: 0, 1, ...; while generating, those of this step. */
  readonly positions: readonly number[];
}

/**
 * Sees an activation (its shape is beside its name in HookName) and returns what replaces it, or nothing to
 * leave it. Synchronous, inside tf.tidy: intermediate tensors are freed; do not dispose `activation`; use
 * runWithCache, or tf.keep(tf.clone(activation)), to hold on to it.
 */
export type HookFunction = (activation: tf.Tensor, context: HookContext) => tf.Tensor | void;

/** One name, several, or a predicate over all names of the model. */
export type NameFilter = HookName | readonly HookName[] | ((name: HookName) => boolean);

/** Names of hook points, and what runs at them. */
export type Hook = readonly [names: NameFilter, run: HookFunction];

export interface RunOptions extends BatchOptions {
  /** Stop before this layer; the call then returns the residual there instead of logits. */
  readonly stopAtLayer?: number;
  /** The kind of every token, in models that have kinds (BERT); all 0 when absent. */
  readonly tokenTypes?: readonly (readonly number[])[];
}

export interface CacheOptions extends RunOptions {
  /** What to keep. Default: everything but the costly points (COSTLY_HOOKS). */
  readonly names?: NameFilter;
  /** Keep only these positions (of pos or q_pos); negative ones count from the end. */
  readonly positions?: readonly number[];
  /** Hooks that run in the same call; the cache sees what they return. */
  readonly hooks?: readonly Hook[];
  /** Refuse to keep more than this many bytes. Default 2 GiB. */
  readonly byteLimit?: number;
}

/** Points that a cache without `names` leaves out: each is nHeads times the residual, or a copy of it. */
export const COSTLY_HOOKS = /\.(attn\.hook_result|hook_attn_in|hook_[qkv]_input|hook_mlp_in)$/;

/**
 * Logits [batch, pos, d_vocab] of a run in which every hook in `hooks` ran, in the given order.
 * The caller owns them.
 * @throws 'input' for an unknown name (with suggestions), a hook that never fired, a result of another shape.
 */
export function runWithHooks(
  model: Model,
  input: Input,
  hooks: readonly Hook[],
  options: RunOptions = {},
): tf.Tensor3D {
  const resolved = resolveHooks(model.config, hooks, stopLayer(model.config, options.stopAtLayer));
  return withTokens(model, input, options, (tokens, given) =>
    forward(model.config, model.parameters, tokens, { ...given, tap: hookTap(resolved) }),
  );
}

/**
 * Logits and a cache of activations, both the caller's to dispose.
 * @throws as runWithHooks, and 'input' when the cache would pass `byteLimit`, naming the bytes.
 */
export function runWithCache(
  model: Model,
  input: Input,
  options: CacheOptions = {},
): { readonly logits: tf.Tensor3D; readonly cache: ActivationCache } {
  const stop = stopLayer(model.config, options.stopAtLayer);
  const kept = keptPoints(model.config, options.names, stop);
  const hooks = resolveHooks(model.config, options.hooks ?? [], stop);
  return withTokens(model, input, options, (tokens, given) => {
    const [batch, length] = tokens.shape;
    const positions = options.positions?.map((p) => resolvePosition(p, length));
    checkBytes('runWithCache', model.config, kept, batch, positions?.length ?? length, options.byteLimit ?? 2 ** 31);
    const wanted = new Set(kept.map((point) => point.name));
    const held = new Map<HookName, tf.Tensor>();
    const edit = hookTap(hooks);
    const tap: Tap = {
      wants: (name) => wanted.has(name) || edit.wants(name),
      visit(name, activation, at) {
        const edited = edit.wants(name) ? edit.visit(name, activation, at) : activation;
        if (wanted.has(name)) {
          held.set(name, tf.keep(atPositions(name, edited, positions)));
        }
        return edited;
      },
    };
    try {
      const logits = forward(model.config, model.parameters, tokens, { ...given, tap });
      return { logits, cache: createCache(model, held) };
    } catch (error) {
      tf.dispose([...held.values()]);
      throw error;
    }
  });
}

/** The points of `names`; without names all but the costly ones. @throws as selectPoints. */
export function keptPoints(config: ModelConfig, names: NameFilter | undefined, stopAtLayer: number): HookPoint[] {
  if (names !== undefined) return selectPoints(config, names, stopAtLayer);
  return reachable(config, stopAtLayer).filter((point) => !COSTLY_HOOKS.test(point.name));
}

/** The points of `names`, in forward order. @throws for unknown names, with suggestions, and for filters that match nothing. */
export function selectPoints(config: ModelConfig, names: NameFilter, stopAtLayer = config.nLayers): HookPoint[] {
  const all = hookPoints(config);
  if (typeof names === 'function') {
    const matched = reachable(config, stopAtLayer).filter((point) => names(point.name));
    if (matched.length === 0)
      throw fail('input', 'hooks', `the name predicate matched none of the ${all.length} hook points of this model.`);
    return matched;
  }
  const wanted = new Set<HookName>(typeof names === 'string' ? [names] : names);
  const known = new Set(all.map((point) => point.name));
  for (const name of wanted) {
    if (known.has(name)) continue;
    const why = whyAbsent(name, config);
    const instead = why === undefined ? `; did you mean ${closest(name, known).join(', ')}?` : `: ${why}.`;
    throw fail('input', 'hooks', `"${name}" is not a hook point of this model${instead}`);
  }
  const reached = reachable(config, stopAtLayer).filter((point) => wanted.has(point.name));
  if (reached.length < wanted.size) {
    const missed = [...wanted].filter((name) => !reached.some((point) => point.name === name));
    throw fail(
      'input',
      'hooks',
      `"${missed[0]}" never fired: the run stops at layer ${stopAtLayer} of ${config.nLayers}.`,
    );
  }
  return reached;
}

function reachable(config: ModelConfig, stopAtLayer: number): HookPoint[] {
  const all = hookPoints(config);
  if (stopAtLayer >= config.nLayers) return all;
  return all.filter(
    ({ name }) => (layerOf(name) ?? (/^(ln_final|mlm_head|unembed)\./.test(name) ? Infinity : -1)) < stopAtLayer,
  );
}

/** The layer in a hook's name; undefined outside the blocks. */
export function layerOf(name: HookName): number | undefined {
  const match = /^blocks\.(\d+)\./.exec(name);
  return match === null ? undefined : Number(match[1]);
}

function stopLayer(config: ModelConfig, stopAtLayer: number | undefined): number {
  if (stopAtLayer === undefined) return config.nLayers;
  if (!Number.isInteger(stopAtLayer) || stopAtLayer < 0 || stopAtLayer > config.nLayers) {
    throw fail('input', 'stopAtLayer', `${stopAtLayer} is not a layer; 0..${config.nLayers} are.`);
  }
  return stopAtLayer;
}

export type ResolvedHooks = ReadonlyMap<HookName, readonly HookFunction[]>;

/** Every hook under the names it runs at. @throws 'input' as runWithHooks. */
export function resolveHooks(config: ModelConfig, hooks: readonly Hook[], stopAtLayer = config.nLayers): ResolvedHooks {
  const resolved = new Map<HookName, HookFunction[]>();
  for (const [names, run] of hooks) {
    for (const { name } of selectPoints(config, names, stopAtLayer))
      resolved.set(name, [...(resolved.get(name) ?? []), run]);
  }
  return resolved;
}

/** `past`: columns that earlier calls saw. */
export function hookTap(hooks: ResolvedHooks, past = 0): Tap {
  return {
    wants: (name) => hooks.has(name),
    visit(name, activation, at) {
      let current = activation;
      const positions = past === 0 ? at : at.map((p) => past + p);
      for (const run of hooks.get(name) ?? []) {
        const result = run(current, { name, layer: layerOf(name), positions });
        requireUndisposed(name, current);
        if (result === undefined) continue;
        checkReplacement(name, current, result);
        current = result;
      }
      return current;
    },
  };
}

/** @throws 'input' where a hook disposed what it was shown. */
function requireUndisposed(name: HookName, activation: tf.Tensor): void {
  if (activation.isDisposed)
    throw fail('input', `hook ${name}`, 'disposed the activation that it was given; leave that to the run.');
}

/** @throws 'input' unless a hook's result fits where it was. */
export function checkReplacement(name: HookName, before: tf.Tensor, after: unknown): void {
  if (!(after instanceof tf.Tensor)) {
    const what = after instanceof Promise ? 'a Promise; hooks must be synchronous' : `${typeof after}`;
    throw fail(
      'input',
      `hook ${name}`,
      `returned ${what}; return a tensor of shape [${before.shape.join()}], or nothing to leave it.`,
    );
  }
  if (after.isDisposed)
    throw fail('input', `hook ${name}`, 'returned a tensor that it had disposed; return one that lives, or nothing.');
  const shape: readonly number[] = after.shape;
  const fits =
    shape.length === before.rank &&
    shape.every((size, axis) => size === before.shape[axis] || (axis === 0 && before.shape[0] === 1));
  if (!fits)
    throw fail(
      'input',
      `hook ${name}`,
      `returned shape [${shape.join()}]; the activation is [${before.shape.join()}].`,
    );
}

/** @throws 'input' for a position that the input does not have. */
export function resolvePosition(position: number, length: number): number {
  const index = position < 0 ? length + position : position;
  if (!Number.isInteger(index) || index < 0 || index >= length)
    throw fail('input', 'positions', `${position} is outside the ${length} positions of the input.`);
  return index;
}

/** @throws 'input' in the name of `who` when keeping `points` takes more than `limit` bytes. */
export function checkBytes(
  who: string,
  config: ModelConfig,
  points: readonly HookPoint[],
  batch: number,
  positions: number,
  limit: number,
): void {
  const bytes = points.reduce(
    (sum, point) => sum + 4 * hookShape(point, config, batch, positions).reduce((a, b) => a * b, 1),
    0,
  );
  if (bytes > limit) {
    throw fail(
      'input',
      who,
      `keeping ${points.length} activations takes ${mib(bytes)} MiB, above the limit of ${mib(limit)} MiB; pass names or positions to keep fewer, or raise byteLimit.`,
    );
  }
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}

/** Runs over the tokens of `input`, which are freed afterwards. */
export function withTokens<T>(
  model: Model,
  input: Input,
  options: RunOptions,
  run: (tokens: tf.Tensor2D, given: ForwardOptions) => T,
): T {
  const batch: TokenBatch = toTokens(model, input, options);
  const tokens = tokenTensor(batch);
  try {
    return run(tokens, {
      stopAtLayer: options.stopAtLayer,
      attentionMask: batch.attentionMask,
      tokenTypes: options.tokenTypes,
    });
  } finally {
    tokens.dispose();
  }
}
