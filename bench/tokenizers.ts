/**
 * How many texts of the golden corpus each tokenizer library gets wrong, next to Python's tokenizers.
 *
 *     npx tsx bench/tokenizers.ts
 *
 * Every kind of test/golden/tokenizer-kinds.json.gz, ids without special tokens; a kind counts as refused where the
 * library does not build it.
 */
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { Tokenizer } from '@huggingface/tokenizers';
import { createTokenizer } from '../src/tokenizer/tokenizer.ts';

interface Case {
  readonly ids?: number[];
}
interface Kind {
  readonly name: string;
  readonly model: string;
  readonly tokenizer: object;
  readonly config: object;
  readonly cases: readonly Case[];
}
const golden = JSON.parse(
  gunzipSync(await readFile(new URL('../test/golden/tokenizer-kinds.json.gz', import.meta.url))).toString(),
) as { texts: string[]; models: Record<string, Record<string, unknown>>; kinds: Kind[] };

type Encode = (text: string) => readonly number[];
interface OldTokenizer {
  encode(text: string, pair: null, options: object): number[];
}
// A variable keeps the type checker out of the library's untyped sources.
const path: string = '@xenova/transformers/src/tokenizers.js';
const { PreTrainedTokenizer } = (await import(path)) as {
  PreTrainedTokenizer: new (json: object, config: object) => OldTokenizer;
};

const copy = <T>(value: T): T => structuredClone(value);
const LIBRARIES: Readonly<
  Record<string, (json: { model: Record<string, unknown> }, config: object) => Promise<Encode>>
> = {
  spexlens: async (json, config) => {
    const tokenizer = await createTokenizer(json, config);
    return (text) => tokenizer.encode(text, { bos: false, unknown: 'token' });
  },
  '@huggingface/tokenizers': async (json, config) => {
    const tokenizer = new Tokenizer(copy(json), copy(config));
    return (text) => tokenizer.encode(text, { add_special_tokens: false }).ids;
  },
  '@xenova/transformers': async (json, config) => {
    const merges = (json.model['merges'] as (string | string[])[] | undefined)?.map((merge) =>
      [merge].flat().join(' '),
    );
    const model = { ...json.model, ...(merges && { merges }) };
    const tokenizer = new PreTrainedTokenizer(copy({ ...json, model }), copy(config));
    return (text) => tokenizer.encode(text, null, { add_special_tokens: false });
  },
};

const warn = console.warn;
console.warn = () => undefined;
for (const [library, build] of Object.entries(LIBRARIES)) {
  let [refused, wrongKinds, wrong, failed, all] = [0, 0, 0, 0, 0];
  for (const kind of golden.kinds) {
    let encode: Encode;
    try {
      encode = await build({ ...kind.tokenizer, model: golden.models[kind.model] }, kind.config);
    } catch {
      refused++;
      continue;
    }
    const before = wrong + failed;
    kind.cases.forEach(({ ids }, i) => {
      if (ids === undefined) return;
      all++;
      try {
        if (JSON.stringify(encode(golden.texts[i])) !== JSON.stringify(ids)) wrong++;
      } catch {
        failed++;
      }
    });
    if (wrong + failed > before) wrongKinds++;
  }
  console.log(
    `${library}: ${wrong} of ${all} texts wrong, ${failed} threw; ${wrongKinds} of ${golden.kinds.length} kinds have faults, ${refused} refused`,
  );
}
console.warn = warn;
