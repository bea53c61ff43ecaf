/**
 * A text that is changed step by step and still knows where each of its characters came from.
 *
 * Every step of a tokenizer (normalizer, pre-tokenizer) maps characters to characters; beside each stands the range of
 * the original text it came from, so a token at the end has offsets. The rules, also where a step adds or removes
 * characters, are those of Hugging Face's tokenizers (NormalizedString), counted in
 * characters (code points). All operations return a new value.
 */
import { isWhitespace, toCodes, toText } from './unicode.ts';
import type { Pattern } from '../pattern/pattern.ts';
import type { CharacterTest } from '../pattern/classes.ts';

export interface AlignedText {
  /** Code points. */
  readonly codes: readonly number[];
  /** For each code point where its source begins and ends in the original. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** Where this piece begins in the original, and how much of it it covers. */
  readonly origin: number;
  readonly extent: number;
}

/**
 * A character of the new text: `change` 0 takes the place of the next old one, 1 is added after the one before, -k
 * takes the place of the next and drops k more.
 */
export type Change = readonly [code: number, change: number];
/** [start, end) in characters, and whether it is a match or what stands between matches. */
type Span = readonly [start: number, end: number, match: boolean];
export type SplitBehavior = 'Removed' | 'Isolated' | 'MergedWithPrevious' | 'MergedWithNext' | 'Contiguous';

export function alignedText(text: string): AlignedText {
  // A surrogate without its partner is no character; Python cannot hold it either.
  const codes = toCodes(text.replaceAll(/\p{Surrogate}/gu, '\uFFFD'));
  return {
    codes,
    starts: codes.map((_, at) => at),
    ends: codes.map((_, at) => at + 1),
    origin: 0,
    extent: codes.length,
  };
}

export function textOf({ codes }: AlignedText): string {
  return toText(codes);
}

/** Where the characters [start, end) came from. */
export function sourceOf(text: AlignedText, start: number, end: number): [start: number, end: number] {
  return start < end ? [text.starts[start], text.ends[end - 1]] : [text.origin + start, text.origin + end];
}

export function slice(text: AlignedText, start: number, end: number): AlignedText {
  const [from, to] = sourceOf(text, start, end);
  return {
    codes: text.codes.slice(start, end),
    starts: text.starts.slice(start, end),
    ends: text.ends.slice(start, end),
    origin: from,
    extent: to - from,
  };
}

/** The whole text changed; `removed` characters at its start are dropped first. */
export function transform(text: AlignedText, changes: readonly Change[], removed = 0): AlignedText {
  if (text.codes.length === 0) return text;
  // What was put before the first character has no source, and stays as it is: the whole text is what has one.
  const first = text.starts.findIndex((start, i) => start < text.ends[i]);
  if (text.extent === 0) return transformRange(text, 0, 0, changes, removed);
  return transformRange(text, first < 0 ? text.codes.length : first, text.codes.length, changes, removed);
}

function transformRange(
  text: AlignedText,
  from: number,
  to: number,
  changes: readonly Change[],
  removed: number,
): AlignedText {
  const codes: number[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  let at = Math.min(from + removed, to);
  for (const [code, change] of changes) {
    const source = Math.min(change > 0 ? at - 1 : at, text.codes.length - 1);
    codes.push(code);
    starts.push(source < 0 ? text.origin : text.starts[source]);
    ends.push(source < 0 ? text.origin : text.ends[source]);
    if (change <= 0) at = Math.min(at + 1 - change, to);
  }
  const put = (all: readonly number[], part: number[]): number[] => [...all.slice(0, from), ...part, ...all.slice(to)];
  return {
    ...text,
    codes: put(text.codes, codes),
    starts: put(text.starts, starts),
    ends: put(text.ends, ends),
  };
}

/** Each character replaced by one; undefined drops it. */
export function filterMap(text: AlignedText, map: (code: number) => number | undefined): AlignedText {
  const changes: [number, number][] = [];
  let removed = 0;
  for (const code of text.codes) {
    const mapped = map(code);
    const last = changes.at(-1);
    if (mapped !== undefined) changes.push([mapped, 0]);
    else if (last === undefined) removed++;
    else last[1]--;
  }
  return transform(text, changes, removed);
}

/** `prefix` before the first character, whose source it shares; an empty text stays empty. */
export function prepend(text: AlignedText, prefix: string): AlignedText {
  if (text.codes.length === 0 || prefix === '') return text;
  const changes = [...toCodes(prefix), text.codes[0]].map((code, i): Change => [code, i === 0 ? 0 : 1]);
  return transformRange(text, 0, 1, changes, 0);
}

/** Every match replaced by `content`, whose source is that of the match's last character. */
export function replace(text: AlignedText, pattern: Pattern, content: string): AlignedText {
  const matches = matchesIn(pattern, text.codes);
  if (matches.length === 0) return text;
  const codes: number[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const copy = (from: number, to: number): void => {
    for (let i = from; i < to; i++) {
      codes.push(text.codes[i]);
      starts.push(text.starts[i]);
      ends.push(text.ends[i]);
    }
  };
  const added = toCodes(content);
  let last = 0;
  for (const [start, end] of matches) {
    copy(last, start);
    for (const code of added) {
      codes.push(code);
      starts.push(end === 0 ? text.origin : text.starts[end - 1]);
      ends.push(end === 0 ? text.origin : text.ends[end - 1]);
    }
    last = end;
  }
  copy(last, text.codes.length);
  return { ...text, codes, starts, ends };
}

/** White space taken from the ends. */
export function strip(text: AlignedText, left: boolean, right: boolean): AlignedText {
  const { codes } = text;
  let start = 0;
  while (left && start < codes.length && isWhitespace(codes[start])) start++;
  let end = codes.length;
  while (right && end > 0 && isWhitespace(codes[end - 1])) end--;
  if (start === 0 && end === codes.length) return text;
  return transform(
    text,
    codes.slice(start, Math.max(start, end)).map((code): Change => [code, 0]),
    start,
  );
}

/** Matches of a pattern; an empty text has none. */
function matchesIn(pattern: Pattern, codes: readonly number[]): (readonly [number, number])[] {
  return codes.length === 0 ? [] : pattern.matches(codes);
}

/** A pattern that matches each character of a class alone. */
export function characterPattern(test: CharacterTest): Pattern {
  return { matches: (codes) => codes.flatMap((code, i) => (test(code) ? [[i, i + 1] as const] : [])) };
}

function spansOf(text: AlignedText, pattern: Pattern, invert: boolean): Span[] {
  const spans: Span[] = [];
  let last = 0;
  for (const [start, end] of matchesIn(pattern, text.codes)) {
    if (start > last) spans.push([last, start, invert]);
    spans.push([start, end, !invert]);
    last = end;
  }
  if (last < text.codes.length) spans.push([last, text.codes.length, invert]);
  return spans;
}

/** The pieces of `text` that `pattern` cuts it into; pieces without characters are left out. */
export function split(text: AlignedText, pattern: Pattern, behavior: SplitBehavior, invert = false): AlignedText[] {
  return join(spansOf(text, pattern, invert), behavior)
    .filter(([start, end]) => end > start)
    .map(([start, end]) => slice(text, start, end));
}

function join(spans: readonly Span[], behavior: SplitBehavior): (readonly [number, number])[] {
  if (behavior === 'Isolated') return spans.map(([start, end]) => [start, end] as const);
  if (behavior === 'Removed') return spans.filter(([, , match]) => !match).map(([start, end]) => [start, end] as const);
  const backwards = behavior === 'MergedWithNext';
  const joined: [number, number][] = [];
  let previous = false;
  for (const [start, end, match] of backwards ? spans.toReversed() : spans) {
    const last = joined.at(-1);
    const joins = behavior === 'Contiguous' ? match === previous : match && !previous;
    if (!joins || last === undefined) joined.push([start, end]);
    else if (backwards) last[0] = start;
    else last[1] = end;
    previous = match;
  }
  return backwards ? joined.reverse() : joined;
}
