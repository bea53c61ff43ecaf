/**
 * From signed values to colours in [-1, 1]: linear, or symlog where few values outshine all others.
 *
 * asinh(v / c) / asinh(most / c) is linear near 0 and logarithmic far from it; c is the 90 % quantile of the magnitudes. Source:
 * Lupton, Gunn, Szalay, A modified magnitude system that produces well-behaved magnitudes, colors, and errors, 1999.
 */
export interface SignedScale {
  /** A value's place in [-1, 1]. */
  readonly at: (value: number) => number;
  /** The value at a place. */
  readonly inverse: (place: number) => number;
  /** The largest magnitude; 0 where all values are 0. */
  readonly most: number;
  /** Where it turns from linear to logarithmic; undefined for a linear scale. */
  readonly bend: number | undefined;
}

/** A largest value of so many 90 % quantiles outshines the others. */
const OUTSHINES = 4;

/** The scale of `values`, symmetric about 0. */
export function signedScale(values: readonly number[]): SignedScale {
  const sizes = values
    .map(Math.abs)
    .filter((size) => size > 0)
    .sort((a, b) => a - b);
  const most = sizes.at(-1) ?? 0;
  const bend = sizes[Math.ceil(0.9 * sizes.length) - 1] ?? 0;
  const within = (place: number): number => Math.min(1, Math.max(-1, place));
  if (most <= OUTSHINES * bend)
    return {
      at: (value) => (most === 0 ? 0 : within(value / most)),
      inverse: (place) => place * most,
      most,
      bend: undefined,
    };
  const full = Math.asinh(most / bend);
  return {
    at: (value) => within(Math.asinh(value / bend) / full),
    inverse: (place) => bend * Math.sinh(place * full),
    most,
    bend,
  };
}
