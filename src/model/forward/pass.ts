/**
 * What the parts of one forward pass share: the record, the parameters, the tap, and what was computed
 * once for all layers (positions, turns, masks). Made by forward.ts, read by block, attention and mlp.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import type { ModelConfig } from '../config.ts';
import type { HookName } from '../hook-points.ts';
import type { KeyValueCache, LiveHeads, Tap } from './tap.ts';
import type { Weights } from '../weights/parameters.ts';
import type { Turn } from './rotary.ts';
import type { PathAttention } from './token-tree.ts';

export type Visit = (name: HookName, activation: tf.Tensor, positions: readonly number[]) => tf.Tensor;

export interface Pass {
  readonly config: ModelConfig;
  readonly parameters: Weights;
  readonly visit: Visit;
  readonly wants: (name: HookName) => boolean;
  /** x, which may have fewer rows, ready to be added to `like`: of batch 1 or of as many rows. */
  readonly alike: (x: tf.Tensor, like: tf.Tensor) => tf.Tensor;
  /** 0..S-1: the columns of this call's tokens. */
  readonly everywhere: readonly number[];
  /** The position of every token, [1 or B][S]. */
  readonly positions: readonly (readonly number[])[];
  /** W_pos there, [1 or B, S, d]; undefined for models without such a table. */
  readonly positional: tf.Tensor | undefined;
  /** By layer; undefined where nothing turns. */
  readonly turns: readonly (Turn | undefined)[];
  /**
   * What is added to the scores of a layer, [1 or B, 1, |queries|, P + S], or [.., H, .., ..] with alibi; undefined where
   * every key is seen.
   */
  readonly masks: readonly (tf.Tensor | undefined)[];
  /** By layer, attention along the paths of a tree; undefined where tokens are rows. */
  readonly along: readonly (PathAttention | undefined)[];
  readonly cache: KeyValueCache | undefined;
  /** As the tap's. */
  readonly liveHeads: (layer: number) => LiveHeads | undefined;
}

/** @throws when a tap made more rows and cannot say which. */
export function aligner(tap: Tap | undefined): Pass['alike'] {
  return (x, like) => {
    const [from, to] = [x.shape[0], like.shape[0]];
    if (from === to || from === 1) return x;
    if (to === 1 || from > to || tap?.expand === undefined)
      throw fail(
        'input',
        'forward',
        `${from} rows meet ${to}; a hook may turn a batch of 1 into more rows, not one of ${Math.min(from, to)}.`,
      );
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
    return tf.slice(
      x,
      begin,
      x.shape.map((size, axis) => (axis === 1 ? wanted.length : size)),
    );
  }
  return tf.gather(
    x,
    tf.tensor1d(
      wanted.map((p) => present.indexOf(p)),
      'int32',
    ),
    1,
  );
}
