/**
 * Programs whose answers are known, by name: those of the papers, and two of ours.
 *
 * Weiss et al., Thinking Like Transformers, arXiv 2106.06981; Lindner et al., Tracr, arXiv 2301.05062. A program is made for a
 * vocabulary and a length; the ones given are those it is compiled for without others.
 */
import { fail, closest } from '../errors.ts';
import {
  aggregate,
  always,
  atMost,
  equal,
  indices,
  less,
  linear,
  map,
  named,
  numerical,
  select,
  selectorWidth,
  sequenceMap,
  tokens,
  type Computed,
  type Sequence,
  type Value,
} from './language.ts';

/** The tokens of a program, and its longest input. */
export interface ProgramSize {
  readonly vocabulary: readonly Value[];
  readonly maxLength: number;
}

/** A program with a name, its size, and the inputs that it answers. */
export interface NamedProgram extends ProgramSize {
  readonly name: string;
  /** What it answers, in one line. */
  readonly about: string;
  readonly causal?: boolean;
  /** Inputs that it has an answer for; all when absent. */
  readonly accepts?: (input: readonly Value[]) => boolean;
  readonly make: (size: ProgramSize) => Computed;
}

const letters = { vocabulary: ['a', 'b', 'c', 'd'], maxLength: 5 };
const digits = { vocabulary: [1, 2, 3, 4], maxLength: 5 };

const is = (token: Value): Computed =>
  named(
    `is ${String(token)}`,
    map((value) => value === token, tokens),
  );
const and = (a: Computed, b: Computed): Computed => sequenceMap((x, y) => x === true && y === true, a, b);
const or = (a: Computed, b: Computed): Computed => sequenceMap((x, y) => x === true || y === true, a, b);
const minus = (x: Value): number => -Number(x);

/** Each position's value `by` positions before; undefined where there is none. */
const shifted = (by: number, sequence: Sequence): Computed =>
  named(
    `shift ${by}`,
    aggregate(
      select(indices, indices, (key, query) => Number(query) === Number(key) + by),
      sequence,
    ),
  );
const lengthOf = (): Computed => named('length', selectorWidth(select(tokens, tokens, always)));
const histogram = (): Computed => named('hist', selectorWidth(select(tokens, tokens, equal)));

const reversed = (sequence: Sequence): Computed => {
  const opposite = sequenceMap((length, index) => Number(length) - Number(index), lengthOf(), indices);
  const behind = named(
    'opposite',
    map((value) => Number(value) - 1, named('opposite + 1', opposite)),
  );
  return named('reverse', aggregate(select(indices, behind, equal), sequence));
};

/** `values` in the order of `keys`, which are all different. */
const sorted = (values: Sequence, keys: Sequence): Computed => {
  const place = named('place', selectorWidth(select(keys, keys, less)));
  return named('sorted', aggregate(select(place, indices, equal), values));
};
/** The same for keys, whole numbers, that may be equal: the earlier first. */
const sortedStably = (values: Sequence, keys: Sequence, maxLength: number): Computed => {
  const unique = sequenceMap((key, index) => Number(key) + Number(index) / maxLength, keys, indices);
  return sorted(values, named('key', unique));
};

/** The share of positions up to each that are `open`, less those that are `close`. */
const balanceOf = (open: Value, close: Value): Computed => {
  const before = select(indices, indices, atMost);
  const share = (token: Value): Computed => named(`share of ${String(token)}`, aggregate(before, numerical(is(token))));
  return named(`balance ${String(open)}${String(close)}`, linear([1, -1], share(open), share(close)));
};

/** Whether brackets are balanced, each kind by itself. */
const balanced = (brackets: readonly (readonly [Value, Value])[]): Computed => {
  const balances = brackets.map(([open, close]) => balanceOf(open, close));
  const negatives = balances.map(
    (balance): Computed =>
      named(
        'negative',
        map((value) => Number(value) < 0, balance),
      ),
  );
  const zeros = balances.map(
    (balance): Computed =>
      named(
        'zero',
        map((value) => Number(value) === 0, balance),
      ),
  );
  const everywhere = select(indices, indices, always);
  const anyNegative = named('negatives', aggregate(everywhere, numerical(negatives.reduce(or))));
  const last = named(
    'last',
    map((length) => Number(length) - 1, lengthOf()),
  );
  const ends = named('ends at zero', aggregate(select(indices, last, equal), zeros.reduce(and)));
  return named(
    'balanced',
    and(
      ends,
      named(
        'never negative',
        map((value) => Number(value) === 0, anyNegative),
      ),
    ),
  );
};

/** What followed the same token before, which has to be the same each time. */
const hasOneSuccessor = (input: readonly Value[]): boolean => {
  const next = new Map<Value, Value>();
  return input.slice(1).every((value, k) => {
    const before = next.get(input[k]);
    next.set(input[k], value);
    return before === undefined || before === value;
  });
};
const allDifferent = (input: readonly Value[]): boolean => new Set(input).size === input.length;

const LIST: readonly NamedProgram[] = [
  { name: 'shift_by_1', about: 'the token before', ...letters, make: () => shifted(1, tokens) },
  { name: 'hist', about: 'how often the token occurs', ...letters, make: histogram },
  { name: 'length', about: 'how many tokens there are', ...letters, make: lengthOf },
  {
    name: 'frac_prevs',
    about: 'the share of a among the tokens up to here',
    ...letters,
    make: () => aggregate(select(indices, indices, atMost), numerical(is('a'))),
  },
  {
    name: 'count_a',
    about: 'how many a there are',
    ...letters,
    make: () => selectorWidth(select(tokens, tokens, (key) => key === 'a')),
  },
  {
    name: 'detect_pattern',
    about: 'whether a b ends here',
    vocabulary: ['a', 'b'],
    maxLength: 5,
    make: () => and(shifted(1, is('a')), is('b')),
  },
  {
    name: 'sort_unique',
    about: 'different tokens, sorted',
    ...digits,
    accepts: allDifferent,
    make: () => sorted(tokens, tokens),
  },
  {
    name: 'pair_balance',
    about: 'the share of ( less that of ) up to here',
    vocabulary: ['(', ')', 'a', 'b'],
    maxLength: 5,
    make: () => balanceOf('(', ')'),
  },
  {
    name: 'count_less_freq',
    about: 'how many tokens occur twice at most',
    ...letters,
    make: () => {
      const hist = histogram();
      return selectorWidth(select(hist, hist, (key) => Number(key) <= 2));
    },
  },
  {
    name: 'sort',
    about: 'the tokens, sorted',
    ...digits,
    make: ({ maxLength }) => sortedStably(tokens, tokens, maxLength),
  },
  {
    name: 'reverse',
    about: 'the tokens from the last to the first',
    vocabulary: ['a', 'b', 'c'],
    maxLength: 5,
    make: () => reversed(tokens),
  },
  {
    name: 'palindrome',
    about: 'the share of places that read the same backwards',
    vocabulary: ['a', 'b', 'c'],
    maxLength: 5,
    make: () => aggregate(select(indices, indices, always), numerical(sequenceMap(equal, tokens, reversed(tokens)))),
  },
  {
    name: 'sort_freq',
    about: 'the tokens, the most frequent first',
    vocabulary: ['a', 'b', 'c'],
    maxLength: 5,
    make: ({ maxLength }) => sortedStably(tokens, named('- hist', map(minus, histogram())), maxLength),
  },
  {
    name: 'shuffle_dyck',
    about: 'whether ( and ) are balanced',
    vocabulary: ['(', ')'],
    maxLength: 5,
    make: () => balanced([['(', ')']]),
  },
  {
    name: 'shuffle_dyck2',
    about: 'whether ( and ) and { and } are balanced, each by itself',
    vocabulary: ['(', ')', '{', '}'],
    maxLength: 5,
    make: () =>
      balanced([
        ['(', ')'],
        ['{', '}'],
      ]),
  },
  {
    name: 'induction',
    about: 'what followed this token before',
    vocabulary: ['a', 'b', 'c'],
    maxLength: 6,
    causal: true,
    accepts: hasOneSuccessor,
    make: () => aggregate(select(shifted(1, tokens), tokens, equal), tokens),
  },
  {
    name: 'two_of_three',
    about: 'whether the token before is a, by three heads of which two suffice',
    vocabulary: ['a', 'b'],
    maxLength: 5,
    make: () => {
      const before = select(indices, indices, (key, query) => Number(query) === Number(key) + 1);
      const isA = numerical(is('a'));
      const [one, two, three] = ['first', 'second', 'third'].map((label) => named(label, aggregate(before, isA)));
      const votes = named('votes', linear([1, 1], linear([1, 1], one, two), three));
      return map((value) => Number(value) > 1.5, votes);
    },
  },
];

/** The programs by name. */
export const PROGRAMS: Readonly<Record<string, NamedProgram>> = Object.fromEntries(
  LIST.map((program) => [program.name, program]),
);

/** The program of a name. @throws 'input' for an unknown one, with suggestions. */
export function programOf(name: string): NamedProgram {
  if (Object.hasOwn(PROGRAMS, name)) return PROGRAMS[name];
  const names = Object.keys(PROGRAMS);
  throw fail(
    'input',
    'program',
    `"${name}" is unknown; did you mean ${closest(name, names)[0]}? There are ${names.join(', ')}.`,
  );
}
