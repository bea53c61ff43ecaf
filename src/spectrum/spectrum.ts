/**
 * The answer of every solver: a sparse function on masks, as Fourier or Möbius terms.
 *
 * Fourier: f(m) = Σ_S F(S) χ_S(m), χ_S(m) = (-1)^{|S ∩ m|}; F(∅) is the mean of f over uniform masks
 * and a player that RAISES f when kept has a NEGATIVE F({i}). Möbius (Harsanyi): f(m) = Σ_{S ⊆ m} I(S).
 * The basis is part of the type: the two are never mixed by accident.
 */
import { isKept, maskColumns, type Masks } from '../masks.ts';
import { fail } from '../errors.ts';
import { characterOf, checkKeep, isFair, type Keep } from '../keep.ts';
import { showsItself } from '../showing.ts';

export type Basis = 'fourier' | 'moebius' | 'or';

/** A set of players and its coefficient. */
export interface Term {
  /** The set S, strictly increasing player numbers; empty for ∅. */
  readonly members: readonly number[];
  readonly value: number;
}

/** A sparse function of masks in one of three bases. */
export interface Spectrum<B extends Basis = Basis> {
  readonly basis: B;
  /** n. */
  readonly players: number;
  /**
   * Fourier terms of other than fair masks: the probability with which a mask keeps each player (measure.ts); the
   * basis is then χ_S = Π_{i∈S} (p_i - m_i)/√(p_i(1-p_i)). Absent: ½, and χ_S as above.
   */
  readonly keep?: Keep | undefined;
  /** Distinct sets, largest |value| first, ties by size then members; zero terms may be absent. */
  readonly terms: readonly Term[];
}

/** Terms F(S) of f(m) = Σ F(S) (-1)^|S ∩ m|. */
export type FourierSpectrum = Spectrum<'fourier'>;
/** Terms I(S) of f(m) = Σ_{S ⊆ m} I(S), the Harsanyi dividends. */
export type MoebiusSpectrum = Spectrum<'moebius'>;

/** A spectrum in canonical order. @throws on a set that is not increasing, repeats, or names a player >= n. */
export function createSpectrum<B extends Basis>(
  basis: B,
  players: number,
  terms: Iterable<Term>,
  keep?: Keep,
): Spectrum<B> {
  if (keep !== undefined) checkKeep('createSpectrum', players, keep);
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
  return showsItself(isFair(keep) ? { basis, players, terms: list } : { basis, players, keep, terms: list });
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
  if (spectrum.basis === 'fourier' && !isFair(spectrum.keep)) return evaluateBiased(spectrum, masks);
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

/** count x Σ|S| multiplications. */
function evaluateBiased({ terms, players, keep = 0.5 }: Spectrum, masks: Masks): Float64Array {
  const characters = Array.from({ length: players }, (_, i) => characterColumn(masks, i, keep));
  const values = new Float64Array(masks.count);
  const product = new Float64Array(masks.count);
  for (const { members, value } of terms) {
    product.fill(value);
    for (const player of members) {
      const column = characters[player];
      for (let row = 0; row < product.length; row++) product[row] *= column[row];
    }
    for (let row = 0; row < product.length; row++) values[row] += product[row];
  }
  return values;
}

/** χ_i of every mask. */
export function characterColumn(masks: Masks, player: number, keep: Keep): Float64Array {
  const { absent, present } = characterOf(keep, player);
  return Float64Array.from({ length: masks.count }, (_, row) => (isKept(masks, row, player) ? present : absent));
}
