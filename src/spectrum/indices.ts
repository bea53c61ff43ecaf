/**
 * Shapley, Banzhaf and their interaction indices, straight from a sparse Fourier spectrum.
 *
 * Each index is linear in f and symmetric in the players, so index(T) = Σ_{S ⊇ T} weight(|S|, |T|) F(S): a
 * function here is its weight. Nothing loops over the players' powerset, and where the definition is written
 * in Möbius terms those are summed inside the weight, so a term of order d is never spread over 2^d subsets.
 * The Shapley family and k-SII do not depend on the masks that a spectrum speaks about; the Banzhaf family does: of a
 * spectrum of masks that keep players with other probabilities than ½ (measure.ts) it is the mean over such masks.
 * Every formula is tested against its definition on random games. An index of an estimated spectrum is as
 * good as the estimate; of an exact one it is exact. Source of the table: SPEX (arXiv 2502.13870), appendix.
 */
import { fail } from '../errors.ts';
import { slopeOf } from '../keep.ts';
import { toMeasure } from './measure.ts';
import { binomial, fraction, plus, toNumber, ZERO } from './rational.ts';
import { subsetSums } from './set-sums.ts';
import { compareTerms, type FourierSpectrum, type Term } from './spectrum.ts';

/** An interaction index of all sets of up to `order` players. */
export interface Interactions {
  readonly index: 'sii' | 'bii' | 'stii' | 'fsii' | 'fbii' | 'ksii';
  /** Largest |T|. */
  readonly order: number;
  /** n. */
  readonly players: number;
  /** Largest |value| first, as in a spectrum; ∅ is among them, zero terms may be absent. */
  readonly terms: readonly Term[];
}

/**
 * Shapley values: SV(i) = Σ_{S∋i} I(S)/|S| = -2 Σ_{S∋i, |S| odd} F(S)/|S|.
 *
 * Efficient: Σ_i SV(i) = f(all) - f(∅). Shapley, A Value for n-Person Games (1953).
 * Cost Σ_S |S|; shape [n].
 */
export function shapley(spectrum: FourierSpectrum): Float64Array {
  return perPlayer(toMeasure(spectrum), (value, size) => (size % 2 === 1 ? (-2 * value) / size : 0));
}

/**
 * Banzhaf values: BV(i) = -2 F({i}), the mean of f(m ∪ i) - f(m) over uniform masks.
 *
 * Not efficient; the least-squares additive fit under uniform masks. Banzhaf (1965); Hammer, Holzman (1992).
 * Cost: one pass over the terms; shape [n].
 */
export function banzhaf({ players, terms, keep = 0.5 }: FourierSpectrum): Float64Array {
  const values = new Float64Array(players);
  for (const { members, value } of terms)
    if (members.length === 1) values[members[0]] = slopeOf(keep, members[0]) * value;
  return values;
}

/**
 * Influence: Inf(i) = Σ_{S∋i} F(S)² = E[((f(m) - f(m ⊕ i))/2)²] over uniform masks.
 *
 * How much of the variance flipping i can touch, whatever the sign and the order; an interaction counts for
 * each of its members. O'Donnell, Analysis of Boolean Functions (2014), section 2.2. Cost Σ_S |S|; shape [n].
 */
export function influence(spectrum: FourierSpectrum): Float64Array {
  return perPlayer(spectrum, (value) => value ** 2);
}

/**
 * Shapley interaction index: SII(T) = Σ_{S⊇T} I(S)/(|S|-|T|+1) = (-2)^{|T|} Σ_{S⊇T, |S|≡|T| mod 2} F(S)/(|S|-|T|+1).
 *
 * SII({i}) is the Shapley value. Sets of different size do not add up to anything: for a decomposition use
 * `kSii`, `stii` or `fsii`. Grabisch, Roubens, An Axiomatic Approach to the Concept of Interaction (1999).
 * Cost Σ_S C(|S|, <= order). @throws 'input' when that passes 2^22 (n <= 20: 2^30).
 */
export function sii(spectrum: FourierSpectrum, order = 2): Interactions {
  return interactions('sii', spectrum, order, siiWeight);
}

/**
 * Banzhaf interaction index: BII(T) = Σ_{S⊇T} 2^{-(|S|-|T|)} I(S) = (-2)^{|T|} F(T), the mean of the
 * discrete derivative of f by T over uniform masks.
 *
 * Grabisch, Roubens (1999). Cost: one pass over the terms.
 */
export function bii(spectrum: FourierSpectrum, order = 2): Interactions {
  checkOrder('bii', order);
  const terms = spectrum.terms
    .filter(({ members }) => members.length <= order)
    .map(({ members, value }) => ({ members, value: banzhafInteraction(spectrum, members, value) }));
  return { index: 'bii', order, players: spectrum.players, terms: terms.sort(compareTerms) };
}

/** BII of one term, F(S) Π_{i∈S} -1/√(p_i(1-p_i)): (-2)^|S| F(S) for fair masks. */
export function banzhafInteraction({ keep = 0.5 }: FourierSpectrum, members: readonly number[], value: number): number {
  return members.reduce((product, player) => product * slopeOf(keep, player), value);
}

/**
 * Shapley-Taylor interaction index of order l: STII(T) = I(T) below the top order, Σ_{S⊇T} I(S)/C(|S|, l) at |T| = l.
 *
 * Efficient: Σ_T STII(T) = f(all), ∅ included. Everything beyond order l is shared out at the top order;
 * below it only what happens near the fully ablated mask counts. Sundararajan, Dhamdhere, Agarwal, The
 * Shapley Taylor Interaction Index (2020).
 * From Fourier, with 1/C(s, l) as a Beta integral: at |T| = l the weight of F(S) is
 * (-1)^l · l · Σ_{0<=k<l, k ≡ s-l mod 2} C(l-1, k) · 2/(k+s-l+1), a sum of positive terms.
 * Cost Σ_S C(|S|, <= order). @throws 'input' when that passes 2^22 (n <= 20: 2^30).
 */
export function stii(spectrum: FourierSpectrum, order = 2): Interactions {
  return interactions('stii', spectrum, order, (s, t) => {
    if (t < order) return (-2) ** t;
    let sum = 0;
    for (let k = (s - order) % 2; k < order; k += 2) sum += (Number(binomial(order - 1, k)) * 2) / (k + s - order + 1);
    return (-1) ** order * order * sum;
  });
}

/**
 * Faith-Shapley interaction index of order l: the order-l polynomial g(m) = Σ_{T⊆m} FSII(T) closest to f under
 * the Shapley kernel weights (n-1)/(C(n,|m|)·|m|·(n-|m|)), exact at f(∅) and f(all).
 *
 * FSII(T) = I(T) + (-1)^{l-|T|} |T|/(l+|T|) C(l,|T|) Σ_{S⊃T, |S|>l} C(|S|-1,l)/C(|S|+l-1,l+|T|) I(S); FSII(∅) = f(∅).
 * Efficient: Σ_T FSII(T) = f(all). Tsai, Yeh, Ravikumar, Faith-Shap (2023).
 * The Möbius sum alternates in sign like (-2)^{|S|}: it is taken exactly, in integers, once per (|S|, |T|).
 * Cost Σ_S C(|S|, <= order). @throws 'input' when that passes 2^22 (n <= 20: 2^30).
 */
export function fsii(spectrum: FourierSpectrum, order = 2): Interactions {
  return interactions('fsii', spectrum, order, (s, t) => {
    if (t === 0) return 1;
    let sum = fraction((-2n) ** BigInt(t), 1n);
    const sign = (order - t) % 2 === 0 ? 1n : -1n;
    for (let m = order + 1; m <= s; m++) {
      const numerator =
        sign * BigInt(t) * binomial(order, t) * binomial(m - 1, order) * (-2n) ** BigInt(m) * binomial(s - t, m - t);
      sum = plus(sum, fraction(numerator, BigInt(order + t) * binomial(m + order - 1, order + t)));
    }
    return toNumber(sum);
  });
}

/**
 * Faith-Banzhaf interaction index of order l: the order-l polynomial g(m) = Σ_{T⊆m} FBII(T) closest to f under
 * uniform masks. FBII(T) = (-2)^{|T|} Σ_{S⊇T, |S|<=l} F(S): the Möbius terms of the truncated spectrum.
 *
 * Not efficient. Tsai, Yeh, Ravikumar, Faith-Shap (2023).
 * Cost Σ_{|S|<=l} 2^{|S|}. @throws 'input' when that passes 2^22 (n <= 20: 2^30).
 */
export function fbii(spectrum: FourierSpectrum, order = 2): Interactions {
  checkOrder('fbii', order);
  const truncated = { ...spectrum, terms: spectrum.terms.filter(({ members }) => members.length <= order) };
  return interactions('fbii', truncated, order, (_s, t) => (-2) ** t);
}

/**
 * k-Shapley values (n-Shapley, k-SII): SII made efficient by handing higher orders down with Bernoulli numbers,
 * kSII_l(T) = Σ_{S⊇T, |S|<=l} B_{|S|-|T|} SII(S) with B = 1, -1/2, 1/6, 0, -1/30, ..; kSII(∅) = f(∅).
 *
 * Efficient: Σ_T kSII_l(T) = f(all), and kSII_1 is the Shapley value. Bordt, von Luxburg, From Shapley Values
 * to Generalized Additive Models and back (2023). The Bernoulli sums lose digits beyond order ~12.
 * Cost Σ_S C(|S|, <= order). @throws 'input' when that passes 2^22 (n <= 20: 2^30).
 */
export function kSii(spectrum: FourierSpectrum, order = 2): Interactions {
  checkOrder('kSii', order);
  const bernoulli = bernoulliNumbers(order);
  return interactions('ksii', spectrum, order, (s, t) => {
    if (t === 0) return 1;
    let sum = 0;
    for (let m = t; m <= Math.min(order, s); m++)
      sum += bernoulli[m - t] * Number(binomial(s - t, m - t)) * siiWeight(s, m);
    return sum;
  });
}

function siiWeight(s: number, t: number): number {
  return (s - t) % 2 === 0 ? (-2) ** t / (s - t + 1) : 0;
}

/** B_0 .. B_count with B_1 = -1/2, from Σ_{j<=m} C(m+1, j) B_j = 0. */
function bernoulliNumbers(count: number): number[] {
  const exact = [fraction(1n, 1n)];
  for (let m = 1; m <= count; m++) {
    let sum = ZERO;
    exact.forEach((b, j) => (sum = plus(sum, fraction(binomial(m + 1, j) * b.numerator, b.denominator))));
    exact.push(fraction(-sum.numerator, sum.denominator * BigInt(m + 1)));
  }
  return exact.map(toNumber);
}

function perPlayer(spectrum: FourierSpectrum, part: (value: number, size: number) => number): Float64Array {
  const values = new Float64Array(spectrum.players);
  for (const { members, value } of spectrum.terms) {
    const each = part(value, members.length);
    for (const player of members) values[player] += each;
  }
  return values;
}

function interactions(
  index: Interactions['index'],
  spectrum: FourierSpectrum,
  order: number,
  weight: (s: number, t: number) => number,
): Interactions {
  checkOrder(index, order);
  const { terms: fair } = toMeasure(spectrum);
  const terms = subsetSums(index, fair, { players: spectrum.players, order, weight });
  return { index, order, players: spectrum.players, terms: terms.sort(compareTerms) };
}

function checkOrder(who: string, order: number): void {
  if (!Number.isInteger(order) || order < 1) throw fail('input', who, `order ${order}; a whole number >= 1 is needed.`);
}
