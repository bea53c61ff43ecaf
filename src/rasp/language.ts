/**
 * RASP: programs over sequences that a transformer can run, as values of TypeScript.
 *
 * A sequence has one value at each position of an input. `tokens` and `indices` are given; `map` and `sequenceMap` work at each
 * position, as an MLP does; `select` says which keys each query attends to, `aggregate` averages over them and `selectorWidth`
 * counts them, as an attention head does. A categorical sequence is one of finitely many values, a numerical one a number. A
 * categorical sequence may be undefined at a position (nothing was selected); a numerical one is 0 there.
 *
 * Weiss, Goldberg, Yahav, Thinking Like Transformers, arXiv 2106.06981; the subset that compiles is that of Lindner et al.,
 * Tracr, arXiv 2301.05062, without defaults other than undefined and 0.
 */
import { fail } from '../errors.ts';

/** What stands at a position of a sequence. */
export type Value = string | number | boolean;
/** How a sequence stands in the residual stream: a direction a value, or one direction times the number. */
export type Encoding = 'categorical' | 'numerical';

interface Named {
  readonly label: string;
}
/** The input's tokens. */
export interface Tokens extends Named {
  readonly kind: 'tokens';
  readonly encoding: 'categorical';
}
/** 0, 1, 2, ... */
export interface Indices extends Named {
  readonly kind: 'indices';
  readonly encoding: 'categorical';
}
/** f of each value. */
export interface Mapped extends Named {
  readonly kind: 'map';
  readonly encoding: Encoding;
  readonly of: Sequence;
  readonly f: (value: Value) => Value | undefined;
}
/** f of the values of two categorical sequences at each position. */
export interface SequenceMapped extends Named {
  readonly kind: 'sequence-map';
  readonly encoding: Encoding;
  readonly first: Sequence;
  readonly second: Sequence;
  readonly f: (first: Value, second: Value) => Value | undefined;
}
/** A weighted sum of two numerical sequences. */
export interface Linear extends Named {
  readonly kind: 'linear';
  readonly encoding: 'numerical';
  readonly first: Sequence;
  readonly second: Sequence;
  readonly weights: readonly [number, number];
}
/** The mean of `values` over the keys that are selected; of a categorical sequence, their common value. */
export interface Aggregated extends Named {
  readonly kind: 'aggregate';
  readonly encoding: Encoding;
  readonly selector: Selector;
  readonly values: Sequence;
}
/** How many keys are selected. */
export interface Width extends Named {
  readonly kind: 'width';
  readonly encoding: 'categorical';
  readonly selector: Selector;
}
/** What a part of a transformer has to compute. */
export type Computed = Mapped | SequenceMapped | Linear | Aggregated | Width;
/** A value at every position: the tokens, the positions, or what is computed of sequences. */
export type Sequence = Tokens | Indices | Computed;

/** Which keys a query selects, both of categorical sequences. An undefined key is never selected, nor does an undefined query select. */
export interface Selector {
  readonly keys: Sequence;
  readonly queries: Sequence;
  readonly predicate: (key: Value, query: Value) => boolean;
}

/** The input's token, at every position. */
export const tokens: Tokens = { kind: 'tokens', encoding: 'categorical', label: 'tokens' };
/** The position, at every position. */
export const indices: Indices = { kind: 'indices', encoding: 'categorical', label: 'indices' };

/** `f` of each value, as a categorical sequence. */
export function map(f: (value: Value) => Value | undefined, of: Sequence): Mapped {
  return { kind: 'map', encoding: 'categorical', label: `map(${of.label})`, of, f };
}

/**
 * The values of a sequence, numbers or booleans, as numbers that can be averaged; a boolean is 0 or 1. What a map gives is
 * written as a number at once, another sequence is mapped.
 */
export function numerical(of: Sequence): Mapped | SequenceMapped {
  const { label } = of;
  const encoding = 'numerical';
  if (of.kind === 'map') return { ...of, encoding, f: (value: Value) => toNumber(of.f(value)) };
  if (of.kind === 'sequence-map')
    return { ...of, encoding, f: (first: Value, second: Value) => toNumber(of.f(first, second)) };
  return { kind: 'map', encoding, label: `numerical(${label})`, of, f: toNumber };
}

/** `f` of the values of two sequences at each position, as a categorical sequence. */
export function sequenceMap(
  f: (first: Value, second: Value) => Value | undefined,
  first: Sequence,
  second: Sequence,
): SequenceMapped {
  requireCategorical('sequenceMap', first, second);
  const label = `map(${first.label}, ${second.label})`;
  return { kind: 'sequence-map', encoding: 'categorical', label, first, second, f };
}

/** weights[0]·first + weights[1]·second, of numerical sequences. @throws 'input' for others. */
export function linear(weights: readonly [number, number], first: Sequence, second: Sequence): Linear {
  for (const each of [first, second])
    if (each.encoding !== 'numerical')
      throw fail(
        'input',
        'linear',
        `${each.label} is categorical; two numerical sequences are needed: numerical(...).`,
      );
  return {
    kind: 'linear',
    encoding: 'numerical',
    label: `linear(${first.label}, ${second.label})`,
    first,
    second,
    weights,
  };
}

/** The keys for which `predicate` holds, query by query. @throws 'input' for numerical sequences. */
export function select(keys: Sequence, queries: Sequence, predicate: (key: Value, query: Value) => boolean): Selector {
  requireCategorical('select', keys, queries);
  return { keys, queries, predicate };
}

/** The mean of `values` over what is selected; where nothing is, undefined, or 0 where they are numerical. */
export function aggregate(selector: Selector, values: Sequence): Aggregated {
  return { kind: 'aggregate', encoding: values.encoding, label: `aggregate(${values.label})`, selector, values };
}

/** How many keys each query selects. */
export function selectorWidth(selector: Selector): Width {
  return { kind: 'width', encoding: 'categorical', label: 'width', selector };
}

/** The same sequence under another name, which reports and the compiled model's dimensions have. */
export function named<S extends Computed>(label: string, sequence: S): S {
  return { ...sequence, label };
}

/** Comparisons for `select`. */
export const equal = (key: Value, query: Value): boolean => key === query;
/** Numbers by size, texts by the alphabet. */
export const less = (key: Value, query: Value): boolean =>
  typeof key === 'string' && typeof query === 'string' ? key < query : Number(key) < Number(query);
/** The predicate key <= query. */
export const atMost = (key: Value, query: Value): boolean => !less(query, key);
/** The predicate that selects every key. */
export const always = (): boolean => true;

function toNumber(value: Value | undefined): number {
  if (typeof value === 'string')
    throw fail('input', 'numerical', `"${value}" is a text; numbers or booleans are needed.`);
  return Number(value ?? 0);
}

function requireCategorical(who: string, ...sequences: readonly Sequence[]): void {
  for (const { encoding, label } of sequences)
    if (encoding === 'numerical')
      throw fail('input', who, `${label} is numerical; a categorical sequence is needed: map(f, ${label}) makes one.`);
}

/** What a sequence is computed from, keys before queries before values. */
export function inputsOf(sequence: Sequence): readonly Sequence[] {
  switch (sequence.kind) {
    case 'tokens':
    case 'indices':
      return [];
    case 'map':
      return [sequence.of];
    case 'sequence-map':
    case 'linear':
      return [sequence.first, sequence.second];
    case 'aggregate':
      return [sequence.selector.keys, sequence.selector.queries, sequence.values];
    case 'width':
      return [sequence.selector.keys, sequence.selector.queries];
    default:
      return sequence satisfies never;
  }
}

/** Every sequence that `program` is computed from, itself last, each behind its inputs; one that is used twice stands once. */
export function sequencesOf(program: Sequence): readonly Sequence[] {
  const ordered = new Set<Sequence>();
  const visit = (sequence: Sequence): void => {
    if (ordered.has(sequence)) return;
    inputsOf(sequence).forEach(visit);
    ordered.add(sequence);
  };
  visit(program);
  return [...ordered];
}
