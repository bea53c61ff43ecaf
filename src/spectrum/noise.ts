/**
 * When a term is too small to be told from nothing: chance, over all sets that might have been named, and rounding.
 *
 * A solver names the sets that stand out, so the threshold is that of the largest of all sets under no effect: order d
 * shares ERROR_RATE · 2^-d among its C(n, d) sets (Bonferroni; all orders together stay below ERROR_RATE).
 */
import type { Evidence } from '../solver.ts';
import type { FourierSpectrum } from './spectrum.ts';

/** Chance that an answer names any set without effect. */
export const ERROR_RATE = 0.01;
/** Rounding of a float32 number, relative: half the distance to its neighbour. */
const HALF_ULP = 2 ** -24;

/**
 * What rounding alone may do to one value: models compute in float32, and the last operations round at the scale of the
 * values. Pass what `measureFloor` found where the game's own arithmetic is rougher, or 0 for a game in exact
 * arithmetic.
 */
export function floatFloor(values: ArrayLike<number>): number {
  let largest = 0;
  for (let r = 0; r < values.length; r++) largest = Math.max(largest, Math.abs(values[r]));
  return 2 * HALF_ULP * largest;
}

/**
 * Standard errors that a set of `size` of `players` must be from 0 to be named; `freedom` are those of the deviation.
 */
export function thresholdOf(size: number, players: number, freedom: number): number {
  let log = Math.log(ERROR_RATE / 2) - Math.max(1, size) * Math.LN2;
  for (let k = 0; k < size; k++) log -= Math.log((players - k) / (k + 1));
  return studentThreshold(normalThreshold(log), Math.max(1, freedom));
}

/** z with P(Z > z) = exp(log) for a standard normal Z; log < -1. */
function normalThreshold(log: number): number {
  // log P(Z > z) = -z²/2 - log(z √(2π)) + log(1 - 1/z² + 3/z⁴ - ..): Newton on it, with Mills' ratio by its continued fraction.
  let z = Math.sqrt(-2 * log);
  for (let step = 0; step < 20; step++) {
    const mills = millsRatio(z);
    const error = -(z * z) / 2 - Math.log(Math.sqrt(2 * Math.PI)) + Math.log(mills) - log;
    z += error * mills;
  }
  return z;
}

/** P(Z > z) / φ(z), by Laplace's continued fraction 1/(z + 1/(z + 2/(z + 3/(z + ..)))). */
function millsRatio(z: number): number {
  let tail = z;
  for (let k = 200; k >= 1; k--) tail = z + k / tail;
  return 1 / tail;
}

/** Student's t for the normal z at the same chance: z² = c ln(1 + t²/ν), c = ν((8ν + 1)/(8ν + 3))² (Wallace, 1959). */
function studentThreshold(z: number, freedom: number): number {
  const c = freedom * ((8 * freedom + 1) / (8 * freedom + 3)) ** 2;
  return Math.sqrt(freedom * Math.expm1((z * z) / c));
}

/**
 * Evidence for a spectrum that was transformed from every value: nothing but rounding stands between it and the game.
 */
export function exactEvidence(spectrum: FourierSpectrum, floor: number): Evidence {
  return {
    standardErrors: new Float64Array(spectrum.terms.length).fill(floor),
    belowNoise: spectrum.terms
      .filter(({ members, value }) => members.length > 0 && Math.abs(value) <= floor)
      .map(({ members }) => members),
  };
}
