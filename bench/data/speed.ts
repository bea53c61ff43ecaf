/**
 * How fast perceptrons are trained: many at once, one after the other, and one after the other by TensorFlow.js's own kernels and by PyTorch
 * on the same cores.
 */
import { execFileSync } from 'node:child_process';
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../src/errors.ts';
import type { Example } from '../../src/lens/examples/data-set.ts';
import { groupsOf } from '../../src/lens/examples/example-players.ts';
import { RECIPES } from '../../src/lens/examples/recipes.ts';
import { createPooledDataGame } from '../../src/measure/pooled-game.ts';
import { cores } from '../../src/platform/threads.ts';
import { createRandom } from '../../src/random.ts';
import type { Architecture, Examples } from '../../src/train/architecture.ts';
import { createPerceptron, vectorExamples } from '../../src/train/perceptron.ts';
import type { Training } from '../../src/train/schedule.ts';
import { train } from '../../src/train/train.ts';
import { trainUnrolled } from '../../src/train/unrolled.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { linear } from '../../src/model/forward/layers.ts';
import { trainOnStock } from './stock-training.ts';

/** Most by which a weight of TensorFlow.js's training may differ from ours, in units of the largest. */
const ALIKE = 1e-4;

/** Rates of each way, and what they are to each other. `digits`: a thousand examples and one to test on, at least. */
export async function trainingSpeed(
  digits: readonly Example[],
  python: string,
): Promise<{
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly ratios: string;
}> {
  const [N, width, classes] = [1000, 64, 10];
  const random = createRandom(1);
  const examples = vectorExamples(
    Float32Array.from({ length: N * width }, () => random.normal()),
    Array.from({ length: N }, () => random.integer(classes)),
    width,
  );
  const model = createPerceptron({ inputs: width, classes, hidden: [32] });
  const training = {
    optimiser: { kind: 'sgd', learningRate: 0.1, momentum: 0.9 },
    epochs: 4,
    batchSize: 50,
  } as const;
  const steps = (training.epochs * N) / training.batchSize;
  const rates: number[][] = [[], [], [], [], []];
  const models = 128;
  // Of a step's products: forward, each matrix's gradient, and the hidden layer's.
  const flops = 2 * training.batchSize * (2 * width * 32 + 3 * 32 * classes);
  // The same shape as a game on every core: digits, whose classes are kept or left out.
  const shaped = digits.slice(0, N);
  const settings = { ...RECIPES.mlp.defaults, training, seeds: 1 };
  using pooled = createPooledDataGame(
    {
      train: shaped,
      test: [digits[N]],
      players: groupsOf(shaped, 'label'),
      recipe: 'mlp',
      settings,
      value: 'margin',
      seeds: [0],
      modelsAtOnce: models,
    },
    { threads: cores() },
  );
  const ways = [
    async () => {
      const weights = new Float32Array(models * N).fill(1);
      const start = performance.now();
      (await train(model, examples, training, weights, { seed: 0 })).dispose();
      return (1000 * models * steps) / (performance.now() - start);
    },
    async () => {
      const start = performance.now();
      for (let k = 0; k < 8; k++)
        (await train(model, examples, training, new Float32Array(N).fill(1), { seed: k })).dispose();
      return (1000 * 8 * steps) / (performance.now() - start);
    },
    async () => {
      const masks = uniformMasks(classes, 4 * models, createRandom(3));
      const start = performance.now();
      await pooled.value(masks);
      return (1000 * masks.count * steps) / (performance.now() - start);
    },
    async () => {
      const each: number[] = [];
      for (let k = 0; k < 3; k++) each.push((await trainOnStock(model, examples, training, k)).rate);
      return 3 / each.reduce((sum, rate) => sum + 1 / rate, 0);
    },
    () => Promise.resolve(Number(execFileSync(python, ['bench/data/torch_training.py']).toString().trim())),
  ];
  const ours = await oneOf(model, examples, training);
  const theirs = await trainOnStock(model, examples, training, 0);
  const apart = furthest(ours, theirs.theta);
  if (!(apart < ALIKE))
    throw fail('input', 'speed', `TensorFlow.js trains to other weights: ${apart} of the largest apart.`);
  for (let round = 0; round < 4; round++)
    for (const [w, way] of ways.entries()) {
      const rate = await way();
      if (round > 0) rates[w].push(rate);
    }
  const [together, alone, threaded, stock, torch] = rates.map((each) => each.sort((a, b) => a - b)[1]);
  const start = performance.now();
  const test = examples.batch([0, 1]);
  const f = (parameters: readonly tf.Tensor[]): tf.Tensor1D => tf.mean(model.losses(parameters, test), 1);
  await trainUnrolled(model, examples, training, new Float32Array(32 * N).fill(1), f, { seed: 0 });
  const unrolled = (1000 * 32 * steps) / (performance.now() - start);
  return {
    head: ['perceptron 64-32-10, 50 of 1,000 examples a step', 'models x steps a second', 'of PyTorch'],
    rows: [
      [`${models} at once`, together.toFixed(0), (together / torch).toFixed(2)],
      [`${models} at once on ${cores()} threads`, threaded.toFixed(0), (threaded / torch).toFixed(2)],
      ['one after the other', alone.toFixed(0), (alone / torch).toFixed(2)],
      ["one after the other, TensorFlow.js's own kernels", stock.toFixed(0), (stock / torch).toFixed(2)],
      ['PyTorch, one after the other, its better number of threads', torch.toFixed(0), '1'],
      [
        `32 at once, differentiated (${(together / unrolled).toFixed(1)} trainings)`,
        unrolled.toFixed(0),
        (unrolled / torch).toFixed(2),
      ],
    ],
    ratios: [
      `at once / one after the other: ${(together / alone).toFixed(1)}; on ${cores()} threads ${(threaded / alone).toFixed(1)}`,
      `at once / one after the other by TensorFlow.js's own kernels: ${(together / stock).toFixed(1)}; on ${cores()} threads ${(threaded / stock).toFixed(1)}`,
      `at once ${((together * flops) / 1e9).toFixed(1)} GFLOP/s of products; a product of 512 x 768 x 768 has ${(await productRate()).toFixed(1)}`,
    ].join('\n'),
  };
}

/** Parameters of one model trained on everything by us. */
async function oneOf(model: Architecture, examples: Examples, training: Training): Promise<Float32Array> {
  const theta = await train(model, examples, training, new Float32Array(examples.count).fill(1), { seed: 0 });
  const numbers = (await theta.data()) as Float32Array;
  theta.dispose();
  return numbers;
}

/** The largest difference of two, in units of the largest number. */
function furthest(a: Float32Array, b: Float32Array): number {
  const most = a.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
  return a.reduce((largest, x, i) => Math.max(largest, Math.abs(x - b[i])), 0) / most;
}

/** GFLOP/s of the fastest of nine products. */
async function productRate(): Promise<number> {
  const [x, W] = [tf.randomNormal([512, 768]), tf.randomNormal([768, 768])];
  let best = 0;
  for (let round = 0; round < 9; round++) {
    const start = performance.now();
    const out = linear(x, W, undefined);
    await out.data();
    best = Math.max(best, (2 * 512 * 768 * 768) / (performance.now() - start) / 1e6);
    out.dispose();
  }
  tf.dispose([x, W]);
  return best;
}
