/**
 * Ablation masks inside the forward pass: row i of a batch has its own mask over the players.
 *
 * At each site (a hook point that holds players) z' = m·z + (1 - m)·baseline, with m gathered on the device
 * from the batch's mask matrix. Baselines: zero; the mean over a data set; the corrupted run's activation.
 * With m = 1 the activation is untouched to the last bit, with m = 0 it is the baseline to the last bit.
 * Rescaled zero ablation (ProxySPEX, the heads study) multiplies what a layer's heads that stay on write by
 * heads / heads on, as dropout does, so that a layer with few heads on writes about as much as a whole one.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import { runWithCache } from '../hooks/run.ts';
import type { ModelConfig } from '../model/config.ts';
import type { Tap } from '../model/forward.ts';
import type { HookName } from '../model/hook-points.ts';
import type { Model } from '../model/model.ts';
import { componentName, siteOf, type ComponentPlayer } from './components.ts';

/** zero; mean over prompts and positions; mean over prompts at each position; the corrupted prompt's activation. */
export const ABLATIONS = ['zero', 'mean', 'mean-per-position', 'resample'] as const;
export type Ablation = (typeof ABLATIONS)[number];

interface Site {
  readonly hook: HookName;
  /** Column of the mask matrix for every (position, element) cell, [P·E]; the last column is always 1. */
  readonly index: tf.Tensor1D;
  /** P: 1 when no player here is tied to a position. */
  readonly positions: number;
  readonly elements: number;
  readonly baseline: tf.Tensor | undefined;
}

export interface Ablator {
  /** The tap that applies masks [B, n] of 0 and 1 (float32) to a forward pass. */
  tap(masks: tf.Tensor2D): Tap;
  [Symbol.dispose](): void;
}

/** Baseline activations by hook, [1, S or 1, ...]; the caller owns them. Absent hooks are zeroed. */
export type Baselines = Readonly<Record<string, tf.Tensor>>;

export interface AblatorOptions {
  readonly baselines?: Baselines | undefined;
  /** Multiply a layer's heads by heads / heads on; the players are then whole heads, without baselines (requireRescalable). */
  readonly rescale?: boolean | undefined;
}

/** @throws 'input' unless the within-layer rescale is defined: zero ablation, players made of whole heads only. */
export function requireRescalable(players: readonly ComponentPlayer[], ablation: Ablation): void {
  if (ablation !== 'zero') throw fail('input', 'rescale', `makes up for heads that write nothing, and ${ablation} ablation puts something in their place; use zero ablation, or leave the rescale out.`);
  const odd = players.flatMap(({ components }) => components).find(({ kind, position }) => kind !== 'head' || position !== undefined);
  if (odd !== undefined) throw fail('input', 'rescale', `counts the whole heads that a layer has on, and ${componentName(odd)} is not one; use heads and groups of heads as players, or leave the rescale out.`);
}

/** The hooks at which `players` are ablated. */
export function sitesOf(players: readonly ComponentPlayer[], config: ModelConfig): HookName[] {
  return [...new Set(players.flatMap((player) => player.components.map((component) => siteOf(component, config).hook)))];
}

/**
 * Prepares the ablation of `players` in a prompt of `length` tokens of which the last layer sees `scored` only.
 * Copies what it needs of `baselines`.
 */
export function createAblator(config: ModelConfig, players: readonly ComponentPlayer[], length: number, scored: readonly number[], { baselines = {}, rescale = false }: AblatorOptions = {}): Ablator {
  const always = players.length;
  const last: `blocks.${number}.` = `blocks.${config.nLayers - 1}.`;
  const sites = sitesOf(players, config).map((hook): Site => {
    const here = players.flatMap((player, i) => player.components.filter((c) => siteOf(c, config).hook === hook).map((component) => ({ i, component })));
    const { elements } = siteOf(here[0].component, config);
    const visible = hook.startsWith(last) ? scored : Array.from({ length }, (_, p) => p);
    const tied = here.some(({ component }) => component.position !== undefined);
    const rows: readonly (number | undefined)[] = tied ? visible : [undefined];
    const index = new Int32Array(rows.length * elements).fill(always);
    rows.forEach((position, r) => {
      for (const { i, component } of here) {
        if (component.position === undefined || component.position === position) index[r * elements + component.element] = i;
      }
    });
    const given = baselines[hook];
    const baseline =
      given === undefined ? undefined : given.shape[1] === 1 || visible.length === length ? tf.clone(given) : tf.tidy(() => tf.gather(given, tf.tensor1d([...visible], 'int32'), 1));
    return { hook, index: tf.tensor1d(index, 'int32'), positions: rows.length, elements, baseline };
  });
  const byHook = new Map<HookName, Site>(sites.map((site) => [site.hook, site]));
  return {
    tap: (masks) => {
      const rows = masks.shape[0];
      const extended = tf.tidy(() => tf.concat([masks, tf.ones([rows, 1])], 1)); // [B, n + 1]; freed by the enclosing tidy
      return {
        wants: (name) => byHook.has(name),
        visit(name, activation) {
          const site = byHook.get(name) as Site;
          const trailing = activation.rank === 4 ? [site.positions, site.elements, 1] : [site.positions, site.elements];
          const on = tf.gather(extended, site.index, 1); // [B, P·E]
          const m = tf.reshape(rescale ? tf.mul(on, shareOut(on)) : on, [rows, ...trailing]);
          const kept = tf.mul(activation, m);
          return site.baseline === undefined ? kept : tf.add(kept, tf.mul(site.baseline, tf.sub(1, m)));
        },
      };
    },
    [Symbol.dispose]: () => tf.dispose(sites.flatMap((site) => (site.baseline === undefined ? [site.index] : [site.index, site.baseline]))),
  };
}

/** on [B, H] of 0 and 1 -> H / (heads on), [B, 1]: 1 to the last bit where all are, and H where none is. */
function shareOut(on: tf.Tensor): tf.Tensor {
  return tf.div(on.shape[1] as number, tf.maximum(tf.sum(on, 1, true), 1));
}

/**
 * Mean activations over a data set of token rows, [1, 1, ...] over all positions (BOS included) or [1, S, ...] per position.
 * The caller owns them. @throws when per-position means are asked of rows of different lengths.
 */
export function meanBaselines(model: Model, hooks: readonly HookName[], rows: readonly (readonly number[])[], perPosition: boolean): Record<string, tf.Tensor> {
  if (rows.length === 0) throw fail('input', 'mean ablation', 'the data set has no prompts; at least one is needed.');
  const lengths = new Set(rows.map((row) => row.length));
  if (perPosition && lengths.size > 1) {
    throw fail('input', 'mean ablation', `a mean per position needs prompts of one length; this data set has ${Math.min(...lengths)} to ${Math.max(...lengths)} tokens. Use mean instead.`);
  }
  const count = perPosition ? rows.length : rows.reduce((sum, row) => sum + row.length, 0);
  const totals: Record<string, tf.Tensor> = {};
  try {
    for (const row of rows) {
      const { logits, cache } = runWithCache(model, row, { names: hooks });
      logits.dispose();
      for (const hook of hooks) {
        const before = totals[hook];
        totals[hook] = tf.tidy(() => {
          const sum = perPosition ? cache.get(hook) : tf.sum(cache.get(hook), 1, true);
          const share = tf.div(sum, count);
          return before === undefined ? share : tf.add(before, share);
        });
        before?.dispose();
      }
      cache[Symbol.dispose]();
    }
    return totals;
  } catch (error) {
    tf.dispose(totals);
    throw error;
  }
}

/** The activations of one run over `row`, [1, S, ...]: the baseline of resample ablation. The caller owns them. */
export function runBaselines(model: Model, hooks: readonly HookName[], row: readonly number[]): Record<string, tf.Tensor> {
  const { logits, cache } = runWithCache(model, row, { names: hooks });
  const kept = Object.fromEntries(hooks.map((hook) => [hook, tf.clone(cache.get(hook))]));
  tf.dispose(logits);
  cache[Symbol.dispose]();
  return kept;
}
