import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allMasks, masksFromRows, keptPlayers } from '../../../src/masks.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import { ABLATIONS, type AblationName } from '../../../src/lens/components/ablations.ts';
import { bytesPerRow } from '../../../src/lens/batch-size.ts';
import { createComponentGame, type ComponentGameOptions } from '../../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../../src/lens/components/components.ts';
import { METRICS, metricOf, type MetricName } from '../../../src/lens/metrics.ts';
import type { Task } from '../../../src/lens/prompts.ts';
import { forward } from '../../../src/model/forward/forward.ts';
import type { Model } from '../../../src/model/model.ts';
import { tensorOf } from '../../../src/model/weights/parameters.ts';
import { referenceForward } from '../../../src/model/reference/reference.ts';
import { runWithHooks, type Hook } from '../../../src/hooks/run.ts';
import { embeddingHook, type HookName } from '../../../src/model/hook-points.ts';
import { createRandom } from '../../../src/random.ts';
import { availableBackends, CONFIGS, open, randomModel, TEST_BACKEND } from '../../tensors.ts';

const CLEAN = [3, 1, 4, 1, 5, 9, 2, 6];
const CORRUPT = [8, 2, 11, 7, 0, 3, 3, 5];
const task = (tokens: number[], corrupted: number[]): Task => ({
  tokens,
  corrupted,
  correct: 5,
  incorrect: 2,
  label: tokens.join(' '),
  text: { prompt: tokens.join(' ') },
  strTokens: tokens.map(String),
});
const TASKS = [task(CLEAN, CORRUPT), task([7, 7, 1, 0, 2], [1, 16, 3, 2, 4])];

const gameOf = (model: Model, players: string, options: Partial<ComponentGameOptions> = {}) =>
  createComponentGame(model, {
    players: parsePlayers(players, model.config, { length: 8 }),
    tasks: [TASKS[0]],
    metric: metricOf('logit-diff'),
    ablation: ABLATIONS.zero,
    ...options,
  });

const tolerance = (backend: string): number => (backend === 'webgpu' ? 1e-3 : 1e-5);
const backends = await availableBackends();

/** Names of hook, element and position for every part of these players, to ablate them one at a time through plain hooks. */
async function singleRun(
  model: Model,
  players: ReturnType<typeof parsePlayers>,
  kept: readonly number[],
  baselines: Readonly<Record<string, tf.Tensor>>,
): Promise<number> {
  const off = players.filter((_, i) => !kept.includes(i)).flatMap((player) => player.components);
  const hooks: Hook[] = off.map((c) => {
    const b = `blocks.${c.layer}`;
    const name = (
      {
        head: `${b}.attn.hook_z`,
        neuron: `${b}.mlp.hook_post`,
        mlp: `${b}.hook_mlp_out`,
        attn: `${b}.hook_attn_out`,
        embed: embeddingHook(model.config, 'hook_embed'),
        resid_pre: `${b}.hook_resid_pre`,
        resid_mid: `${b}.hook_resid_mid`,
        resid_post: `${b}.hook_resid_post`,
        q: `${b}.attn.hook_q`,
        k: `${b}.attn.hook_k`,
        v: `${b}.attn.hook_v`,
        pattern: `${b}.attn.hook_pattern`,
      } as const
    )[c.kind] as HookName;
    return [
      name,
      (x) => {
        const [, S] = x.shape as [number, number];
        const width = x.size / S;
        const keep = new Float32Array(x.size).fill(1);
        const [from, size] =
          c.kind === 'head'
            ? [c.element * model.config.dHead, model.config.dHead]
            : c.kind === 'neuron'
              ? [c.element, 1]
              : [0, width];
        for (let s = 0; s < S; s++) {
          if (c.position === undefined || c.position === s) keep.fill(0, s * width + from, s * width + from + size);
        }
        const k = tf.tensor(keep, x.shape);
        const kept = tf.mul(x, k);
        return baselines[name] === undefined ? kept : tf.add(kept, tf.mul(baselines[name], tf.sub(1, k)));
      },
    ];
  });
  const logits = runWithHooks(model, CLEAN, hooks);
  const last = (await logits.data()).slice(-model.config.dVocabOut);
  logits.dispose();
  return last[5] - last[2];
}

describe.each(backends)('masks inside the forward pass on %s', (backend) => {
  let close: () => void;
  beforeAll(async () => {
    close = (await open(backend)).close;
  });
  afterAll(() => close());

  it.each([
    ['heads', 'zero'],
    ['heads,mlps', 'mean'],
    ['attns,embed', 'mean-per-position'],
    ['heads,mlps,embed', 'resample'],
    ['L1N3,L2N60,L1N0+L0H1,MLP0', 'resample'],
    ['L0H0@3,L2H1@7,L2H2@2,MLP1@7,EMBED@0', 'mean'],
    ['late=L2H0+MLP2+L1H2@4,L2N5@7,L2N5@1,ATTN0@2', 'resample'],
  ] as [string, AblationName][])('row i equals the single run with mask i: %s, %s', async (spec, ablation) => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const players = parsePlayers(spec, model.config, { length: 8 });
    const game = gameOf(model, spec, { ablation: ABLATIONS[ablation], batchSize: 4, meanOver: [CLEAN, CORRUPT] });
    const masks = uniformMasks(players.length, Math.min(2 ** players.length, 9), createRandom(3));
    const values = await game.value(masks);
    // Baselines made here by hand from whole runs.
    const { runWithCache } = await import('../../../src/hooks/run.ts');
    const baselines: Record<string, tf.Tensor> = {};
    if (ablation !== 'zero') {
      const runs = (ablation === 'resample' ? [CORRUPT] : [CLEAN, CORRUPT]).map(
        (row) => runWithCache(model, row).cache,
      );
      for (const name of runs[0].names) {
        const mean = tf.div(tf.addN(runs.map((cache) => cache.get(name))), runs.length);
        baselines[name] = ablation === 'mean' && mean.rank >= 3 ? tf.mean(mean, 1, true) : mean;
      }
    }
    for (let row = 0; row < masks.count; row++) {
      expect([values[row]]).toBeAllClose(
        [await singleRun(model, players, keptPlayers(masks, row), baselines)],
        tolerance(backend),
      );
    }
    game[Symbol.dispose]();
    model[Symbol.dispose]();
  });

  it.each(Object.values(ABLATIONS))(
    'the all-ones mask equals the clean run at the same batch size: $name',
    async (ablation) => {
      const { model } = randomModel(CONFIGS['gpt2']);
      const B = 6;
      const game = gameOf(model, 'heads,mlps,embed', { ablation, batchSize: B, meanOver: [CLEAN, CORRUPT] });
      const ones = masksFromRows(Array.from({ length: B }, () => Array<number>(13).fill(1)));
      const values = await game.value(ones);
      const tokens = tf.tensor2d(
        Array.from({ length: B }, () => CLEAN),
        undefined,
        'int32',
      );
      const columns = tf.gather(tensorOf(model.parameters['unembed.W_U']), tf.tensor1d([5, 2], 'int32'), 1);
      const clean = await forward(model.config, model.parameters, tokens, {
        scored: [7],
        unembed: { W: columns },
      }).data();
      const expected = Array.from({ length: B }, (_, r) => Math.fround(clean[2 * r] - clean[2 * r + 1]));
      if (backend === 'webgpu') expect(values).toBeAllClose(expected, 1e-3);
      else expect([...values]).toEqual(expected);
      game[Symbol.dispose]();
    },
  );

  it('the all-zero mask with the corrupted run as baseline equals the corrupted run', async () => {
    const { model, reference } = randomModel(CONFIGS['gpt2']);
    const game = gameOf(model, 'heads,mlps,embed', { ablation: ABLATIONS.resample });
    const [value] = await game.value(masksFromRows([Array<number>(13).fill(0)]));
    const logits = referenceForward(CONFIGS['gpt2'], reference, CORRUPT).logits.slice(-17);
    expect([value]).toBeAllClose([logits[5] - logits[2]], tolerance(backend));
    game[Symbol.dispose]();
  });

  it.each(Object.keys(METRICS) as MetricName[])(
    'metric %s is what its formula says, averaged over prompts of different lengths',
    async (name) => {
      const { model, reference } = randomModel(CONFIGS['gpt2']);
      const game = gameOf(model, 'L1H0', { tasks: TASKS, metric: METRICS[name] });
      const values = await game.value(allMasks(1));
      const expected = [false, true].map((kept) => {
        const each = TASKS.map(({ tokens, correct, incorrect }) => {
          const everywhere = (edit: boolean): Float64Array =>
            referenceForward(CONFIGS['gpt2'], reference, tokens, {
              editZ: (layer, z) =>
                edit && layer === 1 ? z.map((value, i) => (Math.floor(i / 8) % 3 === 0 ? 0 : value)) : z,
            }).logits;
          const last = (edit: boolean): Float64Array => everywhere(edit).slice(-17);
          const probabilities = (logits: Float64Array): Float64Array => {
            const total = logits.reduce((sum, x) => sum + Math.exp(x), 0);
            return logits.map((x) => Math.exp(x) / total);
          };
          const logits = last(!kept);
          const p = probabilities(logits);
          const clean = probabilities(last(false));
          const [c, w] = [correct as number, incorrect as number];
          const [here, whole] = [everywhere(!kept), everywhere(false)].map((all) => all.slice(17)); // behind the first
          return {
            'logit-diff': logits[c] - logits[w],
            logit: logits[c],
            logprob: Math.log(p[c]),
            prob: p[c],
            'cross-entropy': -Math.log(p[c]),
            kl: clean.reduce((sum, q, i) => sum + q * Math.log(q / p[i]), 0),
            l2: here.reduce((sum, x, i) => sum + (x - whole[i]) ** 2, 0) / (tokens.length - 1),
            accuracy: logits.indexOf(Math.max(...logits)) === c ? 1 : 0,
          }[name];
        });
        return (each[0] + each[1]) / 2;
      });
      expect(values).toBeAllClose(expected, tolerance(backend));
      game[Symbol.dispose]();
    },
  );
});

describe('a component game', () => {
  beforeAll(async () => {
    await open(TEST_BACKEND);
  });

  it('scores cross-entropy over the whole prompt when there is no correct token', async () => {
    const { model, reference } = randomModel(CONFIGS['gpt2']);
    const game = gameOf(model, 'L1H0', {
      tasks: [{ ...TASKS[0], correct: undefined, incorrect: undefined }],
      metric: metricOf('cross-entropy'),
    });
    const [value] = await game.value(masksFromRows([[1]]));
    const { logits } = referenceForward(CONFIGS['gpt2'], reference, CLEAN);
    let loss = 0;
    for (let p = 0; p < 7; p++) {
      const row = logits.slice(p * 17, (p + 1) * 17);
      loss += Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[CLEAN[p + 1]];
    }
    expect([value]).toBeAllClose([loss / 7], 1e-5);
  });

  it('gives the same values at every batch size, telling of each mask once, a batch at a time', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const masks = uniformMasks(9, 50, createRandom(1));
    const whole = await gameOf(model, 'heads', { batchSize: 50 }).value(masks);
    for (const batchSize of [1, 7, 64]) {
      const told: number[][] = [];
      const values = await gameOf(model, 'heads', { batchSize }).value(masks, {
        onValues(rows, fresh) {
          told.push(Array.from(rows));
          expect(fresh).toHaveLength(rows.length);
        },
      });
      expect(values).toBeAllClose(whole, 1e-5);
      expect(told.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, row) => row));
      expect(told).toHaveLength(Math.ceil(50 / batchSize));
      expect(Math.max(...told.map((rows) => rows.length))).toBeLessThanOrEqual(batchSize);
    }
  });

  it('leaks no tensors: values, aborts, throwing callbacks, and its own making and unmaking', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const game = gameOf(model, 'heads', { batchSize: 8 });
    const masks = allMasks(9);
    await expect(() => game.value(masks)).toLeakNoTensors();
    await expect(() =>
      game.value(masks, {
        onValues: () => {
          throw new Error('callback');
        },
      }),
    ).toLeakNoTensors();
    const controller = new AbortController();
    let told = 0;
    await expect(() =>
      game.value(masks, {
        signal: controller.signal,
        onValues: (rows) => {
          told += rows.length;
          if (told > 64) controller.abort();
        },
      }),
    ).toLeakNoTensors();
    await expect(async () => {
      for (const ablation of Object.values(ABLATIONS))
        gameOf(model, 'heads,mlps,embed', { ablation, metric: metricOf('kl'), meanOver: [CLEAN, CORRUPT] })[
          Symbol.dispose
        ]();
    }).toLeakNoTensors();
    await expect(() =>
      gameOf(model, 'heads', {
        ablation: ABLATIONS.resample,
        tasks: [TASKS[0], { ...TASKS[1], corrupted: undefined }],
      }),
    ).toLeakNoTensors();
    await expect(() => game.value(masks, { signal: controller.signal })).rejects.toThrow(/stopped on request/);
  });

  it('picks the batch from the byte estimate, and refuses a row that does not fit', () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const perRow = bytesPerRow(model, 8, 1, 2);
    expect(gameOf(model, 'heads', { byteLimit: 10 * perRow }).batchSize).toBe(10);
    expect(() => gameOf(model, 'heads', { byteLimit: perRow - 1 })).toThrow(/one row takes about \d+ MiB/);
  });

  it.each(Object.keys(CONFIGS))(
    'estimates bytes within a factor of 2 of what a batch really allocates: %s',
    async (name) => {
      const config = CONFIGS[name];
      const { model } = randomModel({ ...config, dModel: 96, dHead: 32, dMlp: 4 * config.dMlp });
      const { createAblator } = await import('../../../src/lens/components/ablation.ts');
      const { asGiven, blockOf } = await import('../../../src/lens/components/mask-order.ts');
      const masks = uniformMasks(3 * config.nHeads, 32, createRandom(1));
      const ablator = createAblator(model.config, parsePlayers('heads', model.config), 8, [7]);
      const tokens = tf.tensor2d([CLEAN], undefined, 'int32');
      const before = tf.memory().numBytes;
      const { peakBytes } = await tf.profile(() => {
        const out = forward(model.config, model.parameters, tokens, {
          tap: ablator.tap(blockOf(asGiven(masks), 0, 32, 3)),
          scored: [7],
        });
        out.dispose();
        return tf.scalar(0);
      });
      const used = peakBytes - before;
      const estimate = 32 * bytesPerRow(model, 8, 1, config.dVocabOut);
      expect(used / estimate).toBeLessThan(2);
      expect(used / estimate).toBeGreaterThan(1 / 2);
    },
  );
});
