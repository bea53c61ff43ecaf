/** Path patching, every row at once, equals its two passes by plain hooks, sender by sender. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { runWithCache, runWithHooks, type Hook } from '../src/hooks/run.ts';
import type { HookName } from '../src/model/hook-points.ts';
import type { Model } from '../src/model/model.ts';
import { patchPaths, type PathPatchOptions } from '../src/patch-paths.ts';
import { CONFIGS, open, randomModel, TEST_BACKEND } from './tensors.ts';

const backend = { name: 'wasm' } as const;
const CLEAN = [3, 1, 4, 1, 5, 9, 2, 6];
const CORRUPTED = [3, 8, 4, 8, 5, 9, 7, 6];
const RUNS = { clean: CLEAN, corrupted: CORRUPTED, correct: 5, incorrect: 2 } as const;

beforeAll(async () => {
  await open(TEST_BACKEND);
});

/** x with element e of axis 2 taken from `other`. */
function withElement(x: tf.Tensor, other: tf.Tensor, element: number): tf.Tensor {
  const size = x.shape[2] as number;
  const on = tf.tensor(
    Array.from({ length: size }, (_, e) => (e === element ? 1 : 0)),
    [1, 1, size, 1],
  );
  return tf.add(tf.mul(x, tf.sub(1, on)), tf.mul(other, on));
}

/** The metric with one sender patched into the receivers: Wang et al. 2022, one row, whole passes. */
function byHooks(
  model: Model,
  { layer, head }: { readonly layer: number; readonly head: number | undefined },
  receivers: string,
  direct: boolean,
): number {
  const base = runWithCache(model, CORRUPTED);
  const other = runWithCache(model, CLEAN);
  const { nLayers, dMlp, dVocabOut } = model.config;
  const first: Hook[] = [];
  for (let l = 0; l < nLayers; l++) {
    const z: HookName = `blocks.${l}.attn.hook_z`;
    first.push([
      z,
      () => {
        const own = tf.clone(base.cache.get(z));
        return l === layer && head !== undefined ? withElement(own, other.cache.get(z), head) : own;
      },
    ]);
    if (dMlp === 0) continue;
    const out: HookName = `blocks.${l}.hook_mlp_out`;
    const sends = l === layer && head === undefined;
    // Behind the cache below, which sees what the MLP itself made of the patched stream.
    if (direct || sends) first.push([out, () => tf.clone((sends ? other : base).cache.get(out))]);
  }
  const wanted =
    receivers === 'logits'
      ? []
      : receivers.split(',').map((name) => {
          const [, l, h, letter] = /^L(\d+)H(\d+)\.(q|k|v)$/.exec(name) ?? [undefined, name.slice(3)];
          const hook = (
            letter === undefined ? `blocks.${l}.hook_mlp_out` : `blocks.${l}.attn.hook_${letter}`
          ) as HookName;
          return { hook, head: h === undefined ? undefined : Number(h) };
        });
  const seen = new Map<HookName, tf.Tensor>();
  const watch: Hook[] = [...new Set(wanted.map(({ hook }) => hook))].map((hook) => [
    hook,
    (x) => void seen.set(hook, tf.keep(tf.clone(x))),
  ]);
  const patched = runWithHooks(model, CORRUPTED, [...watch, ...first]);
  const second: Hook[] = wanted.map(({ hook, head: h }) => [
    hook,
    (x) => (h === undefined ? tf.clone(seen.get(hook) as tf.Tensor) : withElement(x, seen.get(hook) as tf.Tensor, h)),
  ]);
  const logits = receivers === 'logits' ? patched : runWithHooks(model, CORRUPTED, second);
  const values = logits.dataSync();
  const last = values.length - dVocabOut;
  tf.dispose([base.logits, other.logits, patched, logits, ...seen.values()]);
  for (const { cache } of [base, other]) cache[Symbol.dispose]();
  return values[last + 5] - values[last + 2];
}

describe('path patching', () => {
  it.each([
    ['gpt2', 'heads', 'logits', false],
    ['gpt2', 'heads', 'logits', true],
    ['gpt2', 'mlps', 'logits', false],
    ['gpt2', 'heads', 'L1H2.q', false],
    ['gpt2', 'heads', 'L2H0.k,L2H1.v,L1H0.q', true],
    ['gpt2', 'mlps', 'MLP2,L1H1.v', false],
    ['gpt2', 'heads', 'MLP1', true],
    ['llama: rotary, gated, grouped heads', 'heads', 'L2H1.k,L2H3.q', false],
    ['llama: rotary, gated, grouped heads', 'mlps', 'L2H0.v', true],
    ['parallel, two norms, partial rotary', 'heads', 'MLP2,L2H1.q', false],
    ['four norms, caps, windows, query and key norms, scaled embedding', 'heads', 'L2H3.q,L1H0.k', false],
    ['post-norm, causal, narrow embedding', 'heads', 'L2H0.q', true],
    ['attention-only, no norm, no bias', 'heads', 'L2H2.k', false],
    ['relu, bidirectional, wide heads, other output', 'heads', 'L1H1.v', false],
  ] as [string, 'heads' | 'mlps', string, boolean][])(
    'of %s, %s to %s, direct %s',
    async (name, senders, receivers, direct) => {
      const { model } = randomModel(CONFIGS[name]);
      const options: PathPatchOptions = { ...RUNS, senders, receivers, direct: direct ? true : undefined };
      const { values, base, axes } = await patchPaths(model, backend, options);
      const heads = senders === 'heads' ? model.config.nHeads : 1;
      const expected = values.map((_, i) =>
        byHooks(
          model,
          { layer: Math.floor(i / heads), head: senders === 'heads' ? i % heads : undefined },
          receivers,
          direct,
        ),
      );
      expect(values).toBeAllClose(expected, 1e-5);
      expect(axes.map(({ labels }) => labels.length)).toEqual(senders === 'heads' ? [3, heads] : [3]);
      expect(values.some((value) => Math.abs(value - base) > 1e-4)).toBe(true);
      const small = await patchPaths(model, backend, { ...options, batchSize: 2 });
      expect(small.values).toBeAllClose(values, 1e-5);
      await expect(() => patchPaths(model, backend, options)).toLeakNoTensors();
      model[Symbol.dispose]();
    },
  );

  it('closes the ways back: a sender behind its receivers changes nothing', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const { values, base } = await patchPaths(model, backend, { ...RUNS, receivers: 'L1H0.q' });
    expect(values.slice(3)).toBeAllClose(Array(6).fill(base), 1e-6);
    model[Symbol.dispose]();
  });

  it.each([
    [{ receivers: 'L0H0' }, /receiver: "L0H0" is none: q, k and v of heads, and MLPs, receive/],
    [{ receivers: 'L0H0.pattern' }, /receiver: "L0H0.pattern" is none/],
    [{ receivers: 'L0H7.q' }, /a layer of this model has queries 0..2/],
    [{ receivers: 'logits', batchSize: 0 }, /batch size: 0 is not a whole number/],
  ] as [Partial<PathPatchOptions>, RegExp][])('refuses %j', async (change, message) => {
    const { model } = randomModel(CONFIGS['gpt2']);
    await expect(patchPaths(model, backend, { ...RUNS, receivers: 'logits', ...change })).rejects.toThrow(message);
    model[Symbol.dispose]();
  });
});
