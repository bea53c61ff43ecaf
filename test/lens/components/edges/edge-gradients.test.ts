/** Gradients of edges: against central differences, against each other, and EAP and EAP-IG against the authors' own code. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  attributionPatching,
  eapIg,
  activationPatching,
  integratedGradients,
  type Interpolated,
} from '../../../../src/attribution/rankings.ts';
import { runWithCache } from '../../../../src/hooks/run.ts';
import { ABLATIONS } from '../../../../src/lens/components/ablations.ts';
import {
  createEdgeGame,
  type EdgeGame,
  type EdgeGameOptions,
} from '../../../../src/lens/components/edges/edge-game.ts';
import { parseEdges } from '../../../../src/lens/components/edges/edge-players.ts';
import { metricOf } from '../../../../src/lens/metrics.ts';
import type { Task } from '../../../../src/lens/prompts.ts';
import { loadModel, withUngroupedHeads, type Model } from '../../../../src/model/model.ts';
import { createRandom } from '../../../../src/random.ts';
import { uniformMasks } from '../../../../src/uniform-masks.ts';
import { availableBackends, open, randomModel, SMOOTH_CONFIGS } from '../../../tensors.ts';

const task = (tokens: readonly number[], corrupted: readonly number[], correct = 5, incorrect = 2): Task => ({
  tokens,
  corrupted,
  correct,
  incorrect,
  label: 'prompt',
  text: { prompt: tokens.join(' ') },
  strTokens: tokens.map(String),
});
const TASK = task([3, 1, 4, 1, 5, 9, 2, 6], [8, 2, 11, 7, 0, 3, 3, 5]);
const gameOf = (model: Model, players: string, options: Partial<EdgeGameOptions> = {}): EdgeGame =>
  createEdgeGame(model, {
    players: parseEdges(players, model.config, { length: 8 }),
    tasks: [TASK],
    metric: metricOf('logit-diff'),
    ablation: ABLATIONS.resample,
    ...options,
  });
const at = (game: EdgeGame, m: Float32Array) => (game.gradientsAt as NonNullable<EdgeGame['gradientsAt']>)(m);
const between = (game: EdgeGame): Interpolated => game as unknown as Interpolated;

/** The largest difference between gradients along random directions and central differences of the values, over the gradient's norm. */
async function fault(game: EdgeGame, seed: number): Promise<number> {
  const n = game.players.length;
  const random = createRandom(seed, 'masks');
  const m = Float32Array.from({ length: n }, () => 0.4 + 0.5 * random.uniform());
  const { gradients } = await at(game, m);
  const norm = Math.hypot(...gradients);
  let worst = 0;
  for (let k = 0; k < 3; k++) {
    const direction = Float32Array.from({ length: n }, () => (random.uniform() < 0.5 ? -1 : 1) / Math.sqrt(n));
    const step = 4e-2;
    const moves = [step, -step, 2 * step, -2 * step];
    const around = moves.flatMap((move) => Array.from(m, (x, i) => x + move * direction[i]));
    const { values } = await at(game, Float32Array.from(around));
    const difference = (8 * (values[0] - values[1]) - (values[2] - values[3])) / (12 * step); // exact up to step⁴
    const along = gradients.reduce((sum, slope, i) => sum + slope * direction[i], 0);
    worst = Math.max(worst, Math.abs(along - difference) / norm);
  }
  return worst;
}

interface GoldenCase {
  readonly prompts: readonly {
    readonly tokens: readonly number[];
    readonly corrupted: readonly number[];
    readonly correct: number;
    readonly incorrect: number;
  }[];
  readonly steps: number;
  readonly scores: Readonly<
    Record<'EAP' | 'EAP-IG-inputs' | 'EAP-IG-activations' | 'exact', Readonly<Record<string, number>>>
  >;
}
const GOLDEN = JSON.parse(readFileSync('test/golden/edges.json', 'utf8')) as {
  readonly made: string;
  readonly cases: Readonly<Record<string, GoldenCase>>;
};

/** The four rankings of all edges, by the names of EAP-IG's methods. */
async function rankingsOf(game: EdgeGame, steps: number): Promise<Record<keyof GoldenCase['scores'], Float64Array>> {
  return {
    EAP: (await attributionPatching(game)).scores,
    'EAP-IG-inputs': (await eapIg(game, { path: 'inputs', steps })).scores,
    'EAP-IG-activations': (await eapIg(game, { path: 'activations', steps })).scores,
    exact: (await activationPatching(game)).scores,
  };
}

function expectScores(game: EdgeGame, ours: Float64Array, theirs: Readonly<Record<string, number>>): void {
  const largest = Math.max(...Object.values(theirs).map(Math.abs));
  expect(largest).toBeGreaterThan(1e-3);
  game.players.forEach(({ name }, i) =>
    expect(Math.abs(ours[i] - theirs[name]) / Math.max(1, largest), name).toBeLessThan(1e-5),
  );
}

for (const backend of await availableBackends()) {
  describe(`gradients of edges on ${backend}`, () => {
    beforeAll(async () => void (await open(backend)));

    for (const config of [
      'gpt2',
      'llama: rotary, gated, grouped heads',
      'attention-only, no norm, no bias',
      'parallel, two norms, partial rotary',
    ]) {
      it(`are the slopes of the value in m: ${config}`, async () => {
        const { model } = randomModel(SMOOTH_CONFIGS[config]);
        using game = gameOf(model, 'edges');
        expect(await fault(game, 1)).toBeLessThan(0.02);
      });
    }

    for (const ablation of Object.values(ABLATIONS)) {
      it(`are the slopes of groups and positions, under ${ablation.name}`, async () => {
        const { model } = randomModel(SMOOTH_CONFIGS['gpt2']);
        using game = gameOf(
          model,
          'early=a0.*->a1.*<q>+input->m1,m0->logits,a0.h0->m2@3,edges@positions:a1.h0->a2.*,m1->logits@7',
          { ablation, meanOver: [TASK.tokens, TASK.corrupted ?? []] },
        );
        expect(await fault(game, 2)).toBeLessThan(0.02);
      });
    }

    it('come with the values that value() gives', async () => {
      const { model } = randomModel(SMOOTH_CONFIGS['llama: rotary, gated, grouped heads']);
      using game = gameOf(model, 'edges');
      const masks = uniformMasks(game.players.length, 7, createRandom(5, 'masks'));
      const both = await game.gradients?.(masks);
      expect(both?.values).toBeAllClose(await game.value(masks), 1e-5);
    });

    it('add up along the straight way from none to all', async () => {
      const { model } = randomModel(SMOOTH_CONFIGS['gpt2']);
      using game = gameOf(model, 'edges:input->*');
      const { scores } = await integratedGradients(between(game), { steps: 64 });
      const n = game.players.length;
      const [none, all] = (
        await at(
          game,
          Float32Array.from({ length: 2 * n }, (_, i) => (i < n ? 0 : 1)),
        )
      ).values;
      expect(scores.reduce((sum, score) => sum + score, 0)).toBeCloseTo(all - none, 3);
    });

    it('cost what they differentiate', async () => {
      const { model } = randomModel(SMOOTH_CONFIGS['gpt2']);
      using game = gameOf(model, 'edges:input->*');
      expect((await attributionPatching(game)).cost).toBe(3);
      expect((await eapIg(game, { steps: 4 })).cost).toBe(3 * 4);
      expect((await eapIg(game, { path: 'activations', steps: 4 })).cost).toBe(3 * 4 * (1 + 2 * model.config.nLayers));
      expect((await activationPatching(game)).cost).toBe(game.players.length + 1);
    });

    // TensorFlow.js's cpu backend takes a minute for some thousand passes that take others a second.
    const cases = Object.entries(GOLDEN.cases).filter(([name]) => backend !== 'cpu' || name === 'rms-gated-grouped');
    for (const [name, { prompts, steps, scores }] of cases) {
      it(`EAP, EAP-IG and activation patching are those of the authors' code: ${name}`, async () => {
        using loaded = await loadModel(
          name === 'ioi-tiny' ? 'models/ioi-tiny' : join('test/golden/transformer-lens', name),
        );
        const model = withUngroupedHeads(loaded);
        using game = gameOf(model, 'edges', {
          tasks: prompts.map(({ tokens, corrupted, correct, incorrect }) =>
            task(tokens, corrupted, correct, incorrect),
          ),
        });
        expect(game.players).toHaveLength(Object.keys(scores.EAP).length);
        const ours = await rankingsOf(game, steps);
        for (const [method, theirs] of Object.entries(scores))
          expectScores(game, ours[method as keyof typeof scores], theirs);
      });
    }

    it('keys and values that heads share have the sum of the scores of each', async () => {
      const { prompts, steps, scores } = GOLDEN.cases['rms-gated-grouped'];
      using model = await loadModel('test/golden/transformer-lens/rms-gated-grouped');
      using game = gameOf(model, 'edges', {
        tasks: prompts.map(({ tokens, corrupted, correct, incorrect }) => task(tokens, corrupted, correct, incorrect)),
      });
      const copies = model.config.nHeads / (model.config.nKvHeads ?? 1);
      const shared = (theirs: Readonly<Record<string, number>>): Record<string, number> => {
        const sums: Record<string, number> = {};
        for (const [edge, score] of Object.entries(theirs)) {
          const key = edge.replace(
            /h(\d+)(<[kv]>)$/,
            (_, head, letter) => `kv${Math.floor(Number(head) / copies)}${String(letter)}`,
          );
          sums[key] = (sums[key] ?? 0) + score;
        }
        return sums;
      };
      const ours = await rankingsOf(game, steps);
      for (const method of ['EAP', 'EAP-IG-inputs', 'EAP-IG-activations'] as const)
        expectScores(game, ours[method], shared(scores[method]));
    });

    it('EAP is (sender - baseline) times the gradient where the receiver reads', async () => {
      const { model } = randomModel(SMOOTH_CONFIGS['gpt2']);
      using game = gameOf(model, 'a0.h1->m1');
      const { scores } = await attributionPatching(game);
      const names = ['blocks.0.attn.hook_result'] as const;
      const [clean, other] = [TASK.tokens, TASK.corrupted ?? []].map((tokens) =>
        runWithCache(model, tokens, { names }),
      );
      const step = 1e-2;
      const moved = (sign: number): number =>
        tf.tidy(() => {
          const change = tf.sub(clean.cache.get(names[0]), other.cache.get(names[0]));
          const head = tf.squeeze(tf.slice(change, [0, 0, 1, 0], [-1, -1, 1, -1]), [2]);
          const { logits, cache } = runWithCache(model, TASK.tokens, {
            names: ['unembed.hook_out'],
            hooks: [['blocks.1.hook_mlp_in', (x) => tf.add(x, tf.mul(head, sign * step))]],
          });
          cache[Symbol.dispose]();
          const last = logits.arraySync()[0][7];
          return last[5] - last[2];
        });
      expect(scores[0]).toBeCloseTo((moved(1) - moved(-1)) / (2 * step), 3);
    });
  });
}
