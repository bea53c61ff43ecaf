/**
 * Which masks a spectrum speaks about: each player is kept with a probability of its own, independently; ½ for all by
 * default.
 *
 * Basis: χ_S = Π_{i∈S} (p_i - m_i)/√(p_i(1-p_i)), orthonormal under that product measure, so F(S) = E_p[χ_S f] and
 * the energies F(S)² of all S ≠ ∅ add up to the variance of f over such masks. This is (-1)^|S| times the basis φ_i =
 * (m_i - p_i)/√(p_i(1-p_i)) of the literature: an absent player counts positive, as at ½, where χ_S = (-1)^{|S ∩ m|};
 * a player that raises f when kept has a negative F({i}). The Banzhaf interaction F(S) Π_{i∈S} -1/√(p_i(1-p_i)) is
 * the mean, over masks of the others drawn so, of the discrete derivative of f by S. Source: O'Donnell, Analysis of
 * Boolean Functions (2014), section 8.4.
 */
import { fail } from '../errors.ts';
import { createSpectrum, type FourierSpectrum, type Term } from './spectrum.ts';
import { fourierFromTable, spectrumOfDense, tableOfSpectrum } from './walsh-hadamard.ts';
import { isFair, keepOf, type Keep } from '../keep.ts';

/** Subsets that one conversion may touch. */
const MOST_TOUCHES = 2 ** 22;
/** Terms below this share of the largest are rounding of a conversion. */
const ROUNDING = 1e-12;

/** ∅ and the leading terms that `toMeasure` can move: all of them, where they touch no more than 2^22 subsets. */
export function largestTouching(spectrum: FourierSpectrum): FourierSpectrum {
  const { players, terms, keep } = spectrum;
  let touches = 0;
  const moved = terms.filter(({ members }) => {
    touches += 2 ** members.length;
    return members.length === 0 || touches <= MOST_TOUCHES;
  });
  return players <= 20 || moved.length === terms.length ? spectrum : createSpectrum('fourier', players, moved, keep);
}

/**
 * The same function in the basis of masks that keep each player with probability `keep` (default ½): exact, a term
 * spreads over its 2^|S| subsets. χ_i = (p_i - p'_i)/s_i + (s'_i/s_i) χ'_i, s = √(p(1-p)).
 * @throws 'input' when more than 2^22 subsets would be touched (n <= 20: never).
 */
export function toMeasure(spectrum: FourierSpectrum, keep: Keep = 0.5): FourierSpectrum {
  const { players, terms, keep: from = 0.5 } = spectrum;
  const same = Array.from({ length: players }, (_, i) => keepOf(from, i) === keepOf(keep, i)).every(Boolean);
  if (same) return spectrum;
  const touches = terms.reduce((sum, { members }) => sum + 2 ** members.length, 0);
  if (players <= 20 && touches > players * 2 ** players) {
    const dense = fourierFromTable(tableOfSpectrum(spectrum), keep);
    const largest = dense.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return spectrumOfDense('fourier', dense, () => ROUNDING * largest, keep);
  }
  if (touches > MOST_TOUCHES)
    throw fail(
      'input',
      'toMeasure',
      `${terms.length} terms touch ${touches} subsets, more than ${MOST_TOUCHES}; keep fewer or smaller terms.`,
    );
  const constant = new Float64Array(players);
  const slope = new Float64Array(players);
  for (let i = 0; i < players; i++) {
    const [p, q] = [keepOf(from, i), keepOf(keep, i)];
    const s = Math.sqrt(p * (1 - p));
    constant[i] = (p - q) / s;
    slope[i] = Math.sqrt(q * (1 - q)) / s;
  }
  // Subsets as a tree, each its parent's and one later player more; the empty one is the root.
  const nodes = new Map<number, number>();
  const [parents, last, sums, scales] = [[-1], [-1], [0], [0]];
  const nodeOf = (parent: number, player: number): number => {
    const key = parent * players + player;
    let node = nodes.get(key);
    if (node === undefined) {
      nodes.set(key, (node = parents.length));
      parents.push(parent);
      last.push(player);
      sums.push(0);
      scales.push(0);
    }
    return node;
  };
  for (const { members, value } of terms) {
    const visit = (at: number, node: number, factor: number): void => {
      if (factor === 0) return;
      if (at === members.length) {
        sums[node] += factor;
        scales[node] = Math.max(scales[node], Math.abs(factor));
        return;
      }
      visit(at + 1, node, factor * constant[members[at]]);
      visit(at + 1, nodeOf(node, members[at]), factor * slope[members[at]]);
    };
    visit(0, 0, value);
  }
  const membersOf = (node: number): number[] => {
    const members: number[] = [];
    for (let at = node; at > 0; at = parents[at]) members.push(last[at]);
    return members.reverse();
  };
  const moved = sums.flatMap((value, node): Term[] =>
    node === 0 || Math.abs(value) > ROUNDING * scales[node] ? [{ members: membersOf(node), value }] : [],
  );
  return createSpectrum('fourier', players, moved, isFair(keep) ? undefined : keep);
}
