/** Ablation masks in every family: the golden checkpoints as games. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { masksFromRows, keptPlayers } from '../../../src/masks.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import { sitesOf } from '../../../src/lens/components/ablation.ts';
import { ABLATIONS, runBaselines } from '../../../src/lens/components/ablations.ts';
import { createComponentGame } from '../../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../../src/lens/components/components.ts';
import { metricOf } from '../../../src/lens/metrics.ts';
import type { Task } from '../../../src/lens/prompts.ts';
import { runWithHooks, type Hook } from '../../../src/hooks/run.ts';
import { loadModel, type Model } from '../../../src/model/model.ts';
import { createRandom } from '../../../src/random.ts';
import { open } from '../../tensors.ts';

const FOLDER = 'test/golden/families';
const CASES = readdirSync(FOLDER);
const CLEAN = [3, 1, 4, 1, 5, 9, 2, 6];
const CORRUPT = [8, 2, 11, 7, 0, 3, 3, 5];
const TASK: Task = {
  tokens: CLEAN,
  corrupted: CORRUPT,
  correct: 5,
  incorrect: 2,
  label: 'prompt 1',
  text: { prompt: '' },
  strTokens: CLEAN.map(String),
};

async function difference(model: Model, tokens: number[], hooks: readonly Hook[]): Promise<number> {
  const logits = runWithHooks(model, tokens, hooks);
  const last = (await logits.data()).slice(-model.config.dVocabOut);
  logits.dispose();
  return last[5] - last[2];
}

beforeAll(async () => {
  await open('wasm');
});

describe.each(CASES)('masks in %s', (name) => {
  it('give row i what the single run with mask i gives: heads, MLPs, neurons, positions, the embedding', async () => {
    const model = await loadModel(join(FOLDER, name));
    const { dHead } = model.config;
    const players = parsePlayers('heads,MLP0,L1N0,L1N3+L1N5@7,EMBED@2', model.config, { length: CLEAN.length });
    const game = createComponentGame(model, {
      players,
      tasks: [TASK],
      metric: metricOf('logit-diff'),
      ablation: ABLATIONS.resample,
      batchSize: 4,
    });
    const masks = uniformMasks(players.length, 6, createRandom(7));
    const values = await game.value(masks);
    const baselines = runBaselines(model, sitesOf(players, model.config), CORRUPT);
    for (let row = 0; row < masks.count; row++) {
      const kept = keptPlayers(masks, row);
      const off = players.filter((_, i) => !kept.includes(i)).flatMap((player) => player.components);
      const hooks = off.map(({ kind, layer, element, position }): Hook => {
        const site = (
          {
            head: `blocks.${layer}.attn.hook_z`,
            neuron: `blocks.${layer}.mlp.hook_post`,
            mlp: `blocks.${layer}.hook_mlp_out`,
            embed: 'hook_embed',
          } as Record<string, string>
        )[kind] as 'hook_embed';
        const [from, size] =
          kind === 'head' ? [element * dHead, dHead] : kind === 'neuron' ? [element, 1] : [0, model.config.dModel];
        return [
          site,
          (x) => {
            const width = x.size / CLEAN.length;
            const gone = Float32Array.from({ length: x.size }, (_, i) =>
              i % width >= from &&
              i % width < from + size &&
              (position === undefined || Math.floor(i / width) === position)
                ? 1
                : 0,
            );
            return tf.where(tf.cast(tf.tensor(gone, x.shape), 'bool'), baselines[site], x);
          },
        ];
      });
      expect([values[row]]).toBeAllClose([await difference(model, CLEAN, hooks)], 1e-5);
    }
    tf.dispose(baselines);
    game[Symbol.dispose]();
    model[Symbol.dispose]();
  });

  it('keep the clean run when all are on, and are the corrupted run when all are off', async () => {
    const model = await loadModel(join(FOLDER, name));
    for (const spec of ['heads,mlps,embed', 'attns,neurons,embed']) {
      const players = parsePlayers(spec, model.config);
      const game = createComponentGame(model, {
        players,
        tasks: [TASK],
        metric: metricOf('logit-diff'),
        ablation: ABLATIONS.resample,
      });
      const values = await game.value(masksFromRows([1, 0].map((bit) => players.map(() => bit))));
      expect(values).toBeAllClose([await difference(model, CLEAN, []), await difference(model, CORRUPT, [])], 1e-5);
      game[Symbol.dispose]();
    }
    model[Symbol.dispose]();
  });

  it('leak no tensors and take means over prompts of several lengths', async () => {
    const model = await loadModel(join(FOLDER, name));
    await expect(async () => {
      const game = createComponentGame(model, {
        players: parsePlayers('heads', model.config),
        tasks: [TASK],
        metric: metricOf('kl'),
        ablation: ABLATIONS.mean,
        meanOver: [CLEAN, CORRUPT.slice(3)],
      });
      const [all] = await game.value(masksFromRows([parsePlayers('heads', model.config).map(() => 1)]));
      expect(all).toBeCloseTo(0, 5);
      game[Symbol.dispose]();
    }).toLeakNoTensors();
    model[Symbol.dispose]();
  });
});
