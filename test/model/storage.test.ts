/** Models whose matrices are held in half precision: what that costs in logits, what it saves, and that nothing else changes. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { masksFromRows } from '../../src/masks.ts';
import { createComponentGame } from '../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../src/lens/components/components.ts';
import { metricOf } from '../../src/lens/metrics.ts';
import { runWithHooks } from '../../src/hooks/run.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { roundToHalf, type HalfFormat } from '../../src/model/weights/half-storage.ts';
import { createModel, loadModel, withUngroupedHeads, type Model } from '../../src/model/model.ts';
import { disposeParameters, float32Parameters, rowsOf, store } from '../../src/model/weights/parameters.ts';
import { writeSafetensors } from '../../src/checkpoint/safetensors-write.ts';
import { availableBackends, open } from '../tensors.ts';
import { ABLATIONS } from '../../src/lens/components/ablations.ts';

const LLAMA = 'test/golden/families/llama'; // its tensors are BF16
const TOKENS = [3, 1, 4, 1, 5, 9, 2, 6];
/** What storing matrices in halves may move a logit by: about twice what was measured under SwiftShader. */
const MODELS = {
  'ioi-tiny': {
    folder: () => 'models/ioi-tiny',
    input: 'When Mary and John went to the store, John gave a drink to',
    most: { float16: 0.01, bfloat16: 0.08 },
  },
  'llama in float32': { folder: () => times11, input: TOKENS, most: { float16: 0.01, bfloat16: 0.08 } },
} as const;
const names = Object.keys(MODELS) as (keyof typeof MODELS)[];
/** The llama checkpoint in F32 with all weights times 1.1, which neither half format can hold. */
let times11: string;
const formats: readonly HalfFormat[] = ['float16', 'bfloat16'];
const cases = names.flatMap((name) => formats.map((format) => [name, format] as const));

/** The llama checkpoint in F32, its weights changed; a folder to be removed. */
async function changedLlama(change: (value: number, tensor: string) => number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'spexlens-llama-'));
  const { tensors, read } = await openCheckpoint(LLAMA);
  const all = [...tensors].map(
    async ([name, { shape }]) =>
      [name, { shape, data: (await read(name)).map((value) => change(value, name)) }] as const,
  );
  await writeSafetensors(join(folder, 'model.safetensors'), Object.fromEntries(await Promise.all(all)));
  copyFileSync(join(LLAMA, 'config.json'), join(folder, 'config.json'));
  return folder;
}

async function logitsOf(model: Model, input: string | readonly number[] = TOKENS): Promise<Float32Array> {
  const logits = runWithHooks(model, typeof input === 'string' ? input : [...input], []);
  const values = (await logits.data()) as Float32Array;
  logits.dispose();
  return values;
}
const largestChange = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);

describe('storage in halves', () => {
  it.each(['wasm', 'cpu'])('is refused on %s before anything is read, and so is what is no storage', async (name) => {
    const backend = await open(name);
    await expect(loadModel('models/ioi-tiny', { storage: 'bfloat16' })).rejects.toThrow(
      `storage bfloat16: needs webgpu, which unpacks on the device; the backend is ${name}.`,
    );
    await expect(loadModel('models/ioi-tiny', { storage: 'int8' as 'float16' })).rejects.toThrow(
      'storage: "int8" is unknown; there are float32, float16, bfloat16.',
    );
    backend.close();
  });
});

describe.runIf((await availableBackends()).includes('webgpu'))('a model in halves on webgpu', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open('webgpu');
    times11 = await changedLlama((value) => 1.1 * value);
  });
  afterAll(() => {
    rmSync(times11, { recursive: true });
    backend.close();
  });

  it.each(cases)(
    '%s in %s gives the logits of the rounded weights, and those are near the exact ones',
    async (name, format) => {
      const { folder, input, most } = MODELS[name];
      const [exact, half] = [await loadModel(folder()), await loadModel(folder(), { storage: format })];
      expect([exact.storage, half.storage]).toEqual(['float32', format]);
      const entries = Object.entries(exact.parameters).map(async ([key, tensor]) => {
        const values = (await tensor.data()) as Float32Array;
        return [
          key,
          tf.tensor(tensor.shape.length < 2 ? values : roundToHalf(values, format), [...tensor.shape]),
        ] as const;
      });
      const rounded = createModel(exact.config, Object.fromEntries(await Promise.all(entries)), {
        name: 'rounded',
        tokenizer: exact.tokenizer,
      });
      const [ours, theirs, before] = [
        await logitsOf(half, input),
        await logitsOf(rounded, input),
        await logitsOf(exact, input),
      ];
      expect(ours).toBeAllClose(theirs, 1e-5);
      const change = largestChange(ours, before);
      console.info(`${name} in ${format}: largest logit change ${change.toExponential(1)}`);
      expect(change).toBeGreaterThan(0);
      expect(change).toBeLessThan(most[format]);
      for (const model of [exact, half, rounded]) model[Symbol.dispose]();
    },
  );

  it.each(names)('%s takes half the memory for its matrices, on the device too once it has run', async (name) => {
    const bytes: Record<string, { held: number; onDevice: number }> = {};
    for (const storage of ['float32', 'float16'] as const) {
      const before = tf.memory() as tf.MemoryInfo & { numBytesInGPU: number };
      const model = await loadModel(MODELS[name].folder(), { storage });
      await logitsOf(model);
      const after = tf.memory() as tf.MemoryInfo & { numBytesInGPU: number };
      bytes[storage] = { held: after.numBytes - before.numBytes, onDevice: after.numBytesInGPU - before.numBytesInGPU };
      const sizes = Object.values(model.parameters).map(({ shape }) => ({
        matrix: shape.length > 1,
        size: shape.reduce((a, b) => a * b, 1),
      }));
      const sum = (matrix: boolean): number =>
        sizes.reduce((total, each) => total + (each.matrix === matrix ? each.size : 0), 0);
      expect(bytes[storage].held).toBe((storage === 'float32' ? 4 : 2) * sum(true) + 4 * sum(false));
      model[Symbol.dispose]();
      expect(tf.memory().numBytes).toBe(before.numBytes);
    }
    console.info(
      `${name}: ${bytes['float32'].onDevice} bytes of buffers in float32, ${bytes['float16'].onDevice} in float16`,
    );
    expect(bytes['float16'].onDevice / bytes['float32'].onDevice).toBeLessThan(0.6);
  });

  it('rows of a table are those of the rounded table, of odd width too', async () => {
    for (const width of [5, 6]) {
      const values = Float32Array.from({ length: 4 * width }, (_, i) => i / 7);
      const table = store(() => values, [4, width], 'bfloat16', 'table');
      const rows = tf.tidy(() => rowsOf(table, tf.tensor1d([3, 0, 3], 'int32')));
      const rounded = roundToHalf(values, 'bfloat16');
      expect([...(await rows.data())]).toEqual(
        [3, 0, 3].flatMap((row) => [...rounded.subarray(width * row, width * (row + 1))]),
      );
      rows.dispose();
      disposeParameters({ table });
    }
  });

  it('a BF16 checkpoint loses nothing as bfloat16', async () => {
    const [exact, half] = [await loadModel(LLAMA), await loadModel(LLAMA, { storage: 'bfloat16' })];
    expect([...(await logitsOf(half))]).toEqual([...(await logitsOf(exact))]);
    for (const model of [exact, half]) model[Symbol.dispose]();
  });

  it('hooks that take matrices apart, ungrouped heads and games work as in float32, and nothing is left', async () => {
    const half = await loadModel(LLAMA, { storage: 'float16' });
    const plain = await logitsOf(half);
    const seeing = async (model: Model, hook: (name: string) => boolean): Promise<Float32Array> => {
      const logits = runWithHooks(model, TOKENS, [[hook, () => undefined]]);
      const values = (await logits.data()) as Float32Array;
      logits.dispose();
      return values;
    };
    for (const model of [half, withUngroupedHeads(half)]) {
      expect(await seeing(model, (name) => /hook_(result|[qkv]_input)$/.test(name))).toBeAllClose(plain, 1e-5);
    }
    const task = {
      tokens: TOKENS,
      corrupted: undefined,
      correct: 5,
      incorrect: 2,
      label: 'prompt 1',
      text: { prompt: '' },
      strTokens: TOKENS.map(String),
    };
    const players = parsePlayers('heads', half.config);
    const game = createComponentGame(half, {
      players,
      tasks: [task],
      metric: metricOf('logit-diff'),
      ablation: ABLATIONS.zero,
    });
    const [value] = await game.value(masksFromRows([players.map(() => 1)]));
    const last = plain.slice(-half.config.dVocabOut);
    expect([value]).toBeAllClose([last[5] - last[2]], 1e-5);
    game[Symbol.dispose]();
    await expect(() => seeing(half, (name) => name.endsWith('hook_result'))).toLeakNoTensors();
    expect(() => float32Parameters(half.parameters, 'foldLayerNorm')).toThrow(
      /^foldLayerNorm: works on float32 weights, and .* is stored as float16; load the model with storage float32\.$/,
    );
    half[Symbol.dispose]();
    await expect(async () => (await loadModel(LLAMA, { storage: 'bfloat16' }))[Symbol.dispose]()).toLeakNoTensors();
  });

  it('a weight that float16 cannot hold is named, and nothing is left', async () => {
    const folder = await changedLlama((value, tensor) =>
      tensor.includes('layers.1.self_attn.o_proj') ? 70000 : value,
    );
    const before = tf.memory().numTensors;
    await expect(loadModel(folder, { storage: 'float16' })).rejects.toThrow(
      'storage float16 of blocks.1.attn.W_O: cannot hold 70000 at 0; use bfloat16 or float32.',
    );
    expect(tf.memory().numTensors).toBe(before);
    rmSync(folder, { recursive: true });
  });
});
