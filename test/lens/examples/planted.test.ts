/** Truths that were planted in training data: two facts that a conclusion needs, labels that are wrong. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chainOf } from '../../../bench/data/chain.ts';
import type { Backend } from '../../../src/backend/backend.ts';
import { auroc } from '../../../src/evaluation/auroc.ts';
import { createDataGame } from '../../../src/lens/examples/data-game.ts';
import type { Example } from '../../../src/lens/examples/data-set.ts';
import { estimatePrior, type PriorName } from '../../../src/lens/examples/estimates/estimate-prior.ts';
import { ESTIMATES } from '../../../src/lens/examples/estimates/estimates.ts';
import { trainOnAll } from '../../../src/lens/examples/estimates/trained.ts';
import { eachExample, groupsOf } from '../../../src/lens/examples/example-players.ts';
import { RECIPES } from '../../../src/lens/examples/recipes.ts';
import { TEST_VALUES } from '../../../src/lens/examples/test-values.ts';
import { allMasks } from '../../../src/masks.ts';
import { createRandom } from '../../../src/random.ts';
import { pearson } from '../../../src/spectrum/correlation.ts';
import { fourierFromTable } from '../../../src/spectrum/walsh-hadamard.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import { open } from '../../tensors.ts';

describe('planted in training data', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open('wasm');
  });
  afterAll(() => backend.close());

  it('two facts of two documents that a transformer draws a conclusion from: they are the largest interaction, a synergy', async () => {
    const { train, test } = chainOf(8, 3);
    const { defaults } = RECIPES.transformer;
    const training = {
      ...defaults.training,
      optimiser: { ...defaults.training.optimiser, weightDecay: 0.1 },
      epochs: 60,
    };
    const opened = RECIPES.transformer.open(train, [test[0]], { ...defaults, training });
    const players = groupsOf(train, 'fact').slice(0, 3);
    expect(players.map(({ name }) => name)).toEqual(['0: A -> B', '0: B -> C', '1: A -> B']);
    using game = createDataGame({ ...opened, training, players, value: TEST_VALUES.probability });
    const values = await game.value(allMasks(3));
    // With both facts it says what a member does, which nobody told it; without one of them it does not.
    expect(Math.min(values[0b011], values[0b111])).toBeGreaterThan(0.5);
    for (const mask of [0b000, 0b001, 0b010, 0b100, 0b101, 0b110]) expect(values[mask]).toBeLessThan(0.45);
    const terms = fourierFromTable(values);
    const [together, ...others] = [0b011, 0b101, 0b110, 0b111].map((set) => terms[set]);
    expect(together).toBeGreaterThan(2 * Math.max(...others.map(Math.abs)));
  }, 120_000);

  /** Two classes of points, five of them with the other's label. */
  const WRONG = [3, 10, 17, 24, 31];
  const points = (count: number, wrong: readonly number[]): Example[] => {
    const random = createRandom(4);
    return Array.from({ length: count }, (_, n) => {
      const side = n % 2;
      const vector = [side + 0.3 * random.normal(), 1 - side + 0.3 * random.normal(), random.normal()];
      return { vector, label: String(wrong.includes(n) ? 1 - side : side), fields: {} };
    });
  };

  it('wrong labels: influence and EK-FAC rank them last', async () => {
    const all = points(60, WRONG);
    const settings = RECIPES.softmax.defaults;
    const opened = RECIPES.softmax.open(all.slice(0, 40), all.slice(40), settings);
    const asked = { ...opened, training: settings.training, value: TEST_VALUES['log-odds'], seeds: [0] };
    using trained = await trainOnAll(asked);
    for (const name of ['influence', 'ek-fac'] as const) {
      const { scores } = await ESTIMATES[name].scores(trained, {});
      expect(
        auroc(
          scores.map((score) => -score),
          WRONG,
        ),
        name,
      ).toBeGreaterThan(0.95);
    }
  });

  it('kernel regression goes with what retraining gives, and better than a sum over examples', async () => {
    const all = points(25, [5, 14]);
    const settings = RECIPES.softmax.defaults;
    const opened = RECIPES.softmax.open(all.slice(0, 24), all.slice(24), settings);
    const players = eachExample(all.slice(0, 24));
    const asked = { ...opened, training: settings.training, value: TEST_VALUES.margin, seeds: [0] };
    using trained = await trainOnAll(asked);
    using game = createDataGame({ ...asked, players });
    const masks = uniformMasks(24, 128, createRandom(2));
    const truth = await game.value(masks);
    const best = async (name: PriorName): Promise<number> => {
      const prior = await estimatePrior([name], trained, players);
      return Math.max(...(await prior.columns(masks)).map((column) => pearson(column, truth)));
    };
    const found = await best('kernel regression');
    expect(found).toBeGreaterThan(0.6);
    expect(found).toBeGreaterThan(await best('influence'));
  });

  it.each([
    ['softmax', 0.5],
    ['mlp', 0.01],
  ] as const)(
    'tangent training is what retraining gives where logits are linear: of %s at a rate of %f',
    async (which, rate) => {
      const all = points(26, [5, 14]);
      const { defaults } = RECIPES[which];
      const optimiser = { ...defaults.training.optimiser, learningRate: rate };
      const settings = { ...defaults, seeds: 2, training: { ...defaults.training, batchSize: 9, optimiser } };
      const [train, test] = [all.slice(0, 24), all.slice(24)];
      const opened = RECIPES[which].open(train, test, settings);
      const players = eachExample(train);
      const asked = { ...opened, training: settings.training, value: TEST_VALUES.margin, seeds: [0, 1] };
      const before = tf.memory().numTensors;
      {
        using trained = await trainOnAll(asked);
        using game = createDataGame({ ...asked, players });
        const masks = uniformMasks(24, 40, createRandom(2));
        const truth = await game.value(masks);
        const [column] = await (await estimatePrior(['tangent training'], trained, players)).columns(masks);
        // Those of a regression are, and those of a perceptron that has not gone far nearly.
        if (which === 'softmax') expect(column).toBeAllClose(truth, 1e-3);
        else expect(pearson(column, truth)).toBeGreaterThan(0.99);
      }
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  it('tangent training refuses an optimiser whose steps are not along gradients', async () => {
    const all = points(14, []);
    const training = { optimiser: { kind: 'adamw', learningRate: 0.01 }, epochs: 2 } as const;
    const opened = RECIPES.softmax.open(all.slice(0, 12), all.slice(12), RECIPES.softmax.defaults);
    using trained = await trainOnAll({ ...opened, training, value: TEST_VALUES.margin, seeds: [0] });
    await expect(estimatePrior(['tangent training'], trained, eachExample(all.slice(0, 12)))).rejects.toThrow(
      'tangent training: follows sgd, whose steps are along gradients, and not adamw',
    );
  });
});
