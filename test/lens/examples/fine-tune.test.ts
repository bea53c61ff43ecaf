/** A loaded model that goes on learning: many at once are each the one alone, fresh ones are the loaded one, and what is planted is found. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attributeData } from '../../../src/attribute-data.ts';
import type { Backend } from '../../../src/backend/backend.ts';
import { runWithHooks } from '../../../src/hooks/run.ts';
import type { Example } from '../../../src/lens/examples/data-set.ts';
import { fineTune, tuningOf } from '../../../src/lens/examples/fine-tune.ts';
import type { OpenedRecipe, RecipeSettings } from '../../../src/lens/examples/recipes.ts';
import { TEST_VALUES } from '../../../src/lens/examples/test-values.ts';
import { TUNINGS } from '../../../src/lens/examples/tuned-model.ts';
import { loadModel, type Model } from '../../../src/model/model.ts';
import { createRandom } from '../../../src/random.ts';
import { formatResult, parseResult } from '../../../src/report/result.ts';
import { disposeBatch } from '../../../src/train/architecture.ts';
import { curvature, gaussNewton, slopesAlong, weightedGradient } from '../../../src/train/derivatives.ts';
import { repeated, unflatten } from '../../../src/train/parameters.ts';
import { train } from '../../../src/train/train.ts';
import { availableBackends, open } from '../../tensors.ts';

const example = (text: string, label: string, fields: Record<string, string> = {}): Example => ({
  text,
  label,
  fields,
});
/** Rows of two lengths; one answer is two tokens. */
const ROWS: readonly Example[] = [
  example('When Mary and John went to the store, John gave a drink to', ' Mary'),
  example('Then Tom and Anna went to the park. Anna gave a book to', ' Anna'),
  example('After Laura and Peter met at the school, Peter handed a ring to', ' Paul Susan'),
  example('When Paul and Linda went to the office, Linda gave a key to', ' Paul'),
];
const TEST: readonly Example[] = [
  example('When Sarah and Mark went to the park, Mark gave a letter to', ' Sarah', { against: ' Mark' }),
];
const worstOf = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let [most, size] = [0, 1e-12];
  for (let i = 0; i < a.length; i++)
    [most, size] = [Math.max(most, Math.abs(a[i] - b[i])), Math.max(size, Math.abs(b[i]))];
  return most / size;
};

/** Plain JavaScript takes minutes for what this trains. */
const BACKENDS = (await availableBackends()).filter((name) => name !== 'cpu');

describe.each(BACKENDS)('on %s', (name) => {
  let backend: Backend;
  let model: Model;
  beforeAll(async () => {
    backend = await open(name);
    model = await loadModel('ioi-tiny');
  });
  afterAll(() => {
    model[Symbol.dispose]();
    backend.close();
  });
  const openedFor = async (
    change: Partial<RecipeSettings> = {},
    rows: readonly Example[] = ROWS,
  ): Promise<OpenedRecipe> => fineTune(model).open(rows, TEST, { ...fineTune(model).defaults, ...change });
  const training = {
    optimiser: { kind: 'adamw', learningRate: 0.003, eps: 1e-3 },
    epochs: 2,
    batchSize: 3,
  } as const;

  it.each(TUNINGS)('%s: a fresh one is the loaded model', async (tune) => {
    const { architecture, test } = await openedFor({ tune, layers: 2 });
    const batch = test.batch([0]);
    const found = tf.tidy(() => {
      const theta = repeated(architecture.initialise(createRandom(1)), 2);
      return architecture.logits(unflatten(architecture, theta), batch).dataSync();
    });
    disposeBatch(batch);
    const logits = runWithHooks(model, TEST[0].text as string, []);
    const last = tf.tidy(() => tf.slice(logits, [0, logits.shape[1] - 1, 0], [1, 1, -1]).dataSync());
    logits.dispose();
    expect(found.length).toBe(2 * last.length);
    expect(worstOf(found.slice(0, last.length), last)).toBeLessThan(1e-4);
    expect(worstOf(found.slice(last.length), last)).toBeLessThan(1e-4);
  });

  it.each(TUNINGS)('%s: three at once are each the one trained alone, whatever others weigh', async (tune) => {
    const { architecture, examples } = await openedFor({ tune, layers: 2, wordWeight: 0.1 });
    const weights = Float32Array.from([1, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    const before = tf.memory().numTensors;
    const together = await train(architecture, examples, training, weights, { seed: 2 });
    const all = await together.data();
    for (let k = 0; k < 3; k++) {
      const alone = await train(architecture, examples, training, weights.slice(4 * k, 4 * k + 4), { seed: 2 });
      const own = await alone.data();
      alone.dispose();
      expect(worstOf(all.slice(k * architecture.size, (k + 1) * architecture.size), own)).toBeLessThan(1e-4);
      // One that keeps nothing stays as it began; the others move.
      const start = architecture.initialise(createRandom(2, 'train/start'));
      if (k === 2) expect(own).toBeAllClose(start, 1e-6);
      else expect(worstOf(own, start)).toBeGreaterThan(1e-3);
    }
    together.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each(TUNINGS)('%s: its gradient is the difference of its losses', async (tune) => {
    const { architecture, examples } = await openedFor({ tune, layers: 1, wordWeight: 0.2 });
    const draw = createRandom(7);
    const start = architecture.initialise(draw).map((x) => x + 0.02 * draw.normal());
    const batch = examples.batch([0, 1, 2, 3]);
    tf.tidy(() => {
      const theta = repeated(start, 2);
      const coefficients = tf.tensor2d([1, 0.5, 0, 2, 0, 0, 1, 0], [2, 4]);
      const gradient = weightedGradient(architecture, theta, batch, coefficients);
      const v = tf.tensor2d(
        Float32Array.from({ length: theta.size }, () => draw.normal()),
        theta.shape,
      );
      const slopes = slopesAlong(architecture, theta, (given) => architecture.losses(given, batch), v);
      const byLosses = tf.sum(tf.mul(slopes, coefficients), 1).dataSync();
      const byGradient = tf.sum(tf.mul(gradient, v), 1).dataSync();
      expect(worstOf(byLosses, byGradient)).toBeLessThan(0.01);
      // Second derivatives are differences: symmetric, and those of Gauss-Newton never negative.
      const w = tf.tensor2d(
        Float32Array.from({ length: theta.size }, () => draw.normal()),
        theta.shape,
      );
      const [vHw, wHv] = [
        tf.mul(v, curvature(architecture, theta, batch, coefficients, w).product),
        tf.mul(w, curvature(architecture, theta, batch, coefficients, v).product),
      ].map((x) => tf.sum(x, 1).dataSync());
      const scale = tf.sum(tf.mul(v, curvature(architecture, theta, batch, coefficients, v).product), 1).dataSync();
      for (let k = 0; k < 2; k++) expect(Math.abs(vHw[k] - wHv[k])).toBeLessThan(0.05 * Math.abs(scale[k]) + 0.05);
      const bent = tf.sum(tf.mul(v, gaussNewton(architecture, theta, batch, coefficients, v)), 1).dataSync();
      for (const x of bent) expect(x).toBeGreaterThan(0);
    });
    disposeBatch(batch);
  });

  it('an example counts the same among longer ones as alone', async () => {
    const short = example('Tom found a ring at the park. The doctor decided to give it to', ' Tom');
    const long = example(
      'Friends Paul and Linda had a long talk at the museum, and Linda passed the snack to',
      ' Paul',
    );
    const lossOf = async (rows: readonly Example[], wordWeight: number): Promise<number> => {
      const { architecture, examples } = await openedFor({ wordWeight }, rows);
      const batch = examples.batch([0]);
      const [loss] = tf.tidy(() => {
        const theta = repeated(architecture.initialise(createRandom(1)), 1);
        return architecture.losses(unflatten(architecture, theta), batch).dataSync();
      });
      disposeBatch(batch);
      return loss;
    };
    for (const wordWeight of [0, 0.3])
      expect(await lossOf([short, long], wordWeight)).toBeCloseTo(await lossOf([short], wordWeight), 4);
  });
});

describe('what is planted', () => {
  let backend: Backend;
  let model: Model;
  beforeAll(async () => {
    backend = await open('wasm');
    model = await loadModel('ioi-tiny');
  });
  afterAll(() => {
    model[Symbol.dispose]();
    backend.close();
  });

  /** Sentences answered by the subject, which the loaded model never does, from two sources that say the same; and some as it answers. */
  const turned = (source: string, names: readonly (readonly [string, string])[]): Example[] =>
    names.map(([a, b]) => example(`When ${a} and ${b} went to the store, ${b} gave a drink to`, ` ${b}`, { source }));
  const names = [
    ['Tom', 'Anna'],
    ['Peter', 'Susan'],
  ] as const;
  const TRAIN: readonly Example[] = [
    ...turned('rumour', names),
    ...turned('echo', names),
    ...[
      ['Sarah', 'David'],
      ['Karen', 'Lisa'],
    ].map(([a, b]) =>
      example(`Then ${a} and ${b} went to the park. ${b} gave a book to`, ` ${a}`, { source: 'usual' }),
    ),
  ];

  it('two sources that teach the same: the largest interaction, a redundancy; the record says which model', async () => {
    const before = tf.memory().numTensors;
    const result = await attributeData(backend, {
      train: TRAIN,
      test: TEST,
      recipe: fineTune(model),
      settings: {
        training: { ...fineTune(model).defaults.training, optimiser: { kind: 'adamw', learningRate: 0.01 }, epochs: 6 },
        layers: 2,
        rank: 2,
      },
      groups: { field: 'source' },
      value: TEST_VALUES['logit-diff'],
      estimates: ['tracin'],
    });
    expect(result.interactions[0]).toMatchObject({ names: ['rumour', 'echo'] });
    expect(
      ['rumour', 'echo'].map((name) => result.values[result.players.findIndex((p) => p.name === name)].banzhaf),
    ).toSatisfy((values: number[]) => values.every((value) => value < -0.5));
    // Together they do less than the sum of what each does, whose sign is negative.
    expect(result.interactions[0].value).toBeGreaterThan(0);
    expect(result.study).toMatchObject({
      recipe: 'finetune',
      settings: { tune: 'lora', rank: 2 },
      model: { id: 'ioi-tiny' },
    });
    expect(parseResult(formatResult(result))).toEqual(parseResult(result));
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    [{ test: [{ ...TEST[0], fields: {} }] }, 'example 0 has no "against"'],
    [{ test: [{ ...TEST[0], fields: { against: ' Sarah' } }] }, 'has its own label as "against"'],
    [{ test: [{ ...TEST[0], label: ' Sarah Mark' }] }, 'test example 0: has the label " Sarah Mark", 2 tokens'],
    [{ settings: { layers: 9 } }, 'finetune: 9 blocks; a whole number from 1 to 4 is needed'],
    [{ settings: { rank: 0 } }, 'adapters of rank 0'],
    [{ train: [{ vector: [1], label: 'x', fields: {} }] }, 'training example 0: is a vector'],
    [{ estimates: ['ek-fac'] as const }, 'has no layer that is one matrix of its own'],
  ])('refuses %j', async (change, why) => {
    const before = tf.memory().numTensors;
    const asked = { train: TRAIN, test: TEST, recipe: fineTune(model), value: TEST_VALUES['logit-diff'], ...change };
    await expect(attributeData(backend, asked)).rejects.toThrow(why);
    expect(tf.memory().numTensors).toBe(before);
    expect(() => tuningOf('some')).toThrow('"some" is unknown; there are lora, blocks, all');
  });
});
