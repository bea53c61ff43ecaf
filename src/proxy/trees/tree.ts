/**
 * Regression trees on binary players, and sums of them.
 *
 * A node is a number; its children have larger numbers, the root is 0. An inner node asks whether one
 * player is kept: absent goes left, present right, as in LightGBM and XGBoost on 0/1 features.
 */
import { isKept, type Masks } from '../../masks.ts';

/** A binary tree over kept and absent players, node by node. */
export interface Tree {
  /** Player asked at each node; -1 at a leaf. */
  readonly player: Int32Array;
  /** Child where the player is ablated. */
  readonly absent: Int32Array;
  /** Child where it is kept. */
  readonly present: Int32Array;
  /** The leaf's contribution, learning rate included; 0 at inner nodes. */
  readonly value: Float64Array;
}

/** Trees whose leaves add up, and a constant. */
export interface Ensemble {
  readonly players: number;
  /** f̂ before any tree: the mean of the fitted values. */
  readonly base: number;
  readonly trees: readonly Tree[];
}

/** base + Σ_t tree_t(m) for every mask. */
export function predict(ensemble: Ensemble, masks: Masks): Float64Array {
  const values = new Float64Array(masks.count).fill(ensemble.base);
  for (const { player, absent, present, value } of ensemble.trees) {
    for (let row = 0; row < masks.count; row++) {
      let node = 0;
      while (player[node] >= 0) node = isKept(masks, row, player[node]) ? present[node] : absent[node];
      values[row] += value[node];
    }
  }
  return values;
}

/** The first `count` trees of an ensemble. */
export function truncate(ensemble: Ensemble, count: number): Ensemble {
  return { ...ensemble, trees: ensemble.trees.slice(0, count) };
}
