/** How fast perceptrons are trained: many at once, one after the other, and PyTorch's one after the other on the same cores. */
import { execFileSync } from 'node:child_process';
import * as tf from '@tensorflow/tfjs-core';
import type { Example } from '../../src/lens/examples/data-set.ts';
import { groupsOf } from '../../src/lens/examples/example-players.ts';
import { RECIPES } from '../../src/lens/examples/recipes.ts';
import { createPooledDataGame } from '../../src/measure/pooled-game.ts';
import { cores } from '../../src/platform/threads.ts';
import { createRandom } from '../../src/random.ts';
import { createPerceptron, vectorExamples } from '../../src/train/perceptron.ts';
import { train } from '../../src/train/train.ts';
import { trainUnrolled } from '../../src/train/unrolled.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';

/** Rates of each way, and what the first two are to each other. `digits`: a thousand examples and one to test on, at least. */
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
  const rates: number[][] = [[], [], [], []];
  const models = 128;
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
    () => Promise.resolve(Number(execFileSync(python, ['bench/data/torch_training.py']).toString().trim())),
  ];
  for (let round = 0; round < 4; round++)
    for (const [w, way] of ways.entries()) {
      const rate = await way();
      if (round > 0) rates[w].push(rate);
    }
  const [together, alone, threaded, torch] = rates.map((each) => each.sort((a, b) => a - b)[1]);
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
      ['PyTorch, one after the other, its better number of threads', torch.toFixed(0), '1'],
      [
        `32 at once, differentiated (${(together / unrolled).toFixed(1)} trainings)`,
        unrolled.toFixed(0),
        (unrolled / torch).toFixed(2),
      ],
    ],
    ratios: `at once / one after the other: ${(together / alone).toFixed(1)}; on ${cores()} threads ${(threaded / alone).toFixed(1)}`,
  };
}
