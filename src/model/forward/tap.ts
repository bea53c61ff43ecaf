/**
 * What a caller may put into a forward pass: a tap, which sees and replaces activations, and a cache of keys and values.
 *
 * A hook is an argument, not state: `forward(config, parameters, tokens, { tap })`.
 */
import type * as tf from '@tensorflow/tfjs-core';
import type { HookName } from '../hook-points.ts';

export interface LiveHeads {
  /** For the `rows` rows that the layer begins with, [rows · H]: 0 where no row that continues one looks at the head's z. */
  readonly read: (rows: number) => Uint8Array;
  /** For the rows that the tap returns at hook_z, [rows · H]: 0 where it returns zeros; undefined when it returns something else than z and zeros. */
  readonly written: Uint8Array | undefined;
}

/** Who sees activations, and may put others in their place. */
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
  /**
   * New k, v [B, S, K, e] of a layer -> those of all P + S tokens. Runs inside tf.tidy. `groups`: they are of these key/value heads
   * alone, where a tap leaves heads out.
   */
  extend(
    layer: number,
    k: tf.Tensor,
    v: tf.Tensor,
    groups?: readonly number[],
  ): { readonly k: tf.Tensor; readonly v: tf.Tensor };
}
