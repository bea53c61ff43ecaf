/** Checkpoints as people have them: what is brought back to the model's names is said, what would be wrong is refused. */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { writeSafetensors, type TensorToWrite } from '../../src/checkpoint/safetensors-write.ts';
import { runWithHooks } from '../../src/hooks/run.ts';
import { describeModel } from '../../src/model/describe.ts';
import { loadModel } from '../../src/model/model.ts';
import { open, TEST_BACKEND } from '../tensors.ts';

const FAMILIES = 'test/golden/families';
type Tensors = Record<string, TensorToWrite>;
type Config = Record<string, unknown>;

let root: string;
let backend: Backend;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'found-'));
  backend = await open(TEST_BACKEND);
});
afterAll(async () => {
  backend.close();
  await rm(root, { recursive: true, force: true });
});

let folders = 0;
/** A golden model with its tensors and configuration changed. */
async function changed(
  family: string,
  change: (tensors: Tensors) => Tensors,
  config: Config = {},
  metadata?: Record<string, string>,
): Promise<string> {
  const source = await openCheckpoint(join(FAMILIES, family));
  const tensors: Tensors = {};
  for (const [name, { shape }] of source.tensors) tensors[name] = { shape, data: await source.read(name) };
  const folder = join(root, String(folders++));
  await mkdir(folder);
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...source.config, ...config }));
  await writeSafetensors(join(folder, 'model.safetensors'), change(tensors), metadata);
  return folder;
}

/** The notes of the model in `folder`, whose logits must be transformers' of the golden model. */
async function notesOf(folder: string, family: string): Promise<readonly string[]> {
  const golden = await openSafetensors(join(FAMILIES, family, 'golden.safetensors'));
  const model = await loadModel(folder);
  try {
    const logits = runWithHooks(model, [...(await golden.readIntegers('tokens.0'))], []);
    expect(await logits.data()).toBeAllClose(await golden.read('logits.0'), 1e-5);
    logits.dispose();
    expect(describeModel(model).text).toContain(model.notes.join('\n'));
    return model.notes;
  } finally {
    model[Symbol.dispose]();
  }
}

const prefixed =
  (prefix: string, keep: RegExp = /$^/) =>
  (tensors: Tensors): Tensors =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [keep.test(name) ? name : prefix + name, tensor]),
    );
const number = (...data: number[]): TensorToWrite => ({ shape: [data.length], data: new Float32Array(data) });

describe('a checkpoint whose names begin with', () => {
  it.each(['module.', '_orig_mod.', 'module._orig_mod.', 'base_model.model.', 'net.decoder.'])(
    '%s has the numbers of the plain one, and says so',
    async (prefix) => {
      expect(await notesOf(await changed('llama', prefixed(prefix)), 'llama')).toEqual([
        `the tensors' names begin with ${JSON.stringify(prefix)}, which was taken off`,
      ]);
    },
  );

  it('pretrained_model. beside a value head says both', async () => {
    const folder = await changed('llama', (tensors) => ({
      ...prefixed('pretrained_model.')(tensors),
      'v_head.summary.weight': number(1, 2),
    }));
    expect(await notesOf(folder, 'llama')).toEqual([
      'the tensors\' names begin with "pretrained_model.", which was taken off',
      'no part of this model reads "v_head.summary.weight"',
    ]);
  });

  it('a prefix that is not before all of them is an error that names the missing tensor', async () => {
    const folder = await changed('llama', prefixed('other.', /layers\.1/));
    await expect(loadModel(folder)).rejects.toThrow(/tensor ".*" \[.*\] is missing; a llama model of/);
  });
});

describe('a checkpoint with', () => {
  it('aliases of save_model reads each tensor that is stored once under both its names', async () => {
    const folder = await changed(
      'llama-smol',
      ({ 'model.embed_tokens.weight': embedding, ...rest }) => ({ ...rest, 'lm_head.weight': embedding }),
      {},
      { 'model.embed_tokens.weight': 'lm_head.weight' },
    );
    expect((await notesOf(folder, 'llama-smol'))[0]).toBe(
      'tensor "model.embed_tokens.weight" is "lm_head.weight", as the file\'s metadata says',
    );
  });

  it('a GPT-NeoX head called lm_head reads it', async () => {
    const folder = await changed('gpt_neox', ({ 'embed_out.weight': head, ...rest }) => ({
      ...rest,
      'lm_head.weight': head,
    }));
    expect(await notesOf(folder, 'gpt_neox')).toEqual([
      'the head is called "lm_head.weight" in the file and was read as "embed_out.weight"',
    ]);
  });

  it('layers beyond the configuration says how many are not used', async () => {
    const folder = await changed('llama', (tensors) => ({
      ...tensors,
      ...Object.fromEntries(
        Object.entries(tensors)
          .filter(([name]) => name.includes('layers.0.'))
          .map(([name, tensor]) => [name.replace('layers.0.', 'layers.7.'), tensor]),
      ),
    }));
    expect((await notesOf(folder, 'llama'))[0]).toMatch(
      /^the file has \d+ layers and config\.json \d+; \d+ tensors from layer 7 on/,
    );
  });

  it('LoRA tensors that were not merged is refused by name', async () => {
    const name = 'model.layers.0.self_attn.q_proj.lora_A.default.weight';
    await expect(loadModel(await changed('llama', (tensors) => ({ ...tensors, [name]: number(1) })))).rejects.toThrow(
      `holds 1 tensors of an adapter that was not merged, the first "${name}"`,
    );
  });

  it.each([NaN, Infinity, -Infinity])(
    '%d among its weights is refused by the tensor’s name and place',
    async (value) => {
      const folder = await changed('llama', (tensors) => {
        const { shape, data } = tensors['model.norm.weight'];
        return {
          ...tensors,
          'model.norm.weight': { shape, data: Float32Array.from(data as Float32Array).with(5, value) },
        };
      });
      await expect(loadModel(folder)).rejects.toThrow(`tensor "model.norm.weight" is ${value} at [5], as 1 of its`);
    },
  );

  it.each<[string, Config, string]>([
    ['a rotary base of 1e-320', { rope_theta: 1e-320, rope_parameters: null, rope_scaling: null }, 'rope_theta 1e-320'],
    [
      'a scaling factor of 1e-300',
      { rope_theta: 10_000, rope_parameters: null, rope_scaling: { rope_type: 'linear', factor: 1e-300 } },
      '"factor":1e-300',
    ],
  ])('%s is refused by what it gives', async (_, config, expected) => {
    const error = loadModel(await changed('llama', (tensors) => tensors, config));
    await expect(error).rejects.toThrow(expected);
    await expect(error).rejects.toThrow('it must be positive and finite');
  });

  it('an index that lists a tied head which no shard has loads and says so', async () => {
    const folder = join(root, 'index');
    await mkdir(folder);
    await copyFile(join(FAMILIES, 'llama-smol/config.json'), join(folder, 'config.json'));
    await copyFile(join(FAMILIES, 'llama-smol/model.safetensors'), join(folder, 'a.safetensors'));
    const names = [...(await openSafetensors(join(folder, 'a.safetensors'))).tensors.keys(), 'lm_head.weight'];
    const index = { weight_map: Object.fromEntries(names.map((name) => [name, 'a.safetensors'])) };
    await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
    expect(await notesOf(folder, 'llama-smol')).toEqual([
      'the index lists "lm_head.weight" in "a.safetensors", which does not have it',
    ]);
  });
});

describe('bombs end at once:', () => {
  it.each([
    ['a safetensors header of 20 million empty objects', `{"t":[${'{},'.repeat(2e7)}{}]}`, /more than 1000000 values/],
    ['one nested deep', `{"t":${'['.repeat(1e7)}`, /nested deeper than 3/],
  ])('%s', async (_, json, expected) => {
    const head = Buffer.alloc(8);
    head.writeBigUInt64LE(BigInt(json.length));
    const path = join(root, 'bomb.safetensors');
    await writeFile(path, Buffer.concat([head, Buffer.from(json)]));
    const started = performance.now();
    await expect(openSafetensors(path)).rejects.toThrow(expected);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it.each([
    ['config.json', '{}', /config.json is \d+ bytes, above the limit of 4194304/],
    ['tokenizer.json', '{}', /tokenizer.json has more than 6000000 values/],
    ['tokenizer.json', '[', /tokenizer.json is nested deeper than 64/],
  ])('%s of 60 MB of %s', async (name, piece, expected) => {
    const folder = await changed('llama', (tensors) => tensors);
    await writeFile(join(folder, name), `{"a":[${`${piece},`.repeat(20e6)}0]}`);
    const started = performance.now();
    await expect(loadModel(folder)).rejects.toThrow(expected);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
