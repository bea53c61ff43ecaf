/**
 * Where the energy of a spectrum sits: by order, by layer, by hierarchy; and its largest interactions.
 *
 * Energy of a term is F(S)², and by Parseval the energies of all S ≠ ∅ add up to the variance of f over
 * uniform masks, so a share of energy is a share of variance. ∅ (the mean) counts nowhere.
 * Source: ProxySPEX (arXiv 2505.17495), sections 3 and 6.
 */
import { fail } from '../errors.ts';
import { setKey, type FourierSpectrum, type Term } from './spectrum.ts';

/** Σ F(S)² by order: entry d holds the sets of d players, entry 0 (∅) is 0. Length = highest order + 1. */
export function energyByOrder(spectrum: FourierSpectrum): number[] {
  const highest = spectrum.terms.reduce((d, { members }) => Math.max(d, members.length), 0);
  const energy = Array.from({ length: highest + 1 }, () => 0);
  for (const { members, value } of spectrum.terms) if (members.length > 0) energy[members.length] += value ** 2;
  return energy;
}

/** Where the variance sits: in single players, within groups, across them. */
export interface EnergySplit {
  /** Σ_{S≠∅} F(S)²: the variance of f̂ over uniform masks. */
  readonly total: number;
  /** Share of single players. The four shares add up to 1, or are all 0 when `total` is. */
  readonly alone: number;
  /** Share of interactions whose players all belong to one group. */
  readonly within: number;
  /** Share of interactions between players of different groups. */
  readonly across: number;
  /** Share of interactions in which some player has no group. */
  readonly ungrouped: number;
}

/**
 * How the variance splits by a grouping of the players, as shares; groups[i] is player i's, undefined where it has none.
 * With layers as groups: the three numbers of the ProxySPEX heads study (alone / within a layer / across layers).
 */
export function energySplit(spectrum: FourierSpectrum, groups: readonly (number | string | undefined)[]): EnergySplit {
  if (groups.length !== spectrum.players) {
    throw fail(
      'input',
      'energySplit',
      `groups of ${groups.length} players were given for a spectrum over ${spectrum.players}.`,
    );
  }
  let [alone, within, across, ungrouped] = [0, 0, 0, 0];
  for (const { members, value } of spectrum.terms) {
    if (members.length === 0) continue;
    const energy = value ** 2;
    const its = new Set(members.map((player) => groups[player]));
    if (members.length === 1) alone += energy;
    else if (its.has(undefined)) ungrouped += energy;
    else if (its.size === 1) within += energy;
    else across += energy;
  }
  const total = alone + within + across + ungrouped;
  const share = (part: number): number => (total === 0 ? 0 : part / total);
  return {
    total,
    alone: share(alone),
    within: share(within),
    across: share(across),
    ungrouped: share(ungrouped),
  };
}

/** Share of Σ_{S≠∅} F(S)² in terms whose members are all among `players`; 0 when there is no energy. */
export function energyInside(spectrum: FourierSpectrum, players: readonly number[]): number {
  const inside = new Set(players);
  let [own, total] = [0, 0];
  for (const { members, value } of spectrum.terms) {
    if (members.length === 0) continue;
    total += value ** 2;
    if (members.every((player) => inside.has(player))) own += value ** 2;
  }
  return total === 0 ? 0 : own / total;
}

/** The k largest terms of at least `minOrder` players, largest first; fewer when there are fewer. */
export function topInteractions(spectrum: { readonly terms: readonly Term[] }, k: number, minOrder = 2): Term[] {
  return spectrum.terms.filter(({ members }) => members.length >= minOrder).slice(0, k);
}

/**
 * Direct subset rate of the k largest terms (ProxySPEX, section 3): the mean over the sets S of the share of
 * players i ∈ S for which S \ {i} is among the terms too; a set's share is 1 for ∅, and ∅ always counts as
 * present. 1 = perfectly hierarchical; the paper finds above 0.8 on real models. NaN never: no terms give 1.
 */
export function directSubsetRate(spectrum: FourierSpectrum, k = Infinity): number {
  const sets = spectrum.terms.slice(0, k).map(({ members }) => members);
  if (sets.length === 0) return 1;
  const present = new Set(sets.map(setKey)).add('');
  let sum = 0;
  for (const members of sets) {
    const found = members.filter((player) => present.has(setKey(members.filter((other) => other !== player)))).length;
    sum += members.length === 0 ? 1 : found / members.length;
  }
  return sum / sets.length;
}

/**
 * Staircase rate of the k largest terms: the share of the sets S that can be built up player by player, every step a
 * set that is among the terms too (∅ counts as present). 1 = every interaction stands on a staircase of smaller ones,
 * as the merged-staircase functions of Abbe et al. (2022) do.
 * No terms give 1.
 */
export function staircaseRate(spectrum: FourierSpectrum, k = Infinity): number {
  const sets = spectrum.terms.slice(0, k).map(({ members }) => members);
  if (sets.length === 0) return 1;
  const reached = new Set(['']);
  let built = 0;
  // Smaller sets first: a set is reached when one of its subsets of one player less is.
  for (const members of [...sets].sort((a, b) => a.length - b.length)) {
    if (
      members.length > 0 &&
      !members.some((player) => reached.has(setKey(members.filter((other) => other !== player))))
    )
      continue;
    reached.add(setKey(members));
    built++;
  }
  return built / sets.length;
}
