/**
 * The residual stream of a compiled program: one subspace for each sequence, none shared.
 *
 * A categorical sequence has a direction for each of its values (its value's is 1), a numerical one a single direction that holds
 * the number; `bos` is 1 at the first position alone, `one` everywhere, and a width keeps what its head averages beside its answer.
 */
import { fail } from '../errors.ts';
import type { Sequence, Value } from './language.ts';
import type { ValueSets } from './value-sets.ts';

export interface ResidualSpace {
  readonly dims: number;
  readonly one: number;
  readonly bos: number;
  /** What each dimension holds: `tokens = a`, `one`, `hist = 2`. */
  readonly labels: readonly string[];
  /** The only dimension of a numerical sequence. */
  scalar(sequence: Sequence): number;
  /** The dimension of a value of a categorical sequence. @throws for a value that it cannot have. */
  direction(sequence: Sequence, value: Value): number;
  /** Where a width's head puts 1 / (width + 1). */
  share(width: Sequence): number;
}

/** Lays out tokens, bos, indices and one, then `computed` in order. */
export function layOut(
  tokens: Sequence,
  indices: Sequence,
  computed: readonly Sequence[],
  sets: ValueSets,
): ResidualSpace {
  const labels: string[] = [];
  const next = (label: string): number => labels.push(label) - 1;
  const scalars = new Map<Sequence, number>();
  const directions = new Map<Sequence, ReadonlyMap<Value, number>>();
  const shares = new Map<Sequence, number>();
  const place = (sequence: Sequence): void => {
    const { label, encoding, kind } = sequence;
    if (kind === 'width') shares.set(sequence, next(`${label}: 1 / (1 + width)`));
    if (encoding === 'numerical') scalars.set(sequence, next(label));
    else
      directions.set(
        sequence,
        new Map((sets.get(sequence) ?? []).map((value) => [value, next(`${label} = ${String(value)}`)])),
      );
  };
  place(tokens);
  const bos = next('bos');
  place(indices);
  const one = next('one');
  computed.forEach(place);
  return {
    dims: labels.length,
    one,
    bos,
    labels,
    scalar: (sequence) => found(scalars.get(sequence), sequence, 'no scalar'),
    direction: (sequence, value) =>
      found(directions.get(sequence)?.get(value), sequence, `no direction for ${String(value)}`),
    share: (sequence) => found(shares.get(sequence), sequence, 'no share'),
  };
}

function found(dimension: number | undefined, { label }: Sequence, what: string): number {
  if (dimension !== undefined) return dimension;
  throw fail(
    'input',
    label,
    `has ${what} in the residual stream; a map should give the same value each time it is asked.`,
  );
}
