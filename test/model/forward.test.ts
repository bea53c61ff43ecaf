import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forward } from '../../src/model/forward/forward.ts';
import { hookPoints, hookShape } from '../../src/model/hook-points.ts';
import { handedOn, layoutOf } from '../../src/model/layout.ts';
import { referenceForward } from '../../src/model/reference/reference.ts';
import { erf } from '../../src/model/reference/reference-functions.ts';
import { runWithCache } from '../../src/hooks/run.ts';
import { availableBackends, CONFIGS, open, randomModel } from '../tensors.ts';

const ROWS = [
  [3, 1, 4, 1, 5, 9, 2, 6],
  [16, 0, 7, 7, 12, 3, 16, 2],
];

// float32 backends on CPUs; the tolerance of GPU-like ones is stated where they run
const tolerance = (backend: string): number => (backend === 'webgpu' ? 1e-3 : 1e-5);

const backends = await availableBackends();

describe.each(backends)('the forward pass on %s', (backend) => {
  let close: () => void;
  beforeAll(async () => {
    close = (await open(backend)).close;
  });
  afterAll(() => close());

  it.each(Object.keys(CONFIGS))('gives the Float64 logits and every residual: %s', async (name) => {
    const config = CONFIGS[name];
    const { model, reference } = randomModel(config);
    const { logits, cache } = runWithCache(model, ROWS, { names: (hook) => /_resid_(pre|post)$|hook_z$/.test(hook) });
    const [ours, V] = [await logits.data(), config.dVocabOut];
    for (const [r, row] of ROWS.entries()) {
      const truth = referenceForward(config, reference, row);
      expect(ours.subarray(r * 8 * V, (r + 1) * 8 * V)).toBeAllClose(truth.logits, tolerance(backend));
      for (let l = 0; l < config.nLayers; l++) {
        const residual = await cache.get('resid_pre', l).data();
        const width = 8 * config.dModel;
        expect(residual.subarray(r * width, (r + 1) * width)).toBeAllClose(truth.residuals[l], tolerance(backend));
        const z = await cache.get('z', l).data();
        expect(z.subarray(r * truth.z[l].length, (r + 1) * truth.z[l].length)).toBeAllClose(
          truth.z[l],
          tolerance(backend),
        );
      }
      const last = await cache.get(handedOn(layoutOf(config)), -1).data();
      expect(last.subarray(r * 8 * config.dModel, (r + 1) * 8 * config.dModel)).toBeAllClose(
        truth.residuals[config.nLayers],
        tolerance(backend),
      );
    }
    logits.dispose();
    cache[Symbol.dispose]();
    model[Symbol.dispose]();
  });

  // A GPU emulated in software compiles for minutes; two kinds of model tell it as much there.
  it.each(backend === 'webgpu' ? ['gpt2', 'llama: rotary, gated, grouped heads'] : Object.keys(CONFIGS))(
    'computes the scored positions alone as it computes them among all: %s',
    async (name) => {
      const { model } = randomModel(CONFIGS[name]);
      const tokens = tf.tensor2d(ROWS, undefined, 'int32');
      const all = forward(model.config, model.parameters, tokens);
      for (const scored of [[7], [0, 3, 7], [2, 3]]) {
        const some = forward(model.config, model.parameters, tokens, { scored });
        const expected = tf.gather(all, tf.tensor1d(scored, 'int32'), 1);
        expect(some.shape).toEqual([2, scored.length, model.config.dVocabOut]);
        expect(await some.data()).toBeAllClose(await expected.data(), tolerance(backend));
      }
      model[Symbol.dispose]();
    },
  );

  it('gives a row the same logits whatever its batch is', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const run = (rows: number[][]): tf.Tensor =>
      forward(model.config, model.parameters, tf.tensor2d(rows, undefined, 'int32'));
    const alone = await run([ROWS[1]]).data();
    const among = await run([...Array.from({ length: 6 }, () => ROWS[0]), ROWS[1]]).data();
    expect(among.subarray(6 * alone.length)).toBeAllClose(alone, tolerance(backend));
    model[Symbol.dispose]();
  });

  it('leaves nothing behind but the logits', async () => {
    const { model } = randomModel(CONFIGS['solu_ln']);
    const tokens = tf.tensor2d(ROWS, undefined, 'int32');
    await expect(() => forward(model.config, model.parameters, tokens).dispose()).toLeakNoTensors();
    tokens.dispose();
    model[Symbol.dispose]();
  });
});

describe('hook points', () => {
  it.each(Object.keys(CONFIGS))(
    'are all visited, in their listed order, with their listed shapes: %s',
    async (name) => {
      await open('cpu');
      const config = CONFIGS[name];
      const { model } = randomModel(config);
      const points = hookPoints(config);
      const seen: string[] = [];
      const tokens = tf.tensor2d(ROWS, undefined, 'int32');
      forward(config, model.parameters, tokens, {
        tap: {
          wants: () => true,
          visit(hook, activation) {
            seen.push(hook);
            const point = points.find((p) => p.name === hook);
            expect(point, hook).toBeDefined();
            expect(activation.shape, hook).toEqual(hookShape(point!, config, 2, 8));
            return activation;
          },
        },
      }).dispose();
      expect(seen).toEqual(points.map((p) => p.name));
      tokens.dispose();
      model[Symbol.dispose]();
    },
  );

  it('change nothing when all of them are watched (split inputs and per-head results included)', async () => {
    await open('cpu');
    for (const [name, config] of Object.entries(CONFIGS)) {
      const { model } = randomModel(config);
      const tokens = tf.tensor2d(ROWS, undefined, 'int32');
      const plain = forward(config, model.parameters, tokens);
      const watched = forward(config, model.parameters, tokens, { tap: { wants: () => true, visit: (_name, x) => x } });
      expect(await watched.data(), name).toBeAllClose(await plain.data(), 1e-5);
      tf.dispose([plain, watched, tokens]);
      model[Symbol.dispose]();
    }
  });
});

describe('the Float64 reference', () => {
  it('has erf to full precision', () => {
    // Abramowitz and Stegun, table 7.1, and erf(3), erf(5) from tables
    expect([0, 0.5, 1, 2, 3, -1].map(erf)).toBeAllClose(
      [0, 0.5204998778130465, 0.8427007929497149, 0.9953222650189527, 0.9999779095030014, -0.8427007929497149],
      1e-15,
    );
    expect(erf(2.4999999)).toBeCloseTo(erf(2.5000001), 9);
  });
});
