/** The inspect-model command as a user meets it. Runs in process on wasm. */
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
  closeSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Inspection } from '../../cli/inspect/inspection.ts';
import { inspectCommand } from '../../cli/inspect/main.ts';
import { hookPoints } from '../../src/model/hook-points.ts';
import { loadModel } from '../../src/model/model.ts';
import { writeSafetensors } from '../../src/checkpoint/safetensors-write.ts';

const FAMILIES = 'test/golden/families';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'spexlens-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await inspectCommand(['--backend', 'wasm', ...args], {
    out: (text) => (out += text),
    err: (text) => (err += text),
  });
  return { code, out, err };
}
const inspected = async (model: string): Promise<Inspection> =>
  JSON.parse((await run(model, '--json')).out) as Inspection;

/** A copy that may be changed. */
function copyOf(name: string): string {
  const copy = join(folder, `copy-${name}`);
  cpSync(join(FAMILIES, name), copy, { recursive: true });
  for (const file of readdirSync(copy)) chmodSync(join(copy, file), 0o644);
  return copy;
}

describe('inspect-model', () => {
  it('tells the story of a model with a tokenizer', async () => {
    const { code, out, err } = await run('models/ioi-tiny');
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^model +ioi-tiny \(gpt2\), models\/ioi-tiny$/m);
    expect(out).toMatch(/^files +model\.safetensors 860 kB\n +52 tensors F32; all used$/m);
    expect(out).toMatch(/^record +gpt2: 4 layers, 4 heads of 16/m);
    expect(out).toMatch(/wasm +902 kB of the 4\.29 GB it can address/);
    expect(out).toMatch(/measured on wasm \(.*\): 902 kB in 69 tensors/);
    expect(out).toMatch(/a text is given "<\|bos\|>" \(id 0\)/);
    expect(out).toMatch(/refused {2}" a leading space": "leading", "space" are not in the vocabulary/);
    expect(out).toMatch(/same {5}"Mary .*", 8 tokens/);
    expect(out).toMatch(/golden +none/);
    expect(out).toMatch(/^blocks\.\{l\}\.attn\.hook_z +\[batch, pos, head 4, d_head 16\] +pattern·v$/m);
    expect(out).not.toMatch(/undefined|NaN|\[object/);
  });

  it.each(readdirSync(FAMILIES))('%s: its record is true, and its numbers agree with the golden ones', async (name) => {
    const { code, out, err } = await run(join(FAMILIES, name), '--json');
    expect([code, err]).toEqual([0, '']);
    const inspection = JSON.parse(out) as Inspection;
    const model = await loadModel(join(FAMILIES, name));
    expect(inspection.config).toEqual(JSON.parse(JSON.stringify(model.config)));
    expect(inspection.parameters).toBe(
      Object.values(model.parameters).reduce(
        (sum, { shape }) => sum + (shape as number[]).reduce((a, b) => a * b, 1),
        0,
      ),
    );
    expect(inspection.measured).toMatchObject({
      backend: 'wasm',
      bytes: 4 * inspection.parameters,
      tensors: Object.keys(model.parameters).length,
    });
    expect(inspection.memory.map(({ backend, bytes }) => [backend, bytes])).toEqual(
      ['tensorflow', 'webgpu', 'wasm', 'cpu'].map((backend) => [backend, 4 * inspection.parameters]),
    );
    expect(inspection.files).toEqual([
      { name: 'model.safetensors', bytes: statSync(join(FAMILIES, name, 'model.safetensors')).size },
    ]);
    expect(new Set(inspection.hooks.map(({ hook }) => hook))).toEqual(
      new Set(hookPoints(model.config).map((point) => point.name.replace(/^blocks\.\d+\./, 'blocks.{l}.'))),
    );
    expect(inspection.golden).toMatchObject({ rows: 2, tolerance: 1e-5, agrees: true });
    expect(inspection.golden?.tokens).toBeGreaterThan(8);
    for (const error of [inspection.golden?.logits, inspection.golden?.residuals]) {
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(1e-5);
    }
    expect(inspection.golden?.made).toMatch(/transformers 5\.2[34]\.0/);
    expect(inspection.tokenizer).toBeUndefined();
    model[Symbol.dispose]();
  });

  it('says when the numbers differ from the golden ones, with exit code 1', async () => {
    const copy = copyOf('llama');
    const path = join(copy, 'model.safetensors');
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(64, 0x3f), 0, 64, statSync(path).size - 64); // other weights at its end
    closeSync(file);
    const { code, out, err } = await run(copy);
    expect(out).toMatch(/^golden +DIFFERS: logits within \d/m);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /^model copy-llama: differs from its golden numbers by \S+ in the logits and \S+ in the residuals; at most 0\.00001 is rounding on wasm\.\n$/,
      ),
    ]);
  });

  it('refuses golden numbers of another model, and files without rows', async () => {
    const copy = copyOf('gpt2');
    cpSync(join(FAMILIES, 'gemma3', 'golden.safetensors'), join(copy, 'golden.safetensors'));
    expect(await run(copy)).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(
        /golden\.safetensors: "residuals\.0" is \[5,(\d+),32\]; for \1 tokens this model gives \[3,\1,32\]/,
      ),
    });
    await writeSafetensors(join(copy, 'golden.safetensors'), { x: { shape: [1], data: Float32Array.of(1) } });
    expect(await run(copy)).toMatchObject({ code: 1, err: expect.stringMatching(/has no tensor "tokens\.0"/) });
  });

  it('gives the words of a small vocabulary back, and leaves no tensors, also when it fails', async () => {
    await run('models/induction-2l-h2');
    const before = tf.memory().numTensors;
    const { tokenizer } = await inspected('models/induction-2l-h2');
    expect(tokenizer?.roundTrips).toHaveLength(6);
    expect(tokenizer?.roundTrips.at(-1)).not.toHaveProperty('problem');
    const copy = copyOf('opt');
    writeFileSync(join(copy, 'golden.safetensors'), 'not one');
    expect((await run(copy)).code).toBe(1);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    [
      ['no/such/model'],
      /^model no\/such\/model: there is no such folder; pass a folder with config\.json and weights, a \.gguf file, a hub id/,
    ],
    [['test'], /looked for config\.json and did not find it/],
    [[], /missing required argument 'folder\|id'/],
    [['models/ioi-tiny', '--storage', 'float16'], /storage float16: needs webgpu, .*; the backend is wasm/],
    [['models/ioi-tiny', '--storage', 'float8'], /"float8" is unknown; there are float32, float16, bfloat16/],
    [['models/ioi-tiny', '--backend', 'vulkan'], /"vulkan" is unknown; choose auto/],
  ])('fails in one line for %j', async (args, message) => {
    const { code, out, err } = await run(...args);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(message);
    expect(err.trim().split('\n')).toHaveLength(1);
  });
});
