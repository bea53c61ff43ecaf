/** GGUF against Python: values by number format, names, merges and token ids made by test/golden/make-gguf.py. */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { openCheckpoint, type Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { openGgufFile } from '../../src/checkpoint/gguf/gguf-file.ts';
import { metadataOf } from '../../src/checkpoint/gguf/metadata.ts';
import { ropeScalingOf } from '../../src/checkpoint/gguf/rope-factors.ts';
import { mergesOf } from '../../src/checkpoint/gguf/sentence-piece.ts';
import { readTokenizer } from '../../src/checkpoint/gguf/tokenizer.ts';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { SpexlensError } from '../../src/errors.ts';
import { runWithHooks } from '../../src/hooks/run.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { frequencies } from '../../src/model/forward/rotary.ts';
import { createTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { open, TEST_BACKEND } from '../tensors.ts';
import { CONVERTED, converted, ggufOf, type Pair } from './gguf-bytes.ts';

const GOLDEN = 'test/golden/gguf';
const FAMILIES = 'test/golden/families';

let root: string;
let backend: Backend;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gguf-'));
  backend = await open(TEST_BACKEND);
});
afterAll(async () => {
  backend.close();
  await rm(root, { recursive: true, force: true });
});

const bitsOf = (values: Float32Array): Uint32Array => new Uint32Array(values.slice().buffer);

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SpexlensError)) throw error ?? new Error('nothing was thrown');
  expect(error.kind).toBe('checkpoint');
  return error.message.replaceAll(root, '');
}

describe('the values of a number format are those of the Python package gguf, bit for bit:', () => {
  it.each('F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K'.split(' '))('%s', async (type) => {
    const file = await openGgufFile(join(GOLDEN, 'types.gguf'));
    const expected = await openSafetensors(join(GOLDEN, 'types.safetensors'));
    expect(file.tensors.get(type)?.type.name).toBe(type);
    const values = await expected.read(type);
    expect(bitsOf(await file.read(type))).toEqual(bitsOf(values));
    // A row alone, into memory that is longer than it.
    const into = new Float32Array(600);
    expect(bitsOf(await file.read(type, into, [1, 2]))).toEqual(bitsOf(values.subarray(512)));
  });
});

async function logitsOf(model: Model, tokens: number[]): Promise<Float32Array> {
  const logits = runWithHooks(model, tokens, []);
  const values = (await logits.data()) as Float32Array;
  logits.dispose();
  return values;
}

/** What a GGUF file cannot say, because llama.cpp knows one value of it alone; the golden models have others. */
const FIXED: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  gemma2: { layer_types: undefined },
  gemma3: { layer_types: undefined, sliding_window_pattern: 6 },
};

/** Transformers' where llama.cpp can have the model at all; else our own of the checkpoint with llama.cpp's values. */
async function expectedLogits(family: string, source: Checkpoint, tokens: number[]): Promise<Float32Array> {
  if (FIXED[family] === undefined)
    return (await openSafetensors(join(FAMILIES, family, 'golden.safetensors'))).read('logits.0');
  const folder = join(root, `${family}-fixed`);
  await mkdir(folder);
  const fixed = { ...source.config, ...FIXED[family], query_pre_attn_scalar: source.config['head_dim'] };
  await writeFile(join(folder, 'config.json'), JSON.stringify(fixed));
  await copyFile(source.files[0], join(folder, 'model.safetensors'));
  const model = await loadModel(folder);
  try {
    return await logitsOf(model, tokens);
  } finally {
    model[Symbol.dispose]();
  }
}

describe('a converted model', () => {
  it.each(CONVERTED)('of %s has the names, values and logits of the checkpoint it was made from', async (family) => {
    const path = join(root, `${family}.gguf`);
    const source = await openCheckpoint(join(FAMILIES, family));
    await writeFile(path, await converted(family, source));
    const made = await openCheckpoint(path);
    expect([...made.tensors.keys()].sort()).toEqual([...source.tensors.keys()].sort());
    for (const [name, { shape }] of source.tensors) {
      expect(made.tensors.get(name)?.shape, name).toEqual(shape);
      const [ours, theirs] = [await made.read(name), await source.read(name)];
      // Adding 1 to a norm and taking it off again rounds.
      if (family.startsWith('gemma') && name.endsWith('norm.weight')) expect(ours).toBeAllClose(theirs, 1e-7);
      else expect(bitsOf(ours), name).toEqual(bitsOf(theirs));
    }
    const model = await loadModel(path);
    try {
      expect([model.name, model.notes, model.unusedTensors, model.tokenizer]).toEqual([family, [], [], undefined]);
      const golden = await openSafetensors(join(FAMILIES, family, 'golden.safetensors'));
      const tokens = [...(await golden.readIntegers('tokens.0'))];
      const logits = await logitsOf(model, tokens);
      expect(logits).toBeAllClose(await expectedLogits(family, source, tokens), 1e-5);
    } finally {
      model[Symbol.dispose]();
    }
  });
});

describe('a tokenizer in a GGUF file', () => {
  const golden = async (): Promise<{ texts: string[]; ids: Record<string, number[][]> }> =>
    JSON.parse(await readFile(join(GOLDEN, 'tokenizers.json'), 'utf8')) as never;

  it.each(['bpe-gpt-2', 'bpe-smollm', 'bpe-llama-bpe', 'bpe-qwen2', 'spm-llama', 'spm-gemma'])(
    '%s gives the ids of Python’s tokenizers',
    async (name) => {
      const contents = readTokenizer(metadataOf((await openGgufFile(join(GOLDEN, `${name}.gguf`))).metadata, name));
      const tokenizer = await createTokenizer(contents?.tokenizer ?? {}, contents?.config ?? {});
      const { texts, ids } = await golden();
      expect(texts.map((text) => tokenizer.encode(text, { bos: false }))).toEqual(ids[name]);
    },
  );

  it('of SentencePiece’s kind has the merges that transformers finds, also where scores are equal', async () => {
    const { scores, merges } = JSON.parse(await readFile(join(GOLDEN, 'merges.json'), 'utf8')) as {
      scores: Record<string, number>;
      merges: [string, string][];
    };
    const ids = new Map(Object.keys(scores).map((piece, id) => [piece, id]));
    expect(mergesOf(ids, Object.values(scores))).toEqual(merges);
  });

  it.each<[string, Record<string, Pair>, string]>([
    ['of another kind', { model: 'bert' }, 'has a tokenizer of the kind "bert", which is not read'],
    [
      'with another pre-tokenizer',
      { model: 'gpt2', pre: 'tekken' },
      'has the pre-tokenizer "tekken", which is not read',
    ],
    ['without a named pre-tokenizer', { model: 'gpt2' }, 'does not name its pre-tokenizer'],
    [
      'with a token twice',
      { model: 'gpt2', pre: 'qwen2', tokens: ['a', 'a'], merges: ['a a'] },
      'has the token "a" twice',
    ],
    ['without scores', { model: 'llama' }, 'has no "tokenizer.ggml.scores"'],
    [
      'whose BOS is no token',
      { model: 'gpt2', pre: 'qwen2', merges: ['a b'], bos_token_id: 9 },
      'has the bos token 9 of 2',
    ],
  ])('%s is refused by name', async (_, pairs, expected) => {
    const all = { tokens: ['a', 'b'], ...pairs };
    const path = join(root, 'tokenizer.gguf');
    await writeFile(
      path,
      ggufOf(Object.fromEntries(Object.entries(all).map(([key, v]) => [`tokenizer.ggml.${key}`, v]))),
    );
    const { metadata } = await openGgufFile(path);
    expect(() => readTokenizer(metadataOf(metadata, 'gguf'))).toThrow(expected);
  });
});

describe('rotary divisors', () => {
  it('of Llama 3.2 become the scaling that gives them', () => {
    const rotary = { dims: 64, theta: 500_000, scaling: undefined };
    const scaled = frequencies({
      ...rotary,
      scaling: { kind: 'llama3', factor: 32, lowFrequency: 1, highFrequency: 4, originalContext: 8192 },
    });
    const divisors = frequencies(rotary).map((frequency, i) => frequency / scaled[i]);
    expect(ropeScalingOf(divisors, 500_000, 'gguf')).toEqual({
      rope_type: 'llama3',
      factor: 32,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    });
    divisors[3] *= 1.01;
    expect(() => ropeScalingOf(divisors, 500_000, 'gguf')).toThrow('divides rotary frequency 3 by');
    expect(ropeScalingOf(new Float32Array(32).fill(1), 500_000, 'gguf')).toBeUndefined();
  });
});

describe('a GGUF file that cannot be used', () => {
  const one = { shape: [2], data: new Float32Array([1, 2]) };
  const plain = ggufOf({ 'general.architecture': 'llama', 'a.list': [1, 2, 3], 'a.text': 'x' }, { t: one, u: one });
  const changed = (change: (bytes: Buffer) => Buffer): Buffer => change(Buffer.from(plain));
  const at = (text: string): number => plain.indexOf(text);
  it.each<[string, Buffer, RegExp]>([
    ['empty', Buffer.alloc(0), /ends at byte 0 inside its head/],
    ['another format', Buffer.from('PK\u0003\u0004 and more'), /begins with "PK/],
    ['of before GGUF', Buffer.from('lmgg and more'), /before GGUF; convert it again/],
    ['big-endian', changed((b) => (b.writeUInt32BE(3, 4), b)), /big-endian/],
    ['of version 1', changed((b) => (b.writeUInt32LE(1, 4), b)), /version 1; little-endian files of version 2 and 3/],
    ['announcing 2^60 tensors', changed((b) => (b.writeBigUInt64LE(2n ** 60n, 8), b)), /integer 1152921504606846976/],
    [
      'announcing 2^40 pairs',
      changed((b) => (b.writeBigUInt64LE(2n ** 40n, 16), b)),
      /pairs, above the limit of 100000/,
    ],
    [
      'with a list of 2^40',
      changed((b) => (b.writeBigUInt64LE(2n ** 40n, at('a.list') + 14), b)),
      /above the limit of 4000000/,
    ],
    [
      'with a text of 2^40',
      changed((b) => (b.writeBigUInt64LE(2n ** 40n, at('a.text') + 10), b)),
      /text of 1099511627776/,
    ],
    [
      'with a value of type 99',
      changed((b) => (b.writeUInt32LE(99, at('a.text') + 6), b)),
      /type 99, which GGUF does not have/,
    ],
    ['with a key that is not UTF-8', changed((b) => (b.writeUInt8(255, at('a.text')), b)), /not UTF-8/],
    ['with a key twice', changed((b) => (b.write('a.list', at('a.text')), b)), /the key "a.list" twice/],
    ['with a tensor twice', changed((b) => (b.write('t', plain.lastIndexOf('u', 999)), b)), /twice/],
    ['cut short', plain.subarray(0, -40), /describes 40 bytes of data and has 24; the file is truncated/],
    ['with bytes at its end', Buffer.concat([plain, Buffer.alloc(64)]), /bytes after its last tensor/],
    ['in parts', ggufOf({ 'general.architecture': 'llama', 'split.count': 2 }), /is one of 2 parts; join them/],
    [
      'of another architecture',
      ggufOf({ 'general.architecture': 'mamba' }),
      /architecture "mamba", which is not read from GGUF; llama,/,
    ],
    [
      'with experts',
      ggufOf({ 'general.architecture': 'llama', 'llama.expert_count': 8 }),
      /"llama.expert_count", which may change the numbers; only 0/,
    ],
    [
      'with an unknown key',
      ggufOf({ 'general.architecture': 'llama', 'llama.new_trick': 1 }),
      /"llama.new_trick", which may change the numbers/,
    ],
    ['without sizes', ggufOf({ 'general.architecture': 'llama' }), /has no "llama.attention.head_count"/],
  ])('%s is told why', async (_, bytes, expected) => {
    const path = join(root, 'bad.gguf');
    await writeFile(path, bytes);
    expect(await messageOf(openCheckpoint(path))).toMatch(expected);
  });

  it.each([
    [9, 'Q8_1'],
    [23, 'IQ4_XS'],
    [77, '77'],
  ])('of number format %i is refused by name', async (code, name) => {
    const bytes = Buffer.from(plain);
    bytes.writeUInt32LE(code, bytes.lastIndexOf('u', 999) + 1 + 4 + 8);
    const path = join(root, 'type.gguf');
    await writeFile(path, bytes);
    expect(await messageOf(openGgufFile(path))).toContain(
      `tensor "u" is of the type ${name}, which is not read; F32, F16`,
    );
  });
});
