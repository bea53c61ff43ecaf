/** Patching sweeps: equal to TransformerLens's, to plain hooks, whatever is saved, logged or halved. */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Entries } from '../src/ledger.ts';
import { runWithCache, runWithHooks } from '../src/hooks/run.ts';
import type { HookName } from '../src/model/hook-points.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import { patchSweep, type Patched, type PatchSweepOptions } from '../src/patch-sweep.ts';
import { patchEffects, type PatchRecord } from '../src/report/patch-record.ts';
import { CONFIGS, open, randomModel, TEST_BACKEND } from './tensors.ts';

const backend = { name: 'wasm' } as const;
const CLEAN = [3, 1, 4, 1, 5, 9, 2, 6];
const CORRUPTED = [3, 1, 4, 8, 5, 9, 7, 6];
const RUNS = { clean: CLEAN, corrupted: CORRUPTED, correct: 5, incorrect: 2, threads: 1 } as const;

beforeAll(async () => {
  await open(TEST_BACKEND);
});

interface Golden {
  readonly clean: readonly number[];
  readonly corrupted: readonly number[];
  readonly [name: string]: unknown;
}
const golden = JSON.parse(readFileSync('test/golden/patching.json', 'utf8')) as Golden;

describe.each(['plain', 'rotary', 'rotary-halves', 'rms-gated-grouped'])('%s', (name) => {
  it("is patched as by TransformerLens's get_act_patch functions", async () => {
    const model = await loadModel(`test/golden/transformer-lens/${name}`);
    const { base, source, ...sweeps } = golden[name] as Record<string, number[]> & { base: number; source: number };
    expect(Object.keys(sweeps).length).toBeGreaterThanOrEqual(13);
    for (const [title, expected] of Object.entries(sweeps)) {
      const [what, each] = title.split(', ');
      const found = await patchSweep(model, backend, {
        ...RUNS,
        clean: golden.clean,
        corrupted: golden.corrupted,
        what: what as Patched,
        positions: each === undefined ? undefined : 'each',
      });
      expect(found.values, title).toBeAllClose(expected.flat(3), 1e-5);
      expect([found.base, found.source]).toBeAllClose([base, source], 1e-5);
      expect(found.axes.map(({ labels }) => labels.length).reduce((x, y) => x * y)).toBe(found.values.length);
    }
    model[Symbol.dispose]();
  });
});

/** The metric of the run over `into` with one place of `from`'s run put in by plain hooks. */
function byHooks(
  model: Model,
  { into, from }: { into: readonly number[]; from: readonly number[] },
  hook: HookName,
  place: { readonly element?: number; readonly position?: number },
): number {
  const { logits: other, cache } = runWithCache(model, from, { names: hook });
  const source = cache.get(hook);
  const pattern = hook.endsWith('hook_pattern');
  const [elements, positions] = pattern ? [1, 2] : [2, 1];
  const logits = runWithHooks(model, into, [
    [
      hook,
      (x) => {
        const along = (axis: number, at: number | undefined): tf.Tensor => {
          const size = x.shape[axis] as number;
          const flags = Array.from({ length: size }, (_, i) => (at === undefined || i === at ? 1 : 0));
          return tf.reshape(
            tf.tensor1d(flags),
            x.shape.map((_, a) => (a === axis ? size : 1)),
          );
        };
        const here = tf.mul(
          along(positions, place.position),
          place.element === undefined ? 1 : along(elements, place.element),
        );
        return tf.add(tf.mul(x, tf.sub(1, here)), tf.mul(source, here));
      },
    ],
  ]);
  const values = logits.dataSync();
  const last = values.length - model.config.dVocabOut;
  tf.dispose([logits, other]);
  cache[Symbol.dispose]();
  return values[last + 5] - values[last + 2];
}

const HOOKS: Readonly<Record<Patched, string>> = {
  resid_pre: 'hook_resid_pre',
  resid_mid: 'hook_resid_mid',
  resid_post: 'hook_resid_post',
  attn_out: 'hook_attn_out',
  mlp_out: 'hook_mlp_out',
  z: 'attn.hook_z',
  q: 'attn.hook_q',
  k: 'attn.hook_k',
  v: 'attn.hook_v',
  pattern: 'attn.hook_pattern',
  neuron: 'mlp.hook_post',
};

/** Every place of a sweep by plain hooks; of neurons every seventh. */
function sweepByHooks(model: Model, what: Patched, { axes, values, direction }: PatchRecord): [number[], number[]] {
  const runs = direction === 'denoise' ? { into: CORRUPTED, from: CLEAN } : { into: CLEAN, from: CORRUPTED };
  const [expected, found]: [number[], number[]] = [[], []];
  values.forEach((value, i) => {
    if (what === 'neuron' && i % 7 !== 0) return;
    let rest = i;
    const at: Record<string, number> = {};
    for (const { name, labels } of axes.toReversed()) {
      at[name] = rest % labels.length;
      rest = Math.floor(rest / labels.length);
    }
    const hook = `blocks.${at['layer']}.${HOOKS[what]}` as HookName;
    expected.push(byHooks(model, runs, hook, { element: at['head'] ?? at['neuron'], position: at['position'] }));
    found.push(value);
  });
  return [found, expected];
}

describe('a patching sweep', () => {
  it.each([
    ['gpt2', 'resid_pre', {}],
    ['gpt2', 'resid_post', { direction: 'noise' }],
    ['gpt2', 'attn_out', { positions: 'together' }],
    ['gpt2', 'neuron', {}],
    ['gpt2', 'z', { positions: 'each', batchSize: 5 }],
    ['llama: rotary, gated, grouped heads', 'resid_mid', {}],
    ['llama: rotary, gated, grouped heads', 'q', {}],
    ['llama: rotary, gated, grouped heads', 'k', { positions: 'each' }],
    ['llama: rotary, gated, grouped heads', 'v', { positions: 'each', direction: 'noise' }],
    ['llama: rotary, gated, grouped heads', 'pattern', { positions: 'each' }],
    ['ungrouped heads, all biases, llama3 and linear scaling', 'k', {}],
    ['four norms, caps, windows, query and key norms, scaled embedding', 'mlp_out', {}],
    ['four norms, caps, windows, query and key norms, scaled embedding', 'q', { positions: 'each' }],
    ['parallel, two norms, partial rotary', 'resid_post', {}],
    ['parallel, two norms, partial rotary', 'attn_out', {}],
    ['parallel, two norms, partial rotary', 'k', { positions: 'each' }],
    ['parallel, one norm, layer norm over queries and keys', 'pattern', {}],
    ['norms of what is written, query norms across heads, clipped, adjacent pairs', 'v', { positions: 'each' }],
    ['alibi, normed token embedding, RMS norms without weights', 'q', { positions: 'each' }],
    ['shortformer, LNPre', 'resid_pre', {}],
    ['dynamic and longrope frequencies within their context, solu', 'z', { positions: 'each' }],
    ['no last norm, windows both ways', 'resid_pre', {}],
    ['relu, bidirectional, wide heads, other output', 'z', { positions: 'each' }],
  ] as [string, Patched, Partial<PatchSweepOptions>][])(
    'of %s, %s, %j equals plain hooks',
    async (name, what, options) => {
      const { model } = randomModel(CONFIGS[name]);
      const sweep = await patchSweep(model, backend, { ...RUNS, ...options, what });
      const [found, expected] = sweepByHooks(model, what, sweep);
      expect(found.length).toBeGreaterThan(2);
      expect(found).toBeAllClose(expected, 1e-5);
      await expect(() => patchSweep(model, backend, { ...RUNS, ...options, what })).toLeakNoTensors();
      model[Symbol.dispose]();
    },
  );

  it('does nothing before the first token that differs, and ends at the other run', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const sweep = await patchSweep(model, backend, { ...RUNS, what: 'resid_pre' });
    expect(sweep.axes.map(({ name }) => name)).toEqual(['layer', 'position']);
    for (let layer = 0; layer < 3; layer++)
      expect(sweep.values.slice(8 * layer, 8 * layer + 3)).toBeAllClose(Array(3).fill(sweep.base), 1e-6);
    const post = await patchSweep(model, backend, { ...RUNS, what: 'resid_post' });
    expect(post.values.at(-1)).toBeCloseTo(sweep.source, 5);
    expect(patchEffects(post).at(-1)).toBeCloseTo(1, 4);
    const both = await patchSweep(model, backend, {
      ...RUNS,
      clean: [CLEAN, CLEAN],
      corrupted: [CORRUPTED, CLEAN],
      correct: [5, 4],
      what: 'z',
    });
    const alone = await patchSweep(model, backend, { ...RUNS, what: 'z' });
    const idle = (await patchSweep(model, backend, { ...RUNS, correct: 4, corrupted: CLEAN, what: 'z' })).values;
    expect(both.values).toBeAllClose(
      alone.values.map((value, i) => (value + idle[i]) / 2),
      1e-5,
    );
    model[Symbol.dispose]();
  });

  it('on threads is what it is on one', async () => {
    await open('wasm');
    const { model } = randomModel(CONFIGS['llama: rotary, gated, grouped heads']);
    for (const what of ['k', 'resid_mid'] as const) {
      const alone = await patchSweep(model, backend, { ...RUNS, what });
      const together = await patchSweep(model, backend, { ...RUNS, what, threads: 2 });
      expect(together.values).toBeAllClose(alone.values, 1e-6);
    }
    model[Symbol.dispose]();
  });

  it('goes on from its log, and stops when told', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const entries: Entries[] = [];
    const openLog = () => ({
      entries: () => entries.slice(),
      append: (more: Entries) => void entries.push(more),
      close: () => undefined,
    });
    const stop = new AbortController();
    const options = { ...RUNS, what: 'z', positions: 'each', batchSize: 6, openLog } as const;
    const stopping = patchSweep(model, backend, { ...options, signal: stop.signal, onProgress: () => stop.abort() });
    await expect(stopping).rejects.toThrow(/stopped|abort/i);
    const before = entries.reduce((sum, { masks }) => sum + masks.count, 0);
    expect(before).toBeGreaterThan(0);
    const seen: number[] = [];
    const resumed = await patchSweep(model, backend, { ...options, onProgress: ({ done }) => void seen.push(done) });
    expect(resumed.rows).toBe(72 - before);
    expect(seen.at(-1)).toBe(72);
    const fresh = await patchSweep(model, backend, { ...options, openLog: undefined });
    expect(resumed.values).toBeAllClose(fresh.values, 1e-6);
    model[Symbol.dispose]();
  });

  it.each([
    [{ corrupted: CORRUPTED.slice(1) }, /the corrupted prompt has 8 tokens, the prompt 7/],
    [{ clean: [CLEAN, CLEAN] }, /2 clean and 1 corrupted prompts were given/],
    [{ what: 'hook_z' as Patched }, /"hook_z" cannot be patched; there are resid_pre/],
    [{ correct: [1, 2] }, /2 answers were given for 1 prompts/],
    [{ layers: [3] }, /there is no layer 3/],
    [
      { clean: [CLEAN, CLEAN.slice(1)], corrupted: [CORRUPTED, CORRUPTED.slice(1)] },
      /the prompts have 7 to 8 tokens; patching position by position needs one length/,
    ],
  ] as [Partial<PatchSweepOptions>, RegExp][])('refuses %j', async (change, message) => {
    const { model } = randomModel(CONFIGS['gpt2']);
    await expect(patchSweep(model, backend, { ...RUNS, what: 'resid_pre', ...change })).rejects.toThrow(message);
    const parallel = randomModel(CONFIGS['parallel, two norms, partial rotary']).model;
    await expect(patchSweep(parallel, backend, { ...RUNS, what: 'resid_mid' })).rejects.toThrow(/has no resid_mid/);
    model[Symbol.dispose]();
    parallel[Symbol.dispose]();
  });
});
