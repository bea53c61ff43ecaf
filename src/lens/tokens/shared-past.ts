/**
 * Keys and values of tokens that rows begin with: run once, handed to every batch of rows that go on from them.
 *
 * In a causal model what stands at a token depends on it and those before alone, so rows that are equal up to there share it. Not
 * where columns between a past and a padded row would count as distance (sliding windows), or where rotary frequencies depend on the
 * length of the row.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { KeyValueCache } from '../../model/forward/forward.ts';
import { keepsFrequencies } from '../../model/forward/rotary.ts';
import { kvHeads } from '../../model/config.ts';
import type { Model } from '../../model/model.ts';

/** The beginnings of rows, all of one length. */
export interface SharedPast {
  /** Tokens of each. */
  readonly length: number;
  /**
   * A cache for one forward pass of rows, which go on from these beginnings, one each; of a single beginning also for any number of
   * rows.
   */
  cache(parents?: readonly number[]): KeyValueCache;
  [Symbol.dispose](): void;
}

/** Whether rows of `model` may go on from `length` tokens to at most `longest`. */
export function canGoOn({ config }: Model, length: number, longest: number): boolean {
  return (
    length > 0 &&
    config.attention.causal &&
    config.positions !== 'shortformer' && // keys take their positions from this call's own
    config.attention.windows?.every((window) => window === null || longest <= window) !== false &&
    (config.rotary ?? []).every((rotary) => keepsFrequencies(rotary, length, longest))
  );
}

/** Bytes of keys and values of one token. */
export function pastBytes({ config }: Model): number {
  const heads = config.attention.ungrouped === true ? config.nHeads : kvHeads(config);
  return 4 * config.nLayers * 2 * heads * config.dHead;
}

/** What is run, after which beginnings. */
export interface Grown {
  readonly before: SharedPast | undefined;
  /** By row, the beginning that it goes on from; undefined where there is one or none. */
  readonly parents: readonly number[] | undefined;
  /** Tokens that every row adds. */
  readonly more: number;
  /** The forward pass; what it returns is not kept. */
  readonly run: (cache: KeyValueCache) => tf.Tensor;
}

/** Beginnings as long as those before and `more` tokens; the caller disposes what comes back. */
export function growPast({ before, parents, more, run }: Grown): SharedPast {
  const held: { readonly k: tf.Tensor; readonly v: tf.Tensor }[] = [];
  const length = (before?.length ?? 0) + more;
  const dispose = (): void => tf.dispose(held.splice(0).flatMap(({ k, v }) => [k, v]));
  const past = before?.cache(parents);
  const filling: KeyValueCache = {
    length: before?.length ?? 0,
    extend(layer, k, v, groups) {
      const all = past?.extend(layer, k, v, groups) ?? { k, v };
      held[layer] = { k: tf.keep(tf.clone(all.k)), v: tf.keep(tf.clone(all.v)) };
      return all;
    },
  };
  try {
    tf.tidy(() => run(filling)).dispose();
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    length,
    cache: (rows) => ({
      length,
      extend(layer, k, v) {
        const begun = held[layer];
        const wanted = rows ?? Array<number>(k.shape[0]).fill(0);
        return {
          k: tf.concat([beginnings(begun.k, wanted), k], 1), // [B, P + S, K, e]
          v: tf.concat([beginnings(begun.v, wanted), v], 1),
        };
      },
    }),
    [Symbol.dispose]: dispose,
  };
}

/** Rows `wanted` of x [n, P, K, e]; x itself where they are all of them. */
function beginnings(x: tf.Tensor, wanted: readonly number[]): tf.Tensor {
  const [n] = x.shape;
  if (wanted.length === n && wanted.every((row, k) => row === k)) return x;
  return n === 1 ? tf.tile(x, [wanted.length, 1, 1, 1]) : tf.gather(x, tf.tensor1d([...wanted], 'int32'), 0);
}
