/**
 * A text cut into what a person calls its parts: words, sentences, paragraphs, or examples between separators.
 *
 * Characters are cut, never tokens, with the platform's Unicode rules (Intl.Segmenter, UAX #29), which know Chinese and
 * Japanese words, combining marks and emoji. On top of them: what no space separates and a hyphen or an apostrophe joins is
 * one word ("e-mail", "don't"), punctuation belongs to the word before it, or at a word's front to the word after it, and
 * a symbol or emoji is a word of its own.
 */
import { fail } from '../../errors.ts';

/** Characters [start, end) of a text, in UTF-16 units. */
export interface Piece {
  readonly start: number;
  readonly end: number;
}

export const UNITS = ['words', 'sentences', 'paragraphs', 'examples'] as const;
export type Unit = (typeof UNITS)[number];

export interface CutOptions {
  /** What stands between examples; default an empty line. */
  readonly separator?: string | undefined;
}

const words = new Intl.Segmenter('en', { granularity: 'word' });
const sentences = new Intl.Segmenter('en', { granularity: 'sentence' });

const SYMBOL = /[\p{S}\p{Extended_Pictographic}]/u;
/** What joins the parts of one word when no space is around it. */
const JOINER = /^[-‐‑'’_&@]$/u;
/** A full stop after these ends no sentence. */
const ABBREVIATION = /(?:^|[\s(])(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|cf|No|Fig|al)\.\s*$/u;

/** The parts of `text`, in order, without the white space around them. @throws 'input' for an empty separator. */
export function cutText(text: string, unit: Unit, { separator = '\n\n' }: CutOptions = {}): Piece[] {
  switch (unit) {
    case 'words':
      return cutWords(text);
    case 'sentences':
      return cutSentences(text);
    case 'paragraphs':
      return between(text, /\n[^\S\n]*\n\s*/gu);
    case 'examples':
      if (separator === '')
        throw fail('input', 'examples', 'the separator is empty; give what stands between examples.');
      return between(text, new RegExp(separator.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'gu'));
    default:
      return unit satisfies never;
  }
}

function cutWords(text: string): Piece[] {
  const pieces: Piece[] = [];
  for (const chunk of text.matchAll(/\S+/gu)) pieces.push(...cutChunk(chunk[0], chunk.index));
  // A chunk of punctuation alone joins the word before it; the first one of a text the word after.
  const isWord = ({ start, end }: Piece): boolean =>
    /[\p{L}\p{N}\p{M}\p{S}\p{Extended_Pictographic}]/u.test(text.slice(start, end));
  const joined: Piece[] = [];
  let waiting: number | undefined;
  for (const piece of pieces) {
    const last = joined.at(-1);
    if (isWord(piece)) {
      joined.push({ start: waiting ?? piece.start, end: piece.end });
      waiting = undefined;
    } else if (last === undefined) waiting ??= piece.start;
    else joined[joined.length - 1] = { start: last.start, end: piece.end };
  }
  return joined.length === 0 ? pieces : joined;
}

/** The words of what stands between two spaces. */
function cutChunk(chunk: string, offset: number): Piece[] {
  const parts: { start: number; end: number; word: boolean; joins: boolean }[] = [];
  for (const { segment, index, isWordLike } of words.segment(chunk))
    parts.push({
      start: index,
      end: index + segment.length,
      word: isWordLike === true || SYMBOL.test(segment),
      joins: JOINER.test(segment),
    });
  const pieces: { start: number; end: number }[] = [];
  let front: number | undefined;
  parts.forEach(({ start, end, word }, k) => {
    const last = pieces.at(-1);
    if (!word) {
      if (last === undefined) front ??= start;
      else last.end = end;
      return;
    }
    const [before, earlier] = [parts[k - 1], parts[k - 2]] as ((typeof parts)[number] | undefined)[];
    const hyphened = last !== undefined && before?.joins === true && earlier?.word === true;
    if (hyphened) last.end = end;
    else pieces.push({ start: front ?? start, end });
    front = undefined;
  });
  if (pieces.length === 0) return [{ start: offset, end: offset + chunk.length }];
  return pieces.map(({ start, end }) => ({ start: offset + start, end: offset + end }));
}

function cutSentences(text: string): Piece[] {
  const pieces: Piece[] = [];
  let open: number | undefined;
  for (const { segment, index } of sentences.segment(text)) {
    const start = open ?? index;
    const end = index + segment.length;
    open = ABBREVIATION.test(segment) && end < text.length ? start : undefined;
    if (open === undefined) pieces.push(...trimmed(text, { start, end }));
  }
  return pieces;
}

/** What stands between matches of `separator`. */
function between(text: string, separator: RegExp): Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  for (const match of text.matchAll(separator)) {
    pieces.push(...trimmed(text, { start, end: match.index }));
    start = match.index + match[0].length;
  }
  return [...pieces, ...trimmed(text, { start, end: text.length })];
}

/** The piece without the white space around it; none of white space alone. */
export function trimmed(text: string, { start, end }: Piece): Piece[] {
  const inside = text.slice(start, end);
  const size = inside.trim().length;
  if (size === 0) return [];
  const from = start + inside.length - inside.trimStart().length;
  return [{ start: from, end: from + size }];
}
