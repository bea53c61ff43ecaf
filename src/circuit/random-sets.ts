/**
 * Random sets of the circuit's size: what a faithfulness number has to be compared with.
 *
 * With most players kept almost any set is faithful; only the distance to random sets of the same size says
 * that these players were the right ones.
 */
import { masksFromMembers, type Masks } from '../masks.ts';
import type { Random } from '../random.ts';
import { quantile } from '../spectrum/r2.ts';

export interface RandomSets {
  /** Distinct sets that were measured; all there are where those are fewer than asked for. */
  readonly count: number;
  /** Mean faithfulness, and its 5 % and 95 % quantiles. */
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** Share of them that are less faithful than the circuit. */
  readonly below: number;
}

/** `count` distinct uniform sets of `size` of n players, or all of them where there are no more than that. */
export function randomSets(players: number, size: number, count: number, random: Random): Masks {
  const sets = new Map<string, number[]>();
  if (setsOfSize(players, size) <= count) return masksFromMembers(players, everySet(players, size));
  while (sets.size < count) {
    const members = random.subset(players, size);
    sets.set(members.join(','), members);
  }
  return masksFromMembers(players, [...sets.values()]);
}

/** The summary of measured faithfulness of random sets beside the circuit's own. */
export function summariseRandomSets(faithfulness: Float64Array, circuit: number): RandomSets {
  const sorted = faithfulness.toSorted();
  const count = sorted.length;
  return {
    count,
    mean: sorted.reduce((sum, value) => sum + value / count, 0),
    low: quantile(sorted, 0.05),
    high: quantile(sorted, 0.95),
    below: sorted.filter((value) => value < circuit).length / count,
  };
}

/** Standard deviation; 0 of fewer than two values. */
export function deviation(values: Float64Array): number {
  if (values.length < 2) return 0;
  const middle = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

/** C(n, k), as a double. */
function setsOfSize(n: number, k: number): number {
  let sets = 1;
  for (let j = 0; j < Math.min(k, n - k); j++) sets = (sets * (n - j)) / (j + 1);
  return Math.round(sets);
}

/** All sets of k of n players, in lexicographic order. */
function everySet(n: number, k: number): number[][] {
  if (k === 0) return [[]];
  const sets: number[][] = [];
  const visit = (members: number[], from: number): void => {
    if (members.length === k) sets.push(members);
    else for (let i = from; i <= n - (k - members.length); i++) visit([...members, i], i + 1);
  };
  visit([], 0);
  return sets;
}
