/** Classes and normal forms, code point by code point, as Hugging Face's tokenizers have them. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { isNumeric, isWhitespace, type CharacterTest } from '../../src/tokenizer/pattern/classes.ts';
import {
  isCombiningMark,
  isControl,
  isNonspacingMark,
  isPunctuation,
  normalForm,
  toText,
  type NormalForm,
} from '../../src/tokenizer/pipeline/unicode.ts';

/** Made by golden/make-unicode.py with Python's tokenizers 0.23.3. */
const golden = JSON.parse(await readFile(new URL('../golden/unicode.json', import.meta.url), 'utf8')) as Record<
  string,
  number[]
> & { readonly forms: Readonly<Record<string, string>> };
const CODES = Array.from({ length: 0x110000 }, (_, code) => code).filter((code) => code < 0xd800 || code >= 0xe000);

function ranges(test: CharacterTest): number[] {
  const found: number[] = [];
  for (const code of CODES) {
    if (!test(code)) continue;
    if (found.at(-1) === code - 1) found[found.length - 1] = code;
    else found.push(code, code);
  }
  return found;
}

/** Numbers of Unicode 17, which the other tables end before. */
const NEW_NUMBERS = (code: number): boolean =>
  (code >= 0x11de0 && code <= 0x11de9) || (code >= 0x16ff4 && code <= 0x16ff6);

describe('over all code points', () => {
  it.each<[string, CharacterTest]>([
    ['punctuation', isPunctuation],
    ['numeric', (code) => isNumeric(code)],
    ['whitespace', isWhitespace],
    ['cleaned', (code) => code === 0 || code === 0xfffd || isControl(code)],
    ['nonspacing', (code) => normalForm([code], 'NFD').every((part) => isNonspacingMark(part.code))],
    ['marks', isCombiningMark],
  ])('the class "%s" is the same', (name, test) => {
    const wanted = golden[name];
    expect(ranges((code) => test(code) && !(name === 'numeric' && NEW_NUMBERS(code)))).toEqual(
      name === 'numeric' ? ranges(inRanges(wanted, NEW_NUMBERS)) : wanted,
    );
  });

  it.each(Object.entries(golden.forms))('the form %s is the same', (form, hash) => {
    const of = (code: number): string =>
      form === 'lowercase'
        ? String.fromCodePoint(code).toLowerCase()
        : toText(normalForm([code], form as NormalForm).map((part) => part.code));
    const lines = CODES.map((code) => `${code}:${of(code)}`).join('\n');
    expect(createHash('sha256').update(lines).digest('hex')).toBe(hash);
  });
});

function inRanges(list: readonly number[], but: CharacterTest): CharacterTest {
  const set = new Set<number>();
  for (let i = 0; i < list.length; i += 2) for (let code = list[i]; code <= list[i + 1]; code++) set.add(code);
  return (code) => set.has(code) && !but(code);
}
