/** Mixtures of experts: what the hooks see of them, gradients through the router, and what is refused. */
import * as tf from '@tensorflow/tfjs-core';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { runWithGradients } from '../../src/hooks/gradients.ts';
import { runWithCache, runWithHooks } from '../../src/hooks/run.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { foldLayerNorm } from '../../src/model/processing/fold-layer-norm.ts';
import { open, TEST_BACKEND } from '../tensors.ts';

const TOKENS = [3, 17, 5, 17, 22, 9];
let backend: Backend;
beforeAll(async () => {
  backend = await open(TEST_BACKEND);
});
afterAll(() => backend.close());

const valuesOf = async (tensor: tf.Tensor): Promise<Float32Array> => {
  const values = (await tensor.data()) as Float32Array;
  tensor.dispose();
  return values;
};

describe.each(['mixtral', 'qwen3_moe', 'qwen3_moe-normed'])('%s', (name) => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(join('test/golden/families', name));
  });
  afterAll(() => model[Symbol.dispose]());

  it('has every unit in one activation, those of experts that are not asked at 0', async () => {
    const { count, active } = model.config.experts!;
    const { logits, cache } = runWithCache(model, TOKENS, { names: (hook) => hook.endsWith('mlp.hook_post') });
    const units = await cache.get('post', 1).data();
    const width = model.config.dMlp / count;
    for (let s = 0; s < TOKENS.length; s++) {
      const asked = Array.from({ length: count }, (_, e) => e).filter((e) =>
        units.subarray(s * count * width + e * width, s * count * width + (e + 1) * width).some((unit) => unit !== 0),
      );
      expect(asked).toHaveLength(active);
    }
    logits.dispose();
    cache[Symbol.dispose]();
  });

  it('has the gradients that differences give, through the scores of the router too', async () => {
    const hook = 'blocks.1.hook_resid_mid';
    const direction = tf.randomNormal([1, TOKENS.length, model.config.dModel], 0, 1, 'float32', 7);
    const score = (logits: tf.Tensor): tf.Tensor => tf.sum(tf.slice(logits, [0, TOKENS.length - 1, 3], [1, 1, 2]));
    const run = runWithGradients(model, TOKENS, (logits) => score(logits), { names: [hook] });
    const [slope] = await valuesOf(tf.tidy(() => tf.sum(tf.mul(run.gradients.get(hook), direction))));
    run[Symbol.dispose]();
    const moved = async (by: number): Promise<number> => {
      const logits = runWithHooks(model, TOKENS, [[hook, (x) => tf.add(x, tf.mul(direction, by))]]);
      const [value] = await valuesOf(tf.tidy(() => score(logits)));
      logits.dispose();
      return value;
    };
    const step = 2e-3;
    const expected = ((await moved(step)) - (await moved(-step))) / (2 * step);
    expect(Math.abs(slope - expected)).toBeLessThan(2e-2 * Math.max(1, Math.abs(expected)));
    direction.dispose();
  });

  it('keeps its logits when its norms are folded, into the router as well', async () => {
    const before = await valuesOf(runWithHooks(model, TOKENS, []));
    const { model: folded } = await foldLayerNorm(model);
    expect(await valuesOf(runWithHooks(folded, TOKENS, []))).toBeAllClose(before, 2e-5);
    folded[Symbol.dispose]();
  });
});

describe('a mixture that is refused', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'spexlens-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each<[string, string, Record<string, unknown>, RegExp]>([
    ['with blocks of another kind between', 'qwen3_moe', { decoder_sparse_step: 2 }, /decoder_sparse_step/],
    ['with single blocks of another kind', 'qwen3_moe', { mlp_only_layers: [1] }, /mlp_only_layers/],
    ['of more active experts than there are', 'mixtral', { num_experts_per_tok: 5 }, /5 experts are active of 4/],
    ['of more experts than the file has', 'mixtral', { num_local_experts: 5 }, /gate\.weight/],
  ])('%s', async (_, name, change, expected) => {
    const path = join(folder, name + Object.keys(change)[0]);
    cpSync(join('test/golden/families', name), path, { recursive: true });
    const config = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8')) as object;
    writeFileSync(join(path, 'config.json'), JSON.stringify({ ...config, ...change }));
    await expect(loadModel(path)).rejects.toThrow(expected);
  });
});

describe('a mixtral without a base of its rotary positions', () => {
  it("turns by 1,000,000, which is its own default and no other family's", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'spexlens-'));
    cpSync('test/golden/families/mixtral', folder, { recursive: true });
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as object;
    writeFileSync(
      join(folder, 'config.json'),
      JSON.stringify({ ...config, rope_parameters: { rope_type: 'default' } }),
    );
    using model = await loadModel(folder);
    expect(model.config.rotary?.map(({ theta }) => theta)).toEqual([1e6, 1e6]);
    rmSync(folder, { recursive: true, force: true });
  });
});
