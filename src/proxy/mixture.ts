/**
 * How much of an answer is to be the richer one's, and how much first order's.
 *
 * With few masks the errors of two answers on rows that neither fitted are hardly told apart, and to choose one is to trust a toss:
 * a mixture's squared error is at most the mean of theirs. Each is weighed by its chance to predict better: pseudo-BMA+ (Yao, Vehtari,
 * Simpson, Gelman, Using stacking to average Bayesian predictive distributions, 2018, section 3.4), whose Bayesian bootstrap over rows
 * is, for a mean difference z standard errors from 0, Φ(z). Deviation: Φ(z + LEANING), for games are seldom additive.
 */

/** Standard errors granted to the richer answer; measured on texts and on real games (docs/benchmarks.md). */
export const LEANING = 1;
/** A smaller share of either is none: where nothing interacts first order stands alone, and lists nothing. */
const LEAST = 0.05;
/** 1 / (1 + exp(-SLOPE z)) is within .01 of Φ(z). */
const SLOPE = 1.702;
/**
 * Standard errors of a lead that need no stricter look. The parameters of a stack's processes saw the rows that they predict; on
 * weighted majorities of 20 players that alone brings leads of 2.4 where there is none.
 */
const FAR = 4;

/** An answer with interactions: predictions of rows that it did not fit, and stricter ones where those flatter it. */
export interface Richer {
  readonly outOfSample: Float64Array;
  readonly confirm?: (() => Promise<Float64Array>) | undefined;
}

/** The weight of `richer` beside the predictions of `simpler`, 0 to 1. */
export async function shareOfRicher(
  values: Float64Array,
  simpler: Float64Array,
  { outOfSample, confirm }: Richer,
  leaning = LEANING,
): Promise<number> {
  let lead = leadOf(values, simpler, outOfSample);
  if (lead < FAR && confirm !== undefined) lead = leadOf(values, simpler, await confirm());
  const share = 1 / (1 + Math.exp(-SLOPE * (lead + leaning)));
  return share < LEAST ? 0 : share > 1 - LEAST ? 1 : share;
}

/** By how many of its standard errors the mean squared error of `richer` is below that of `simpler`; where they predict the same, -∞. */
function leadOf(values: Float64Array, simpler: Float64Array, richer: Float64Array): number {
  const count = values.length;
  const gains = values.map((value, row) => (value - simpler[row]) ** 2 - (value - richer[row]) ** 2);
  const gain = gains.reduce((sum, each) => sum + each / count, 0);
  const variance = gains.reduce((sum, each) => sum + (each - gain) ** 2, 0) / Math.max(1, count - 1);
  return gain === 0 ? -Infinity : gain / Math.sqrt(variance / count);
}
