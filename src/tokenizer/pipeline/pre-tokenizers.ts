/**
 * The pre-tokenizers of tokenizer.json: how a normalized text is cut into the pieces that the model sees.
 *
 * One builder for the types of the format (tokenizers 0.23) but UnicodeScripts, whose script table is that of Unicode 9
 * and which no model in use has; what is no row is refused by name when the file is read. Each cuts one piece into
 * several, which keep where they came from.
 */
import { z } from 'zod';
import { isNumeric, isWhitespace } from '../pattern/classes.ts';
import { compilePattern, literalPattern, type Pattern } from '../pattern/pattern.ts';
import {
  characterPattern,
  prepend,
  replace,
  slice,
  split,
  transform,
  type AlignedText,
  type SplitBehavior,
} from './aligned-text.ts';
import { byteChanges } from './bytes.ts';
import { partOf, patternOf, patternSchema, row } from './part.ts';
import { isPunctuation } from './unicode.ts';

export type PreTokenizer = (piece: AlignedText) => readonly AlignedText[];

/** GPT-2's pattern, which ByteLevel cuts with. */
const GPT2 = compilePattern(String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`);
/** As Rust's regex has it, not Oniguruma: its word characters are those inside brackets here, and the joiners. */
const WORDS = compilePattern(String.raw`[\w\u200c\u200d]+|[^\w\s\u200c\u200d]+`);
const whitespace = characterPattern(isWhitespace);

const behaviorSchema = z.enum(['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']);
const oneCharacter = z.string().refine((text) => Array.from(text).length === 1, { message: 'expected one character' });
const PREPEND = ['always', 'first', 'never'] as const;

/** Metaspace as the pre-tokenizer and the decoder read it. */
export const metaspaceSchema = z
  .looseObject({
    replacement: oneCharacter,
    add_prefix_space: z.boolean().nullish(),
    prepend_scheme: z.enum(PREPEND).default('always'),
    split: z.boolean().nullish(),
  })
  .refine((given) => given.add_prefix_space !== false || given.prepend_scheme === 'never', {
    message: 'add_prefix_space is false, but prepend_scheme is not "never"',
  });

/** @throws 'checkpoint' for a type that is not known, a field that is not as it should be, a pattern not supported. */
export function preTokenizerOf(json: unknown, who: string): PreTokenizer {
  if (json === null || json === undefined) return (piece) => [piece];
  return partOf('pre-tokenizer', json, who, {
    Sequence: row(z.looseObject({ pretokenizers: z.array(z.unknown()) }), ({ pretokenizers }) => {
      const steps = pretokenizers.map((step) => preTokenizerOf(step, who));
      return (piece) =>
        steps.reduce<readonly AlignedText[]>((pieces, step) => pieces.flatMap((each) => step(each)), [piece]);
    }),
    BertPreTokenizer: row(
      z.looseObject({}),
      () => (piece) =>
        split(piece, whitespace, 'Removed').flatMap((word) => split(word, characterPattern(isPunctuation), 'Isolated')),
    ),
    ByteLevel: row(
      z.looseObject({ add_prefix_space: z.boolean(), use_regex: z.boolean().default(true) }),
      ({ add_prefix_space, use_regex }) =>
        (piece) => {
          const spaced = add_prefix_space && piece.codes[0] !== 32 ? prepend(piece, ' ') : piece;
          const words = use_regex ? split(spaced, GPT2, 'Isolated') : [spaced];
          return words.map((word) => transform(word, byteChanges(word.codes)));
        },
    ),
    CharDelimiterSplit: row(z.looseObject({ delimiter: oneCharacter }), ({ delimiter }) =>
      cutting(characterPattern(isCode(delimiter)), 'Removed'),
    ),
    Digits: row(z.looseObject({ individual_digits: z.boolean() }), ({ individual_digits }) =>
      cutting(characterPattern(isNumeric), individual_digits ? 'Isolated' : 'Contiguous'),
    ),
    FixedLength: row(z.looseObject({ length: z.int().min(1).default(5) }), ({ length }) => (piece) => {
      const count = Math.ceil(piece.codes.length / length);
      return Array.from({ length: count }, (_, i) =>
        slice(piece, i * length, Math.min(piece.codes.length, (i + 1) * length)),
      );
    }),
    Metaspace: row(metaspaceSchema, ({ replacement, prepend_scheme, split: cut }) => {
      const space = literalPattern(' ');
      const starts = isCode(replacement);
      const between = characterPattern(starts);
      return (piece) => {
        const replaced = replace(piece, space, replacement);
        const asks = prepend_scheme === 'always' || (prepend_scheme === 'first' && replaced.origin === 0);
        const text = asks && !starts(replaced.codes[0]) ? prepend(replaced, replacement) : replaced;
        return (cut ?? true) ? split(text, between, 'MergedWithNext') : [text];
      };
    }),
    Punctuation: row(z.looseObject({ behavior: behaviorSchema.default('Isolated') }), ({ behavior }) =>
      cutting(characterPattern(isPunctuation), behavior),
    ),
    Split: row(
      z.looseObject({ pattern: patternSchema, behavior: behaviorSchema, invert: z.boolean() }),
      ({ pattern, behavior, invert }) => cutting(patternOf(pattern, compilePattern, literalPattern), behavior, invert),
    ),
    Whitespace: row(z.looseObject({}), () => cutting(WORDS, 'Removed', true)),
    WhitespaceSplit: row(z.looseObject({}), () => cutting(whitespace, 'Removed')),
  });
}

function cutting(pattern: Pattern, behavior: SplitBehavior, invert = false): PreTokenizer {
  return (piece) => split(piece, pattern, behavior, invert);
}

function isCode(char: string): (code: number) => boolean {
  const wanted = char.codePointAt(0);
  return (code) => code === wanted;
}
