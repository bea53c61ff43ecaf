/** loadModel from every format: the same numbers, whatever file they come from. */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { writeSafetensors, type TensorToWrite } from '../../src/checkpoint/safetensors-write.ts';
import { loadModel } from '../../src/model/model.ts';
import { runWithHooks } from '../../src/hooks/run.ts';
import { open } from '../tensors.ts';

const TORCH = join(import.meta.dirname, '../golden/torch');
const IOI = join(import.meta.dirname, '../../models/ioi-tiny');
type Values = Record<string, { shape: number[]; values: number[] }>;

let root: string;
let backend: Backend;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'load-'));
  backend = await open('wasm');
});
afterAll(async () => {
  backend.close();
  await rm(root, { recursive: true, force: true });
});

async function folderOf(name: string, config: object): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  return folder;
}
async function logitsOf(folder: string, tokens: number[]): Promise<Float32Array> {
  const model = await loadModel(folder);
  const logits = runWithHooks(model, tokens, []);
  const values = (await logits.data()) as Float32Array;
  logits.dispose();
  model[Symbol.dispose]();
  return values;
}

describe('loadModel', () => {
  it('gives a TransformerLens .pth the numbers of the same model in safetensors', async () => {
    const config = {
      d_model: 8,
      n_layers: 1,
      n_heads: 2,
      d_head: 4,
      n_ctx: 6,
      d_vocab: 11,
      attn_only: true,
      normalization_type: null,
    };
    const golden = (JSON.parse(await readFile(join(TORCH, 'values.json'), 'utf8')) as { files: Record<string, Values> })
      .files['lens.pth'];
    const torch = await folderOf('torch', config);
    await copyFile(join(TORCH, 'lens.pth'), join(torch, 'model_final.pth'));
    const safetensors = await folderOf('safetensors', config);
    const tensors = Object.fromEntries(
      Object.entries(golden).map(([name, { shape, values }]): [string, TensorToWrite] => [
        name,
        { shape, data: new Float32Array(values) },
      ]),
    );
    await writeSafetensors(join(safetensors, 'model.safetensors'), tensors);
    const tokens = [1, 5, 10, 0];
    expect([...(await logitsOf(torch, tokens))]).toEqual([...(await logitsOf(safetensors, tokens))]);
    const model = await loadModel(torch);
    expect(model.unusedTensors).toEqual([]);
    model[Symbol.dispose]();
  });

  it('gives GPT-2 in shards, in halves and in doubles the numbers of the one file, as precisely as they are stored', async () => {
    const config = JSON.parse(await readFile(join(IOI, 'config.json'), 'utf8')) as object;
    const source = await openSafetensors(join(IOI, 'model.safetensors'));
    const read: [string, TensorToWrite & { data: Float32Array }][] = [];
    for (const [name, { shape }] of source.tensors) read.push([name, { shape, data: await source.read(name) }]);
    const [shards, bf16, f64] = [
      await folderOf('shards', config),
      await folderOf('bf16', config),
      await folderOf('f64', config),
    ];
    const half = Math.floor(read.length / 2);
    await writeSafetensors(join(shards, 'a.safetensors'), Object.fromEntries(read.slice(0, half)));
    await writeSafetensors(join(shards, 'b.safetensors'), Object.fromEntries(read.slice(half)));
    await writeFile(
      join(shards, 'model.safetensors.index.json'),
      JSON.stringify({
        weight_map: Object.fromEntries(read.map(([name], i) => [name, i < half ? 'a.safetensors' : 'b.safetensors'])),
      }),
    );
    const upper = (data: Float32Array): Uint16Array =>
      Uint16Array.from(new Uint32Array(data.buffer, data.byteOffset, data.length), (bits) => bits >>> 16);
    await writeSafetensors(
      join(bf16, 'model.safetensors'),
      Object.fromEntries(
        read.map(([name, { shape, data }]) => [name, { shape, data: upper(data), dtype: 'BF16' as const }]),
      ),
    );
    await writeSafetensors(
      join(f64, 'model.safetensors'),
      Object.fromEntries(read.map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }])),
    );
    const tokens = [0, 2, 3, 4, 5];
    const expected = await logitsOf(IOI, tokens);
    expect([...(await logitsOf(shards, tokens))]).toEqual([...expected]);
    expect([...(await logitsOf(f64, tokens))]).toEqual([...expected]);
    const cut = await logitsOf(bf16, tokens);
    expect(cut).toBeAllClose(expected, 0.1); // 8 bits of precision through 4 layers
    expect([...cut]).not.toEqual([...expected]);
  });

  it.each(['n_layer', 'n_layers', 'num_layers', 'num_hidden_layers'])(
    'refuses a %s beyond the tensors there are, before it counts to it',
    async (field) => {
      const folder = await folderOf(field, {
        model_type: 'gpt2',
        n_embd: 8,
        n_head: 2,
        n_layer: 1,
        vocab_size: 11,
        [field]: 1e9,
      });
      await writeSafetensors(join(folder, 'model.safetensors'), { a: { shape: [1], data: new Float32Array(1) } });
      await expect(loadModel(folder)).rejects.toThrow(
        `config.json has "${field}" 1000000000, and the weights are 1 tensors, fewer than one a layer; they belong to different models.`,
      );
    },
  );

  it('refuses a model that WebAssembly cannot address, before it allocates', async () => {
    const huge = await folderOf('huge', {
      d_model: 4096,
      n_layers: 0,
      n_heads: 1,
      d_head: 4096,
      n_ctx: 1,
      d_vocab: 200_000,
      attn_only: true,
      normalization_type: null,
    });
    await writeSafetensors(join(huge, 'model.safetensors'), { 'embed.W_E': { shape: [1], data: new Float32Array(1) } });
    await expect(loadModel(huge)).rejects.toThrow(
      'the model needs 6.6 GB in float32 and the wasm backend holds 4.3 GB; use webgpu, tensorflow or cpu.',
    );
  });

  it('leaves no tensor behind, also when a tensor is missing or damaged', async () => {
    await expect(async () => (await loadModel(IOI))[Symbol.dispose]()).toLeakNoTensors();
    const config = JSON.parse(await readFile(join(IOI, 'config.json'), 'utf8')) as object;
    const missing = await folderOf('missing', { ...config, n_layer: 1 });
    await writeSafetensors(join(missing, 'model.safetensors'), {
      'transformer.wte.weight': { shape: [2], data: new Float32Array(2) },
    });
    await expect(loadModel(missing)).rejects.toThrow('config.json asks for [');
    await expect(async () => loadModel(missing)).toLeakNoTensors();
  });
});
