/**
 * The dense transform: all 2^n values of a game <-> all 2^n Fourier coefficients.
 *
 * Index j of a dense array is a set of players: player i is in it iff bit i of j is 1, which is also the
 * counting order of `allMasks`. One butterfly per player, b·2^b additions, in place. Everything here
 * is its own inverse up to the factor 2^b. Source: SPEX (arXiv 2502.13870), section 2.
 */
import { fail } from '../errors.ts';
import { characterOf, isFair, keepOf, type Keep } from '../keep.ts';
import { createSpectrum, type Basis, type FourierSpectrum, type Spectrum, type Term } from './spectrum.ts';

/**
 * Walsh-Hadamard transform in place, not normalised: out[j] = Σ_l (-1)^{|j ∧ l|} in[l].
 * Twice is 2^b times the identity. Returns its argument.
 * @throws when the length is not a power of two.
 */
export function walshHadamard(values: Float64Array): Float64Array {
  const size = values.length;
  playersOf('walshHadamard', size);
  for (let half = 1; half < size; half *= 2) {
    for (let block = 0; block < size; block += 2 * half) {
      for (let j = block; j < block + half; j++) {
        const low = values[j];
        const high = values[j + half];
        values[j] = low + high;
        values[j + half] = low - high;
      }
    }
  }
  return values;
}

/**
 * All Fourier coefficients of a table: F(S) = 2^-n Σ_m χ_S(m) f(m).
 * @param table  2^n values in counting order; left as it is.
 * @param keep   Probability with which masks keep a player, where it is not ½ (measure.ts).
 * @returns      2^n coefficients, index = set.
 */
export function fourierFromTable(table: Float64Array, keep?: Keep): Float64Array {
  if (keep !== undefined && !isFair(keep)) {
    // F(without i) = (1-p) f(absent) + p f(present), F(with i) = √(p(1-p)) (f(absent) - f(present)).
    return butterflies('fourierFromTable', table.slice(), (player) => {
      const p = keepOf(keep, player);
      const s = Math.sqrt(p * (1 - p));
      return [1 - p, p, s, -s];
    });
  }
  const coefficients = walshHadamard(table.slice());
  for (let j = 0; j < coefficients.length; j++) coefficients[j] /= coefficients.length;
  return coefficients;
}

/** The inverse of `fourierFromTable`: f(m) = Σ_S F(S) χ_S(m) for all 2^n masks; its argument is left as it is. */
export function tableFromFourier(coefficients: Float64Array): Float64Array {
  return walshHadamard(coefficients.slice());
}

/**
 * f̂ of all 2^n masks in counting order, by one inverse transform instead of 2^n evaluations.
 * @throws when the spectrum has more than 24 players.
 */
export function tableOfSpectrum(spectrum: FourierSpectrum): Float64Array {
  const { keep } = spectrum;
  if (keep !== undefined && !isFair(keep)) {
    return butterflies('tableOfSpectrum', denseOfSpectrum(spectrum), (player) => {
      const { absent, present } = characterOf(keep, player);
      return [1, absent, 1, present];
    });
  }
  return walshHadamard(denseOfSpectrum(spectrum));
}

/** The dense array of a sparse spectrum, index = set, zeros where it has no term. @throws beyond 24 players. */
export function denseOfSpectrum(spectrum: Spectrum): Float64Array {
  if (spectrum.players > 24) {
    throw fail(
      'input',
      'denseOfSpectrum',
      `2^${spectrum.players} coefficients do not fit in memory; at most 24 players.`,
    );
  }
  const dense = new Float64Array(2 ** spectrum.players);
  for (const { members, value } of spectrum.terms) dense[maskOf(members)] = value;
  return dense;
}

/**
 * The sparse spectrum of a dense array: every set whose |coefficient| exceeds `floor(|S|)`, and ∅ always.
 * A constant is therefore {∅: c}, never an empty list.
 */
export function spectrumOfDense<B extends Basis>(
  basis: B,
  dense: Float64Array,
  floor: (order: number) => number,
  keep?: Keep,
): Spectrum<B> {
  const players = playersOf('spectrumOfDense', dense.length);
  const terms: Term[] = [];
  for (let j = 0; j < dense.length; j++) {
    const members = membersOf(j);
    if (j === 0 || Math.abs(dense[j]) > floor(members.length)) terms.push({ members, value: dense[j] });
  }
  return createSpectrum(basis, players, terms, keep);
}

/** One 2 x 2 matrix [a, b; c, d] a player: (without i, with i) -> (a, b; c, d) · (without, with), in place. */
function butterflies(
  who: string,
  values: Float64Array,
  matrixOf: (player: number) => readonly [number, number, number, number],
): Float64Array {
  const players = playersOf(who, values.length);
  for (let player = 0; player < players; player++) {
    const [a, b, c, d] = matrixOf(player);
    const bit = 1 << player;
    for (let j = 0; j < values.length; j++) {
      if ((j & bit) !== 0) continue;
      const [without, withIt] = [values[j], values[j | bit]];
      values[j] = a * without + b * withIt;
      values[j | bit] = c * without + d * withIt;
    }
  }
  return values;
}

/** The set with index j, increasing; j < 2^31. */
export function membersOf(j: number): number[] {
  const members: number[] = [];
  for (let rest = j; rest !== 0; rest &= rest - 1) members.push(31 - Math.clz32(rest & -rest));
  return members;
}

/** The index of a set of players below 31. */
export function maskOf(members: readonly number[]): number {
  let j = 0;
  for (const player of members) j |= 1 << player;
  return j;
}

/** n of a table of 2^n entries. @throws when the length is not a power of two. */
export function playersOf(who: string, size: number): number {
  const players = Math.round(Math.log2(size));
  if (size < 1 || 2 ** players !== size) {
    throw fail('input', who, `${size} values are not a table over all masks; 2^n of them are needed.`);
  }
  return players;
}
