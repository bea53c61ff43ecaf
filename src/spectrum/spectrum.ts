/**
 * The answer of every solver: a sparse function on masks, as Fourier or Möbius terms.
 *
 * Fourier: f(m) = Σ_S F(S) χ_S(m), χ_S(m) = (-1)^{|S ∩ m|}; F(∅) is the mean of f over uniform masks
 * and a player that RAISES f when kept has a NEGATIVE F({i}). Möbius (Harsanyi): f(m) = Σ_{S ⊆ m} I(S).
 * The basis is part of the type: the two are never mixed by accident.
 */
import { isKept, maskColumns, type Masks } from '../masks.ts';
import { fail } from '../errors.ts';

export type Basis = 'fourier' | 'moebius' | 'or';

export interface Term {
  /** The set S, strictly increasing player numbers; empty for ∅. */
  readonly members: readonly number[];
  readonly value: number;
}

export interface Spectrum<B extends Basis = Basis> {
  readonly basis: B;
  /** n. */
  readonly players: number;
  /** Distinct sets, largest |value| first, ties by size then members; zero terms may be absent. */
  readonly terms: readonly Term[];
}

export type FourierSpectrum = Spectrum<'fourier'>;
export type MoebiusSpectrum = Spectrum<'moebius'>;

/** A spectrum in canonical order. @throws on a set that is not increasing, repeats, or names a player >= n. */
export function createSpectrum<B extends Basis>(basis: B, players: number, terms: Iterable<Term>): Spectrum<B> {
  const seen = new Set<string>();
  const list = [...terms];
  for (const { members, value } of list) {
    members.forEach((player, k) => {
      if (!Number.isInteger(player) || player < 0 || player >= players || (k > 0 && player <= members[k - 1])) {
        throw fail(
          'input',
          'createSpectrum',
          `{${members.join(',')}} is not an increasing set of players 0..${players - 1}.`,
        );
      }
    });
    if (!Number.isFinite(value))
      throw fail('input', 'createSpectrum', `the term of {${members.join(',')}} is ${value}; it must be finite.`);
    const key = setKey(members);
    if (seen.has(key)) throw fail('input', 'createSpectrum', `{${key}} occurs twice.`);
    seen.add(key);
  }
  list.sort(compareTerms);
  return { basis, players, terms: list };
}

/** A set as a map key: its players joined by commas, '' for ∅. */
export function setKey(members: readonly number[]): string {
  return members.join(',');
}

/** Largest magnitude first; ties by size, then lexicographic: deterministic. */
export function compareTerms(a: Term, b: Term): number {
  const size = Math.abs(b.value) - Math.abs(a.value);
  if (size !== 0) return size;
  if (a.members.length !== b.members.length) return a.members.length - b.members.length;
  for (let k = 0; k < a.members.length; k++) if (a.members[k] !== b.members[k]) return a.members[k] - b.members[k];
  return 0;
}

/** f̂ of every mask: count x terms word operations / 32 for Fourier, count x Σ|S| for the others. */
export function evaluate(spectrum: Spectrum, masks: Masks): Float64Array {
  if (masks.players !== spectrum.players)
    throw fail('input', 'evaluate', `masks over ${masks.players} players, a spectrum over ${spectrum.players}.`);
  const values = new Float64Array(masks.count);
  if (spectrum.basis === 'fourier') {
    const columns = maskColumns(masks);
    const parity = new Uint32Array(Math.ceil(masks.count / 32));
    for (const { members, value } of spectrum.terms) {
      parity.fill(0);
      for (const player of members) {
        const column = columns[player];
        for (let w = 0; w < parity.length; w++) parity[w] ^= column[w];
      }
      for (let row = 0; row < masks.count; row++)
        values[row] += (parity[row >>> 5] >>> (row & 31)) & 1 ? -value : value;
    }
    return values;
  }
  for (let row = 0; row < masks.count; row++) {
    let sum = 0;
    for (const { members, value } of spectrum.terms) {
      const on =
        spectrum.basis === 'moebius' || members.length === 0
          ? members.every((player) => isKept(masks, row, player))
          : members.some((player) => isKept(masks, row, player));
      if (on) sum += value;
    }
    values[row] = sum;
  }
  return values;
}
