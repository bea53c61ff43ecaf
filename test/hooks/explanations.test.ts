/** What a cache explains: equal to TransformerLens's (test/golden/make-explanations.py), and sums in every family. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { runWithCache } from '../../src/hooks/run.ts';
import type { ActivationCache } from '../../src/hooks/cache.ts';
import type { ResidualStack } from '../../src/hooks/explain/explained-run.ts';
import { compositionScores, fullOvCircuit, ovCircuit, qkCircuit } from '../../src/hooks/heads/head-circuits.ts';
import { detectHeads, HEAD_KINDS, type DetectOptions } from '../../src/hooks/heads/head-detector.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { CONFIGS, open, randomModel, TEST_BACKEND } from '../tensors.ts';

const GOLDEN = 'test/golden/explain';
const CASES = readdirSync(GOLDEN).map((file) => file.replace(/\.safetensors$/, ''));
const ROWS = [
  [3, 1, 4, 1, 5, 9, 2, 6],
  [2, 7, 1, 8, 2, 8, 1, 8],
];

beforeAll(async () => {
  await open(TEST_BACKEND);
});

function cacheOf(model: Model, rows: readonly (readonly number[])[]): ActivationCache {
  const { logits, cache } = runWithCache(model, rows);
  logits.dispose();
  return cache;
}

async function numbers(tensor: tf.Tensor): Promise<Float32Array> {
  const values = (await tensor.data()) as Float32Array;
  tensor.dispose();
  return values;
}

describe.each(CASES)('%s, beside TransformerLens', (name) => {
  /** Its shortformer counts positions that are not in the stream, its parallel blocks have no stream between the parts. */
  const inStream = (label: string): boolean => name !== 'shortformer' || label !== 'pos_embed';
  const fixture = async () => {
    const model = await loadModel(join('test/golden/transformer-lens', name));
    const golden = await openSafetensors(join(GOLDEN, `${name}.safetensors`));
    const flat = [...(await golden.readIntegers('tokens'))];
    return { model, golden, rows: [flat.slice(0, 7), flat.slice(7)] };
  };

  it('takes the residual stream apart as it does', async () => {
    const { model, golden, rows } = await fixture();
    const cache = cacheOf(model, rows);
    const has = (key: string): boolean => golden.tensors.has(key) && (golden.tensors.get(key)?.shape[0] ?? 0) > 0;
    const equal = async (key: string, make: () => ResidualStack): Promise<void> => {
      const { labels, stack } = make();
      const expected = await golden.read(key);
      expect(stack.shape.length).toBe(4);
      expect(labels.length).toBe(stack.shape[0]);
      expect(await numbers(stack), key).toBeAllClose(expected, 1e-5);
    };
    /** TransformerLens's components without those that are in no stream. */
    const without = async (key: string, make: () => ResidualStack, theirs: readonly string[]): Promise<void> => {
      const { labels, stack } = make();
      expect(labels).toEqual(theirs.filter(inStream));
      const expected = await golden.read(key);
      const size = stack.size / labels.length;
      const kept = theirs.flatMap((label, i) =>
        inStream(label) ? [...expected.subarray(i * size, (i + 1) * size)] : [],
      );
      expect(await numbers(stack), key).toBeAllClose(kept, 1e-5);
    };
    const { dMlp, positions } = model.config;
    const embeds = ['embed', ...(['learned', 'shortformer'].includes(positions) ? ['pos_embed'] : [])];
    const layers = [0, 1].flatMap((l) => [`${l}_attn_out`, ...(dMlp > 0 ? [`${l}_mlp_out`] : [])]);
    await equal('accumulated', () => cache.accumulatedResid());
    if (has('accumulated.mid')) await equal('accumulated.mid', () => cache.accumulatedResid({ inclMid: true }));
    await equal('accumulated.ln', () => cache.accumulatedResid({ applyLn: true }));
    await without('decomposed', () => cache.decomposeResid(), [...embeds, ...layers]);
    await without('decomposed.ln', () => cache.decomposeResid({ applyLn: true }), [...embeds, ...layers]);
    if (dMlp > 0 && name !== 'shortformer')
      await without('decomposed.1.mlp.ln', () => cache.decomposeResid({ layer: 1, mode: 'mlp', applyLn: true }), [
        ...embeds,
        '0_mlp_out',
      ]);
    if (name !== 'four-norms-capped') {
      // there it leaves out the norm over what a part writes
      await equal('heads', () => cache.stackHeadResults({ inclRemainder: true }));
      await equal('heads.1.ln', () => cache.stackHeadResults({ layer: 1, applyLn: true }));
      const heads = [0, 1].flatMap((l) => [0, 1, 2, 3].map((h) => `L${l}H${h}`));
      const mlps = dMlp > 0 ? ['0_mlp_out', '1_mlp_out'] : [];
      await without('full', () => cache.fullResidDecomposition({ mlpsWhole: true }), [
        ...heads,
        ...mlps,
        ...embeds,
        'bias',
      ]);
    }
    if (dMlp > 0 && name !== 'four-norms-capped') {
      await equal('neurons', () => cache.stackNeuronResults({ neurons: [0, 1, 2], inclRemainder: true }));
      await equal('full.neurons.ln.last', () => cache.fullResidDecomposition({ applyLn: true, positions: [-1] }));
    }
    cache[Symbol.dispose]();
    model[Symbol.dispose]();
  });

  it('attributes a difference of logits as it does once norms are folded', async () => {
    const { model, golden, rows } = await fixture();
    const cache = cacheOf(model, rows);
    const { stack, labels } = cache.decomposeResid();
    const expected = await golden.read('attributed');
    const size = rows.flat().length;
    const kept = name === 'shortformer' ? [...expected.subarray(0, size), ...expected.subarray(2 * size)] : expected;
    const values = await numbers(cache.logitAttrs(stack, 5, { incorrectTokens: 2 }));
    expect(values.length).toBe(labels.length * size);
    expect(values).toBeAllClose(kept, 1e-5);
    stack.dispose();
    cache[Symbol.dispose]();
    model[Symbol.dispose]();
  });

  it('reads heads from their weights and their attention as it does', async () => {
    const { model, golden, rows } = await fixture();
    for (const mode of ['Q', 'K', 'V'] as const)
      expect((await compositionScores(model, mode)).values).toBeAllClose(
        await golden.read(`composition.${mode}`),
        1e-5,
      );
    for (const [kind, circuit] of [
      ['OV', ovCircuit],
      ['QK', qkCircuit],
    ] as const) {
      const [S, eigen] = [await golden.read(`${kind}.S`), await golden.read(`${kind}.eigenvalues`)];
      for (let head = 0; head < 8; head++) {
        const matrix = await circuit(model, Math.floor(head / 4), head % 4);
        expect(matrix.svd().S).toBeAllClose(S.subarray(4 * head, 4 * head + 4), 1e-5);
        const theirs = Array.from({ length: 4 }, (_, i) => [eigen[8 * head + 2 * i], eigen[8 * head + 2 * i + 1]]);
        for (const { re, im } of matrix.eigenvalues())
          expect(Math.min(...theirs.map(([x, y]) => Math.hypot(re - x, im - y))), `${kind} ${head}`).toBeLessThan(2e-5);
      }
    }
    if (golden.tensors.has('detected')) {
      const detected = await golden.read('detected');
      const ways: DetectOptions[] = [{}, { excludeBos: true, excludeCurrentToken: true }, { errorMeasure: 'abs' }];
      for (const [k, kind] of HEAD_KINDS.entries())
        for (const [w, way] of ways.entries()) {
          const { values } = await detectHeads(model, [rows[1]], kind, way);
          const from = (3 * k + w) * 8;
          // Absolute differences are rounded to three digits there.
          expect(values, `${kind} ${w}`).toBeAllClose(detected.subarray(from, from + 8), w === 2 ? 5.1e-4 : 1e-5);
        }
    }
    model[Symbol.dispose]();
  });
});

const MIXTURE = {
  ...CONFIGS['llama: rotary, gated, grouped heads'],
  experts: { count: 4, active: 2, normalised: true },
};

describe.each([...Object.entries(CONFIGS), ['a mixture', MIXTURE] as const])('%s', (_title, config) => {
  const sumsTo = async (parts: ResidualStack, whole: tf.Tensor): Promise<void> => {
    const sum = await numbers(tf.tidy(() => tf.sum(parts.stack, 0)));
    parts.stack.dispose();
    expect(sum).toBeAllClose(await whole.data(), 1e-4);
  };

  it('parts sum to the stream at every layer, and attributions to the logits', async () => {
    const { model } = randomModel(config);
    const cache = cacheOf(model, ROWS);
    for (let layer = 0; layer <= config.nLayers; layer++) {
      const all = cache.accumulatedResid({ layer });
      const stream = tf.tidy(() => tf.squeeze(tf.slice(all.stack, [layer, 0, 0, 0], [1, -1, -1, -1]), [0]));
      await sumsTo(cache.decomposeResid({ layer }), stream);
      await sumsTo(cache.fullResidDecomposition({ layer }), stream);
      await sumsTo(cache.fullResidDecomposition({ layer, mlpsWhole: true }), stream);
      if (layer > 0) await sumsTo(cache.stackHeadResults({ layer, inclRemainder: true }), stream);
      tf.dispose([all.stack, stream]);
    }
    const before = cache.get('unembed.hook_out');
    const expected = await numbers(
      tf.tidy(() =>
        tf.sub(tf.gather(before, tf.tensor1d([3], 'int32'), 2), tf.gather(before, tf.tensor1d([5], 'int32'), 2)),
      ),
    );
    for (const by of ['layers', 'heads', 'neurons'] as const) {
      const { labels, values } = cache.logitAttribution({ by, tokens: 3, incorrectTokens: 5 });
      expect(labels.length).toBe(values.shape[0]);
      expect(new Set(labels).size).toBe(labels.length);
      const sum = await numbers(tf.tidy(() => tf.sum(values, 0)));
      values.dispose();
      expect(sum, by).toBeAllClose(expected, 1e-4);
    }
    cache[Symbol.dispose]();
  });

  it('ends its logit lens at what the model says', async () => {
    const { model } = randomModel(config);
    const { logits, cache } = runWithCache(model, ROWS);
    const lens = await cache.logitLens({ k: 2 });
    const [said, width] = [await logits.data(), config.dVocabOut];
    const end = lens.top[config.nLayers];
    expect(lens.labels.at(-1)).toBe('final_post');
    end.flat().forEach((top, place) => {
      const here = [...said.subarray(place * width, (place + 1) * width)];
      const best = Math.max(...here);
      expect(here[top[0].id]).toBeCloseTo(best, 4);
      expect(top[0].logit).toBeCloseTo(best, 4);
      const sum = here.reduce((total, logit) => total + Math.exp(logit - best), 0);
      expect(top[0].probability).toBeCloseTo(1 / sum, 4);
      expect(top[0].logit).toBeGreaterThanOrEqual(top[1].logit);
    });
    logits.dispose();
    cache[Symbol.dispose]();
  });
});

describe('a cache that explains', () => {
  const model = (): Model => randomModel(CONFIGS['gpt2']).model;

  it('takes tokens by row and by position, and positions alone', async () => {
    const cache = cacheOf(model(), ROWS);
    const out = await cache.get('unembed.hook_out').data();
    const tokens = [
      [1, 2, 3, 4, 5, 6, 7, 8],
      [8, 7, 6, 5, 4, 3, 2, 1],
    ];
    const { values } = cache.logitAttribution({ by: 'layers', tokens });
    const expected = tokens.flatMap((row, r) => row.map((token, p) => out[(r * 8 + p) * 17 + token]));
    expect(await numbers(tf.tidy(() => tf.sum(values, 0)))).toBeAllClose(expected, 1e-4);
    const some = cache.logitAttribution({ by: 'heads', tokens: [4, 9], positions: [2, -1] });
    expect(some.values.shape).toEqual([some.labels.length, 2, 2]);
    const there = [2, 7].map((p) => out[p * 17 + 4]).concat([2, 7].map((p) => out[(8 + p) * 17 + 9]));
    expect(await numbers(tf.tidy(() => tf.sum(some.values, 0)))).toBeAllClose(there, 1e-4);
    tf.dispose([values, some.values]);
    cache[Symbol.dispose]();
  });

  it('leaks nothing, also where it refuses', async () => {
    const cache = cacheOf(model(), ROWS);
    await expect(async () => {
      cache.accumulatedResid({ applyLn: true, inclMid: true }).stack.dispose();
      cache.fullResidDecomposition({ layer: 1, mlpInput: true, applyLn: true }).stack.dispose();
      cache.logitAttribution({ by: 'neurons', tokens: 1 }).values.dispose();
      await cache.logitLens({ k: 1 });
    }).toLeakNoTensors();
    await expect(() => cache.decomposeResid({ positions: [8] })).toLeakNoTensors();
    cache[Symbol.dispose]();
    const { model: once } = randomModel(CONFIGS['post-norm, causal, narrow embedding']);
    await expect(() => detectHeads(once, ROWS, 'induction')).toLeakNoTensors();
    await expect(() => compositionScores(once, 'K')).toLeakNoTensors();
    await expect(() => fullOvCircuit(once, 1, 2)).toLeakNoTensors();
    const { A, B } = await fullOvCircuit(once, 1, 2);
    expect([A.rows, A.columns, B.rows, B.columns]).toEqual([17, 8, 8, 17]);
  });

  it.each([
    [(c: ActivationCache) => c.decomposeResid({ positions: [8] }), /positions: 8 is outside the 8 positions/],
    [(c: ActivationCache) => c.decomposeResid({ layer: 4 }), /layer: 4 reads no residual stream; 0..3 do/],
    [(c: ActivationCache) => c.decomposeResid({ layer: 3, mlpInput: true }), /layer: 3 .* with its MLP; 0..2 do/],
    [(c: ActivationCache) => c.stackHeadResults({ layer: 0 }), /no such part comes before/],
    [(c: ActivationCache) => c.stackNeuronResults({ neurons: [64] }), /neurons: 64 is outside the 64 neurons/],
    [(c: ActivationCache) => c.logitAttribution({ by: 'layers', tokens: 17 }), /17 is no token; the logits are 0..16/],
    [
      (c: ActivationCache) => c.logitAttribution({ by: 'layers', tokens: [1] }),
      /1 rows of 1 tokens were given for 2 x 8/,
    ],
  ])('refuses by name: %s', (ask, message) => {
    const cache = cacheOf(model(), ROWS);
    expect(() => ask(cache)).toThrow(message);
    cache[Symbol.dispose]();
  });

  it('says which activation an explanation lacks', () => {
    const { logits, cache } = runWithCache(model(), ROWS, { names: (name) => name.endsWith('resid_pre') });
    expect(() => cache.decomposeResid()).toThrow(/"hook_embed" was not cached/);
    logits.dispose();
    cache[Symbol.dispose]();
  });

  it('refuses a head that is not there', async () => {
    await expect(ovCircuit(model(), 3, 0)).rejects.toThrow(/head: L3H0 is none of the model's 3 layers of 3 heads/);
  });

  it('counts all attention for a target that is everywhere', async () => {
    const everywhere = (tokens: readonly number[]): number[][] => tokens.map(() => tokens.map(() => 1));
    const { values } = await detectHeads(model(), ROWS, everywhere);
    expect(values).toBeAllClose(new Float64Array(9).fill(1), 1e-6);
    await expect(detectHeads(model(), ROWS, () => [[1]])).rejects.toThrow(/the target has 1 rows; 8 of 8 are needed/);
  });
});
