/** What removing players does to the metric, as methods that remove them count it. */
import { faithfulnessOf, type Ends } from '../evaluation/faithfulness.ts';

/**
 * divergence: how far the value is from the whole model's, |f(all) - f(S)|; of KL divergences, whose f(all) is 0, the divergence itself.
 * metric: how much of the metric is lost, f(all) - f(S) towards f(none); what raises it is no harm. Both in shares of f(all) - f(none).
 */
export type Harm = 'divergence' | 'metric';

export const HARMS: readonly Harm[] = ['divergence', 'metric'];

/** The harm of a value. */
export function harmOf(harm: Harm, ends: Ends): (value: number) => number {
  const lost = (value: number): number => 1 - faithfulnessOf(value, ends);
  return harm === 'metric' ? lost : (value) => Math.abs(lost(value));
}
