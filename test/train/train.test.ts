/** Many models at once are each the model trained alone, PyTorch's for the same numbers; and training's derivatives are its differences. */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { createRandom } from '../../src/random.ts';
import type { Architecture, Examples } from '../../src/train/architecture.ts';
import { curvature, gaussNewton, slopesAlong, weightedGradient } from '../../src/train/derivatives.ts';
import type { Optimiser } from '../../src/train/optimiser.ts';
import { repeated, unflatten } from '../../src/train/parameters.ts';
import { createPerceptron, vectorExamples } from '../../src/train/perceptron.ts';
import { affine, products } from '../../src/train/products.ts';
import { largest, logSoftmax, logSumExp, rsqrt, silu, softmax, tanh } from '../../src/train/smooth.ts';
import { createTinyTransformer, tokenExamples } from '../../src/train/tiny-transformer.ts';
import { train } from '../../src/train/train.ts';
import { trainUnrolled } from '../../src/train/unrolled.ts';
import { availableBackends, open } from '../tensors.ts';

const OPTIMISERS: Readonly<Record<string, Optimiser>> = {
  sgd: { kind: 'sgd', learningRate: 0.3, weightDecay: 0.01 },
  momentum: { kind: 'sgd', learningRate: 0.1, momentum: 0.9, weightDecay: 0.01 },
  adamw: { kind: 'adamw', learningRate: 0.02, betas: [0.9, 0.98], eps: 1e-4, weightDecay: 0.1 },
};
const random = createRandom(3);
const [N, D, C] = [24, 5, 3];
const vectors = vectorExamples(
  Float32Array.from({ length: N * D }, () => random.normal()),
  Array.from({ length: N }, () => random.integer(C)),
  D,
);
const rows = tokenExamples(
  Array.from({ length: N }, () => ({
    tokens: Array.from({ length: 3 + random.integer(4) }, () => random.integer(9)),
  })),
  { length: 6, filler: 0, wordWeight: 0.1 },
);
const MODELS: Readonly<Record<string, readonly [Architecture, Examples]>> = {
  softmax: [createPerceptron({ inputs: D, classes: C, hidden: [] }), vectors],
  silu: [createPerceptron({ inputs: D, classes: C, hidden: [8] }), vectors],
  'silu of two layers': [createPerceptron({ inputs: D, classes: C, hidden: [8, 6] }), vectors],
  tanh: [createPerceptron({ inputs: D, classes: C, hidden: [8], activation: 'tanh' }), vectors],
  transformer: [createTinyTransformer({ vocabulary: 9, context: 6, layers: 2, dModel: 8, heads: 2, dMlp: 12 }), rows],
};
const worstOf = (a: tf.Tensor, b: tf.Tensor): number =>
  tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0] / Math.max(1e-12, tf.max(tf.abs(b)).dataSync()[0]));
const random01 = (count: number, seed: number): Float32Array => {
  const draw = createRandom(seed);
  return Float32Array.from({ length: count }, () => (draw.uniform() < 0.5 ? 1 : 0));
};

describe.each(await availableBackends())('on %s', (name) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open(name);
  });
  afterAll(() => backend.close());

  it.each(Object.keys(MODELS))('K models of %s are each the one trained alone, and leave no tensor', async (which) => {
    const [model, examples] = MODELS[which];
    const training = { optimiser: OPTIMISERS['momentum'], epochs: 3, batchSize: 10, schedule: 'cosine' } as const;
    const weights = random01(4 * N, 1);
    weights.fill(0, 3 * N); // the last one keeps nothing
    const before = tf.memory().numTensors;
    const together = await train(model, examples, training, weights, { seed: 2 });
    for (let k = 0; k < 4; k++) {
      const alone = await train(model, examples, training, weights.slice(k * N, (k + 1) * N), { seed: 2 });
      const mine = tf.slice(together, [k, 0], [1, model.size]);
      expect(worstOf(mine, alone)).toBeLessThan(1e-4);
      if (k === 3) expect(await alone.data()).toBeAllClose(model.initialise(createRandom(2, 'train/start')), 0.02); // but for decay
      tf.dispose([alone, mine]);
    }
    together.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each(Object.keys(OPTIMISERS))('%s takes PyTorch’s steps', async (kind) => {
    const golden = JSON.parse(readFileSync('test/golden/training/perceptron.json', 'utf8')) as {
      shape: { inputs: number; hidden: number[]; classes: number };
      steps: number;
      x: number[];
      y: number[];
      kept: number[];
      cases: Record<string, { start: number[]; end: number[] }>;
    };
    const { start, end } = golden.cases[kind];
    const model = { ...createPerceptron(golden.shape), initialise: () => Float32Array.from(start) };
    const examples = vectorExamples(Float32Array.from(golden.x), golden.y, golden.shape.inputs);
    const training = { optimiser: OPTIMISERS[kind], epochs: golden.steps };
    const theta = await train(model, examples, training, Float32Array.from(golden.kept), { seed: 0 });
    expect(await theta.data()).toBeAllClose(end, 1e-5);
    theta.dispose();
  });

  it.each(Object.keys(MODELS).flatMap((which) => Object.keys(OPTIMISERS).map((kind) => [which, kind])))(
    'the slopes of training %s by %s are differences of trainings',
    async (which, kind) => {
      const [model, examples] = MODELS[which];
      // The sign-like first steps of AdamW jump where a gradient passes 0; a larger eps keeps differences small.
      const optimiser = kind === 'adamw' ? { ...OPTIMISERS[kind], eps: 0.1 } : OPTIMISERS[kind];
      const training = { optimiser, epochs: 3, batchSize: 10, schedule: 'cosine' } as const;
      const weights = random01(2 * N, 5).map((weight) => (weight === 1 ? 0.8 : 0.3));
      const test = examples.batch([0, 1, 2]);
      const f = (parameters: readonly tf.Tensor[]): tf.Tensor1D => tf.mean(model.losses(parameters, test), 1);
      const before = tf.memory().numTensors;
      const { values, slopes } = await trainUnrolled(model, examples, training, weights, f, { seed: 2 });
      expect(tf.memory().numTensors).toBe(before);
      const valuesOf = async (given: Float32Array): Promise<Float32Array> => {
        const theta = await train(model, examples, training, given, { seed: 2 });
        const found = tf.tidy(() => f(unflatten(model, theta)).dataSync() as Float32Array);
        theta.dispose();
        return found;
      };
      expect(values).toBeAllClose(await valuesOf(weights), 1e-6);
      const h = 0.02;
      const largestSlope = slopes.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      for (const n of [3, 11]) {
        const moved = (by: number): Float32Array => {
          const given = weights.slice();
          for (const k of [0, 1]) given[k * N + n] += by;
          return given;
        };
        const [up, down] = [await valuesOf(moved(h)), await valuesOf(moved(-h))];
        for (const k of [0, 1])
          expect(Math.abs((up[k] - down[k]) / (2 * h) - slopes[k * N + n])).toBeLessThan(0.02 * largestSlope + 1e-4);
      }
      test.inputs.dispose();
      tf.dispose([test.targets, test.counts, test.positions].filter((tensor) => tensor !== undefined));
    },
  );

  it.each(['softmax', 'silu', 'silu of two layers'])('kernels give what operations give, of %s', (which) => {
    const [model, examples] = MODELS[which];
    const plain = { ...model, kernels: undefined };
    const draw = createRandom(8);
    tf.tidy(() => {
      const theta = repeated(model.initialise(draw), 3);
      const batch = examples.batch([1, 2, 3, 5, 8, 13, 21]);
      const coefficients = tf.tensor2d(
        Float32Array.from({ length: 21 }, () => draw.uniform()),
        [3, 7],
      );
      const v = tf.tensor2d(
        Float32Array.from({ length: theta.size }, () => draw.normal()),
        theta.shape,
      );
      const gradients = [model, plain].map((each) => weightedGradient(each, theta, batch, coefficients));
      expect(worstOf(gradients[0], gradients[1])).toBeLessThan(1e-5);
      const [ours, theirs] = [model, plain].map((each) => curvature(each, theta, batch, coefficients, v));
      expect(worstOf(ours.product, theirs.product)).toBeLessThan(1e-5);
      expect(worstOf(ours.slopes, theirs.slopes)).toBeLessThan(1e-5);
      // Softmax regression's Hessian is its Gauss-Newton matrix.
      if (which === 'softmax')
        expect(worstOf(gaussNewton(model, theta, batch, coefficients, v), ours.product)).toBeLessThan(1e-5);
      const slopes = slopesAlong(model, theta, (parameters) => model.losses(parameters, batch), v);
      expect(worstOf(slopes, ours.slopes)).toBeLessThan(1e-5);
    });
  });

  it('functions of training have second derivatives', () => {
    const W = tf.randomNormal([2, 4, 5], 0, 1, 'float32', 5) as tf.Tensor3D;
    const cases: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
      softmax: (x) => softmax(x),
      logSoftmax: (x) => logSoftmax(x),
      logSumExp: (x) => logSumExp(x),
      largest: (x) => tf.square(largest(x)),
      tanh: (x) => tanh(x),
      silu: (x) => silu(x),
      rsqrt: (x) => rsqrt(tf.abs(x)),
      products: (x) => products(x as tf.Tensor3D, W),
      'one for all': (x) => products(tf.square(x) as tf.Tensor3D, tf.slice(W, [0, 0, 0], [1, 4, 5])),
      'turned right': (x) => products(x as tf.Tensor3D, tf.square(x) as tf.Tensor3D, { turnB: true }),
      'turned left': (x) => products(x as tf.Tensor3D, tf.square(x) as tf.Tensor3D, { turnA: true }),
      affine: (x) => affine(tf.square(x) as tf.Tensor3D, W, tf.slice(W, [0, 0, 0], [2, 1, 5])),
    };
    for (const [what, f] of Object.entries(cases))
      tf.tidy(() => {
        const x = tf.randomUniform([2, 3, 4], 0.5, 1.5, 'float32', 7);
        const v = tf.randomNormal([2, 3, 4], 0, 1, 'float32', 3);
        const slope = (at: tf.Tensor): tf.Tensor => tf.grads((y: tf.Tensor) => tf.sum(tf.square(f(y))))([at])[0];
        const product = tf.grads((y: tf.Tensor) => tf.sum(tf.mul(slope(y), v)))([x])[0];
        const h = 1e-3;
        const difference = tf.div(tf.sub(slope(tf.add(x, tf.mul(v, h))), slope(tf.sub(x, tf.mul(v, h)))), 2 * h);
        expect(worstOf(product, difference), what).toBeLessThan(2e-3);
      });
    W.dispose();
  });
});

it('refuses weights that are none, and settings that are none', async () => {
  const [model, examples] = MODELS['softmax'];
  const training = { optimiser: OPTIMISERS['sgd'], epochs: 1 };
  const run = (weights: Float32Array, given: object = {}): Promise<unknown> =>
    train(model, examples, { ...training, ...given }, weights, { seed: 0 });
  await expect(run(new Float32Array(N + 1))).rejects.toThrow(`${N + 1} weights for ${N} examples`);
  await expect(run(new Float32Array(N).fill(-1))).rejects.toThrow('example 0 of model 0 weighs -1');
  await expect(run(new Float32Array(N), { epochs: 0 })).rejects.toThrow('epochs: 0');
  await expect(run(new Float32Array(N), { optimiser: { kind: 'sgd', learningRate: 0 } })).rejects.toThrow(
    'learningRate: 0',
  );
});
