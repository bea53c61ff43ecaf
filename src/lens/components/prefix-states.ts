/**
 * Residual streams kept from one block of masks for the next: what all masks of a block share with the last mask of the
 * block before is not computed again.
 *
 * Blocks come in the order of mask-order.ts. A state is the residual before a layer, under the last mask run; it holds for
 * a later mask that agrees with that one on every player before the layer. One state per layer at most, so that the bytes
 * are bounded by the layers; of those, the deepest that `byteLimit` holds.
 */
import * as tf from '@tensorflow/tfjs-core';

export interface PrefixStates {
  /** Forgets what does not hold for masks that agree with the last one on `stages` leading stages only. */
  narrow(stages: number): void;
  /**
   * The deepest state that holds for all masks of a block that agree on `stages` leading stages, from position `from` on; a
   * tensor of the enclosing tidy, or kept here.
   */
  find(stages: number, from: number): { readonly layer: number; readonly residual: tf.Tensor } | undefined;
  /** The layers in (after, upTo] to keep. */
  wanted(after: number, upTo: number): number[];
  /** Keeps the last row of `residual` [rows, S - from, d], the stream before `layer` at positions from `from` on. */
  keep(layer: number, residual: tf.Tensor, from: number): void;
  /** Forgets everything. */
  clear(): void;
}

/** @param stagesBefore how many stages the layers before layer l have, for every l. */
export function createPrefixStates(
  stagesBefore: readonly number[],
  bytesPerState: number,
  byteLimit: number,
): PrefixStates {
  const held = new Map<number, { readonly residual: tf.Tensor; readonly from: number }>();
  const most = Math.floor(byteLimit / bytesPerState);
  const forget = (layer: number): void => {
    held.get(layer)?.residual.dispose();
    held.delete(layer);
  };
  return {
    narrow(stages) {
      for (const layer of held.keys()) if (stagesBefore[layer] > stages) forget(layer);
    },
    find(stages, from) {
      const usable = [...held].filter(([l, state]) => stagesBefore[l] <= stages && state.from <= from);
      const layer = Math.max(...usable.map(([l]) => l));
      const state = held.get(layer);
      if (state === undefined) return undefined;
      const { residual } = state;
      return { layer, residual: state.from === from ? residual : tf.slice(residual, [0, from - state.from, 0]) };
    },
    wanted(after, upTo) {
      const layers = Array.from({ length: Math.max(0, upTo - after) }, (_, k) => after + 1 + k);
      return layers.slice(Math.max(0, layers.length - most));
    },
    keep(layer, residual, from) {
      forget(layer);
      for (const oldest of held.keys()) if (held.size >= most) forget(oldest);
      const [rows, ...rest] = residual.shape;
      const last = tf.keep(rows === 1 ? tf.clone(residual) : tf.slice(residual, [rows - 1, 0, 0], [1, ...rest]));
      held.set(layer, { residual: last, from });
    },
    clear() {
      for (const layer of held.keys()) forget(layer);
    },
  };
}
