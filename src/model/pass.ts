/**
 * What the parts of one forward pass share: the record, the parameters, the tap, and what was computed
 * once for all layers (positions, turns, masks). Made by forward.ts, read by block, attention and mlp.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import type { ModelConfig } from './config.ts';
import type { HookName } from './hook-points.ts';
import type { LiveHeads } from './live-heads.ts';
import type { Parameters } from './parameters.ts';
import type { Turn } from './rotary.ts';

export interface Tap {
  /** Whether `visit` is to be called for this point; points nobody wants cost nothing. */
  wants(name: HookName): boolean;
  /**
   * Sees the activation and returns what the forward pass goes on with: the same tensor, or one of the
   * same shape (a batch of 1 may become B). Runs inside tf.tidy; must not dispose `activation`.
   * `positions` are the token positions along the pos (or q_pos) axis: all of them, or the scored ones in the last layer.
   */
  visit(name: HookName, activation: tf.Tensor, positions: readonly number[]): tf.Tensor;
  /**
   * For a tap that turns n > 1 rows into more: `x`, of rows as they were at some point before, laid out as the `rows`
   * there are now. Inside tf.tidy.
   */
  expand?(x: tf.Tensor, rows: number): tf.Tensor;
  /**
   * The heads of a layer whose z `visit` looks at, by row; in the place of the others it puts something else, whatever it
   * is given. All when undefined. Only for a tap that watches nothing inside the attention of that layer but hook_z.
   */
  liveHeads?(layer: number): LiveHeads | undefined;
}

/**
 * Keys and values of tokens that earlier calls saw, one entry per layer. The forward pass hands over the new
 * ones, turned and after their hooks, and attends to what it gets back. Its owner keeps (tf.keep) what lives on.
 */
export interface KeyValueCache {
  /** Tokens held before this call: P. */
  readonly length: number;
  /** New k, v [B, S, K, e] of a layer -> those of all P + S tokens. Runs inside tf.tidy. */
  extend(layer: number, k: tf.Tensor, v: tf.Tensor): { readonly k: tf.Tensor; readonly v: tf.Tensor };
}

export type Visit = (name: HookName, activation: tf.Tensor, positions: readonly number[]) => tf.Tensor;

export interface Pass {
  readonly config: ModelConfig;
  readonly parameters: Parameters;
  readonly visit: Visit;
  readonly wants: (name: HookName) => boolean;
  /** x, which may have fewer rows, ready to be added to `like`: of batch 1 or of as many rows. */
  readonly alike: (x: tf.Tensor, like: tf.Tensor) => tf.Tensor;
  /** 0..S-1: the columns of this call's tokens. */
  readonly everywhere: readonly number[];
  /** The position of every token, [1 or B][S]. */
  readonly positions: readonly (readonly number[])[];
  /** W_pos there, [1 or B, S, d]; undefined for rotary models. */
  readonly positional: tf.Tensor | undefined;
  /** By layer; undefined where nothing turns. */
  readonly turns: readonly (Turn | undefined)[];
  /** What is added to the scores of a layer, [1 or B, 1, |queries|, P + S]; undefined where every key is seen. */
  readonly masks: readonly (tf.Tensor | undefined)[];
  readonly cache: KeyValueCache | undefined;
  /** As the tap's. */
  readonly liveHeads: (layer: number) => LiveHeads | undefined;
}

/** @throws when a tap made more rows and cannot say which. */
export function aligner(tap: Tap | undefined): Pass['alike'] {
  return (x, like) => {
    const [from, to] = [x.shape[0], like.shape[0]];
    if (from === to || from === 1) return x;
    if (to === 1 || from > to || tap?.expand === undefined) throw fail('input', 'forward', `${from} rows meet ${to}; a hook may turn a batch of 1 into more rows, not one of ${Math.min(from, to)}.`);
    return tap.expand(x, to);
  };
}

export function visitor(tap: Tap | undefined): Visit {
  return (name, activation, positions) => (tap?.wants(name) ? tap.visit(name, activation, positions) : activation);
}

/** The rows of x [B, S, ...] at `wanted` positions, of the `present` ones; x itself when they are the same. */
export function takePositions(x: tf.Tensor, wanted: readonly number[], present: readonly number[]): tf.Tensor {
  if (wanted.length === present.length) return x;
  const first = present.indexOf(wanted[0]);
  const consecutive = wanted.every((p, i) => present[first + i] === p);
  if (consecutive) {
    const begin = x.shape.map((_, axis) => (axis === 1 ? first : 0));
    return tf.slice(x, begin, x.shape.map((size, axis) => (axis === 1 ? wanted.length : size)));
  }
  return tf.gather(x, tf.tensor1d(wanted.map((p) => present.indexOf(p)), 'int32'), 1);
}
