/**
 * The tokens before the first player, run once: their keys and values, handed to every batch.
 *
 * In a causal model nothing before the first part that may be absent depends on a mask. Not where columns between the prefix
 * and a padded row would count as distance (sliding windows), or where rotary frequencies depend on the length of the row.
 */
import * as tf from '@tensorflow/tfjs-core';
import { forward, type KeyValueCache } from '../../model/forward/forward.ts';
import { keepsFrequencies } from '../../model/forward/rotary.ts';
import type { Model } from '../../model/model.ts';

export interface KeptPrefix {
  readonly length: number;
  /** A cache for one forward pass of rows that go on from the prefix. */
  cache(): KeyValueCache;
  [Symbol.dispose](): void;
}

/** Whether `model` may go on from `length` tokens to rows of at most `longest`. */
export function canKeepPrefix({ config }: Model, length: number, longest: number): boolean {
  return (
    length > 0 &&
    config.attention.causal &&
    config.positions !== 'shortformer' && // keys take their positions from this call's own
    config.attention.windows?.every((window) => window === null || longest <= window) !== false &&
    (config.rotary ?? []).every((rotary) => keepsFrequencies(rotary, length, longest))
  );
}

/** Runs `tokens`; the caller disposes what comes back. */
export function keepPrefix({ config, parameters }: Model, tokens: readonly number[]): KeptPrefix {
  const held: { readonly k: tf.Tensor; readonly v: tf.Tensor }[] = [];
  const length = tokens.length;
  const dispose = (): void => tf.dispose(held.splice(0).flatMap(({ k, v }) => [k, v]));
  const filling: KeyValueCache = {
    length: 0,
    extend(layer, k, v) {
      held[layer] = { k: tf.keep(tf.clone(k)), v: tf.keep(tf.clone(v)) };
      return { k, v };
    },
  };
  try {
    const input = tf.tensor2d([[...tokens]], undefined, 'int32');
    const last = tf.tidy(() => forward(config, parameters, input, { cache: filling, scored: [length - 1] }));
    tf.dispose([input, last]);
  } catch (error) {
    dispose();
    throw error;
  }
  const spread = (x: tf.Tensor, rows: number): tf.Tensor => (rows === 1 ? x : tf.tile(x, [rows, 1, 1, 1]));
  return {
    length,
    cache: () => ({
      length,
      extend(layer, k, v) {
        const { k: pastK, v: pastV } = held[layer];
        return {
          k: tf.concat([spread(pastK, k.shape[0]), k], 1), // [B, P + S, K, e]
          v: tf.concat([spread(pastV, v.shape[0]), v], 1),
        };
      },
    }),
    [Symbol.dispose]: dispose,
  };
}
