/**
 * Möbius (Harsanyi) terms: f(m) = Σ_{S ⊆ m} I(S), and the way between them and Fourier.
 *
 * I(T) = Σ_{R ⊆ T} (-1)^{|T|-|R|} f(R) is what T adds beyond all of its subsets when everything outside T is
 * ablated. Dense transforms run over tables in counting order (index = set of kept players); sparse
 * conversions spread a term of order d over its 2^d subsets. A change of basis amplifies errors by up to
 * 2^order: an estimated Fourier spectrum gives trustworthy Möbius terms of low order only.
 * Source: SPEX (arXiv 2502.13870), appendix on conversions; Grabisch, Set Functions, Games and Capacities (2016).
 */
import { toMeasure } from './measure.ts';
import { subsetSums } from './set-sums.ts';
import { createSpectrum, type FourierSpectrum, type MoebiusSpectrum, type Spectrum } from './spectrum.ts';
import { denseOfSpectrum, fourierFromTable, playersOf, spectrumOfDense, tableOfSpectrum } from './walsh-hadamard.ts';

/** Terms below this share of what rounding can reach are left out. */
const ROUNDING = 1e-12;

/** All Möbius terms of a table: I(T) = Σ_{R ⊆ T} (-1)^{|T|-|R|} f(R). n·2^(n-1) subtractions; its argument is left as it is. */
export function moebiusFromTable(table: Float64Array): Float64Array {
  return overPairs('moebiusFromTable', table.slice(), (dense, without, withIt) => (dense[withIt] -= dense[without]));
}

/** The inverse (zeta transform): f(m) = Σ_{T ⊆ m} I(T) for all 2^n masks. */
export function tableFromMoebius(terms: Float64Array): Float64Array {
  return overPairs('tableFromMoebius', terms.slice(), (dense, without, withIt) => (dense[withIt] += dense[without]));
}

/**
 * Möbius terms of a sparse Fourier spectrum: I(T) = (-2)^{|T|} Σ_{S ⊇ T} F(S).
 *
 * Exact for the spectrum it is given. Cost: Σ_S 2^{|S|}, or n·2^n where that is less and n <= 20.
 * @throws 'input' when more than 2^22 subsets would be touched (n <= 20: never).
 */
export function moebius(given: FourierSpectrum): MoebiusSpectrum {
  const spectrum = toMeasure(given);
  if (isDense(spectrum)) {
    const table = tableOfSpectrum(spectrum);
    return spectrumOfDense('moebius', moebiusFromTable(table), amplified(table));
  }
  const weight = (_s: number, t: number): number => (-2) ** t;
  return createSpectrum(
    'moebius',
    spectrum.players,
    subsetSums('moebius', spectrum.terms, { players: spectrum.players, order: Infinity, weight }),
  );
}

/**
 * OR terms of a sparse Fourier spectrum: f(m) = O(∅) + Σ_{T ∩ m ≠ ∅} O(T), the dual of Möbius: redundancy
 * ("any one of T suffices") is one positive term. O(∅) = Σ_S F(S) = f(∅), and for T ≠ ∅
 * O(T) = -(-2)^{|T|} Σ_{S ⊇ T} (-1)^{|S|} F(S).
 *
 * Cost, validity and errors as for `moebius`.
 */
export function or(given: FourierSpectrum): Spectrum<'or'> {
  const spectrum = toMeasure(given);
  if (isDense(spectrum)) {
    const table = tableOfSpectrum(spectrum);
    // The dual f*(m) = f(all \ m) has the Möbius terms -O(T); counting order reversed is complement.
    const terms = moebiusFromTable(table.slice().reverse()).map((value) => -value);
    terms[0] = table[0];
    return spectrumOfDense('or', terms, amplified(table));
  }
  const weight = (s: number, t: number): number => (t === 0 ? 1 : -((-2) ** t) * (-1) ** s);
  return createSpectrum(
    'or',
    spectrum.players,
    subsetSums('or', spectrum.terms, { players: spectrum.players, order: Infinity, weight }),
  );
}

/**
 * The Fourier spectrum of Möbius terms: F(T) = (-1)^{|T|} Σ_{S ⊇ T} 2^{-|S|} I(S).
 *
 * Cost and errors as for `moebius`; well conditioned, no weight exceeds 1.
 */
export function fourierFromMoebius(spectrum: MoebiusSpectrum): FourierSpectrum {
  if (isDense(spectrum)) {
    const table = tableFromMoebius(denseOfSpectrum(spectrum));
    const floor = ROUNDING * largest(table);
    return spectrumOfDense('fourier', fourierFromTable(table), () => floor);
  }
  const weight = (s: number, t: number): number => (-1) ** t * 2 ** -s;
  return createSpectrum(
    'fourier',
    spectrum.players,
    subsetSums('fourierFromMoebius', spectrum.terms, { players: spectrum.players, order: Infinity, weight }),
  );
}

/** Whether one pass over all 2^n sets costs less than spreading every term over its subsets. */
function isDense({ players, terms }: Spectrum): boolean {
  return (
    players <= 20 && terms.reduce((touches, { members }) => touches + 2 ** members.length, 0) > players * 2 ** players
  );
}

/** The rounding level of Möbius terms of a table: an error of one value reaches 2^|T| of its size. */
function amplified(table: Float64Array): (order: number) => number {
  const scale = largest(table);
  return (order) => ROUNDING * scale * 2 ** order;
}

function largest(values: Float64Array): number {
  return values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
}

/** Visits every pair (set without player i, the same set with it), player by player, in place. */
function overPairs(
  who: string,
  dense: Float64Array,
  visit: (dense: Float64Array, without: number, withIt: number) => void,
): Float64Array {
  playersOf(who, dense.length);
  for (let bit = 1; bit < dense.length; bit *= 2) {
    for (let set = 0; set < dense.length; set++) if ((set & bit) === 0) visit(dense, set, set | bit);
  }
  return dense;
}
