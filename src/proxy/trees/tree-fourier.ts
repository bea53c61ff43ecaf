/**
 * The exact Fourier spectrum of a sum of trees (ProxySPEX, arXiv 2505.17495, section 4).
 *
 * Top-down: with μ(t) the uniform mean of the subtree at t, an inner node on player i at depth d adds
 * (μ(absent) - μ(present))/2 · 2^-d · Π_{j∈S} s_j to {i} ∪ S for every subset S of its path, where
 * s_j = +1 if the path has j absent and -1 if present. A player asked twice on a path (trees trained
 * elsewhere) leaves one reachable side: the other is passed over, also in the means.
 * Of masks that keep player i with probability p (spectrum/measure.ts) μ is the mean over such masks, and with s =
 * √(p(1-p)) the step is s (μ(absent) - μ(present)), and a path's player adds ±s to a set or, left out of it, the
 * probability of its side.
 */
import { fail } from '../../errors.ts';
import { keepOf, type Keep } from '../../keep.ts';
import { createSpectrum, type FourierSpectrum } from '../../spectrum/spectrum.ts';
import {
  createPolynomial,
  largestTerms,
  type PolynomialBuilder,
  type SparsePolynomial,
} from '../parities/sparse-polynomial.ts';
import type { Ensemble, Tree } from './tree.ts';

/** Distinct players on a path that are expanded at most: a path of d spreads over 2^d sets. */
export const LONGEST_PATH = 20;

/** F with f̂(m) = Σ_S F(S) χ_S(m) for every mask. @throws when a path asks more than LONGEST_PATH players. */
export function treeFourier(ensemble: Ensemble, keep: Keep = 0.5): SparsePolynomial {
  const polynomial = createPolynomial(ensemble.players);
  polynomial.add(0, ensemble.base);
  const expand = createExpansion(polynomial, keep);
  for (const tree of ensemble.trees) expand(tree);
  return polynomial;
}

/** The spectrum of an ensemble, ours or an imported one: exact where it has no more than `maxTerms` terms. @throws as `treeFourier`. */
export function ensembleSpectrum(ensemble: Ensemble, maxTerms?: number): FourierSpectrum {
  return polynomialSpectrum(treeFourier(ensemble), maxTerms);
}

/** ∅ and the `maxTerms` (default 20,000) largest terms. */
export function polynomialSpectrum(polynomial: SparsePolynomial, maxTerms = 20_000, keep?: Keep): FourierSpectrum {
  const terms = [{ members: [], value: polynomial.values[0] }, ...largestTerms(polynomial, maxTerms)];
  return createSpectrum('fourier', polynomial.players, terms, keep);
}

function createExpansion(polynomial: PolynomialBuilder, keep: Keep): (tree: Tree) => void {
  const kept = Float64Array.from({ length: polynomial.players }, (_, i) => keepOf(keep, i));
  const scale = kept.map((p) => Math.sqrt(p * (1 - p)));
  // The path to the present node: place[i] is the depth at which player i was asked, -1 if not.
  const place = new Int32Array(polynomial.players).fill(-1);
  const keptOnPath = new Uint8Array(LONGEST_PATH);
  // subsets[d][k]: the term of the k-th subset of a path of d players (bit j of k: the j-th is in it).
  const subsets = [new Int32Array(1)];
  // signs[d][k]: Π ±s_j over that subset, times the probabilities of the other sides of the path.
  const signs = [new Float64Array([1])];
  let means = new Float64Array(64);

  return (tree) => {
    const { player, absent, present, value } = tree;
    if (means.length < player.length) means = new Float64Array(2 * player.length);

    /** The node that is reached from `node` once the answers on the path are taken into account. */
    const reach = (node: number): number => {
      while (player[node] >= 0 && place[player[node]] >= 0)
        node = keptOnPath[place[player[node]]] === 1 ? present[node] : absent[node];
      return node;
    };
    const average = (start: number, depth: number): number => {
      const node = reach(start);
      if (player[node] < 0) return (means[node] = value[node]);
      if (depth >= LONGEST_PATH)
        throw fail(
          'input',
          'treeFourier',
          `a path of more than ${LONGEST_PATH} players would spread over 2^${LONGEST_PATH} sets; limit maxDepth.`,
        );
      place[player[node]] = depth;
      keptOnPath[depth] = 0;
      const left = average(absent[node], depth + 1);
      keptOnPath[depth] = 1;
      const right = average(present[node], depth + 1);
      place[player[node]] = -1;
      return (means[node] = left + kept[player[node]] * (right - left));
    };
    const descend = (node: number, depth: number): void => {
      const asked = player[node];
      place[asked] = depth;
      keptOnPath[depth] = 0;
      const left = reach(absent[node]);
      keptOnPath[depth] = 1;
      const right = reach(present[node]);
      place[asked] = -1;
      const width = 2 ** depth;
      const step = scale[asked] * (means[left] - means[right]);
      const parents = subsets[depth];
      const sign = signs[depth];
      const children = (subsets[depth + 1] ??= new Int32Array(2 * width));
      for (let k = 0; k < width; k++) {
        const term = polynomial.extend(parents[k], asked, k, place);
        polynomial.add(term, step * sign[k]);
        children[k] = parents[k];
        children[width + k] = term;
      }
      if (player[left] < 0 && player[right] < 0) return;
      const childSigns = (signs[depth + 1] ??= new Float64Array(2 * width));
      place[asked] = depth;
      const p = kept[asked];
      for (const [side, child] of [left, right].entries()) {
        if (player[child] < 0) continue;
        keptOnPath[depth] = side;
        for (let k = 0; k < width; k++) {
          childSigns[k] = (side === 1 ? p : 1 - p) * sign[k];
          childSigns[width + k] = (side === 1 ? -scale[asked] : scale[asked]) * sign[k];
        }
        descend(child, depth + 1);
      }
      place[asked] = -1;
    };
    try {
      polynomial.add(0, average(0, 0));
      if (player[0] >= 0) descend(0, 0);
    } catch (error) {
      place.fill(-1);
      throw error;
    }
  };
}
