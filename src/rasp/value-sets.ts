/**
 * Which values each sequence of a program can take: the directions that its subspace of the residual stream needs.
 *
 * A categorical sequence has one direction a value, a numerical one a single direction; the values of a numerical sequence say
 * where an MLP that reads it puts its steps. Sets are of all that could occur on inputs of at most `maxLength` tokens. Two means
 * over one selector are correlated: a linear combination of them is the mean of the combination, whose set is much smaller.
 */
import { fail } from '../errors.ts';
import type { Linear, Sequence, Value } from './language.ts';

export type ValueSets = ReadonlyMap<Sequence, readonly Value[]>;

/** Values of one sequence at most; each is a direction or a step. */
const MOST_VALUES = 2000;

/** The values of `sequences`, each behind its inputs: tokens as given, others sorted. @throws 'input' where one has more than 2,000. */
export function valueSetsOf(
  sequences: readonly Sequence[],
  vocabulary: readonly Value[],
  maxLength: number,
): ValueSets {
  const sets = new Map<Sequence, readonly Value[]>();
  for (const sequence of sequences) {
    const values = valuesOf(sequence, sets, vocabulary, maxLength);
    if (values.length > MOST_VALUES)
      throw fail('input', sequence.label, `can take ${values.length} values; at most ${MOST_VALUES} can be compiled.`);
    sets.set(sequence, values);
  }
  return sets;
}

function valuesOf(
  sequence: Sequence,
  sets: ValueSets,
  vocabulary: readonly Value[],
  maxLength: number,
): readonly Value[] {
  const of = (inner: Sequence): readonly Value[] => sets.get(inner) as readonly Value[];
  const range = (count: number): number[] => Array.from({ length: count }, (_, k) => k);
  const none = sequence.encoding === 'numerical' ? [0] : [];
  switch (sequence.kind) {
    case 'tokens':
      return vocabulary;
    case 'indices':
      return range(maxLength);
    case 'width':
      return range(maxLength + 1);
    case 'map':
      return distinct([...of(sequence.of).map((value) => sequence.f(value)), ...none]);
    case 'sequence-map':
      return distinct([...pairs(of(sequence.first), of(sequence.second)).map(([a, b]) => sequence.f(a, b)), ...none]);
    case 'linear':
      return linearValues(sequence, of, maxLength);
    case 'aggregate':
      return sequence.encoding === 'categorical' ? of(sequence.values) : means(numbers(of(sequence.values)), maxLength);
    default:
      return sequence satisfies never;
  }
}

function linearValues(
  { first, second, weights: [a, b] }: Linear,
  of: (sequence: Sequence) => readonly Value[],
  maxLength: number,
): readonly number[] {
  const combine = (x: Sequence, y: Sequence): number[] =>
    nearby(pairs(numbers(of(x)), numbers(of(y))).map(([u, v]) => a * u + b * v));
  const together = first.kind === 'aggregate' && second.kind === 'aggregate' && first.selector === second.selector;
  return together ? means(combine(first.values, second.values), maxLength) : combine(first, second);
}

/** Means of 1 to `most` of `values`, and 0 for the mean of none. */
function means(values: readonly number[], most: number): number[] {
  let sums = [0];
  const found = [0];
  for (let count = 1; count <= most; count++) {
    sums = nearby(pairs(sums, values).map(([sum, value]) => sum + value));
    if (sums.length > MOST_VALUES)
      throw fail(
        'input',
        'aggregate',
        `a sum of ${count} of ${values.length} numbers can take ${sums.length} values; at most ${MOST_VALUES} can be compiled.`,
      );
    found.push(...sums.map((sum) => sum / count));
  }
  return nearby(found);
}

function numbers(values: readonly Value[]): number[] {
  return values.map(Number);
}

function pairs<A, B>(first: readonly A[], second: readonly B[]): [A, B][] {
  return first.flatMap((a) => second.map((b): [A, B] => [a, b]));
}

/** Defined values, each once, sorted: numbers by size, others by their text. */
function distinct(values: readonly (Value | undefined)[]): Value[] {
  const found = [...new Set(values)].filter((value) => value !== undefined);
  return found.every((value) => typeof value === 'number')
    ? found.sort((a, b) => a - b)
    : found.sort((a, b) => (String(a) < String(b) ? -1 : 1));
}

/** Numbers sorted, those that differ by rounding alone once. */
function nearby(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.filter((value, k) => k === 0 || value - sorted[k - 1] > 1e-9);
}
