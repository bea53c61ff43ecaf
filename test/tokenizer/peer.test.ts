/** A tokenizer object of @xenova/transformers: its ids under our policies, where that library is right. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { createTokenizer } from '../../src/tokenizer/tokenizer.ts';
import type { PeerTokenizer } from '../../src/tokenizer/peer.ts';

const golden = JSON.parse(await readFile(new URL('../golden/tokenizers.json', import.meta.url), 'utf8')) as {
  tokenizers: {
    name: string;
    tokenizer: { model: { merges?: (string | string[])[] } };
    config: { tokenizer_class: string };
    cases: { text: string; plain: number[]; full: number[]; decoded: string }[];
  }[];
};
// A variable keeps the type checker out of the library's untyped sources; its front door loads image code too.
const path: string = '@xenova/transformers/src/tokenizers.js';
const library = (await import(path)) as {
  AutoTokenizer: { TOKENIZER_CLASS_MAPPING: Record<string, new (json: object, config: object) => PeerTokenizer> };
};

describe.each(['gpt2', 'llama3', 'bert'])('a %s tokenizer of the library', (name) => {
  const { tokenizer: file, config, cases } = golden.tokenizers.find((item) => item.name === name)!;
  const { merges } = file.model;
  const joined = {
    ...file,
    model: { ...file.model, ...(merges && { merges: merges.map((m) => [m].flat().join(' ')) }) },
  };
  const known = library.AutoTokenizer.TOKENIZER_CLASS_MAPPING;
  const peer = new (known[config.tokenizer_class] ?? known['PreTrainedTokenizer'])(joined, config);

  it('gives the ids and texts that the files give', async () => {
    const theirs = await createTokenizer(peer, undefined, 'theirs');
    const ours = await createTokenizer(file, config, 'ours');
    expect([theirs.kind, theirs.vocabSize, theirs.bosId, theirs.bosPolicy]).toEqual([
      ours.kind,
      ours.vocabSize,
      ours.bosId,
      ours.bosPolicy,
    ]);
    for (const { text, plain, full, decoded } of cases) {
      expect(theirs.encode(text, { bos: false, unknown: 'token' })).toEqual(plain);
      expect(theirs.encode(text, { unknown: 'token' })).toEqual(full);
      expect(theirs.decode(full)).toBe(decoded);
      if (name !== 'bert') expect(theirs.toStrTokens(text)).toEqual(ours.toStrTokens(text));
    }
  });

  it('has no offsets, and says so', async () => {
    const theirs = await createTokenizer(peer);
    expect(() => theirs.encodeWithOffsets('a')).toThrow(
      "tokenizer: the tokenizer object that was passed has no offsets; pass the files' contents instead.",
    );
  });
});
