/**
 * The normalizers of tokenizer.json: what is done to a text before it is cut.
 *
 * One builder for all types of the format (tokenizers 0.23); a type that is not known is refused by name when the file
 * is read. Each is a function from an aligned text to another.
 */
import { z } from 'zod';
import { compilePattern, literalPattern } from '../pattern/pattern.ts';
import { filterMap, prepend, replace, strip, transform, type AlignedText, type Change } from './aligned-text.ts';
import { byteChanges } from './bytes.ts';
import { partOf, patternOf, patternSchema, row } from './part.ts';
import { precompiled } from './precompiled.ts';
import {
  isCombiningMark,
  isControl,
  isNonspacingMark,
  isWhitespace,
  normalForm,
  toCodes,
  type NormalForm,
} from './unicode.ts';

export type Normalizer = (text: AlignedText) => AlignedText;

const SPACE = 32;
const identity: Normalizer = (text) => text;

/** @throws 'checkpoint' for a type that is not known, a field that is not as it should be, a pattern not supported. */
export function normalizerOf(json: unknown, who: string): Normalizer {
  if (json === null || json === undefined) return identity;
  return partOf('normalizer', json, who, {
    Sequence: row(z.looseObject({ normalizers: z.array(z.unknown()) }), ({ normalizers }) => {
      const steps = normalizers.map((step) => normalizerOf(step, who));
      return (text) => steps.reduce((current, step) => step(current), text);
    }),
    NFC: row(z.looseObject({}), () => toForm('NFC')),
    NFD: row(z.looseObject({}), () => toForm('NFD')),
    NFKC: row(z.looseObject({}), () => toForm('NFKC')),
    NFKD: row(z.looseObject({}), () => toForm('NFKD')),
    Lowercase: row(z.looseObject({}), () => lowercase),
    Strip: row(
      z.looseObject({ strip_left: z.boolean(), strip_right: z.boolean() }),
      (given) => (text) => strip(text, given.strip_left, given.strip_right),
    ),
    StripAccents: row(z.looseObject({}), () => (text) => keep(text, (code) => !isCombiningMark(code))),
    Nmt: row(z.looseObject({}), () => nmt),
    Prepend: row(z.looseObject({ prepend: z.string() }), (given) => (text) => prepend(text, given.prepend)),
    Replace: row(z.looseObject({ pattern: patternSchema, content: z.string() }), (given) => {
      const pattern = patternOf(given.pattern, compilePattern, literalPattern);
      return (text) => replace(text, pattern, given.content);
    }),
    ByteLevel: row(z.looseObject({}), () => (text) => transform(text, byteChanges(text.codes))),
    Precompiled: row(z.looseObject({ precompiled_charsmap: z.string() }), (given) =>
      precompiled(given.precompiled_charsmap),
    ),
    BertNormalizer: row(
      z.looseObject({
        clean_text: z.boolean(),
        handle_chinese_chars: z.boolean(),
        strip_accents: z.boolean().nullish(),
        lowercase: z.boolean(),
      }),
      (given) => {
        const steps: Normalizer[] = [];
        if (given.clean_text) steps.push(cleanText);
        if (given.handle_chinese_chars) steps.push(spaceChinese);
        if (given.strip_accents ?? given.lowercase) {
          const decompose = toForm('NFD');
          steps.push((text) => keep(decompose(text), (code) => !isNonspacingMark(code)));
        }
        if (given.lowercase) steps.push(lowercase);
        return (text) => steps.reduce((current, step) => step(current), text);
      },
    ),
  });
}

function keep(text: AlignedText, test: (code: number) => boolean): AlignedText {
  return filterMap(text, (code) => (test(code) ? code : undefined));
}

function toForm(form: NormalForm): Normalizer {
  return (text) =>
    transform(
      text,
      normalForm(text.codes, form).map(({ code, change }): Change => [code, change]),
    );
}

/** Character by character, so a final sigma stays one (Rust's char::to_lowercase). */
function lowercase(text: AlignedText): AlignedText {
  const changes = text.codes.flatMap((code) =>
    toCodes(String.fromCodePoint(code).toLowerCase()).map((lower, i): Change => [lower, i === 0 ? 0 : 1]),
  );
  return transform(text, changes);
}

function cleanText(text: AlignedText): AlignedText {
  const kept = keep(text, (code) => code !== 0 && code !== 0xfffd && !isControl(code));
  return filterMap(kept, (code) => (isWhitespace(code) ? SPACE : code));
}

const CHINESE = [
  [0x4e00, 0x9fff],
  [0x3400, 0x4dbf],
  [0x20000, 0x2a6df],
  [0x2a700, 0x2b73f],
  [0x2b740, 0x2b81f],
  [0x2b920, 0x2ceaf],
  [0xf900, 0xfaff],
  [0x2f800, 0x2fa1f],
] as const;

function spaceChinese(text: AlignedText): AlignedText {
  const changes = text.codes.flatMap((code): Change[] =>
    CHINESE.some(([low, high]) => low <= code && code <= high)
      ? [
          [SPACE, 0],
          [code, 1],
          [SPACE, 1],
        ]
      : [[code, 0]],
  );
  return transform(text, changes);
}

/** SentencePiece's nmt rules: some controls are dropped, some characters become a space. */
function nmt(text: AlignedText): AlignedText {
  const dropped = (code: number): boolean =>
    (code >= 1 && code <= 8) ||
    code === 0xb ||
    (code >= 0xe && code <= 0x1f) ||
    code === 0x7f ||
    code === 0x8f ||
    code === 0x9f;
  const spaces = [9, 10, 12, 13, 0x1680, 0x2028, 0x2029, 0x2581, 0xfeff, 0xfffd];
  const isSpace = (code: number): boolean => spaces.includes(code) || (code >= 0x200b && code <= 0x200f);
  const kept = keep(text, (code) => !dropped(code));
  return filterMap(kept, (code) => (isSpace(code) ? SPACE : code));
}
