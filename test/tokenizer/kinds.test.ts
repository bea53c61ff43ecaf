/** Every kind of tokenizer that the format has, before hostile texts: equal to Hugging Face's, id by id. */
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../src/tokenizer/pattern/pattern.ts';
import { createTokenizer, type Tokenizer } from '../../src/tokenizer/tokenizer.ts';

type Case =
  | { readonly error: string }
  | {
      readonly ids: number[];
      readonly offsets: number[];
      /** With the template's special tokens; 0 where they add nothing. */
      readonly full: number[] | 0;
      readonly fullOffsets: number[] | 0;
      readonly decoded: string;
      readonly special: string;
    };
interface Kind {
  readonly name: string;
  readonly model: string;
  readonly tokenizer: object;
  readonly config: object;
  readonly cases: readonly Case[];
  /** ids, their text without and with special tokens */
  readonly random: readonly (readonly [number[], string, string])[];
}
/** Made by golden/make-tokenizer-kinds.py with Python's tokenizers 0.23.3 and transformers 5.24.0. */
const golden = JSON.parse(
  gunzipSync(await readFile(new URL('../golden/tokenizer-kinds.json.gz', import.meta.url))).toString(),
) as {
  readonly texts: readonly string[];
  readonly models: Readonly<Record<string, object>>;
  readonly kinds: readonly Kind[];
  readonly patternTexts: readonly string[];
  readonly patterns: readonly (readonly [string, readonly number[][]])[];
};

const made = async ({ name, model, tokenizer, config }: Kind): Promise<Tokenizer> =>
  createTokenizer({ ...tokenizer, model: golden.models[model] }, config, name);

/** Python counts characters; [start, end, ...] of them in UTF-16 units. */
function inUnits(text: string, offsets: readonly number[]): number[] {
  const units = [0];
  for (const char of text) units.push(units[units.length - 1] + char.length);
  return offsets.map((at) => units[at]);
}

/** Characters without a token, dropped or put behind bytes: Python's offsets after them are shifted, ours stay true. */
const DRIFTS = ['unknown dropped', 'few bytes'];

/** Texts on which the Rust library panics: a step after one that put text before the first character. */
const CRASHES: Readonly<Record<string, number>> = {
  'replace the start': 24,
  'replace nothing': 24,
  'replace, then lowercase': 83,
};

describe.each(golden.kinds)('the kind "$name"', (kind) => {
  it.each([
    ['without special tokens', false],
    ['as its template says', true],
  ] as const)("has Python's ids and offsets %s", async (_, template) => {
    const tokenizer = await made(kind);
    let compared = 0;
    kind.cases.forEach((wanted, i) => {
      const text = golden.texts[i];
      if ('error' in wanted) return;
      compared++;
      const ids = template ? wanted.full || wanted.ids : wanted.ids;
      const offsets = template ? wanted.fullOffsets || wanted.offsets : wanted.offsets;
      const bos = template && wanted.full !== 0;
      if (bos && !tokenizer.bosByDefault) return; // a template that only ends texts is not BOS
      const got = tokenizer.encodeWithOffsets(text, { bos, unknown: 'token' });
      expect([text, got.ids]).toEqual([text, ids]);
      expect(tokenizer.encode(text, { bos, unknown: 'token' })).toEqual(ids);
      if (!DRIFTS.includes(kind.name)) expect([text, got.offsets.flat()]).toEqual([text, inUnits(text, offsets)]);
    });
    expect(compared).toBe(golden.texts.length - (CRASHES[kind.name] ?? 0));
  });

  it('decodes as Python does, also ids in no order', async () => {
    const tokenizer = await made(kind);
    kind.cases.forEach((wanted, i) => {
      if ('error' in wanted) return;
      const ids = wanted.full || wanted.ids;
      expect([golden.texts[i], tokenizer.decode(ids)]).toEqual([golden.texts[i], wanted.decoded]);
      expect(tokenizer.decode(ids, { special: true })).toBe(wanted.special);
    });
    for (const [ids, text, special] of kind.random) {
      expect([ids, tokenizer.decode(ids)]).toEqual([ids, text]);
      expect(tokenizer.decode(ids, { special: true })).toBe(special);
    }
  });
});

describe('patterns', () => {
  it.each(golden.patterns)('%s cuts as Oniguruma does', (pattern, wanted) => {
    golden.patternTexts.forEach((text, i) => {
      const codes = Array.from(text, (char) => char.codePointAt(0)!);
      const cuts = compilePattern(pattern).matches(codes);
      const pieces: number[] = [];
      let last = 0;
      for (const [start, end] of [...cuts, [codes.length, codes.length] as const]) {
        if (start > last) pieces.push(last, start);
        if (end > start) pieces.push(start, end);
        last = end;
      }
      expect([text, pieces]).toEqual([text, wanted[i]]);
    });
  });
});
