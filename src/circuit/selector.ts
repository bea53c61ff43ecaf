/**
 * Which players to keep: for every size k, the set of k players with the largest (or smallest) f̂.
 *
 * A Selector is the seam: `enumeration` looks at all 2^n masks (n <= 20), `greedy` grows and shrinks with
 * swaps on the sparse terms; integer-program.ts proves what it proposes, in seconds a size, and is asked for by
 * name: a curve over 144 sizes would take it minutes, greedy a second. f̂ = Σ F(S) χ_S has no structure
 * that would make the sets of neighbouring sizes nested, so none is assumed.
 * Source: ProxySPEX (arXiv 2505.17495), section 6.
 */
import { emptyCoalitions, keep, type Coalitions } from '../coalitions.ts';
import { fail } from '../errors.ts';
import type { FourierSpectrum } from '../spectrum/spectrum.ts';
import { tableOfSpectrum } from '../spectrum/walsh-hadamard.ts';
import { greedySelector } from './greedy.ts';

export interface Selection {
  readonly spectrum: FourierSpectrum;
  /** The sizes wanted, increasing, each 0..n. */
  readonly sizes: readonly number[];
  /** +1: maximise f̂; -1: minimise it. */
  readonly direction: 1 | -1;
}

export interface Selector {
  readonly name: string;
  /** Whether its sets are optimal for f̂. */
  readonly optimal: boolean;
  /** One mask per size, row r of sizes[r] kept players. */
  select(selection: Selection): Coalitions | Promise<Coalitions>;
}

/** Players up to which all masks are looked at. */
const ENUMERABLE = 20;

/** All 2^n masks of f̂ by one inverse transform: optimal. Ties go to the lowest mask. @throws beyond 20 players. */
export const enumerationSelector: Selector = {
  name: 'enumeration',
  optimal: true,
  select({ spectrum, sizes, direction }) {
    const n = spectrum.players;
    if (n > ENUMERABLE) throw fail('input', 'enumeration', `2^${n} masks are too many to look at; use greedy beyond ${ENUMERABLE} players.`);
    const table = tableOfSpectrum(spectrum);
    const best = new Int32Array(n + 1).fill(-1); // by size
    const margin = 1e-12 * table.reduce((max, value) => Math.max(max, Math.abs(value)), 0); // equal but for rounding is a tie
    for (let mask = 0; mask < table.length; mask++) {
      const size = popcount(mask);
      if (best[size] < 0 || direction * (table[mask] - table[best[size]]) > margin) best[size] = mask;
    }
    const masks = emptyCoalitions(n, sizes.length);
    sizes.forEach((size, row) => (masks.words[row] = best[size]));
    return masks;
  },
};

/** Enumeration up to 20 players, greedy with swaps above. */
export function autoSelector(players: number): Selector {
  return players <= ENUMERABLE ? enumerationSelector : greedySelector;
}

/** The complement of every mask. */
export function complementOf(masks: Coalitions): Coalitions {
  const others = emptyCoalitions(masks.players, masks.count);
  for (let row = 0; row < masks.count; row++) {
    for (let i = 0; i < masks.players; i++) {
      if (((masks.words[row * masks.stride + (i >>> 5)] >>> (i & 31)) & 1) === 0) keep(others, row, i);
    }
  }
  return others;
}

function popcount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
