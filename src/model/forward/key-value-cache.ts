/**
 * Keys and values of the tokens seen so far: what makes a step of generation cost one token instead of all.
 *
 * Holds, per layer, k and v [B, P, K, e], turned and after their hooks. Tensors have no room to grow, so a step copies
 * what is held once; that is P·K·e values a layer, little beside the step's products.
 */
import * as tf from '@tensorflow/tfjs-core';
import { kvHeads, type ModelConfig } from '../config.ts';
import type { KeyValueCache } from './tap.ts';

/** Keys and values of the tokens so far, which grows with every call. */
export interface GrowingCache extends KeyValueCache {
  /** Bytes held on the device. */
  readonly bytes: number;
  /** Counts the tokens of a call that has ended as seen: they are the past of the next one. */
  advance(tokens: number): void;
  /** Forgets everything: the next call begins with the first token again. */
  clear(): void;
  /** Frees all that is held. */
  [Symbol.dispose](): void;
}

/** An empty cache for one batch; its owner disposes it. A forward pass that threw leaves it of no further use. */
export function createKeyValueCache(): GrowingCache {
  const held: { readonly k: tf.Tensor; readonly v: tf.Tensor }[] = [];
  let length = 0;
  const extended = (old: tf.Tensor | undefined, fresh: tf.Tensor): tf.Tensor =>
    tf.keep(old === undefined ? tf.clone(fresh) : tf.concat([old, fresh], 1));
  const clear = (): void => {
    tf.dispose(held.splice(0).flatMap(({ k, v }) => [k, v]));
    length = 0;
  };
  return {
    get length() {
      return length;
    },
    get bytes() {
      return held.reduce((sum, { k, v }) => sum + 4 * (k.size + v.size), 0);
    },
    extend(layer, k, v) {
      const old: { readonly k: tf.Tensor; readonly v: tf.Tensor } | undefined = held[layer];
      const grown = { k: extended(old?.k, k), v: extended(old?.v, v) };
      held[layer] = grown;
      if (old !== undefined) tf.dispose([old.k, old.v]);
      return grown;
    },
    advance(tokens) {
      length += tokens;
    },
    clear,
    [Symbol.dispose]: clear,
  };
}

/** Bytes that one token of one row takes in a cache of float32. */
export function cacheBytesPerToken(config: ModelConfig): number {
  const heads = config.attention.ungrouped === true ? config.nHeads : kvHeads(config);
  return 2 * 4 * config.nLayers * heads * config.dHead;
}
