/** Damaged and malicious model folders: 200 seeded mutations of every file, each a clear error or a load that works. */
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { SpexlensError } from '../../src/errors.ts';
import { runWithHooks } from '../../src/hooks/run.ts';
import { loadModel } from '../../src/model/model.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { writeSafetensors, type TensorToWrite } from '../../src/checkpoint/safetensors-write.ts';
import { wordLevelTokenizer } from '../../src/tokenizer/word-tokenizer.ts';
import { createRandom, type Random } from '../../src/random.ts';
import { open } from '../tensors.ts';
import { converted } from './gguf-bytes.ts';
import { mutateBytes, mutateGguf, mutateJson, mutateTorch } from './mutations.ts';

const SEEDS = 200;
const LIMIT_MS = 2000;
/** Beyond twice the file: what a run of 200 loads of a 3 kB model may add to the process. */
const CONSTANT_BYTES = 200e6;
const WORDS = ['Mary', 'John', 'went', 'to', 'the', 'store', '.', 'gave', 'drink'];

let root: string;
let backend: Backend;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'mutations-'));
  backend = await open('cpu');
});
afterAll(async () => {
  backend.close();
  await rm(root, { recursive: true, force: true });
});

/** A GPT-2 of one layer with a tokenizer; `index` writes it as two shards. */
async function gpt2Folder(name: string, index = false): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  const [d, V, n] = [8, WORDS.length + 2, 6];
  const random = createRandom(1, 'tiny');
  const shapes: Record<string, number[]> = {
    'wte.weight': [V, d],
    'wpe.weight': [n, d],
    'h.0.attn.c_attn.weight': [d, 3 * d],
    'h.0.attn.c_attn.bias': [3 * d],
    'h.0.attn.c_proj.weight': [d, d],
    'h.0.attn.c_proj.bias': [d],
    'h.0.mlp.c_fc.weight': [d, 4 * d],
    'h.0.mlp.c_fc.bias': [4 * d],
    'h.0.mlp.c_proj.weight': [4 * d, d],
    'h.0.mlp.c_proj.bias': [d],
  };
  for (const norm of ['h.0.ln_1', 'h.0.ln_2', 'ln_f'])
    for (const part of ['weight', 'bias']) shapes[`${norm}.${part}`] = [d];
  const tensors = Object.entries(shapes).map(([tensor, shape]): [string, TensorToWrite] => [
    tensor,
    { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.uniform() - 0.5) },
  ]);
  const config = {
    model_type: 'gpt2',
    n_embd: d,
    n_layer: 1,
    n_head: 2,
    n_positions: n,
    vocab_size: V,
    n_inner: null,
    layer_norm_epsilon: 1e-5,
    activation_function: 'gelu_new',
    tie_word_embeddings: true,
  };
  const tokenizer = wordLevelTokenizer(WORDS);
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer.tokenizer));
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(tokenizer.config));
  if (!index) await writeSafetensors(join(folder, 'model.safetensors'), Object.fromEntries(tensors));
  else {
    for (const [k, name] of ['a.safetensors', 'b.safetensors'].entries())
      await writeSafetensors(join(folder, name), Object.fromEntries(tensors.filter((_, i) => i % 2 === k)));
    await writeFile(
      join(folder, 'model.safetensors.index.json'),
      JSON.stringify({
        metadata: { total_size: 1 },
        weight_map: Object.fromEntries(
          tensors.map(([tensor], i) => [tensor, i % 2 === 0 ? 'a.safetensors' : 'b.safetensors']),
        ),
      }),
    );
  }
  return folder;
}

/** An attention-only model as a .pth that torch.save wrote. */
async function torchFolder(name: string): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  await copyFile(join(import.meta.dirname, '../golden/torch/lens.pth'), join(folder, 'model.pth'));
  await writeFile(
    join(folder, 'config.json'),
    JSON.stringify({
      d_model: 8,
      n_layers: 1,
      n_heads: 2,
      d_head: 4,
      n_ctx: 6,
      d_vocab: 11,
      attn_only: true,
      act_fn: null,
      normalization_type: null,
      eps: 1e-5,
      positional_embedding_type: 'standard',
      attention_dir: 'causal',
      use_attn_scale: true,
    }),
  );
  return folder;
}

/** A tiny golden model as llama.cpp's converter writes it, in a folder of its own. */
async function ggufFolder(name: string): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  const source = await openCheckpoint('test/golden/families/llama-smol');
  await writeFile(join(folder, 'model.gguf'), await converted('llama-smol', source));
  return folder;
}

interface Tally {
  loads: number;
  errors: number;
  slowest: number;
}

/** Loads `folder` with each mutation of `file` in turn, and uses what loads. */
async function loadMutations(
  folder: string,
  file: string,
  mutate: (original: Buffer, random: Random) => Uint8Array,
): Promise<Tally> {
  const path = join(folder, file);
  const original = await readFile(path);
  const [before, around] = [(await readdir(folder)).sort(), (await readdir(root)).sort()];
  const here = (await readdir('.')).sort();
  const tally: Tally = { loads: 0, errors: 0, slowest: 0 };
  await use(folder); // what is not damaged loads
  const tensors = tf.memory().numTensors;
  const peak = process.resourceUsage().maxRSS * 1024;
  for (let seed = 0; seed < SEEDS; seed++) {
    const what = `seed ${seed} of ${file}`;
    await writeFile(path, mutate(original, createRandom(seed, file)));
    const started = performance.now();
    try {
      await use(folder);
      tally.loads++;
    } catch (error) {
      if (!(error instanceof SpexlensError)) throw new Error(`${what}: not an error of ours`, { cause: error });
      expect(error.message, what).toMatch(/^[^\n]{10,1000}$/);
      tally.errors++;
    }
    const ms = performance.now() - started;
    tally.slowest = Math.max(tally.slowest, ms);
    expect(ms, what).toBeLessThan(LIMIT_MS);
    expect(tf.memory().numTensors, what).toBe(tensors);
  }
  await writeFile(path, original);
  expect(process.resourceUsage().maxRSS * 1024 - peak).toBeLessThan(CONSTANT_BYTES + 2 * original.length);
  expect((await readdir(folder)).sort()).toEqual(before);
  expect((await readdir(root)).sort()).toEqual(around);
  expect((await readdir('.')).sort()).toEqual(here);
  return tally;
}

async function use(folder: string): Promise<void> {
  const model = await loadModel(folder);
  try {
    model.tokenizer?.encode('Mary went to the store.', {});
    const logits = runWithHooks(model, [0, 1], []);
    expect(logits.shape.at(-1)).toBe(model.config.dVocabOut);
    logits.dispose();
  } finally {
    model[Symbol.dispose]();
  }
}

describe(`${SEEDS} seeded mutations, each one clear error or a model that works, in under 2 s, with nothing run, leaked or written:`, () => {
  const text = (mutate: (json: string, random: Random) => Uint8Array) => (bytes: Buffer, random: Random) =>
    mutate(bytes.toString(), random);
  it('safetensors', async () => {
    const { loads, errors } = await loadMutations(await gpt2Folder('safetensors'), 'model.safetensors', mutateBytes);
    expect(errors).toBeGreaterThan(100);
    expect(loads).toBeGreaterThan(10); // flips in the data are other numbers
  });
  it('an index', async () => {
    const { errors } = await loadMutations(
      await gpt2Folder('index', true),
      'model.safetensors.index.json',
      text(mutateJson),
    );
    expect(errors).toBeGreaterThan(100);
  });
  it.each(['config.json', 'tokenizer.json', 'tokenizer_config.json'])('%s', async (file) => {
    const { loads, errors } = await loadMutations(await gpt2Folder(file), file, text(mutateJson));
    expect(errors).toBeGreaterThan(30);
    expect(loads).toBeGreaterThan(10); // fields that change nothing
  });
  it('GGUF', async () => {
    const { loads, errors } = await loadMutations(await ggufFolder('gguf'), 'model.gguf', mutateGguf);
    expect(errors).toBeGreaterThan(100);
    expect(loads).toBeGreaterThan(5); // flips in the data are other numbers
  });
  it('a .pth', async () => {
    const { loads, errors } = await loadMutations(await torchFolder('torch'), 'model.pth', mutateTorch);
    expect(errors).toBeGreaterThan(100);
    expect(loads).toBeGreaterThan(5);
  });
  it('the config.json of a TransformerLens model', async () => {
    const { errors } = await loadMutations(await torchFolder('lens-config'), 'config.json', text(mutateJson));
    expect(errors).toBeGreaterThan(50);
  });
});
