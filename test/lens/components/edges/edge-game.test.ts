/** Games over edges: every row against plain hooks, both ends against whole runs, and what is asked of batches. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { ABLATIONS, type AblationName } from '../../../../src/lens/components/ablations.ts';
import {
  createEdgeGame,
  type EdgeGame,
  type EdgeGameOptions,
} from '../../../../src/lens/components/edges/edge-game.ts';
import { edgeBytesPerRow } from '../../../../src/lens/components/edges/edge-bytes.ts';
import { parseEdges } from '../../../../src/lens/components/edges/edge-players.ts';
import { METRICS, metricOf } from '../../../../src/lens/metrics.ts';
import type { Task } from '../../../../src/lens/prompts.ts';
import { allButOne, concatMasks, keptPlayers, masksFromMembers } from '../../../../src/masks.ts';
import { forward } from '../../../../src/model/forward/forward.ts';
import { layoutOf } from '../../../../src/model/layout.ts';
import { withUngroupedHeads, type Model } from '../../../../src/model/model.ts';
import { createRandom } from '../../../../src/random.ts';
import { uniformMasks } from '../../../../src/uniform-masks.ts';
import { gameContract } from '../../../contracts/game.ts';
import { availableBackends, CONFIGS, open, randomModel, TEST_BACKEND } from '../../../tensors.ts';
import { byHooks } from './by-hooks.ts';

const CLEAN = [3, 1, 4, 1, 5, 9, 2, 6];
const CORRUPTED = [8, 2, 11, 7, 0, 3, 3, 5];
const DATA = [CLEAN, CORRUPTED, [7, 7, 1, 0, 2, 2, 2, 9]];
const TASK: Task = {
  tokens: CLEAN,
  corrupted: CORRUPTED,
  correct: 5,
  incorrect: 2,
  label: 'prompt',
  text: { prompt: 'prompt' },
  strTokens: CLEAN.map(String),
};
const gameOf = (model: Model, players: string, options: Partial<EdgeGameOptions> = {}): EdgeGame =>
  createEdgeGame(model, {
    players: parseEdges(players, model.config, { length: CLEAN.length }),
    tasks: [TASK],
    metric: metricOf('logit-diff'),
    ablation: ABLATIONS.resample,
    meanOver: DATA,
    ...options,
  });
const summed = Object.entries(CONFIGS).filter(([, { layout }]) => {
  const { attn, mlp } = layoutOf(layout === undefined ? {} : { layout });
  return (attn.output ?? mlp.output ?? attn.stream ?? mlp.stream) === undefined;
});
const tolerance = (backend: string): number => (backend === 'webgpu' ? 1e-3 : 1e-5);

/** All of `game`'s values of random masks, beside those by hooks. */
async function compared(
  model: Model,
  game: EdgeGame,
  ablation: AblationName,
): Promise<{ readonly ours: Float64Array; readonly theirs: number[] }> {
  const n = game.players.length;
  const masks = concatMasks([
    uniformMasks(n, Math.min(4, 2 ** n), createRandom(1, 'masks')),
    masksFromMembers(n, [[]]),
  ]);
  const theirs = Array.from({ length: masks.count }, (_, row) =>
    byHooks(model, {
      players: game.players,
      kept: keptPlayers(masks, row),
      ablation,
      tokens: CLEAN,
      corrupted: CORRUPTED,
      data: DATA,
    }),
  );
  return { ours: await game.value(masks), theirs };
}

/** logit[5] - logit[2] of whole runs, of one row or of several at once. */
const runOf = (model: Model, tokens: readonly number[]): number =>
  tf.tidy(() => {
    const unembed = {
      W: tf.gather(tensorOfWeights(model, 'unembed.W_U'), tf.tensor1d([5, 2], 'int32'), 1),
      b:
        model.parameters['unembed.b_U'] === undefined
          ? undefined
          : tf.gather(tensorOfWeights(model, 'unembed.b_U'), tf.tensor1d([5, 2], 'int32')),
    };
    const given = tf.tensor2d([[...tokens]], undefined, 'int32');
    const logits = forward(model.config, model.parameters, given, { scored: [tokens.length - 1], unembed });
    return tf.sub(tf.slice(logits, [0, 0, 0], [1, 1, 1]), tf.slice(logits, [0, 0, 1], [1, 1, 1])).dataSync()[0];
  });
const tensorOfWeights = (model: Model, name: string): tf.Tensor => model.parameters[name] as tf.Tensor;

for (const backend of await availableBackends()) {
  describe(`edges on ${backend}`, () => {
    beforeAll(async () => void (await open(backend)));

    for (const [title, config] of summed) {
      it(`a row equals the same edges cut by hooks: ${title}`, async () => {
        const { model } = randomModel(config);
        using game = gameOf(model, 'edges');
        const { ours, theirs } = await compared(model, game, 'resample');
        expect(ours).toBeAllClose(theirs, tolerance(backend));
      });

      it(`every edge is the clean run to the last bit, no edge the corrupted run: ${title}`, async () => {
        const { model } = randomModel(config);
        using game = gameOf(model, 'edges');
        const n = game.players.length;
        const everyone = Array.from({ length: n }, (_, i) => i);
        const [all, none, without] = await game.value(masksFromMembers(n, [everyone, [], everyone.slice(1)]));
        expect(all).toBe(runOf(model, CLEAN));
        expect(none).toBeCloseTo(runOf(model, CORRUPTED), backend === 'webgpu' ? 3 : 5);
        expect(without).not.toBe(all);
      });
    }

    for (const ablation of Object.keys(ABLATIONS) as AblationName[]) {
      it.each([
        'edges',
        'edges@positions',
        'early=a0.*->a1.*<q>+input->m1,m0->logits,a0.h0->m2@3,edges:a1.*->a2.*',
        'a1.h1->a2.h0<q>@2,a1.h1->a2.h0<q>@7,a1.h0->a2.h0<q>,m1->logits@7,m0->logits@1',
      ])(`${ablation}: %s`, async (players) => {
        const { model } = randomModel(CONFIGS['gpt2']);
        using game = gameOf(model, players, { ablation: ABLATIONS[ablation] });
        const { ours, theirs } = await compared(model, game, ablation);
        expect(ours).toBeAllClose(theirs, tolerance(backend));
      });
    }

    it('keys and values of grouped heads are read once a group, of ungrouped ones once a head', async () => {
      const { model } = randomModel(CONFIGS['llama: rotary, gated, grouped heads']);
      using grouped = gameOf(model, 'edges:input->a1.kv1<k>,edges:a0.*->a2.kv*<v>');
      expect(grouped.players.map(({ name }) => name).slice(0, 2)).toEqual(['input->a1.kv1<k>', 'a0.h0->a2.kv0<v>']);
      const ungrouped = withUngroupedHeads(model);
      using single = gameOf(ungrouped, 'one=input->a1.h2<k>+input->a1.h3<k>,a0.h0->a2.h0<v>+a0.h0->a2.h1<v>');
      const [both] = await single.value(masksFromMembers(2, [[]]));
      const players = grouped.players.map(({ name }) => name);
      const cut = ['input->a1.kv1<k>', 'a0.h0->a2.kv0<v>'];
      const [same] = await grouped.value(
        masksFromMembers(players.length, [players.flatMap((name, i) => (cut.includes(name) ? [] : [i]))]),
      );
      expect(same).toBeCloseTo(both, 5);
    });

    it('a batch of any size, in any order, gives the same; nothing is left behind', async () => {
      const { model } = randomModel(CONFIGS['gpt2']);
      using whole = gameOf(model, 'edges', { batchSize: 64 });
      using pieces = gameOf(model, 'edges', { batchSize: 3 });
      const n = whole.players.length;
      const masks = concatMasks([allButOne(n), uniformMasks(n, 9, createRandom(3, 'masks'))]);
      const values = await whole.value(masks);
      expect(await pieces.value(masks)).toBeAllClose(values, tolerance(backend));
      await expect(async () => whole.value(masks)).toLeakNoTensors();
      await expect(async () => whole.gradients?.(uniformMasks(n, 5, createRandom(1, 'masks')))).toLeakNoTensors();
      await expect(async () => whole.slopesAlong?.('activations', 3)).toLeakNoTensors();
      await expect(() => gameOf(model, 'edges')[Symbol.dispose]()).toLeakNoTensors();
    });
  });
}

describe('a game over edges', () => {
  beforeAll(async () => void (await open(TEST_BACKEND)));

  gameContract('edges', () => gameOf(randomModel(CONFIGS['gpt2']).model, 'edges:a0.*->*,m1->logits'), {
    tolerance: 1e-5,
  });
  gameContract(
    'few edges at positions, of a bidirectional model',
    () =>
      gameOf(
        randomModel(CONFIGS['relu, bidirectional, wide heads, other output']).model,
        'input->a1.h0<v>@2,a0.h1->*,m0->m1@3',
        { ablation: ABLATIONS.mean },
      ),
    { tolerance: 1e-5 },
  );

  it('takes the mean over prompts of different lengths', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const short: Task = { ...TASK, tokens: [7, 7, 1, 0, 2], corrupted: [1, 16, 3, 2, 4] };
    using both = gameOf(model, 'edges', { tasks: [TASK, short] });
    using first = gameOf(model, 'edges');
    using second = gameOf(model, 'edges', { tasks: [short] });
    const masks = uniformMasks(both.players.length, 6, createRandom(2, 'masks'));
    const [a, b] = [await first.value(masks), await second.value(masks)];
    expect(both.rowsPerMask).toBe(2);
    expect(await both.value(masks)).toBeAllClose(
      a.map((value, i) => (value + b[i]) / 2),
      1e-5,
    );
  });

  it.each(['cross-entropy', 'kl', 'accuracy', 'prob'] as const)('takes the metric %s', async (name) => {
    const { model } = randomModel(CONFIGS['gpt2']);
    using game = gameOf(model, 'edges:input->*', { metric: METRICS[name] });
    const values = await game.value(uniformMasks(game.players.length, 5, createRandom(2, 'masks')));
    expect(Array.from(values).every(Number.isFinite)).toBe(true);
    expect(game.gradients === undefined).toBe(name === 'accuracy');
    expect(game.slopesAlong === undefined).toBe(name === 'accuracy');
  });

  it.each(Object.entries(CONFIGS).filter((each) => !summed.some(([title]) => title === each[0])))(
    'refuses a stream that is no sum of what is written: %s',
    (_title, config) => {
      const { model } = randomModel(config);
      expect(() => gameOf(model, 'edges')).toThrow(/^edges: .* models have .*norms.*: ln\d(_post)? stands between/);
    },
  );

  it.each([
    'gpt2',
    'llama: rotary, gated, grouped heads',
    'attention-only, no norm, no bias',
    'alibi, normed token embedding, RMS norms without weights',
  ])('estimates bytes within a factor of 2 of what a batch really allocates: %s', async (title) => {
    const { model } = randomModel(CONFIGS[title]);
    using game = gameOf(model, 'edges', { batchSize: 32 });
    const n = game.players.length;
    const masks = uniformMasks(n, 32, createRandom(5, 'masks'));
    const bytes = edgeBytesPerRow(model, game.players, [TASK], METRICS['logit-diff']);
    const peakOf = async (run: () => Promise<unknown>): Promise<number> => {
      await run(); // what a game holds
      const before = tf.memory().numBytes;
      const { peakBytes } = await tf.profile(async () => {
        await run();
        return tf.scalar(0);
      });
      return peakBytes - before;
    };
    const values = await peakOf(() => game.value(masks));
    const gradients = await peakOf(async () => game.gradients?.(masks));
    expect(values / (32 * bytes.value)).toBeGreaterThan(0.5);
    expect(values / (32 * bytes.value)).toBeLessThan(1.2);
    expect(gradients / (game.gradientBatchSize * bytes.gradient)).toBeGreaterThan(0.33);
    expect(gradients / (game.gradientBatchSize * bytes.gradient)).toBeLessThan(1.2);
  });

  it('halves its batches when the device is out of memory', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    using whole = gameOf(model, 'edges');
    const masks = uniformMasks(whole.players.length, 20, createRandom(5, 'masks'));
    const logitDiff = METRICS['logit-diff'];
    let refused = 0;
    using game = gameOf(model, 'edges', {
      batchSize: 16,
      metric: {
        ...logitDiff,
        value(logits, ...rest) {
          if (logits.shape[0] <= 5) return logitDiff.value(logits, ...rest);
          refused++;
          throw new Error('Out of memory');
        },
      },
    });
    expect(await game.value(masks)).toBeAllClose(await whole.value(masks), 1e-5);
    expect([game.batchSize, refused]).toEqual([4, 2]);
    const both = [await game.gradients?.(masks), await whole.gradients?.(masks)].map((found) => found?.gradients ?? []);
    expect(both[0]).toBeAllClose(Array.from(both[1]), 1e-4);
    expect((await game.slopesAlong?.('inputs', 9))?.slopes).toBeAllClose(
      (await whole.slopesAlong?.('inputs', 9))?.slopes ?? [],
      1e-4,
    );
  });

  it('refuses what it cannot do, in words', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    expect(() => gameOf(model, 'edges', { players: [] })).toThrow('edge game: has no players; name at least one edge.');
    expect(() => gameOf(model, 'edges', { tasks: [] })).toThrow('edge game: has no prompts');
    expect(() => gameOf(model, 'edges', { batchSize: 0 })).toThrow('batch size: 0 is not a whole number >= 1.');
    const deeper = randomModel({ ...CONFIGS['gpt2'], nLayers: 4, attention: { scales: [1, 1, 1, 1], causal: true } });
    expect(() => gameOf(model, 'edges', { players: parseEdges('m3->logits', deeper.model.config) })).toThrow(
      'edges: "m3->logits" holds an edge that this model has not.',
    );
    using zero = gameOf(model, 'edges', { ablation: ABLATIONS.zero });
    await expect(zero.slopesAlong?.('inputs', 2)).rejects.toThrow(
      'EAP-IG: moves the input from that of a corrupted prompt, and zero has none; use resample, or activations.',
    );
    const gone = gameOf(model, 'edges');
    gone[Symbol.dispose]();
    await expect(gone.value(masksFromMembers(gone.players.length, [[]]))).rejects.toThrow(
      'was disposed; make a new one.',
    );
  });
});
