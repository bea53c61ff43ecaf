/**
 * Nested sets: an order of all players of which every set is a beginning, and how it comes of scores.
 *
 * A circuit may be asked for most of the metric, or to do as the model does. The first wants players that help, the second all that
 * matter, helping or not. MIB ranks by the signed score for CPR and by its magnitude for CMD; so is it here.
 */
import { masksFromMembers, type Masks } from '../masks.ts';

export interface NestedSets {
  /** All players, who is kept first first, where sets are to keep most of the metric. */
  readonly helping: readonly number[];
  /** The same where sets are to do as the whole model does. */
  readonly mattering: readonly number[];
}

/** Largest first; ties in the order of the players. */
export function orderBy(keys: ArrayLike<number>): number[] {
  return Array.from({ length: keys.length }, (_, i) => i).sort((a, b) => keys[b] - keys[a] || a - b);
}

/** Sets by scores, each what keeping a player adds to f; `direction` is the sign of f(all) - f(none). */
export function setsOfScores(scores: Float64Array, direction: 1 | -1): NestedSets {
  return {
    helping: orderBy(scores.map((score) => direction * score)),
    mattering: orderBy(scores.map((score) => Math.abs(score))),
  };
}

/** The first `sizes[row]` of an order as mask `row`. */
export function masksOfSizes(order: readonly number[], sizes: readonly number[]): Masks {
  return masksFromMembers(
    order.length,
    sizes.map((size) => order.slice(0, size)),
  );
}
