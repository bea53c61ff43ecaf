/** The selector that looks at every mask, and the choice between it and greedy by the number of players. */
import { fail } from '../errors.ts';
import { emptyMasks } from '../masks.ts';
import { tableOfSpectrum } from '../spectrum/walsh-hadamard.ts';
import { greedySelector } from './greedy.ts';
import type { Selector } from './selector.ts';

/** Players up to which all masks are looked at. */
const ENUMERABLE = 20;

/** All 2^n masks of f̂ by one inverse transform: optimal. Ties go to the lowest mask. @throws beyond 20 players. */
export const enumerationSelector: Selector = {
  name: 'enumeration',
  optimal: true,
  select({ spectrum, sizes, direction }) {
    const n = spectrum.players;
    if (n > ENUMERABLE)
      throw fail(
        'input',
        'enumeration',
        `2^${n} masks are too many to look at; use greedy beyond ${ENUMERABLE} players.`,
      );
    const table = tableOfSpectrum(spectrum);
    const best = new Int32Array(n + 1).fill(-1); // by size
    const margin = 1e-12 * table.reduce((max, value) => Math.max(max, Math.abs(value)), 0); // equal but for rounding is a tie
    for (let mask = 0; mask < table.length; mask++) {
      const size = popcount(mask);
      if (best[size] < 0 || direction * (table[mask] - table[best[size]]) > margin) best[size] = mask;
    }
    const masks = emptyMasks(n, sizes.length);
    sizes.forEach((size, row) => (masks.words[row] = best[size]));
    return masks;
  },
};

/** Enumeration up to 20 players, greedy with swaps above. */
export function autoSelector(players: number): Selector {
  return players <= ENUMERABLE ? enumerationSelector : greedySelector;
}

function popcount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
