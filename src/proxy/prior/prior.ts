/**
 * Cheap numbers of masks that are thought to go with their values: estimates that cost no measurement.
 *
 * A regression finds what of a game they explain; a proxy learns the rest from the values that were measured (prior-candidate.ts).
 */
import type { Masks } from '../../masks.ts';

export interface Prior {
  readonly name: string;
  /** By column, a number a mask. The same columns for any masks. */
  columns(masks: Masks): readonly Float64Array[];
}
