/**
 * Positions that no mask of a block can change are not computed again: what a causal model has there is that of the untouched
 * run, and later positions see of it keys and values only, which are kept from one pass.
 *
 * A mask changes nothing before the first position of a player that it ablates, and with resampling nothing before the first
 * token in which the prompt and its corrupted twin differ. A sweep over positions is so half as long, one over the heads of a
 * prompt whose twin differs late a few positions.
 */
import * as tf from '@tensorflow/tfjs-core';
import { isKept, type Masks } from '../../masks.ts';
import type { ModelConfig } from '../../model/config.ts';
import { forward, type ForwardOptions, type KeyValueCache } from '../../model/forward/forward.ts';
import { keepsFrequencies } from '../../model/forward/rotary.ts';
import type { Model } from '../../model/model.ts';
import type { Task } from '../prompts.ts';
import type { Ablation } from './ablations.ts';
import type { ComponentPlayer } from './components.ts';

/** Whether what a model has at a position depends on that and earlier ones alone, at any length up to this. */
export function hasPast({ attention, rotary = [] }: ModelConfig, length: number): boolean {
  return attention.causal && rotary.every((turns) => keepsFrequencies(turns, 0, length));
}

/** The first position that a mask can change: by mask row. */
export function firstChanged(
  players: readonly ComponentPlayer[],
  { tokens, corrupted }: Task,
  ablation: Ablation,
): (masks: Masks, row: number) => number {
  const firsts = Int32Array.from(players, ({ components }) =>
    Math.min(...components.map(({ position }) => position ?? 0)),
  );
  const differs = tokens.findIndex((token, p) => token !== corrupted?.[p]);
  const alike = !ablation.needs.corrupted || corrupted === undefined ? 0 : differs === -1 ? tokens.length : differs;
  if (firsts.every((first) => first <= alike)) return () => alike;
  return (masks, row) => {
    let first = tokens.length;
    for (let player = 0; player < firsts.length && first > alike; player++)
      if (firsts[player] < first && !isKept(masks, row, player)) first = firsts[player];
    return Math.max(first, alike);
  };
}

export interface Past {
  /** A cache in which `length` positions were seen, for a pass over the others, of any number of rows. */
  before(length: number): KeyValueCache;
  [Symbol.dispose](): void;
}

/** Keys and values of a prompt, from one pass over it. */
export function createPast(
  { config, parameters }: Model,
  tokens: tf.Tensor2D,
  options: Pick<ForwardOptions, 'scored' | 'unembed'>,
): Past {
  const held: { readonly k: tf.Tensor; readonly v: tf.Tensor }[] = [];
  const all: KeyValueCache = {
    length: 0,
    extend(layer, k, v) {
      held[layer] = { k: tf.keep(tf.clone(k)), v: tf.keep(tf.clone(v)) };
      return { k, v };
    },
  };
  forward(config, parameters, tokens, { ...options, cache: all }).dispose();
  const joined = (kept: tf.Tensor, length: number, fresh: tf.Tensor, groups?: readonly number[]): tf.Tensor => {
    const rows = fresh.shape[0];
    const before = tf.slice(kept, [0, 0, 0, 0], [1, length, -1, -1]);
    const seen = groups === undefined ? before : tf.gather(before, tf.tensor1d([...groups], 'int32'), 2);
    return tf.concat([rows === 1 ? seen : tf.tile(seen, [rows, 1, 1, 1]), fresh], 1);
  };
  return {
    before: (length) => ({
      length,
      extend: (layer, k, v, groups) => ({
        k: joined(held[layer].k, length, k, groups),
        v: joined(held[layer].v, length, v, groups),
      }),
    }),
    [Symbol.dispose]: () => tf.dispose(held.flatMap(({ k, v }) => [k, v])),
  };
}
