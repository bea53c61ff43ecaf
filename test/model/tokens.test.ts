/** Texts, ids and rows as input; what stands before a text; padding that changes nothing. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { runWithCache, runWithHooks } from '../../src/hooks/run.ts';
import { padRows } from '../../src/model/forward/attention-mask.ts';
import { bosOf } from '../../src/model/bos.ts';
import { describeModel } from '../../src/model/describe.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { createTokenizer, type Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { toSingleToken, toStrTokens, toTokens } from '../../src/model/tokens.ts';
import { CONFIGS, open, randomModel } from '../tensors.ts';

const SHORT = 'Mary gave a drink to';
const LONG = 'When Mary and John went to the store, John gave a drink to';
let model: Model;
beforeAll(async () => {
  await open('wasm');
  model = await loadModel('models/ioi-tiny');
});

const golden = JSON.parse(await readFile(new URL('../golden/tokenizers.json', import.meta.url), 'utf8')) as {
  tokenizers: { name: string; tokenizer: object; config: object }[];
};
async function made(name: string, change: object = {}): Promise<Tokenizer> {
  const found = golden.tokenizers.find((item) => item.name === name)!;
  return createTokenizer(found.tokenizer, { ...found.config, ...change }, name);
}

describe('toTokens', () => {
  it('pads texts of different lengths on the side that is asked for, left by default', () => {
    const [short, long] = [SHORT, LONG].map((text) => toTokens(model, text).tokens[0]);
    expect(short.length).toBeLessThan(long.length);
    expect(toTokens(model, [SHORT, LONG])).toEqual(padRows([short, long], 'left'));
    expect(toTokens(model, [SHORT, LONG], { paddingSide: 'right' })).toEqual(padRows([short, long], 'right'));
    expect(toTokens(model, [LONG, LONG])).toEqual({ tokens: [long, long], attentionMask: undefined });
  });

  it('prepends BOS as the tokenizer says, or as told', () => {
    const [bos, ...rest] = toTokens(model, SHORT).tokens[0];
    expect(bos).toBe(model.tokenizer?.bosId);
    expect(toTokens(model, SHORT, { prependBos: false }).tokens).toEqual([rest]);
    expect(toTokens(model, SHORT, { prependBos: true }).tokens).toEqual([[bos, ...rest]]);
    expect(toTokens(model, rest, { prependBos: true }).tokens).toEqual([rest]); // ids are taken as they are
  });

  it('refuses rows of ids that differ in length, and a mask beside texts that do', () => {
    expect(() => toTokens(model, [[1, 2], [3]])).toThrow(
      /row 1 has 1 tokens, row 0 has 2; .* \(padRows makes them so\)/,
    );
    expect(() => toTokens(model, [[1, 2], []])).toThrow(/no tokens; at least one is needed in every row/);
    expect(() => toTokens(model, [SHORT, LONG], { attentionMask: [[1], [1]] })).toThrow(
      /attention mask: is made from the texts/,
    );
  });

  it('gives strings and single tokens with the model as first argument', () => {
    expect(toStrTokens(model, SHORT)).toEqual(['<|bos|>', 'Mary', ' gave', ' a', ' drink', ' to']);
    expect(toStrTokens(model, SHORT, { prependBos: false })[0]).toBe('Mary');
    expect(toSingleToken(model, ' Mary')).toBe(toTokens(model, 'Mary', { prependBos: false }).tokens[0][0]);
    expect(() => toSingleToken(model, ' Mary gave')).toThrow(/" Mary gave" is 2 tokens/);
    const { model: bare } = randomModel(CONFIGS['gpt2']);
    expect(() => toStrTokens(bare, 'a')).toThrow(/has no tokenizer\.json/);
    bare[Symbol.dispose]();
  });
});

describe('a batch of texts', () => {
  it.each(['left', 'right'] as const)('has the logits of each text alone, padded on the %s', async (paddingSide) => {
    const logits = runWithHooks(model, [SHORT, LONG], [], { paddingSide });
    const [, length, V] = logits.shape;
    for (const [r, text] of [SHORT, LONG].entries()) {
      const alone = runWithHooks(model, text, []);
      const own = alone.shape[1];
      const rows = tf.slice(logits, [r, paddingSide === 'left' ? length - own : 0, 0], [1, own, V]);
      expect(await rows.data()).toBeAllClose(await alone.data(), 1e-5);
      tf.dispose([alone, rows]);
    }
    logits.dispose();
  });

  it('counts tokens, not padding, against the context', () => {
    const { model: small } = randomModel(CONFIGS['gpt2']); // a context of 12
    const row = Array.from({ length: 12 }, (_, i) => i);
    const { tokens, attentionMask } = padRows([row, [1, 2]], 'left');
    const wider = {
      tokens: tokens.map((ids) => [0, 0, ...ids]),
      attentionMask: attentionMask.map((kept) => [0, 0, ...kept]),
    };
    const logits = runWithHooks(small, wider.tokens, [], { attentionMask: wider.attentionMask });
    const alone = runWithHooks(small, row, []);
    expect(tf.slice(logits, [0, 2, 0], [1, 12, 17]).dataSync()).toBeAllClose(alone.dataSync(), 1e-5);
    expect(() =>
      runWithHooks(small, wider.tokens, [], { attentionMask: wider.attentionMask.map((kept) => kept.map(() => 1)) }),
    ).toThrow(/14 tokens; the context holds 12/);
    small[Symbol.dispose]();
  });

  it('leaves no tensors, also where texts do not fit', async () => {
    await expect(() => {
      const { logits, cache } = runWithCache(model, [SHORT, LONG], { names: 'hook_embed' });
      logits.dispose();
      cache[Symbol.dispose]();
    }).toLeakNoTensors();
    await expect(() => runWithHooks(model, [SHORT, LONG.repeat(9)], [])).toLeakNoTensors();
  });
});

describe('the BOS policy', () => {
  it('says whether a text begins with BOS, with which, and who says so', async () => {
    expect(bosOf({ config: CONFIGS['gpt2'], tokenizer: await made('gpt2') })).toEqual({
      prepended: false,
      id: 0,
      token: '<|endoftext|>',
      added: [],
      because: "the tokenizer's own template adds no BOS",
      family: 'none',
      text: `a text is given no BOS: the tokenizer's own template adds no BOS; prependBos: true would add "<|endoftext|>" (id 0)`,
    });
    const llama = { ...CONFIGS['gpt2'], family: 'llama' };
    expect(bosOf({ config: llama, tokenizer: await made('llama3') })).toMatchObject({
      prepended: true,
      id: 300,
      added: [300],
      family: 'bos',
    });
    expect(bosOf({ config: llama, tokenizer: await made('llama') }).text).toBe(
      'a text is given "<s>" (id 1): add_bos_token is true in tokenizer_config.json',
    );
    const bert = bosOf({ config: { ...llama, family: 'bert' }, tokenizer: await made('bert') });
    expect(bert).toMatchObject({ prepended: true, added: [2, 3], family: 'cls-sep' });
    expect(bert.text).toContain('"[CLS]" (id 2) and "[SEP]" (id 3)');
  });

  it('says where the files and the family differ', async () => {
    const llama = { ...CONFIGS['gpt2'], family: 'llama' };
    expect(bosOf({ config: llama, tokenizer: await made('llama', { add_bos_token: false }) }).text).toMatch(
      /given no BOS: add_bos_token is false .*; llama's original tokenizer begins a text with BOS$/,
    );
    expect(bosOf(model as Model & { tokenizer: Tokenizer }).text).toMatch(
      /given "<\|bos\|>" \(id 0\): .*; gpt2's original tokenizer adds nothing$/,
    );
  });

  it('is part of the description of a model', () => {
    expect(describeModel(model).facts.at(-1)).toBe(bosOf(model as Model & { tokenizer: Tokenizer }).text);
    expect(describeModel({ config: model.config }).facts.at(-1)).toMatch(/^logits =/);
  });
});

describe('merges as pairs', () => {
  it('may hold spaces inside a token, also where two pairs read the same', async () => {
    const bpe = (merges: [string, string][]): object => ({
      model: { type: 'BPE', vocab: { a: 0, ' ': 1, b: 2, 'a ': 3, 'a b': 4, ' b': 5 }, merges },
    });
    const spaced = await createTokenizer(
      bpe([
        ['a', ' '],
        ['a ', 'b'],
      ]),
      {},
    );
    expect(spaced.encode('a b')).toEqual([4]);
    const twins = await createTokenizer(
      bpe([
        ['a', ' b'],
        ['a ', 'b'],
        [' ', 'b'],
      ]),
      {},
    );
    expect(twins.encode('a b')).toEqual([4]);
  });
});

describe('token ids', () => {
  it('are taken wherever text is, beside texts and without a tokenizer', () => {
    const [text] = toTokens(model, SHORT).tokens;
    const mixed = toTokens(model, [SHORT, [3, 4]]);
    expect(mixed).toEqual(padRows([text, [3, 4]], 'left'));
    expect(toSingleToken(model, 3)).toBe(3);
    const { model: bare } = randomModel(CONFIGS['gpt2']);
    expect(toTokens(bare, [1, 2]).tokens).toEqual([[1, 2]]);
    expect(toSingleToken(bare, 5)).toBe(5);
    expect(() => toSingleToken(bare, 99)).toThrow(/token id 99 in row 0 is outside the vocabulary 0\.\.16/);
    bare[Symbol.dispose]();
  });
});

describe('a tokenizer larger than the embedding', () => {
  const added = (id: number): object => ({ id, content: `<extra ${id}>`, special: true, normalized: false });
  async function copyWith(count: number): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'larger-'));
    await cp('models/ioi-tiny', folder, { recursive: true });
    const path = join(folder, 'tokenizer.json');
    const json = JSON.parse(await readFile(path, 'utf8')) as { added_tokens: object[]; model: { vocab: object } };
    const size = Object.keys(json.model.vocab).length;
    json.added_tokens.push(...Array.from({ length: count }, (_, i) => added(size + i)));
    await writeFile(path, JSON.stringify(json));
    return folder;
  }

  it('by an added pad token loads and says so; using the token is an error that names it', async () => {
    const folder = await copyWith(1);
    const larger = await loadModel(folder);
    const { dVocab } = larger.config;
    expect(larger.tokenizer?.vocabSize).toBe(dVocab + 1);
    const line = `the embedding has ${dVocab} rows, none for the added token "<extra ${dVocab}>" (id ${dVocab}): a text that uses one is an error`;
    expect(describeModel(larger).facts).toContain(line);
    expect(toTokens(larger, SHORT)).toEqual(toTokens(model, SHORT));
    expect(() => toTokens(larger, `Mary<extra ${dVocab}>`)).toThrow(
      `"<extra ${dVocab}>" in row 0 is the added token ${dVocab}, but the embedding has ${dVocab} rows; leave it out.`,
    );
    larger[Symbol.dispose]();
    await rm(folder, { recursive: true });
  });

  it('by more than a few is another model’s', async () => {
    const folder = await copyWith(65);
    await expect(loadModel(folder)).rejects.toThrow(/tokens, the embedding \d+ rows; they belong to different models/);
    await rm(folder, { recursive: true });
  });
});
