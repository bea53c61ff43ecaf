import { describe, expect, it } from 'vitest';
import { SpexlensError } from '../src/errors.ts';
import { printable, printableJson, printableLines } from '../src/printable.ts';

const HOSTILE = [
  '\u001b[31mred',
  'a\u009b2Jb',
  'a\u202eb',
  'a\u2066b',
  'a\u2028b',
  'a\u0000b',
  'a\u200fb',
  'a\r\nb',
  '\ufeffa',
];
const ACTS = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/u;

describe('printable text', () => {
  it.each(HOSTILE)('has nothing that a terminal acts on: %j', (text) => {
    expect(printable(text)).not.toMatch(ACTS);
    expect(new SpexlensError('input', text, text).message).not.toMatch(ACTS);
  });

  it('leaves letters, marks, emoji and joiners as they are', () => {
    for (const text of ['naïve Ωmega', 'e\u0301', '👩‍👩‍👧', 'שלום', 'a b', '日本'] as const)
      expect(printable(text)).toBe(text);
  });

  it('keeps lines apart where lines are wanted', () => {
    expect(printableLines('a\u001b\nb\u202ec')).toBe('a \nb c');
  });

  it.each(HOSTILE)('JSON says the same and is harmless: %j', (text) => {
    const json = printableJson(JSON.stringify({ text }));
    expect(JSON.parse(json)).toEqual({ text });
    expect(json).not.toMatch(ACTS);
  });
});
