/** Gradients at hook points: against central differences on every branch of the forward pass, and what hooks may do to them. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { record } from '../../src/hooks/backward.ts';
import { runWithGradients, type GradientRunOptions } from '../../src/hooks/gradients.ts';
import { runWithHooks } from '../../src/hooks/run.ts';
import { hookPoints, type HookName } from '../../src/model/hook-points.ts';
import type { Model } from '../../src/model/model.ts';
import { createRandom } from '../../src/random.ts';
import { availableBackends, CONFIGS, open, randomModel, SMOOTH_CONFIGS } from '../tensors.ts';

const TOKENS = [
  [1, 5, 2, 9, 3],
  [4, 4, 7, 0, 6],
];

/** A number a row that all logits have a part in, of a size at which float32 differences say something. */
function squares(logits: tf.Tensor3D): tf.Tensor {
  return tf.sum(tf.sin(logits), [1, 2]);
}

/** The metric when the activation at `name` is moved by `step` along `direction`. */
function moved(model: Model, name: HookName, direction: tf.Tensor, step: number): number {
  return tf.tidy(() => {
    const logits = runWithHooks(model, TOKENS, [[name, (x) => tf.add(x, tf.mul(direction, step))]]);
    return Array.from(squares(logits).dataSync()).reduce((sum, value) => sum + value, 0);
  });
}

for (const backend of await availableBackends()) {
  describe(`gradients on ${backend}`, () => {
    beforeAll(async () => void (await open(backend)));
    afterAll(() => tf.disposeVariables());

    it('are ours where somebody else has registered some, which then stay his', () => {
      const before = tf.getGradient('GatherV2');
      const foreign: tf.GradConfig = {
        kernelName: 'GatherV2',
        gradFunc: () => {
          throw new Error('of somebody else');
        },
      };
      tf.registerGradient(foreign);
      try {
        tf.tidy(() => {
          const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
          const recording = record(() => tf.sum(tf.gather(x, tf.tensor1d([1, 1, 0], 'int32'))));
          expect(tf.getGradient('GatherV2')).toBe(foreign);
          expect([...(recording.gradients(recording.value, [x])[0] as tf.Tensor).dataSync()]).toEqual([1, 1, 2, 2]);
        });
      } finally {
        tf.registerGradient(before);
      }
    });

    it('a cut passes a gradient on where it does not cut, and none where it does', () => {
      const slope = tf.grad((x) => tf.sum(tf.clipByValue(x, -1, 1)));
      expect([...tf.tidy(() => slope(tf.tensor1d([-3, -0.5, 0.5, 3])).dataSync())]).toEqual([0, 1, 1, 0]);
    });

    for (const [title, config] of Object.entries(SMOOTH_CONFIGS)) {
      it(`agree with central differences at every hook point: ${title}`, () => {
        const { model } = randomModel(config);
        const random = createRandom(1, title);
        const names = hookPoints(config).map(({ name }) => name);
        const split = /hook_(attn_in|[qkv]_input|mlp_in)$/; // hooked together with what they are made of, they cut it off
        for (const group of [
          names.filter((name) => !split.test(name)),
          names.filter((name) => /hook_[qkv]_input$/.test(name)),
        ]) {
          const run = runWithGradients(model, TOKENS, squares, { names: group });
          for (const name of group) {
            const gradient = run.gradients.get(name);
            expect(gradient.shape, name).toEqual(run.cache.get(name).shape);
            const signs = tf.tensor(
              Float32Array.from({ length: gradient.size }, () => (random.bits() % 2 === 0 ? 1 : -1)),
              gradient.shape,
            );
            const along = tf.sum(tf.mul(gradient, signs)).dataSync()[0];
            const norm = tf.norm(gradient).dataSync()[0];
            // relu has kinks to step over, and norms behind every product curve more than the others
            const steep = config.activation === 'relu' || config.attention.qkNormAcrossHeads === true;
            const step = steep ? 5e-4 : 2e-3;
            const difference = (moved(model, name, signs, step) - moved(model, name, signs, -step)) / (2 * step);
            expect(
              Math.abs(along - difference) / Math.max(0.3, norm),
              `${name}: ${along} and ${difference}`,
            ).toBeLessThan(0.05);
          }
          run[Symbol.dispose]();
        }
      });
    }
  });
}

describe('runWithGradients', () => {
  let model: Model;
  beforeAll(async () => {
    await open('wasm');
    model = randomModel(CONFIGS['gpt2']).model;
  });
  const run = (
    options: GradientRunOptions = {},
    metric = squares as (logits: tf.Tensor3D) => tf.Tensor,
  ): Record<string, Float32Array> => {
    const result = runWithGradients(model, TOKENS, metric, options);
    const all = Object.fromEntries(
      result.gradients.names.map((name) => [name, result.gradients.get(name).dataSync() as Float32Array]),
    );
    result[Symbol.dispose]();
    return all;
  };

  it('gives the values that the run without gradients gives', () => {
    const result = runWithGradients(model, TOKENS, squares);
    const plain = runWithHooks(model, TOKENS, []);
    expect(result.value.dataSync()).toBeAllClose(squares(plain).dataSync(), 2e-6);
  });

  it('gives a row the gradient of its own number', () => {
    const both = run({ names: 'blocks.0.hook_resid_pre' })['blocks.0.hook_resid_pre'];
    const result = runWithGradients(model, [TOKENS[1]], squares, { names: 'blocks.0.hook_resid_pre' });
    expect(result.gradients.get('resid_pre', 0).dataSync()).toBeAllClose(both.slice(both.length / 2), 1e-5);
    result[Symbol.dispose]();
  });

  it('lets a backward hook see a gradient and put another in its place, which goes on from there', () => {
    const at = 'blocks.1.hook_resid_pre';
    const plain = run({ names: [at, 'hook_embed'] });
    let seen: Float32Array | undefined;
    const doubled = run({
      names: [at, 'hook_embed'],
      backwardHooks: [
        [at, (gradient) => void (seen = gradient.dataSync() as Float32Array)],
        [at, (gradient) => tf.mul(gradient, 2)],
      ],
    });
    expect(seen).toEqual(plain[at]);
    for (const name of [at, 'hook_embed'])
      expect(doubled[name]).toBeAllClose(
        plain[name].map((x) => 2 * x),
        1e-6,
      );
  });

  it('keeps the positions that are asked for', () => {
    const name = 'blocks.0.attn.hook_pattern';
    const all = run({ names: name })[name]; // [2, 3, 5, 5]
    const last = run({ names: name, positions: [-1] })[name]; // [2, 3, 1, 5]
    expect(last).toEqual(
      Float32Array.from([0, 1, 2, 3, 4, 5].flatMap((bh) => Array.from(all.slice(bh * 25 + 20, bh * 25 + 25)))),
    );
  });

  it('sees what forward hooks return', () => {
    const halved = run({ names: 'blocks.2.attn.hook_z', hooks: [['blocks.2.attn.hook_z', (z) => tf.mul(z, 0)]] });
    expect(halved['blocks.2.attn.hook_z'].some((x) => x !== 0)).toBe(true);
  });

  it('says what is wrong', () => {
    const wrong = (options: GradientRunOptions, metric?: (logits: tf.Tensor3D) => tf.Tensor) => () =>
      run(options, metric);
    expect(wrong({ names: 'blocks.7.hook_resid_pre' as HookName })).toThrow(
      /"blocks.7.hook_resid_pre" is not a hook point/,
    );
    expect(wrong({}, (logits) => logits)).toThrow('metric: returned float32 [2,5,17]; one float32 number, or [2]');
    expect(wrong({}, () => 3 as unknown as tf.Tensor)).toThrow('metric: returned number; a tensor');
    expect(wrong({}, (logits) => tf.cast(tf.sum(tf.argMax(logits, 2)), 'float32'))).toThrow(
      'does not depend on any of the',
    );
    expect(
      wrong({
        names: ['hook_embed', 'blocks.2.hook_resid_pre'],
        hooks: [['blocks.1.hook_resid_pre', (x) => tf.onesLike(x)]],
      }),
    ).toThrow('the metric does not depend on hook_embed: a hook replaces');
    // @tensorflow/tfjs-node-gpu brings the union package along, which has a gradient of everything.
    if (tf.getGradient('Acosh') == null)
      expect(wrong({}, (logits) => tf.sum(tf.acosh(logits), [1, 2]))).toThrow('the operation Acosh has none');
    expect(wrong({ backwardHooks: [['hook_embed', () => tf.scalar(1)]] })).toThrow(
      'hook hook_embed: returned shape []',
    );
  });

  it('leaks nothing, also when something throws', async () => {
    for (const metric of [
      squares,
      (logits: tf.Tensor3D) => tf.acosh(tf.sum(logits, [1, 2])),
      (logits: tf.Tensor3D) => logits,
    ])
      await expect(() => run({}, metric)).toLeakNoTensors();
    await expect(() => run({ hooks: [['blocks.1.hook_resid_pre', (x) => tf.onesLike(x)]] })).toLeakNoTensors();
    await expect(() =>
      run({
        backwardHooks: [
          [
            'blocks.1.hook_resid_pre',
            () => {
              throw new Error('of a hook');
            },
          ],
        ],
      }),
    ).toLeakNoTensors();
  });
});
