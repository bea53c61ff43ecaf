/**
 * `select` with `aggregate` or `selectorWidth` as one attention head.
 *
 * The score of a query and a key is COLDNESS where the predicate holds and 0 elsewhere, so that the softmax is the mean over what
 * is selected up to exp(-COLDNESS / 2). BOS has half of that score, from `one` to `bos`: a query that selects nothing attends to BOS, where
 * every sequence is undefined. For a width BOS has the full score, and the head averages the indicator of BOS: 1 / (1 + width).
 */
import type { Aggregated, Selector, Width } from './language.ts';
import type { ResidualSpace } from './residual-space.ts';
import type { ValueSets } from './value-sets.ts';
import type { Entry, Head } from './wiring.ts';

/** The score of a key that is selected, in nats. */
export const COLDNESS = 100;

/** The head of `sequence`. */
export function headOf(sequence: Aggregated | Width, space: ResidualSpace, sets: ValueSets): Head {
  const scores = scoresOf(sequence.selector, space, sets, sequence.kind === 'width' ? COLDNESS : COLDNESS / 2);
  if (sequence.kind === 'width') return { ...scores, v: [[space.bos, 0, 1]], o: [[0, space.share(sequence), 1]] };
  const { values, encoding } = sequence;
  if (encoding === 'numerical')
    return { ...scores, v: [[space.scalar(values), 0, 1]], o: [[0, space.scalar(sequence), 1]] };
  const carried = sets.get(values) ?? [];
  return {
    ...scores,
    v: carried.map((value, k): Entry => [space.direction(values, value), k, 1]),
    o: carried.map((value, k): Entry => [k, space.direction(sequence, value), 1]),
  };
}

/** q and k: a column for each value of the keys, which k reads and to which q gives what the predicate says, and one for BOS. */
function scoresOf(
  { keys, queries, predicate }: Selector,
  space: ResidualSpace,
  sets: ValueSets,
  bosScore: number,
): Pick<Head, 'q' | 'k'> {
  const all = sets.get(keys) ?? [];
  const q: Entry[] = all.flatMap((key, column) =>
    (sets.get(queries) ?? [])
      .filter((query) => predicate(key, query))
      .map((query): Entry => [space.direction(queries, query), column, COLDNESS]),
  );
  const k = all.map((key, column): Entry => [space.direction(keys, key), column, 1]);
  return { q: [...q, [space.one, all.length, bosScore]], k: [...k, [space.bos, all.length, 1]] };
}
