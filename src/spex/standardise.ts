/**
 * Zero mean and unit deviation before decoding, undone after: thresholds become relative.
 *
 * Subtracting the mean changes F(∅) alone, which lives in bin 0 of every group with all signs +;
 * dividing by the deviation scales every column. So f is standardised in its bins, after the transform.
 */
import type { Bins } from './transform.ts';

export interface Moments {
  readonly mean: number;
  readonly deviation: number;
  /** The largest |f|. */
  readonly largest: number;
}

/** Mean, deviation and largest magnitude; the deviation of values that differ by rounding alone is 0. */
export function momentsOf(values: Float64Array): Moments {
  const shift = values[0]; // so that a constant has its own value as mean, exactly
  let mean = shift;
  let largest = 0;
  for (const value of values) {
    mean += (value - shift) / values.length;
    largest = Math.max(largest, Math.abs(value));
  }
  let variance = 0;
  for (const value of values) variance += (value - mean) ** 2 / values.length;
  const deviation = Math.sqrt(variance);
  return { mean, deviation: deviation <= 8 * Number.EPSILON * largest ? 0 : deviation, largest };
}

/** The bins of (f - mean) / deviation; the argument is left as it is. The deviation must not be 0. */
export function standardise(bins: Bins, { mean, deviation }: Moments): Bins {
  const { delays, draw } = bins;
  const columns = bins.columns.slice();
  const group = 2 ** draw.plan.b * delays;
  for (let c = 0; c < draw.plan.groups; c++) for (let i = 0; i < delays; i++) columns[c * group + i] -= mean;
  for (let e = 0; e < columns.length; e++) columns[e] /= deviation;
  return { draw, delays, columns };
}

/** A coefficient of the standardised function in the units of f. */
export function restore(members: readonly number[], value: number, { mean, deviation }: Moments): number {
  return value * deviation + (members.length === 0 ? mean : 0);
}
