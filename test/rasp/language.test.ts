/** What programs answer, as the papers say it, and what cannot be written. */
import { describe, expect, it } from 'vitest';
import { interpret } from '../../src/rasp/interpret.ts';
import {
  aggregate,
  always,
  indices,
  linear,
  map,
  numerical,
  select,
  sequenceMap,
  tokens,
  type Value,
} from '../../src/rasp/language.ts';
import { programOf } from '../../src/rasp/programs.ts';

const spelled = (text: string): string[] => text.split('');
const answer = (name: string, input: readonly Value[]) => {
  const known = programOf(name);
  return interpret(known.make({ ...known, maxLength: input.length }), input, known);
};

describe('programs', () => {
  it.each<[string, readonly Value[], readonly (Value | undefined)[]]>([
    ['shift_by_1', spelled('abcd'), [undefined, 'a', 'b', 'c']],
    ['hist', spelled('abac'), [2, 1, 2, 1]],
    ['length', spelled('abc'), [3, 3, 3]],
    ['frac_prevs', spelled('baab'), [0, 1 / 2, 2 / 3, 1 / 2]],
    ['count_a', spelled('abca'), [2, 2, 2, 2]],
    ['detect_pattern', spelled('aaba'), [undefined, false, true, false]],
    ['sort_unique', [2, 4, 3, 1], [1, 2, 3, 4]],
    ['sort', [2, 4, 1, 2], [1, 2, 2, 4]],
    ['pair_balance', spelled('a()b(a))'), [0, 1 / 2, 0, 0, 1 / 5, 1 / 6, 0, -1 / 8]],
    ['count_less_freq', spelled('aaabbc'), [3, 3, 3, 3, 3, 3]],
    ['reverse', spelled('abca'), spelled('acba')],
    ['palindrome', spelled('abcba'), [1, 1, 1, 1, 1]],
    ['palindrome', spelled('abab'), [0, 0, 0, 0]],
    ['sort_freq', spelled('bcba'), spelled('bbca')],
    ['shuffle_dyck', spelled('()(())'), Array(6).fill(true)],
    ['shuffle_dyck2', spelled('({)}'), Array(4).fill(true)],
    ['shuffle_dyck2', spelled('(){)}'), Array(5).fill(false)],
    ['shuffle_dyck2', spelled('{}('), Array(3).fill(false)],
    ['induction', spelled('abcab'), [undefined, undefined, undefined, 'b', 'c']],
    ['two_of_three', spelled('aba'), [false, true, false]],
  ])('%s of %j is %j', (name, input, expected) => {
    const found = answer(name, input);
    expect(found).toHaveLength(expected.length);
    expected.forEach((value, k) => {
      if (typeof value === 'number') expect(found[k]).toBeCloseTo(value, 12);
      else expect(found[k]).toBe(value);
    });
  });

  it('has no answer where categories would be averaged', () => {
    const everything = aggregate(select(indices, indices, always), tokens);
    expect(() => interpret(everything, ['a', 'b'])).toThrow(
      'aggregate(tokens): averages a and b, which are categories; select one key, or use numerical(...).',
    );
    expect(interpret(everything, ['a', 'a'])).toEqual(['a', 'a']);
  });

  it('sees no later keys where it is causal', () => {
    const { make } = programOf('length');
    expect(interpret(make({ vocabulary: [], maxLength: 3 }), ['a', 'a', 'b'], { causal: true })).toEqual([1, 2, 3]);
  });
});

describe('the language', () => {
  const isA = numerical(map((value) => value === 'a', tokens));

  it('refuses numbers where a value is needed, and values where a number is', () => {
    expect(() => select(isA, indices, always)).toThrow(/select: map\(tokens\) is numerical; a categorical sequence/);
    expect(() => sequenceMap(() => 0, tokens, isA)).toThrow(/sequenceMap: map\(tokens\) is numerical/);
    expect(() => linear([1, 1], isA, tokens)).toThrow(/linear: tokens is categorical; two numerical sequences/);
    expect(() => interpret(numerical(tokens), ['a'])).toThrow(/numerical: "a" is a text; numbers or booleans/);
  });

  it('averages booleans as 0 and 1', () => {
    expect(interpret(aggregate(select(indices, indices, always), isA), ['a', 'b', 'b', 'a'])).toEqual([
      0.5, 0.5, 0.5, 0.5,
    ]);
  });
});
