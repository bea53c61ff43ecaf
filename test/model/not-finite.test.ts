/** Logits that are not finite name the model's weight or the first activation, not the mask that was asked for. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { explain } from '../../src/explain.ts';
import { generate } from '../../src/hooks/generate.ts';
import { behaviourOf } from '../../src/lens/behaviour.ts';
import { ABLATIONS } from '../../src/lens/components/ablations.ts';
import { createComponentGame, type ComponentGame } from '../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../src/lens/components/components.ts';
import { METRICS, type Metric } from '../../src/lens/metrics.ts';
import { toTasks, type Task } from '../../src/lens/prompts.ts';
import { allMasks, masksFromMembers } from '../../src/masks.ts';
import { createModel, type Model } from '../../src/model/model.ts';
import { notFiniteIn } from '../../src/model/not-finite.ts';
import { CONFIGS, open, randomModel, TEST_BACKEND } from '../tensors.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await open(TEST_BACKEND);
});
afterAll(() => backend.close());

const IDS = [3, 1, 4, 1, 5];
const WEIGHT = 'blocks.1.attn.W_O';

/** A model one of whose weights is `value` in one place, times `scale` in all. */
function spoilt(weight: string, value: number | undefined, scale = 1): Model {
  const { model } = randomModel(CONFIGS['gpt2']);
  const parameters = { ...model.parameters };
  const old = parameters[weight] as tf.Tensor;
  const numbers = old.dataSync().map((x) => x * scale);
  if (value !== undefined) numbers[7] = value;
  parameters[weight] = tf.tensor(numbers, old.shape);
  old.dispose();
  return createModel(model.config, parameters, { name: 'spoilt' });
}

const tasksOf = (model: Model): Task[] =>
  toTasks(model, [{ prompt: IDS, correct: 2, incorrect: 6 }], { metric: METRICS['logit-diff'], corrupted: false });
const gameOf = (model: Model, metric: Metric = METRICS['logit-diff']): ComponentGame =>
  createComponentGame(model, {
    players: parsePlayers('heads', model.config),
    tasks: tasksOf(model),
    metric,
    ablation: ABLATIONS.zero,
  });

describe('logits that are not finite', () => {
  it.each([NaN, Infinity])('name the weight that holds %s, whoever finds it, and leave no tensor', async (value) => {
    using model = spoilt(WEIGHT, value);
    const before = tf.memory().numTensors;
    const error = {
      kind: 'checkpoint',
      message: `model spoilt: the weight ${WEIGHT} holds values that are NaN or infinite; whatever was put there, load the model again.`,
    };
    expect(await notFiniteIn(model, IDS)).toMatchObject(error);
    await expect(behaviourOf(model, tasksOf(model))).rejects.toMatchObject(error);
    await expect(generate(model, [IDS], { maxNewTokens: 2 })).rejects.toMatchObject(error);
    {
      using game = gameOf(model);
      await expect(game.value(allMasks(9))).rejects.toMatchObject(error);
      await expect(game.gradients?.(masksFromMembers(9, [[0, 1, 2, 3, 4, 5, 6, 7, 8]]))).rejects.toMatchObject(error);
      await expect(explain(game, { budget: 512 })).rejects.toMatchObject(error);
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('name the first activation that passes float32, where every weight is finite', async () => {
    using model = spoilt('blocks.1.mlp.W_out', undefined, 1e38);
    using game = gameOf(model);
    await expect(game.value(allMasks(9))).rejects.toMatchObject({
      kind: 'checkpoint',
      message: expect.stringMatching(
        /^model spoilt: its activations at blocks\.[12]\.hook_\w+ are the first that are NaN or infinite: its weights are too large/,
      ),
    });
  });

  it('name the mask where the model has no part in it', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const metric: Metric = {
      ...METRICS['logit-diff'],
      name: 'log',
      value: (logits) => tf.log(tf.mul(tf.sum(logits, [1, 2]), 0)),
    };
    expect(await notFiniteIn(model, IDS)).toBeUndefined();
    using game = gameOf(model, metric);
    await expect(explain(game, { budget: 512 })).rejects.toMatchObject({
      kind: 'input',
      message: expect.stringMatching(
        /^random log: the value of mask [0-9a-f]{4} .* is -Infinity; values must be finite/,
      ),
    });
    model[Symbol.dispose]();
  });
});
