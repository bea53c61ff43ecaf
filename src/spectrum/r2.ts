/**
 * How well a surrogate predicts a game: R² on masks that were not fitted, and how sure that number is.
 *
 * R² = 1 - Σ(f - f̂)² / Σ(f - mean f)². Measured on fresh uniform masks only (n <= 12: on all of them);
 * on the fitted masks it says nothing. The interval is the percentile bootstrap over masks
 * (Efron, Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
 */
import { fail } from '../errors.ts';
import { createRandom } from '../random.ts';

/** Deviations below this share of the largest |value| are rounding, not variation. */
const ROUNDING = 1e-12;

/**
 * R² of `estimate` against `truth`: 1 = perfect, 0 = no better than the mean, negative = worse.
 * Where the truth is constant the ratio is 0/0 or x/0, and the answer is by definition 1 when the estimate
 * is that constant (to 1e-12 relative) and 0 when it is not.
 * @throws on different lengths, no masks at all, or a value that is not finite.
 */
export function r2(truth: ArrayLike<number>, estimate: ArrayLike<number>): number {
  const errors = compare('r2', truth, estimate);
  return r2Of(errors, (k) => k);
}

/** R² with its bootstrap interval. */
export interface R2Interval {
  readonly r2: number;
  /** The `level` percentile interval [low, high]. */
  readonly low: number;
  readonly high: number;
  readonly level: number;
  /** Masks the value rests on. */
  readonly masks: number;
}

export interface R2IntervalOptions {
  readonly seed: number;
  /** Coverage, default 0.95. */
  readonly level?: number;
  /** Bootstrap draws, default 1,000. */
  readonly resamples?: number;
}

/**
 * R² with its percentile bootstrap interval: masks are drawn with replacement `resamples` times.
 * Cost: resamples x masks. With fewer than ~30 masks the interval is too narrow, as every bootstrap is.
 * @throws as `r2`, or on a level outside (0, 1).
 */
export function r2Interval(
  truth: ArrayLike<number>,
  estimate: ArrayLike<number>,
  options: R2IntervalOptions,
): R2Interval {
  const { seed, level = 0.95, resamples = 1000 } = options;
  if (!(level > 0 && level < 1))
    throw fail('input', 'r2Interval', `level ${level}; a number between 0 and 1 is needed.`);
  if (!Number.isInteger(resamples) || resamples < 1)
    throw fail('input', 'r2Interval', `${resamples} resamples; a whole number >= 1 is needed.`);
  const errors = compare('r2Interval', truth, estimate);
  const random = createRandom(seed).fork('r2 bootstrap');
  const draws = Float64Array.from({ length: resamples }, () => r2Of(errors, () => random.integer(truth.length))).sort();
  return {
    r2: r2Of(errors, (k) => k),
    low: quantile(draws, (1 - level) / 2),
    high: quantile(draws, (1 + level) / 2),
    level,
    masks: truth.length,
  };
}

/**
 * How much more R² `estimate` has than `rival`, with its interval: the same bootstrap draws for both, so what is hard
 * for both cancels. @throws as `r2Interval`.
 */
export function r2Gain(
  truth: ArrayLike<number>,
  estimate: ArrayLike<number>,
  rival: ArrayLike<number>,
  { seed, level = 0.95, resamples = 1000 }: R2IntervalOptions,
): { readonly gain: number; readonly low: number; readonly high: number } {
  const [ours, theirs] = [compare('r2Gain', truth, estimate), compare('r2Gain', truth, rival)];
  const random = createRandom(seed).fork('r2 bootstrap');
  const drawn = new Int32Array(truth.length);
  const draws = Float64Array.from({ length: resamples }, () => {
    for (let k = 0; k < drawn.length; k++) drawn[k] = random.integer(truth.length);
    return r2Of(ours, (k) => drawn[k]) - r2Of(theirs, (k) => drawn[k]);
  }).sort();
  return {
    gain: r2Of(ours, (k) => k) - r2Of(theirs, (k) => k),
    low: quantile(draws, (1 - level) / 2),
    high: quantile(draws, (1 + level) / 2),
  };
}

/** The q-quantile of increasing values, linear between neighbours (Hyndman-Fan type 7). */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

interface Errors {
  /** f - mean f: a large offset must not eat the digits. */
  readonly centred: Float64Array;
  /** (f - f̂)². */
  readonly squared: Float64Array;
  /** Largest |f|. */
  readonly scale: number;
}

function compare(who: string, truth: ArrayLike<number>, estimate: ArrayLike<number>): Errors {
  const count = truth.length;
  if (estimate.length !== count || count === 0) {
    throw fail(
      'input',
      who,
      `${count} true and ${estimate.length} estimated values; the same number, at least 1, is needed.`,
    );
  }
  let mean = 0;
  let scale = 0;
  for (let k = 0; k < count; k++) {
    if (!Number.isFinite(truth[k]) || !Number.isFinite(estimate[k])) {
      throw fail('input', who, `row ${k} is ${truth[k]}, estimated as ${estimate[k]}; both must be finite numbers.`);
    }
    mean += truth[k] / count;
    scale = Math.max(scale, Math.abs(truth[k]));
  }
  const centred = Float64Array.from({ length: count }, (_, k) => truth[k] - mean);
  const squared = Float64Array.from({ length: count }, (_, k) => (truth[k] - estimate[k]) ** 2);
  return { centred, squared, scale };
}

/** R² over as many rows as there are, the k-th of them being row(k). */
function r2Of({ centred, squared, scale }: Errors, row: (k: number) => number): number {
  const count = centred.length;
  let sum = 0;
  let sumSquares = 0;
  let error = 0;
  for (let k = 0; k < count; k++) {
    const at = row(k);
    sum += centred[at];
    sumSquares += centred[at] ** 2;
    error += squared[at];
  }
  const spread = sumSquares - sum ** 2 / count;
  const rounding = count * (ROUNDING * scale) ** 2;
  if (spread <= rounding) return error <= rounding ? 1 : 0;
  return 1 - error / spread;
}
