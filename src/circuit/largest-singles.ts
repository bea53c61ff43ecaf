/** Sets of an additive answer: the players with the largest single terms. */
import { masksFromMembers } from '../masks.ts';
import type { Selector } from './selector.ts';

/**
 * Proposes, for every size, the players whose single terms raise f̂ most (or lower it). Sets are nested. Terms of other orders are
 * not looked at, so the sets are optimal for additive spectra alone: `optimal` says whether it will be given such.
 */
export function largestSingles(name: string, { optimal }: { readonly optimal: boolean }): Selector {
  return {
    name,
    optimal,
    select({ spectrum, sizes, direction }) {
      const gain = new Float64Array(spectrum.players);
      for (const { members, value } of spectrum.terms) if (members.length === 1) gain[members[0]] = -direction * value;
      const order = Array.from(gain.keys()).sort((a, b) => gain[b] - gain[a] || a - b);
      return masksFromMembers(
        spectrum.players,
        sizes.map((size) => order.slice(0, size).sort((a, b) => a - b)),
      );
    },
  };
}
