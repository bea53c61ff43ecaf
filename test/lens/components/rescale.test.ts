/** The within-layer rescale of zero ablation, against single runs whose hooks do the same. */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allMasks, masksFromMembers, masksFromRows, keptPlayers } from '../../../src/masks.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import { createComponentGame, type ComponentGameOptions } from '../../../src/lens/components/component-game.ts';
import { parsePlayers, type ComponentPlayer } from '../../../src/lens/components/components.ts';
import { metricOf } from '../../../src/lens/metrics.ts';
import type { Task } from '../../../src/lens/prompts.ts';
import { runWithHooks, type Hook } from '../../../src/hooks/run.ts';
import { forward } from '../../../src/model/forward/forward.ts';
import { loadModel, type Model } from '../../../src/model/model.ts';
import { tensorOf } from '../../../src/model/weights/parameters.ts';
import { createRandom } from '../../../src/random.ts';
import { availableBackends, CONFIGS, open, randomModel } from '../../tensors.ts';
import { ABLATIONS } from '../../../src/lens/components/ablations.ts';

const TOKENS = [3, 1, 4, 1, 5, 9, 2, 6];
const TASK: Task = {
  tokens: TOKENS,
  corrupted: undefined,
  correct: 5,
  incorrect: 2,
  label: 'prompt 1',
  text: { prompt: '' },
  strTokens: TOKENS.map(String),
};

const gameOf = (model: Model, players: string, options: Partial<ComponentGameOptions> = {}) =>
  createComponentGame(model, {
    players: parsePlayers(players, model.config, { length: 8 }),
    tasks: [TASK],
    metric: metricOf('logit-diff'),
    ablation: ABLATIONS.zero,
    rescale: true,
    ...options,
  });

/** The metric of one run in which a hook on each layer zeroes the heads off and multiplies what is left; written without the game's code. */
async function singleRun(model: Model, players: readonly ComponentPlayer[], kept: readonly number[]): Promise<number> {
  const { nLayers, nHeads, dHead } = model.config;
  const off = new Set(
    players
      .filter((_, i) => !kept.includes(i))
      .flatMap(({ components }) => components.map(({ layer, element }) => `${layer} ${element}`)),
  );
  const hooks = Array.from({ length: nLayers }, (_, l): Hook => {
    const on = Array.from({ length: nHeads }, (_, h) => !off.has(`${l} ${h}`));
    const left = on.filter(Boolean).length;
    const times = left === 0 ? 0 : nHeads / left;
    return [
      `blocks.${l}.attn.hook_z`,
      (z) =>
        tf.mul(
          tf.where(
            tf.tensor(
              on.flatMap((is) => Array<boolean>(dHead).fill(is)),
              [1, 1, nHeads, dHead],
              'bool',
            ),
            z,
            tf.zerosLike(z),
          ),
          times,
        ),
    ];
  });
  const logits = runWithHooks(model, TOKENS, hooks);
  const last = (await logits.data()).slice(-model.config.dVocabOut);
  logits.dispose();
  return last[5] - last[2];
}

const backends = await availableBackends();

describe.each(backends)('rescaled zero ablation on %s', (backend) => {
  let close: () => void;
  beforeAll(async () => {
    close = (await open(backend)).close;
  });
  afterAll(() => close());
  const tolerance = backend === 'webgpu' ? 1e-3 : 1e-5;

  it.each([
    ['gpt2', 'heads'],
    ['gpt2', 'L0H1,pair=L1H0+L0H2,L1H2'],
    ['llama', 'heads'],
    ['qwen3-sliding', 'L1H0,both=L0H1+L1H1,L0H2'],
  ])(
    'row i equals the single run with hooks, one head kept and no head kept among them: %s, %s',
    async (name, spec) => {
      const model = await loadModel(join('test/golden/families', name));
      const players = parsePlayers(spec, model.config);
      const game = gameOf(model, spec, { batchSize: 4 });
      const n = players.length;
      const random = uniformMasks(n, Math.min(2 ** n, 8), createRandom(3));
      const members = [[], [0], [n - 1], ...Array.from({ length: random.count }, (_, row) => keptPlayers(random, row))];
      const values = await game.value(masksFromMembers(n, members));
      for (const [row, kept] of members.entries())
        expect([values[row]]).toBeAllClose([await singleRun(model, players, kept)], tolerance);
      game[Symbol.dispose]();
      model[Symbol.dispose]();
    },
  );

  it.each(['gpt2', 'llama: rotary, gated, grouped heads'])(
    'the all-ones mask equals the clean run at the same batch size, to the last bit on CPUs: %s',
    async (name) => {
      const { model } = randomModel(CONFIGS[name]);
      const [rows, n] = [6, 3 * model.config.nHeads];
      const game = gameOf(model, 'heads', { batchSize: rows });
      const values = await game.value(masksFromRows(Array.from({ length: rows }, () => Array<number>(n).fill(1))));
      const tokens = tf.tensor2d(
        Array.from({ length: rows }, () => TOKENS),
        undefined,
        'int32',
      );
      const columns = tf.gather(tensorOf(model.parameters['unembed.W_U']), tf.tensor1d([5, 2], 'int32'), 1);
      const clean = await forward(model.config, model.parameters, tokens, {
        scored: [7],
        unembed: { W: columns },
      }).data();
      const expected = Array.from({ length: rows }, (_, r) => Math.fround(clean[2 * r] - clean[2 * r + 1]));
      if (backend === 'webgpu') expect(values).toBeAllClose(expected, 1e-3);
      else expect([...values]).toEqual(expected);
      game[Symbol.dispose]();
    },
  );

  it('a layer with all heads off writes nothing, which the rescale cannot change', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const none = masksFromMembers(3, [[]]);
    const [[rescaled], [plain]] = await Promise.all([
      gameOf(model, 'L1H0,L1H1,L1H2').value(none),
      gameOf(model, 'L1H0,L1H1,L1H2', { rescale: false }).value(none),
    ]);
    expect(Number.isFinite(rescaled)).toBe(true);
    expect(rescaled).toBe(plain);
  });
});

describe('the rescale', () => {
  beforeAll(async () => {
    await open('wasm');
  });

  it('changes a mask with some heads off and leaks no tensors', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const masks = allMasks(2);
    const [rescaled, plain] = await Promise.all(
      [true, false].map((rescale) => gameOf(model, 'L1H0,L1H1', { rescale }).value(masks)),
    );
    expect(rescaled.map((value, i) => Number(value === plain[i]))).toEqual(Float64Array.of(0, 0, 0, 1));
    const game = gameOf(model, 'heads');
    await expect(() => game.value(uniformMasks(9, 8, createRandom(1)))).toLeakNoTensors();
  });

  it.each([
    [
      'heads',
      'mean',
      'rescale: makes up for heads that write nothing, and mean ablation puts something in their place; use zero ablation, or leave the rescale out.',
    ],
    [
      'heads,MLP1',
      'zero',
      'rescale: counts the whole heads that a layer has on, and MLP1 is not one; use heads and groups of heads as players, or leave the rescale out.',
    ],
    ['L0H0@3', 'zero', 'rescale: counts the whole heads that a layer has on, and L0H0@3 is not one;'],
    ['both=L0H0+L0N3', 'zero', 'and L0N3 is not one;'],
  ] as const)('is refused where it has no meaning: %s, %s', (players, ablation, message) => {
    const { model } = randomModel(CONFIGS['gpt2']);
    expect(() => gameOf(model, players, { ablation: ABLATIONS[ablation] })).toThrow(message);
  });
});
