/** Gradients of masks: against central differences in m, for players of every kind under every ablation, and what is asked of blocks. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { ABLATIONS, ablationOf } from '../../../src/lens/components/ablations.ts';
import {
  createComponentGame,
  type ComponentGame,
  type ComponentGameOptions,
} from '../../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../../src/lens/components/components.ts';
import { addSlopes, factorsOf } from '../../../src/lens/components/mask-factors.ts';
import { metricOf } from '../../../src/lens/metrics.ts';
import type { Task } from '../../../src/lens/prompts.ts';
import { emptyMasks } from '../../../src/masks.ts';
import { createRandom } from '../../../src/random.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import { availableBackends, open, randomModel, SMOOTH_CONFIGS } from '../../tensors.ts';

const task = (tokens: number[], corrupted: number[]): Task => ({
  tokens,
  corrupted,
  correct: 5,
  incorrect: 2,
  label: 'prompt',
  text: { prompt: tokens.join(' ') },
  strTokens: tokens.map(String),
});
const TASKS = [
  task([3, 1, 4, 1, 5, 9, 2, 6], [8, 2, 11, 7, 0, 3, 3, 5]),
  task([7, 7, 1, 0, 2, 2, 2, 9], [1, 16, 3, 2, 4, 1, 0, 0]),
];
const PLAYERS = [
  'heads',
  'mlps,attns,embed',
  'neurons',
  'heads@positions,mlps@positions',
  'a=L0H0+L1H1+MLP2,L0H1,b=L1N3+L1N4@2+L2H0@3,EMBED@0,EMBED@7,L2N63',
];

const gameOf = (config: string, players: string, options: Partial<ComponentGameOptions> = {}): ComponentGame => {
  const { model } = randomModel(SMOOTH_CONFIGS[config]);
  return createComponentGame(model, {
    players: parsePlayers(players, model.config, { length: 8 }),
    tasks: TASKS,
    metric: metricOf('logit-diff'),
    ablation: ablationOf('zero'),
    ...options,
  });
};

type Gradients = NonNullable<ComponentGame['gradients']>;
const gradientsOf = (game: ComponentGame): Gradients => game.gradients as Gradients;
const at = (game: ComponentGame, m: Float32Array) => (game.gradientsAt as NonNullable<ComponentGame['gradientsAt']>)(m);

/** The largest difference between gradients along random directions and central differences of the values, over the gradient's norm. */
async function fault(game: ComponentGame, seed: number): Promise<number> {
  const n = game.players.length;
  const random = createRandom(seed, 'masks');
  const m = Float32Array.from({ length: n }, () => 0.25 + 0.5 * random.uniform());
  const { gradients } = await at(game, m);
  const norm = Math.hypot(...gradients);
  let worst = 0;
  for (let k = 0; k < 3; k++) {
    const direction = Float32Array.from({ length: n }, () => (random.uniform() < 0.5 ? -1 : 1));
    const step = 1e-2;
    const moves = [step, -step, 2 * step, -2 * step];
    const around = moves.flatMap((move) => Array.from(m, (x, i) => x + move * direction[i]));
    const { values } = await at(game, Float32Array.from(around));
    const difference = (8 * (values[0] - values[1]) - (values[2] - values[3])) / (12 * step); // exact up to step⁴
    const along = gradients.reduce((sum, slope, i) => sum + slope * direction[i], 0);
    worst = Math.max(worst, Math.abs(along - difference) / norm);
  }
  return worst;
}

for (const backend of await availableBackends()) {
  describe(`gradients of masks on ${backend}`, () => {
    beforeAll(async () => void (await open(backend)));

    for (const players of PLAYERS) {
      for (const ablation of Object.values(ABLATIONS)) {
        it(`are the slopes of the value in m: ${players} under ${ablation.name}`, async () => {
          const game = gameOf('gpt2', players, { ablation });
          expect(await fault(game, 1)).toBeLessThan(0.02);
        });
      }
    }

    for (const config of Object.keys(SMOOTH_CONFIGS).filter((name) => !/bidirectional|both ways/.test(name))) {
      it(`are the slopes in every layout: ${config}`, async () => {
        expect(await fault(gameOf(config, 'heads', { ablation: ablationOf('resample') }), 2)).toBeLessThan(0.02);
      });
    }

    it('differentiate the rescale', async () => {
      expect(await fault(gameOf('gpt2', 'heads', { rescale: true }), 3)).toBeLessThan(0.02);
      expect(await fault(gameOf('gpt2', 'L0H0+L1H1,L0H1,L2H2', { rescale: true }), 3)).toBeLessThan(0.02);
    });

    for (const metric of ['logit', 'logprob', 'prob', 'cross-entropy', 'kl', 'l2']) {
      it(`take ${metric}`, async () => {
        expect(await fault(gameOf('gpt2', 'heads,mlps', { metric: metricOf(metric) }), 4)).toBeLessThan(0.02);
      });
    }

    it('come with the values that value() gives, whatever the block', async () => {
      const game = gameOf('llama: rotary, gated, grouped heads', 'heads,mlps', { ablation: ablationOf('mean') });
      const masks = uniformMasks(game.players.length, 13, createRandom(5, 'masks'));
      const all = await gradientsOf(game)(masks);
      expect(all.values).toBeAllClose(await game.value(masks), 1e-5);
      const small = gameOf('llama: rotary, gated, grouped heads', 'heads,mlps', {
        ablation: ablationOf('mean'),
        batchSize: 4,
      });
      const told: number[] = [];
      const again = await gradientsOf(small)(masks, {
        onGradients(rows, values, gradients) {
          expect(gradients).toHaveLength(rows.length * small.players.length);
          for (let k = 0; k < rows.length; k++) {
            told.push(rows[k]);
            expect(values[k]).toBeCloseTo(all.values[rows[k]], 5);
          }
        },
      });
      expect(told).toEqual(Array.from({ length: 13 }, (_, row) => row));
      expect(again.gradients).toBeAllClose(all.gradients, 1e-5);
    });

    // Twins that differ from the fourth token on; players at the last positions; both.
    const late = [task([7, 7, 1, 0, 2, 4, 4, 3], [7, 7, 1, 2, 4, 0, 0, 9])];
    it.each([
      ['heads,mlps,embed', 'resample'],
      ['heads@positions,mlps@positions', 'resample'],
      ['L0H0@5,L1H1@6+L2N3@7,MLP1@5', 'zero'],
      ['L0H1.k@5,L1H0.q@6,L1H1.pattern@5,RESID_PRE1@4', 'resample'],
    ])('are those of whole passes where only late positions change: %s, %s', async (players, ablation) => {
      for (const config of ['gpt2', 'llama: rotary, gated, grouped heads']) {
        const options = { tasks: late, ablation: ablationOf(ablation) };
        const game = gameOf(config, players, options);
        const whole = gameOf(config, players, { ...options, without: ['past'] });
        const masks = uniformMasks(game.players.length, 6, createRandom(8, 'masks'));
        const [some, all] = [await gradientsOf(game)(masks), await gradientsOf(whole)(masks)];
        expect(some.values).toBeAllClose(all.values, 1e-5);
        expect(some.gradients).toBeAllClose(all.gradients, 1e-5);
        expect(some.values).toBeAllClose(await game.value(masks), 1e-5);
        await expect(async () => gradientsOf(game)(masks)).toLeakNoTensors();
      }
    });

    it('leak nothing, and stop on request', async () => {
      const game = gameOf('gpt2', 'heads');
      const masks = uniformMasks(game.players.length, 6, createRandom(6, 'masks'));
      await expect(async () => gradientsOf(game)(masks)).toLeakNoTensors();
      const stop = new AbortController();
      const run = gradientsOf(gameOf('gpt2', 'heads', { batchSize: 2 }))(masks, {
        signal: stop.signal,
        onGradients: () => stop.abort(),
      });
      await expect(run).rejects.toThrow('stopped on request');
    });
  });
}

describe('a component game', () => {
  beforeAll(async () => void (await open('wasm')));

  it('has no gradients of a metric that counts', () => {
    expect(gameOf('gpt2', 'heads', { metric: metricOf('accuracy') }).gradients).toBeUndefined();
  });

  it('says so when a metric that pretends to have some does not', async () => {
    const game = gameOf('gpt2', 'heads', { metric: { ...metricOf('accuracy'), differentiable: true } });
    await expect(gradientsOf(game)(emptyMasks(game.players.length, 1))).rejects.toThrow(
      'metric accuracy: has no gradient',
    );
    await expect(async () => gradientsOf(game)(emptyMasks(game.players.length, 1))).toLeakNoTensors();
  });

  it('refuses masks of other players, and numbers that are none', async () => {
    const game = gameOf('gpt2', 'heads');
    await expect(gradientsOf(game)(emptyMasks(3, 1))).rejects.toThrow(
      'masks over 3 players were given; this game has 9',
    );
    await expect(at(game, new Float32Array(4))).rejects.toThrow('4 numbers were given; rows of 9');
    await expect(
      at(
        game,
        Float32Array.from({ length: 9 }, () => 1.5),
      ),
    ).rejects.toThrow('row 0 has 1.5 for player 0');
  });

  it('halves blocks that do not fit into memory, and tells of every mask once', async () => {
    const game = gameOf('gpt2', 'heads', { batchSize: 8 });
    const masks = uniformMasks(game.players.length, 8, createRandom(7, 'masks'));
    const right = await gradientsOf(game)(masks);
    const told: number[] = [];
    const tensor = tf.tensor;
    const limited = gameOf('gpt2', 'heads', {
      batchSize: 8,
      metric: {
        ...metricOf('logit-diff'),
        value(logits, target, clean) {
          if (logits.shape[0] > 2) throw new Error('out of memory');
          return metricOf('logit-diff').value(logits, target, clean);
        },
      },
    });
    const halved = await gradientsOf(limited)(masks, { onGradients: (rows) => void told.push(...Array.from(rows)) });
    expect(tf.tensor).toBe(tensor);
    expect(told).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(halved.values).toBeAllClose(right.values, 1e-6);
    expect(halved.gradients).toBeAllClose(right.gradients, 1e-5);
  });
});

describe('the rescale at its kink', () => {
  const cells = Int32Array.from([0, 1, 2]);
  const slopes = [1, 10, 100];
  const of = (m: number[]): number[] => {
    const into = new Float64Array(3);
    addSlopes(cells, m, 3, true, slopes, into);
    return [...into];
  };
  const value = (m: number[]): number =>
    factorsOf(cells, m, 3, true).reduce((sum, factor, c) => sum + factor * slopes[c], 0);

  it('has the slope towards the other value of each bit', () => {
    for (const m of [
      [0, 0, 0],
      [1, 0, 0],
      [0, 1, 0],
      [1, 1, 0],
      [1, 1, 1],
    ]) {
      const step = 1e-4;
      const expected = m.map((bit, i) => {
        const there = m.map((x, j) => (j === i ? x + (bit === 1 ? -step : step) : x));
        return (value(there) - value(m)) / (bit === 1 ? -step : step);
      });
      of(m).forEach((slope, i) => expect(Math.abs(slope - expected[i]), `${m.join()} ${i}`).toBeLessThan(0.5));
    }
  });
});
