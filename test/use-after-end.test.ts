/** What is used after its end, or before its beginning, says what it was; no tensor stays, whoever throws. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ABLATIONS,
  createComponentGame,
  createRandom,
  foldLayerNorm,
  generate,
  loadModel,
  METRICS,
  openBackend,
  parsePlayers,
  runWithCache,
  runWithHooks,
  SpexlensError,
  toTasks,
  uniformMasks,
  withUngroupedHeads,
  type ActivationCache,
  type ComponentGame,
  type Metric,
  type Model,
} from '../src/index.ts';
import type { Backend } from '../src/backend/backend.ts';
import { runWithGradients } from '../src/hooks/gradients.ts';
import { CONFIGS, randomModel, TEST_BACKEND } from './tensors.ts';

const IDS = [3, 1, 4, 1, 5];
const Z = 'blocks.1.attn.hook_z';
const OWN = new Error("the user's own");

let backend: Backend;
beforeAll(async () => {
  backend = await openBackend(TEST_BACKEND);
});
afterAll(() => backend.close());

const small = (): Model => randomModel(CONFIGS['gpt2']).model;

function gameOf(model: Model, metric: Metric = METRICS['logit-diff']): ComponentGame {
  const prompts = [
    { prompt: IDS, correct: 2, incorrect: 6 },
    { prompt: [...IDS].reverse(), correct: 6, incorrect: 2 },
  ];
  const tasks = toTasks(model, prompts, { metric, corrupted: false });
  return createComponentGame(model, {
    players: parsePlayers('heads', model.config),
    tasks,
    metric,
    ablation: ABLATIONS.zero,
  });
}
const masks = uniformMasks(9, 12, createRandom(1, 'masks'));

type HookOf = (z: tf.Tensor) => tf.Tensor | void;
const HOOKS: Readonly<Record<string, HookOf>> = {
  watches: () => undefined,
  doubles: (z) => tf.mul(z, 2),
  'returns a disposed tensor': (z) => {
    const copy = tf.clone(z);
    copy.dispose();
    return copy;
  },
  'disposes what it was given': (z) => z.dispose() as undefined,
  'disposes what it was given and returns another': (z) => {
    const twice = tf.mul(z, 2);
    z.dispose();
    return twice;
  },
  'returns another shape': () => tf.zeros([2, 2]),
  'returns a promise': (async () => undefined) as unknown as HookOf,
  throws: (z) => {
    tf.mul(z, 3);
    throw OWN;
  },
};

const valued = (name: string, value: (logits: tf.Tensor3D) => unknown): Metric => ({
  ...METRICS['logit-diff'],
  name,
  value: value as Metric['value'],
});
const METRIC_KINDS: Readonly<Record<string, Metric>> = {
  'logit-diff': METRICS['logit-diff'],
  'returns a disposed tensor': valued('gone', (logits) => {
    const sum = tf.sum(logits, [1, 2]);
    sum.dispose();
    return sum;
  }),
  'returns another shape': valued('square', () => tf.zeros([3, 7])),
  'returns a number': valued('number', () => 7),
  'returns nothing': valued('nothing', () => undefined),
  throws: valued('throws', (logits) => {
    tf.mul(logits, 3);
    throw OWN;
  }),
};

describe('after its end', () => {
  it.each<[string, (model: Model) => unknown]>([
    ['runWithHooks', (model) => runWithHooks(model, [IDS], [])],
    ['runWithCache', (model) => runWithCache(model, [IDS])],
    ['runWithGradients', (model) => runWithGradients(model, [IDS], (logits) => tf.sum(logits))],
    ['generate', (model) => generate(model, [IDS], { maxNewTokens: 2 })],
    ['foldLayerNorm', (model) => foldLayerNorm(model)],
    ['createComponentGame', (model) => gameOf(model)],
    ['a view of it', (model) => runWithHooks(withUngroupedHeads(model), [IDS], [])],
  ])('a model is named by %s', async (_who, use) => {
    const model = small();
    const before = tf.memory().numTensors;
    const game = gameOf(model);
    model[Symbol.dispose]();
    model[Symbol.dispose](); // twice is once
    const held = tf.memory().numTensors;
    await expect((async () => use(model))()).rejects.toMatchObject({
      kind: 'input',
      message: `model ${model.name}: was disposed; load it again, or dispose it later.`,
    });
    await expect(game.value(masks)).rejects.toThrow(`model ${model.name}: was disposed`);
    expect(tf.memory().numTensors).toBe(held);
    game[Symbol.dispose]();
    expect(tf.memory().numTensors).toBeLessThan(before);
  });

  it('a game says so, also in the middle of a request', async () => {
    using model = small();
    const before = tf.memory().numTensors;
    const game = gameOf(model);
    const running = game.value(uniformMasks(9, 300, createRandom(2, 'masks')));
    game[Symbol.dispose]();
    game[Symbol.dispose]();
    const message = `${model.name} logit-diff: was disposed; make a new one.`;
    await expect(running).rejects.toThrow(message);
    await expect(game.value(masks)).rejects.toThrow(message);
    await expect(game.gradients?.(masks)).rejects.toThrow(message);
    await expect(game.gradientsAt?.(new Float32Array(9))).rejects.toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each(Object.entries(HOOKS).slice(2))('a hook that %s is named, and leaves no tensor', (what, hook) => {
    using model = small();
    const before = tf.memory().numTensors;
    for (const run of [
      () => runWithHooks(model, [IDS], [[Z, hook]]),
      () => runWithCache(model, [IDS], { hooks: [[Z, hook]] }),
      () => runWithGradients(model, [IDS], (logits) => tf.sum(logits), { hooks: [[Z, hook]] }),
    ]) {
      expect(run).toThrow(what === 'throws' ? OWN : new RegExp(`^hook ${Z}: (returned|disposed) `));
      expect(tf.memory().numTensors).toBe(before);
    }
  });

  it.each(Object.entries(METRIC_KINDS).slice(1))(
    'a metric that %s is named, and leaves no tensor',
    async (what, metric) => {
      using model = small();
      const before = tf.memory().numTensors;
      {
        using game = gameOf(model, metric);
        const error =
          what === 'throws' ? OWN : new RegExp(`^metric ${metric.name}: returned .*; a tensor \\[\\d+\\], one number`);
        await expect(game.value(masks)).rejects.toThrow(error);
        await expect(game.gradients?.(masks)).rejects.toThrow(error);
      }
      expect(tf.memory().numTensors).toBe(before);
    },
  );
});

describe('before its beginning', () => {
  it('a promise of a model or a backend says where await is missing', async () => {
    const model = loadModel('models/ioi-tiny');
    const text = 'loadModel: is not done yet: config was read from its promise; write "await loadModel(...)".';
    expect(() => runWithHooks(model as unknown as Model, [IDS], [])).toThrow(text);
    expect(() => gameOf(model as unknown as Model)).toThrow('write "await loadModel(...)"');
    (await model)[Symbol.dispose]();
    const opening = openBackend(TEST_BACKEND);
    expect(() => (opening as unknown as Backend).name).toThrow('write "await openBackend(...)"');
    await opening;
  });
});

/** 500 calls, right and wrong ones, on models, caches and games that live and that do not. */
describe('a soak', () => {
  it(
    "of 500 mixed calls throws nothing but our errors and the user's own, and keeps no tensor",
    { timeout: 120_000 },
    async () => {
      const random = createRandom(20, 'soak');
      const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)];
      /** The first two times out of three, so that right calls are made too. */
      const mostly = <T>(table: Readonly<Record<string, T>>): T =>
        random.integer(3) > 0 ? Object.values(table)[0] : pick(Object.values(table));
      const start = tf.memory().numTensors;
      const models: Model[] = [small()];
      const caches: ActivationCache[] = [];
      const games: ComponentGame[] = [];
      const seen = new Map<string, number>();
      const ended = <T extends Disposable>(list: T[]): void =>
        list.length > 0 ? pick(list)[Symbol.dispose]() : undefined;
      const calls: Readonly<Record<string, () => unknown>> = {
        load: () => models.push(small()),
        'end a model': () => (random.integer(2) > 0 ? ended(models) : undefined),
        'end a cache': () => ended(caches),
        'end a game': () => ended(games),
        hooks: () => runWithHooks(pick(models), [IDS], [[Z, mostly(HOOKS)]]).dispose(),
        cache: () => {
          const { logits, cache } = runWithCache(pick(models), [IDS], { hooks: [[Z, mostly(HOOKS)]] });
          logits.dispose();
          caches.push(cache);
        },
        'read a cache': () =>
          caches.length > 0 ? pick(caches).get(pick(['z', 'pattern', 'nothing']), random.integer(4)) : undefined,
        'explain a cache': () => {
          if (caches.length === 0) return;
          const cache = pick(caches);
          tf.tidy(() => void pick([() => cache.accumulatedResid(), () => cache.decomposeResid()])());
        },
        'lens of a cache': async () => (caches.length > 0 ? pick(caches).logitLens() : undefined),
        gradients: () => {
          const kind = mostly(METRIC_KINDS);
          const metric = (logits: tf.Tensor3D): tf.Tensor =>
            kind === METRICS['logit-diff']
              ? tf.sum(logits)
              : kind.value(logits, { tokens: IDS, correct: 0, incorrect: 1 }, undefined);
          runWithGradients(pick(models), [IDS], metric, { hooks: [[Z, mostly(HOOKS)]], names: Z })[Symbol.dispose]();
        },
        generate: async () => generate(pick(models), [IDS], { maxNewTokens: 2, hooks: [[Z, mostly(HOOKS)]] }),
        game: () => games.push(gameOf(pick(models), mostly(METRIC_KINDS))),
        value: async () => (games.length > 0 ? pick(games).value(masks) : undefined),
        'value of a game that ends meanwhile': async () => {
          const game = gameOf(pick(models), mostly(METRIC_KINDS));
          const running = game.value(masks);
          game[Symbol.dispose]();
          await running;
        },
        'gradients of a game': async () => (games.length > 0 ? pick(games).gradients?.(masks) : undefined),
        fold: async () => (await foldLayerNorm(pick(models))).model[Symbol.dispose](),
      };
      const names = Object.keys(calls);
      for (let call = 0; call < 500; call++) {
        const name = pick(names);
        const before = tf.memory().numTensors;
        try {
          await calls[name]();
          seen.set(`${name}, done`, (seen.get(`${name}, done`) ?? 0) + 1);
        } catch (error) {
          if (error !== OWN && !(error instanceof SpexlensError))
            throw new Error(`call ${call}, ${name}`, { cause: error });
          expect([call, name, tf.memory().numTensors]).toEqual([call, name, before]);
          seen.set(`${name}, refused`, (seen.get(`${name}, refused`) ?? 0) + 1);
        }
        for (const list of [models, caches, games]) if (list.length > 8) list.shift()?.[Symbol.dispose]();
        if (models.length === 0) models.push(small());
      }
      for (const owned of [...models, ...caches, ...games]) owned[Symbol.dispose]();
      expect(tf.memory().numTensors).toBe(start);
      // every kind of call was both answered and refused, where it can be
      for (const name of ['hooks', 'cache', 'read a cache', 'gradients', 'generate', 'value', 'game', 'fold'])
        expect([name, seen.has(`${name}, done`), seen.has(`${name}, refused`)]).toEqual([name, true, true]);
    },
  );
});
