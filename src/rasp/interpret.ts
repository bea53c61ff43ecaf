/**
 * What a program says of an input, by its definition: the answer that a compiled model has to give.
 */
import { fail } from '../errors.ts';
import { sequencesOf, type Selector, type Sequence, type Value } from './language.ts';

/** How a program is interpreted. */
export interface InterpretOptions {
  /** Queries select no keys behind them. Default false. */
  readonly causal?: boolean | undefined;
}

/** A value a position; undefined where a categorical sequence has none. */
export type Row = readonly (Value | undefined)[];

/**
 * The values of `program` on `input`.
 * @throws 'input' where a categorical sequence is averaged over different values: the program has no answer there.
 */
export function interpret(program: Sequence, input: readonly Value[], { causal = false }: InterpretOptions = {}): Row {
  const rows = new Map<Sequence, Row>();
  for (const sequence of sequencesOf(program)) rows.set(sequence, rowOf(sequence, input, rows, causal));
  return rows.get(program) as Row;
}

function rowOf(sequence: Sequence, input: readonly Value[], rows: ReadonlyMap<Sequence, Row>, causal: boolean): Row {
  const of = (inner: Sequence): Row => rows.get(inner) as Row;
  /** A numerical sequence is never undefined. */
  const none = sequence.encoding === 'numerical' ? 0 : undefined;
  switch (sequence.kind) {
    case 'tokens':
      return input;
    case 'indices':
      return input.map((_, position) => position);
    case 'map':
      return of(sequence.of).map((value) => (value === undefined ? none : (sequence.f(value) ?? none)));
    case 'sequence-map':
      return of(sequence.first).map((first, position) => {
        const second = of(sequence.second)[position];
        return first === undefined || second === undefined ? none : (sequence.f(first, second) ?? none);
      });
    case 'linear': {
      const [a, b] = sequence.weights;
      const second = of(sequence.second);
      return of(sequence.first).map((first, position) => a * Number(first) + b * Number(second[position]));
    }
    case 'aggregate': {
      const values = of(sequence.values);
      return selected(sequence.selector, of, causal).map((keys) => {
        if (keys.length === 0) return none;
        if (sequence.encoding === 'numerical')
          return keys.reduce((sum, key) => sum + Number(values[key]), 0) / keys.length;
        return commonOf(
          keys.map((key) => values[key]),
          sequence.label,
        );
      });
    }
    case 'width':
      return selected(sequence.selector, of, causal).map((keys) => keys.length);
    default:
      return sequence satisfies never;
  }
}

/** The keys that each query selects. */
function selected(
  { keys, queries, predicate }: Selector,
  of: (sequence: Sequence) => Row,
  causal: boolean,
): readonly (readonly number[])[] {
  const all = of(keys);
  return of(queries).map((query, position) =>
    all.flatMap((key, at) =>
      key === undefined || query === undefined || (causal && at > position) || !predicate(key, query) ? [] : [at],
    ),
  );
}

function commonOf(values: Row, label: string): Value | undefined {
  const odd = values.find((value) => value !== values[0]);
  if (odd === undefined && values.every((value) => value === values[0])) return values[0];
  throw fail(
    'input',
    label,
    `averages ${String(values[0])} and ${String(odd)}, which are categories; select one key, or use numerical(...).`,
  );
}
