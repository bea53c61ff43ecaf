/**
 * Keys and values of tokens that rows begin with: run once, handed to every pass of rows that go on from them.
 *
 * In a causal model what stands at a token depends on it and those before alone, so rows that are equal up to there share it. Not
 * where columns between a past and a padded row would count as distance (sliding windows), or where rotary frequencies depend on the
 * length of the row.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { KeyValueCache } from '../../model/forward/forward.ts';
import { keepsFrequencies } from '../../model/forward/rotary.ts';
import type { Model } from '../../model/model.ts';

/** What rows begin with. */
export interface SharedPast {
  /** Its tokens. */
  readonly length: number;
  /** A cache for one forward pass of rows, any number of them, which go on from here. */
  cache(): KeyValueCache;
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

/** A pass of one row after `before`, of whose keys and values `columns` are held as a past for others; undefined for none. */
export interface HeldPass<T> {
  readonly before: SharedPast | undefined;
  readonly columns: readonly number[] | undefined;
  readonly run: (cache: KeyValueCache | undefined) => T;
}

/** Runs it; the caller disposes what comes back. */
export function runAndHold<T>({ before, columns, run }: HeldPass<T>): {
  readonly result: T;
  readonly past?: SharedPast;
} {
  const past = before?.cache();
  if (columns === undefined) return { result: run(past) };
  const held: { readonly k: tf.Tensor; readonly v: tf.Tensor }[] = [];
  const dispose = (): void => tf.dispose(held.splice(0).flatMap(({ k, v }) => [k, v]));
  const some = (x: tf.Tensor): tf.Tensor => tf.keep(tf.gather(x, tf.tensor1d([...columns], 'int32'), 1));
  const filling: KeyValueCache = {
    length: before?.length ?? 0,
    extend(layer, k, v, groups) {
      const all = past?.extend(layer, k, v, groups) ?? { k, v };
      held[layer] = { k: some(all.k), v: some(all.v) };
      return all;
    },
  };
  try {
    return { result: run(filling), past: pastOf(held, columns.length, dispose) };
  } catch (error) {
    dispose();
    throw error;
  }
}

function pastOf(
  held: readonly { readonly k: tf.Tensor; readonly v: tf.Tensor }[],
  length: number,
  dispose: () => void,
): SharedPast {
  return {
    length,
    cache: () => ({
      length,
      extend(layer, k, v) {
        const [rows] = k.shape;
        const begun = (x: tf.Tensor): tf.Tensor => (rows === 1 ? x : tf.tile(x, [rows, 1, 1, 1]));
        return {
          k: tf.concat([begun(held[layer].k), k], 1), // [B, P + S, K, e]
          v: tf.concat([begun(held[layer].v), v], 1),
        };
      },
    }),
    [Symbol.dispose]: dispose,
  };
}
