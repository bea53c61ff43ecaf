/**
 * Asks a selector for sets of the players that a spectrum names, and for no others.
 *
 * A player in no term changes f̂ nowhere: a set that holds it was filled up, not found. The selector therefore sees a
 * game of the named players alone, and sizes beyond them have no set but everybody.
 */
import { keptPlayers, masksFromMembers } from '../masks.ts';
import { createSpectrum, evaluate, type FourierSpectrum } from '../spectrum/spectrum.ts';
import { toMeasure } from '../spectrum/measure.ts';
import type { Selector } from './selector.ts';

export interface Proposal {
  /** The set, increasing. */
  readonly players: readonly number[];
  /** f̂ of it. */
  readonly estimate: number;
}

/** Players that a term of the spectrum names, increasing. */
export function namedPlayers({ players, terms }: FourierSpectrum): number[] {
  const named = new Uint8Array(players);
  for (const { members, value } of terms) if (value !== 0) for (const player of members) named[player] = 1;
  return Array.from({ length: players }, (_, i) => i).filter((i) => named[i] === 1);
}

/**
 * Asks the selector for sets of `among`, of sizes it has not been asked for yet; a size's set stays what it was
 * first. A size beyond them is everybody.
 */
export function createProposer(
  given: FourierSpectrum,
  among: readonly number[],
  selector: Selector,
  direction: 1 | -1,
): (sizes: readonly number[]) => Promise<Proposal[]> {
  const known = new Map<number, Proposal>();
  const spectrum = toMeasure(given); // what selectors search on
  const n = spectrum.players;
  const place = new Map(among.map((player, k) => [player, k]));
  const own = createSpectrum(
    'fourier',
    among.length,
    spectrum.terms
      .filter(({ members }) => members.every((player) => place.has(player)))
      .map(({ members, value }) => ({ members: members.map((player) => place.get(player) as number), value })),
  );
  return async (sizes) => {
    const fresh = sizes.filter((size) => !known.has(size) && size <= among.length);
    const sets: number[][] = [];
    if (fresh.length > 0) {
      const masks = await selector.select({ spectrum: own, sizes: fresh, direction });
      sets.push(...fresh.map((_, row) => keptPlayers(masks, row).map((k) => among[k])));
    }
    const beyond = sizes.filter((size) => !known.has(size) && size > among.length);
    sets.push(...beyond.map(() => Array.from({ length: n }, (_, i) => i)));
    const estimates = evaluate(spectrum, masksFromMembers(n, sets));
    [...fresh, ...beyond].forEach((size, k) => known.set(size, { players: sets[k], estimate: estimates[k] }));
    return sizes.map((size) => known.get(size) as Proposal);
  };
}
