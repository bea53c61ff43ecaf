/**
 * Measures proposed sets: each kept alone, each left out, what rivals propose, and random sets of the same size.
 *
 * Random sets say what a share is worth. Beside the chosen set they decide, and there are many; along the rest of the curve they
 * are drawn in the figure, and a few will do: nine tenths of the masks of a curve were random sets.
 */
import { complementOf, concatMasks, maskHex, masksFromMembers, type Masks } from '../masks.ts';
import { createRandom } from '../random.ts';
import type { Proposal } from './proposer.ts';
import { deviation, randomSets, summariseRandomSets, type RandomSets } from './random-sets.ts';

export interface Measured {
  /** f of the set, in the metric's own unit. */
  readonly value: number;
  /** (value - f(∅)) / (f(all) - f(∅)). */
  readonly faithfulness: number;
}

/** One size: the proposed set, what was predicted of it and what was measured. */
export interface CircuitPoint {
  readonly size: number;
  /** The players kept, increasing. */
  readonly players: readonly number[];
  /** Faithfulness according to the spectrum, (f̂(S) - f(∅)) / (f(all) - f(∅)). */
  readonly predicted: number;
  /** Only the circuit kept. */
  readonly kept: Measured;
  /** The circuit removed, everything else kept: completeness. Near 0 = nothing else carries the metric. */
  readonly removed: Measured;
  /** Random sets of this size; null for ∅ and all, of which there is one. */
  readonly random: RandomSets | null;
  /** By name: the set of this size that another spectrum proposes, kept alone. */
  readonly rivals: Readonly<Record<string, { readonly players: readonly number[]; readonly kept: Measured }>>;
}

/** A point, and the faithfulness of the random sets of its size other than itself. */
export interface PointAndChance {
  readonly size: number;
  readonly point: CircuitPoint;
  readonly others: Float64Array;
}

type Propose = (sizes: readonly number[]) => Promise<readonly Proposal[]>;

export interface PointSource {
  readonly players: number;
  readonly seed: number;
  /** A value as a share of the metric's range. */
  readonly share: (value: number) => number;
  readonly propose: Propose;
  readonly rivals: Readonly<Record<string, Propose>>;
  readonly measure: (stage: string, masks: Masks) => Promise<Float64Array>;
}

/** Measures the sets of `sizes` beside `chances` random ones each: the first of a larger number's. */
export function createPointMeasurer({
  players: n,
  seed,
  share,
  propose,
  rivals,
  measure,
}: PointSource): (stage: string, sizes: readonly number[], chances: number) => Promise<PointAndChance[]> {
  const names = Object.keys(rivals);
  const masksOf = (sets: readonly { readonly players: readonly number[] }[]): Masks =>
    masksFromMembers(
      n,
      sets.map(({ players }) => players),
    );
  return async (stage, sizes, chances) => {
    const proposals = await propose(sizes);
    const theirs: (readonly Proposal[])[] = [];
    for (const name of names) theirs.push(await rivals[name](sizes));
    const drawn = sizes.map((size) =>
      size === 0 || size === n
        ? undefined
        : randomSets(n, size, chances, createRandom(seed).fork(`random sets of ${size}`)),
    );
    const best = masksOf(proposals);
    const asked = [best, complementOf(best), ...theirs.map(masksOf), ...drawn.filter((sets) => sets !== undefined)];
    const values = await measure(stage, concatMasks(asked));
    const measuredAt = (row: number): Measured => ({ value: values[row], faithfulness: share(values[row]) });
    let at = (2 + names.length) * sizes.length;
    return proposals.map(({ players, estimate }, k) => {
      const kept = measuredAt(k);
      const sets = drawn[k];
      const chance = sets && values.subarray(at, (at += sets.count)).map(share);
      const point: CircuitPoint = {
        size: sizes[k],
        players,
        predicted: share(estimate),
        kept,
        removed: measuredAt(sizes.length + k),
        random: chance === undefined ? null : summariseRandomSets(chance, kept.faithfulness),
        rivals: Object.fromEntries(
          names.map((name, r) => [
            name,
            { players: theirs[r][k].players, kept: measuredAt((2 + r) * sizes.length + k) },
          ]),
        ),
      };
      const others = chance?.filter((_, row) => maskHex(sets as Masks, row) !== maskHex(best, k));
      return { size: sizes[k], point, others: others ?? new Float64Array(0) };
    });
  };
}

/**
 * Deviation of random sets of one size, at the size where it is largest; three neighbouring sizes are pooled, for the largest of
 * many deviations of ten sets each is large by chance.
 */
export function largestSpread(bySize: readonly Float64Array[]): number {
  const parts = bySize.filter(({ length }) => length > 1);
  const pooled = parts.map((_, k) => {
    const near = parts.slice(Math.max(0, k - 1), k + 2);
    const freedom = near.reduce((sum, { length }) => sum + length - 1, 0);
    return near.reduce((sum, values) => sum + ((values.length - 1) / freedom) * deviation(values) ** 2, 0);
  });
  return Math.sqrt(Math.max(0, ...pooled));
}
