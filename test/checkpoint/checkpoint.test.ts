import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SpexlensError } from '../../src/errors.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { writeSafetensors } from '../../src/checkpoint/safetensors-write.ts';
import { createRandom } from '../../src/random.ts';

let root: string;
let folder: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'checkpoint-'));
  folder = join(root, 'model');
});
afterAll(async () => rm(root, { recursive: true, force: true }));

const INDEX = 'model.safetensors.index.json';
const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
const write = async (name: string, content: unknown): Promise<void> =>
  writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
const vector = (...values: number[]) => ({ shape: [values.length], data: new Float32Array(values) });

/** A folder with config.json and two shards: a, b | c. */
async function writeSharded(
  weightMap: Record<string, unknown> = { a: SHARDS[0], b: SHARDS[0], c: SHARDS[1] },
): Promise<void> {
  await write('config.json', { model_type: 'gpt2', n_layer: 2 });
  await writeSafetensors(join(folder, SHARDS[0]), { a: vector(1, 2), b: vector(3) });
  await writeSafetensors(join(folder, SHARDS[1]), { c: vector(4, 5, 6) });
  await write(INDEX, { metadata: { total_size: 24.0 }, weight_map: weightMap });
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SpexlensError);
  const { kind, message } = error as SpexlensError;
  expect(kind).toBe('checkpoint');
  expect(message).not.toMatch(/\n/);
  return message.replaceAll(root, '');
}

beforeEach(async () => {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
});

describe('a checkpoint', () => {
  it('in one file gives its config, its tensors and their values', async () => {
    await write('config.json', { model_type: 'gpt2', n_layer: 2 });
    await writeSafetensors(join(folder, 'model.safetensors'), {
      'wte.weight': { shape: [2, 3], data: new Float32Array([1, 2, 3, 4, 5, 6]) },
    });
    const checkpoint = await openCheckpoint(folder);
    expect(checkpoint.config).toEqual({ model_type: 'gpt2', n_layer: 2 });
    expect(checkpoint.tensors.get('wte.weight')).toMatchObject({ dtype: 'F32', shape: [2, 3] });
    expect([...(await checkpoint.read('wte.weight'))]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(checkpoint.files).toEqual([join(folder, 'model.safetensors')]);
  });

  it('in shards reads each tensor from its own file', async () => {
    await writeSharded();
    const checkpoint = await openCheckpoint(folder);
    expect([...checkpoint.tensors.keys()].sort()).toEqual(['a', 'b', 'c']);
    expect(checkpoint.files).toEqual(SHARDS.map((shard) => join(folder, shard)));
    expect(await Promise.all(['a', 'b', 'c'].map(async (name) => [...(await checkpoint.read(name))]))).toEqual([
      [1, 2],
      [3],
      [4, 5, 6],
    ]);
    expect(await messageOf(checkpoint.read('d'))).toMatch(
      /^checkpoint \/model: has no tensor "d" among its 3; the closest are "a", "b", "c"\.$/,
    );
  });

  it('made of links, as the Hugging Face cache is, opens like files', async () => {
    await writeSharded();
    await mkdir(join(root, 'blobs'), { recursive: true });
    for (const [i, name] of [...SHARDS, INDEX, 'config.json'].entries()) {
      await rename(join(folder, name), join(root, 'blobs', String(i)));
      await symlink(`../blobs/${i}`, join(folder, name));
    }
    expect([...(await (await openCheckpoint(folder)).read('c'))]).toEqual([4, 5, 6]);
  });

  it('prefers the single file over an index', async () => {
    await writeSharded();
    await writeSafetensors(join(folder, 'model.safetensors'), { z: vector(9) });
    expect([...(await openCheckpoint(folder)).tensors.keys()]).toEqual(['z']);
  });
});

describe('a folder that is no checkpoint', () => {
  it('is told from one that is missing, and from a file', async () => {
    expect(await messageOf(openCheckpoint(join(folder, 'none')))).toBe(
      'checkpoint /model/none: there is no such folder; pass a folder with config.json and model.safetensors.',
    );
    await write('file', '');
    expect(await messageOf(openCheckpoint(join(folder, 'file')))).toContain('is not a folder');
  });

  it('is told which file was looked for', async () => {
    expect(await messageOf(openCheckpoint(folder))).toBe(
      'checkpoint /model: looked for config.json and did not find it.',
    );
    await write('config.json', '{}');
    expect(await messageOf(openCheckpoint(folder))).toBe(
      'checkpoint /model: looked for model.safetensors, pytorch_model.bin, an .index.json of either, a single .pth and a single .gguf and found none; it has no other weight file either.',
    );
    await write('model.h5', '');
    expect(await messageOf(openCheckpoint(folder))).toContain('it has weight files "model.h5", which are not read.');
    await write('q4.gguf', '');
    await write('q8.gguf', '');
    expect(await messageOf(openCheckpoint(folder))).toContain(
      '"q4.gguf", "q8.gguf", which are not read (name one .gguf file itself).',
    );
    await rm(join(folder, 'q4.gguf'));
    await rm(join(folder, 'q8.gguf'));
    await write('a.pth', '');
    await write('b.pth', '');
    expect(await messageOf(openCheckpoint(folder))).toContain(
      '"b.pth", "model.h5", which are not read (leave one .pth there).',
    );
  });

  it.each([
    ['cut short', '{"a": ', 'config.json is not JSON ('],
    ['empty', '', 'config.json is not JSON ('],
    ['a list', '[1]', 'config.json is JSON but not an object; it should be {...}.'],
    ['null', 'null', 'config.json is JSON but not an object'],
    [
      'whole and 100,000 levels deep',
      `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      'config.json is nested deeper than 64; the file is damaged.',
    ],
    ['100,000 levels deep', '[[{"a":'.repeat(33_334), 'config.json is nested deeper than 64; the file is damaged.'],
  ])('with a config.json that is %s', async (_, text, expected) => {
    await write('config.json', text);
    expect(await messageOf(openCheckpoint(folder))).toContain(expected);
  });

  it('with a config.json that is a folder, not text, or far too large', async () => {
    await mkdir(join(folder, 'config.json'));
    expect(await messageOf(openCheckpoint(folder))).toBe('checkpoint /model: config.json is not a file.');
    await rm(join(folder, 'config.json'), { recursive: true });
    await writeFile(join(folder, 'config.json'), new Uint8Array([0x22, 0xff, 0x22]));
    expect(await messageOf(openCheckpoint(folder))).toBe('checkpoint /model: config.json is not valid UTF-8.');
    await truncate(join(folder, 'config.json'), 1e9); // sparse
    expect(await messageOf(openCheckpoint(folder))).toContain(
      'config.json is 1000000000 bytes, above the limit of 4194304 for such a file.',
    );
  });

  const isRoot = process.getuid?.() === 0;
  if (isRoot) console.info('skipped: a file that may not be read (root may read every file)');
  it.skipIf(isRoot)('with a file that may not be read', async () => {
    await writeSharded();
    await chmod(join(folder, SHARDS[0]), 0);
    expect(await messageOf(openCheckpoint(folder))).toContain('cannot be read (EACCES).');
  });
});

describe('an index', () => {
  it.each([
    '../outside.safetensors',
    '/etc/outside.safetensors',
    'sub/a.safetensors',
    'sub\\a.safetensors',
    'C:a.safetensors',
    '..',
    '.',
    '',
    '.hidden.safetensors',
    'a\0.safetensors',
    'config.json',
    7,
    null,
    ['a'],
  ])('that maps a tensor to %j is refused by name', async (shard) => {
    await writeSharded({ a: shard });
    expect(await messageOf(openCheckpoint(folder))).toMatch(
      /index\.json: maps tensor "a" to .+; it should be the base name of a \.safetensors file in the same folder\.$/,
    );
  });

  it('that names a missing shard or tensor says so', async () => {
    await writeSharded({ a: 'gone.safetensors' });
    expect(await messageOf(openCheckpoint(folder))).toBe('safetensors /model/gone.safetensors: there is no such file.');
    await writeSharded({ a: SHARDS[0], b: SHARDS[0], c: SHARDS[1], d: SHARDS[1] });
    expect(await messageOf(openCheckpoint(folder))).toContain(
      `the index says tensor "d" is in "${SHARDS[1]}", which does not have it among its 1.`,
    );
  });

  it('that leaves out a tensor of a shard, or puts it elsewhere, says so', async () => {
    await writeSharded({ a: SHARDS[0], c: SHARDS[1] });
    expect(await messageOf(openCheckpoint(folder))).toContain(
      `tensor "b" is in "${SHARDS[0]}", but the index does not list it.`,
    );
    await writeSafetensors(join(folder, SHARDS[1]), { b: vector(3), c: vector(4) });
    await write(INDEX, { weight_map: { a: SHARDS[0], b: SHARDS[1], c: SHARDS[1] } });
    expect(await messageOf(openCheckpoint(folder))).toContain(
      `tensor "b" is in "${SHARDS[0]}", but the index says it is in "${SHARDS[1]}".`,
    );
  });

  it('that lists a tensor twice is refused, which JSON.parse would not see', async () => {
    await writeSharded();
    await write(INDEX, `{"weight_map":{"a":"${SHARDS[0]}","b":"${SHARDS[0]}","c":"${SHARDS[1]}","a":"${SHARDS[1]}"}}`);
    expect(await messageOf(openCheckpoint(folder))).toContain('the key "a" is there twice');
  });

  it.each([
    '{}',
    '[]',
    '{"weight_map":{}}',
    '{"weight_map":[]}',
    '{"weight_map":',
    '{"weight_map":{"a":NaN}}',
    '['.repeat(100_000),
  ])('that reads %.40s is refused', async (text) => {
    await writeSharded();
    await write(INDEX, text);
    expect(await messageOf(openCheckpoint(folder))).toMatch(/^checkpoint \/model model\.safetensors\.index\.json: /);
  });

  it('of 200 seeded mutations ends in one clear error or the same tensors', async () => {
    await writeSharded();
    const original = await readFile(join(folder, INDEX));
    const names = (await readdir(folder)).sort();
    let errors = 0;
    for (let seed = 0; seed < 200; seed++) {
      const random = createRandom(seed, 'index');
      let bytes = new Uint8Array(original);
      if (random.integer(4) === 0) bytes = bytes.slice(0, random.integer(bytes.length));
      else bytes[random.integer(bytes.length)] ^= 1 << random.integer(8);
      await writeFile(join(folder, INDEX), bytes);
      try {
        const checkpoint = await openCheckpoint(folder);
        expect([...checkpoint.tensors.keys()].sort()).toEqual(['a', 'b', 'c']);
        expect([...(await checkpoint.read('c'))]).toEqual([4, 5, 6]);
      } catch (error) {
        if (!(error instanceof SpexlensError)) throw error;
        errors++;
      }
    }
    expect(errors).toBeGreaterThan(100);
    expect((await readdir(folder)).sort()).toEqual(names);
  });
});
