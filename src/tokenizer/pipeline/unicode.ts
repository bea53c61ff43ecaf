/**
 * Unicode as Hugging Face's tokenizers has it: its classes and normal forms come from tables older than a runtime's.
 *
 * Which characters BERT's steps count as punctuation, control or mark, and which characters decompose, was asked of
 * tokenizers 0.23.3 for every code point; below are those where JavaScript's own tables (Unicode 17) answer otherwise,
 * nearly all of them characters of later versions. test/golden/make-unicode.py writes what it was compared with.
 */
import { isWhitespace, type CharacterTest } from '../pattern/classes.ts';

const DIFFERENCES = {
  punctuation: `
    61d 9fd a76 c77 c84 166d 1b4e-1b4f 1b7d-1b7f 2e43-2e4f 2e52-2e5d 10d6e 10ead 10ed0 10f55-10f59 10f86-10f89
    111c9 113d4-113d5 113d7-113d8 1144b-1144f 1145a-1145b 1145d 11660-1166c 116b9 1183b 11944-11946 119e2
    11a3f-11a46 11a9a-11a9c 11a9e-11aa2 11b00-11b09 11be1 11c41-11c45 11c70-11c71 11ef7-11ef8 11f43-11f4f 11fff
    12ff1-12ff2 16d6d-16d6f 16e97-16e9a 16fe2 1e5ff 1e95e-1e95f`,
  control: `
    890-891 8e2 110cd 13430-1343f`,
  nonspacing: `
    7fd 897-89f 8ca-8e1 9fe afa-aff b55 c04 c3c d00 d3b-d3c d81 eba ece 1734 180f 1885-1886 1abf-1add 1ae0-1aeb
    1df6-1dfb a82c a8c5 a8ff a9bd 10d24-10d27 10d69-10d6d 10eab-10eac 10efa-10eff 10f46-10f50 10f82-10f85 11070
    11073-11074 110c2 111c9 111cf 1123e 11241 1133b 113bb-113c0 113ce 113d0 113d2 113e1-113e2 11438-1143f
    11442-11444 11446 1145e 1171e 1182f-11837 11839-1183a 1193b-1193c 1193e 11943 119d4-119d7 119da-119db 119e0
    11a01-11a0a 11a33-11a38 11a3b-11a3e 11a47 11a51-11a56 11a59-11a5b 11a8a-11a96 11a98-11a99 11b60 11b62-11b64
    11b66 11c30-11c36 11c38-11c3d 11c3f 11c92-11ca7 11caa-11cb0 11cb2-11cb3 11cb5-11cb6 11d31-11d36 11d3a
    11d3c-11d3d 11d3f-11d45 11d47 11d90-11d91 11d95 11d97 11ef3-11ef4 11f00-11f01 11f36-11f3a 11f40 11f42 11f5a
    13440 13447-13455 1611e-16129 1612d-1612f 16f4f 16fe4 1cf00-1cf2d 1cf30-1cf46 1e000-1e006 1e008-1e018
    1e01b-1e021 1e023-1e024 1e026-1e02a 1e08f 1e130-1e136 1e2ae 1e2ec-1e2ef 1e4ec-1e4ef 1e5ee-1e5ef 1e6e3 1e6e6
    1e6ee-1e6ef 1e6f5 1e944-1e94a`,
  mark: `
    7fd 897-89f 8ca-8d3 9fe afa-aff b55 c04 c3c cf3 d00 d3b-d3c d81 eba ece 1715 180f 1abf-1add 1ae0-1aeb
    1cf2-1cf3 1cf7 1df6-1dfa a82c a8ff 10d24-10d27 10d69-10d6d 10eab-10eac 10efa-10eff 10f46-10f50 10f82-10f85
    11070 11073-11074 110c2 11145-11146 111c9 111ce-111cf 11241 1133b 113b8-113c0 113c2 113c5 113c7-113ca
    113cc-113d0 113d2 113e1-113e2 1145e 1182c-1183a 11930-11935 11937-11938 1193b-1193e 11940 11942-11943
    119d1-119d7 119da-119e0 119e4 11a01-11a0a 11a33-11a39 11a3b-11a3e 11a47 11a51-11a5b 11a8a-11a99 11b60-11b67
    11d31-11d36 11d3a 11d3c-11d3d 11d3f-11d45 11d47 11d8a-11d8e 11d90-11d91 11d93-11d97 11ef3-11ef6 11f00-11f01
    11f03 11f34-11f3a 11f3e-11f42 11f5a 13440 13447-13455 1611e-1612f 16f4f 16f7f-16f87 16fe4 16ff0-16ff1
    1cf00-1cf2d 1cf30-1cf46 1e08f 1e130-1e136 1e2ae 1e2ec-1e2ef 1e4ec-1e4ef 1e5ee-1e5ef 1e6e3 1e6e6 1e6ee-1e6ef
    1e6f5`,
  canonical: `
    105c9 105e4 11383 11385 1138e 11391 113c5 113c7-113c8 11938 16121-16128 16d68-16d6a`,
  compatible: `
    32ff a7f1-a7f4 ab69 105c9 105e4 10781-10785 10787-107b0 107b2-107ba 11383 11385 1138e 11391 113c5
    113c7-113c8 11938 16121-16128 16d68-16d6a 1ccd6-1ccf9 1e030-1e06d 1f16c 1fbf0-1fbf9`,
} as const;

const differs = Object.fromEntries(
  Object.entries(DIFFERENCES).map(([name, ranges]) => [name, rangesTest(ranges)]),
) as Record<keyof typeof DIFFERENCES, CharacterTest>;

function rangesTest(text: string): CharacterTest {
  const ranges = text
    .trim()
    .split(/\s+/)
    .map((range) => range.split('-').map((code) => parseInt(code, 16)))
    .map(([low, high = low]) => [low, high] as const);
  return (code) => code >= ranges[0][0] && ranges.some(([low, high]) => low <= code && code <= high);
}

/** Characters of the other tables that JavaScript's class has not. */
const MORE: Readonly<Record<string, readonly number[]>> = {
  punctuation: [0x166d, 0x111c9],
  nonspacing: [0x1734, 0x1171e],
  mark: [0x1cf2, 0x1cf3],
};

function classTest(regex: RegExp, where: keyof typeof DIFFERENCES): CharacterTest {
  const more = MORE[where] ?? [];
  return (code) => (regex.test(String.fromCodePoint(code)) ? !differs[where](code) : more.includes(code));
}

const inControl = classTest(/[\p{Cc}\p{Cf}\p{Co}]/u, 'control');
const inNonspacing = classTest(/\p{Mn}/u, 'nonspacing');
const inMark = classTest(/\p{M}/u, 'mark');

export const isPunctuation: CharacterTest = classTest(/[\p{P}!-/:-@[-`{-~]/u, 'punctuation');
/** Controls, formats and private use, but for tab, newline and carriage return, which count as space. */
export const isControl: CharacterTest = (code) => code !== 9 && code !== 10 && code !== 13 && inControl(code);
export const isNonspacingMark: CharacterTest = (code) => code >= 0x300 && inNonspacing(code);
export const isCombiningMark: CharacterTest = (code) => code >= 0x300 && inMark(code);
export { isWhitespace };

/** A character of a normal form; `change` is 0 where it stands for a character of the text, else as AlignedText's. */
export interface Normalized {
  readonly code: number;
  readonly change: number;
}
export type NormalForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

/** The normal form of `codes`, and what became of each character. */
export function normalForm(codes: readonly number[], form: NormalForm): Normalized[] {
  const parts = decompose(codes, form === 'NFKC' || form === 'NFKD' ? 'NFKD' : 'NFD');
  return form === 'NFC' || form === 'NFKC' ? compose(parts) : parts;
}

function decompose(codes: readonly number[], form: 'NFD' | 'NFKD'): Normalized[] {
  const stays = differs[form === 'NFD' ? 'canonical' : 'compatible'];
  const parts: Normalized[] = [];
  /** Where the run of marks that are still to be ordered begins. */
  let marks = 0;
  const order = (): void => {
    if (parts.length - marks > 1) parts.splice(marks, parts.length - marks, ...ordered(parts.slice(marks)));
    marks = parts.length;
  };
  for (const code of codes) {
    const pieces = code < 0x80 || stays(code) ? [code] : toCodes(String.fromCodePoint(code).normalize(form));
    pieces.forEach((piece, i) => {
      if (!isReordered(piece)) order();
      parts.push({ code: piece, change: i === 0 ? 0 : 1 });
      if (!isReordered(piece)) marks = parts.length;
    });
  }
  order();
  return parts;
}

/** Marks in canonical order; equal ones keep theirs. */
function ordered(marks: readonly Normalized[]): Normalized[] {
  const left = [...marks];
  return toCodes(toText(marks.map(({ code }) => code)).normalize('NFD')).map((code) => {
    const at = left.findIndex((mark) => mark.code === code);
    return left.splice(at, 1)[0];
  });
}

function compose(parts: readonly Normalized[]): Normalized[] {
  const result: Normalized[] = [];
  let starter: Normalized | undefined;
  let waiting: Normalized[] = [];
  const flush = (): void => {
    if (starter !== undefined) result.push(starter);
    result.push(...waiting);
    waiting = [];
  };
  for (const part of parts) {
    const mark = isReordered(part.code);
    if (starter === undefined) {
      if (mark) result.push(part);
      else starter = part;
      continue;
    }
    const last = waiting.at(-1);
    const blocked = last !== undefined && (!mark || sameClass(last.code, part.code));
    const whole = blocked ? undefined : composite(starter.code, part.code);
    if (whole !== undefined) starter = { code: whole, change: starter.change + part.change - 1 };
    else if (mark) waiting.push(part);
    else {
      flush();
      starter = part;
    }
  }
  flush();
  return result;
}

function composite(first: number, second: number): number | undefined {
  if (second < 0x300) return undefined;
  const [code, ...more] = toCodes(toText([first, second]).normalize('NFC'));
  return more.length > 0 || differs.canonical(code) ? undefined : code;
}

const reordered = new Map<number, boolean>();
/** Whether the canonical combining class is not 0: such a mark changes places with U+0334 (class 1) or U+0345 (240). */
function isReordered(code: number): boolean {
  if (code < 0x300) return false;
  let known = reordered.get(code);
  if (known === undefined) {
    known = isCombiningMark(code) && (code === 0x334 || code === 0x345 || swaps(code, 0x334) || swaps(0x345, code));
    reordered.set(code, known);
  }
  return known;
}

function sameClass(a: number, b: number): boolean {
  return !swaps(a, b) && !swaps(b, a);
}

function swaps(a: number, b: number): boolean {
  return toText([a, b]).normalize('NFD') === toText([b, a]) && a !== b;
}

export function toCodes(text: string): number[] {
  const codes: number[] = [];
  for (const char of text) codes.push(char.codePointAt(0)!);
  return codes;
}

export function toText(codes: readonly number[]): string {
  let text = '';
  for (let at = 0; at < codes.length; at += 4096) text += String.fromCodePoint(...codes.slice(at, at + 4096));
  return text;
}
