/** What the ablation engine leaves out changes no value: against itself with every saving off, and by counting its rows. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { masksFromMembers, masksFromRows, concatMasks, selectRows, type Masks } from '../../../src/masks.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import { ABLATIONS, type AblationName } from '../../../src/lens/components/ablations.ts';
import { isOutOfMemory } from '../../../src/lens/batch-size.ts';
import {
  createComponentGame,
  type ComponentGame,
  type ComponentGameOptions,
} from '../../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../../src/lens/components/components.ts';
import { metricOf } from '../../../src/lens/metrics.ts';
import { SAVINGS } from '../../../src/lens/components/prompt-run.ts';
import type { Task } from '../../../src/lens/prompts.ts';
import type { Model } from '../../../src/model/model.ts';
import { createRandom } from '../../../src/random.ts';
import { availableBackends, CONFIGS, open, randomModel } from '../../tensors.ts';

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
const TASKS = [task(CLEAN, CORRUPT), task([7, 7, 1, 0, 2, 4, 4, 3], [7, 7, 1, 2, 4, 0, 0, 9])]; // twins that differ at once, and from the fourth token on

const gameOf = (model: Model, players: string, options: Partial<ComponentGameOptions> = {}): ComponentGame =>
  createComponentGame(model, {
    players: parsePlayers(players, model.config, { length: 8 }),
    tasks: TASKS,
    metric: metricOf('logit-diff'),
    ablation: ABLATIONS.zero,
    ...options,
  });

/** Uniform masks, some of them twice, everything kept, everything ablated, and a sweep that leaves one out at a time. */
function mixedMasks(players: number): Masks {
  const all = Array.from({ length: players }, (_, i) => i);
  const uniform = uniformMasks(players, Math.min(2 ** players, 20), createRandom(7));
  return concatMasks([
    uniform,
    masksFromMembers(players, [all, [], ...all.map((out) => all.filter((i) => i !== out))]),
    selectRows(uniform, [1, 0, 1]),
  ]);
}

const backends = await availableBackends();

describe.each(backends)('the savings on %s', (backend) => {
  let close: () => void;
  beforeAll(async () => {
    close = (await open(backend)).close;
  });
  afterAll(() => close());
  const tolerance = backend === 'webgpu' ? 1e-3 : 1e-5;

  it.each(
    (
      [
        ['gpt2', 'heads', 'zero'],
        ['gpt2', 'heads', 'resample'],
        ['llama: rotary, gated, grouped heads', 'heads', 'resample'],
        ['gpt2', 'heads,mlps', 'mean'],
        ['gpt2', 'heads@positions', 'resample'],
        ['gpt2', 'attns,mlps,embed', 'mean-per-position'],
        ['gpt2', 'late=L2H0+MLP2+L1H2@4,L0H1,L2N5@7,L2N5@1,ATTN0@2,rest=L0N3+L2H2', 'resample'],
        ['llama: rotary, gated, grouped heads', 'heads,mlps', 'zero'],
        ['ungrouped heads, all biases, llama3 and linear scaling', 'heads', 'resample'],
        ['four norms, caps, windows, query and key norms, scaled embedding', 'heads,attns', 'mean'],
        ['parallel, two norms, partial rotary', 'heads,mlps', 'zero'],
        ['parallel, two norms, partial rotary', 'L0N3,L1N60,L1H0,L2N1,L2H0,L2H2', 'resample'],
        ['parallel, one norm, layer norm over queries and keys', 'heads,mlps', 'mean'],
        ['post-norm, bidirectional, token types, masked-LM head', 'heads,mlps', 'zero'],
        ['shortformer, LNPre', 'heads', 'resample'],
        ['solu_ln', 'heads,L1N3,L2N60', 'zero'],
        ['gpt2', 'resid_pre@positions', 'resample'],
        ['gpt2', 'q,v,patterns,heads,resid_post', 'resample'],
        ['llama: rotary, gated, grouped heads', 'k@positions,L1H2.q@3,MLP0@5', 'mean'],
        ['gpt2', 'heads,MLP1', 'zero', 32],
        ['gpt2', 'heads', 'resample', 40],
        ['gpt2', 'heads,L0N3', 'mean', 32],
        ['llama: rotary, gated, grouped heads', 'heads', 'zero', 32],
        ['parallel, two norms, partial rotary', 'heads,mlps', 'zero', 32],
      ] as [string, string, AblationName, number?][]
    ).map(([name, spec, ablation, dHead]) => [name, spec, ablation, dHead ?? 'its own'] as const),
  )('change no value of %s, %s, %s ablation, heads of %s', async (name, spec, ablation, dHead) => {
    const { model } = randomModel({ ...CONFIGS[name], ...(dHead === 'its own' ? {} : { dHead }) }); // heads of 32 and more are left out row by row
    const options = { ablation: ABLATIONS[ablation], meanOver: [CLEAN, CORRUPT] };
    const plain = gameOf(model, spec, { ...options, batchSize: 16, without: SAVINGS });
    const masks = mixedMasks(plain.players.length);
    const expected = await plain.value(masks);
    plain[Symbol.dispose]();
    // The slow backends take one size; what they add to the others is their kernels.
    const slow = backend === 'webgpu' || backend === 'cpu';
    for (const batchSize of slow ? [5] : [1, 5, 64]) {
      const game = gameOf(model, spec, { ...options, batchSize });
      expect(await game.value(masks)).toBeAllClose(expected, tolerance);
      await expect(() => game.value(masks)).toLeakNoTensors();
      game[Symbol.dispose]();
    }
    for (const saving of slow ? [] : SAVINGS) {
      const game = gameOf(model, spec, { ...options, batchSize: 8, without: [saving] });
      expect(await game.value(masks)).toBeAllClose(expected, tolerance);
      game[Symbol.dispose]();
    }
    model[Symbol.dispose]();
  });

  it('change no value of a metric that reads every logit at every position', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const tasks = TASKS.map((one) => ({ ...one, correct: undefined, incorrect: undefined }));
    const options = { tasks, metric: metricOf('cross-entropy'), batchSize: 6 };
    const masks = mixedMasks(9);
    const expected = await gameOf(model, 'heads', { ...options, without: SAVINGS }).value(masks);
    expect(await gameOf(model, 'heads', options).value(masks)).toBeAllClose(expected, tolerance);
    model[Symbol.dispose]();
  });
});

describe('what is left to do', () => {
  beforeAll(async () => {
    await open('wasm');
  });

  /** While `run` ran: rows (of one position) that went through W_in of each layer; how many heads were widened to all; which heads kernels were told of. */
  async function counted(
    model: Model,
    run: () => Promise<unknown>,
  ): Promise<{ readonly mlp: number[]; readonly queries: number[]; readonly live: number[][] }> {
    const mlp = Array<number>(model.config.nLayers).fill(0);
    const queries: number[] = [];
    const live: number[][] = [];
    const engine = tf.engine();
    const runKernel = engine.runKernel.bind(engine);
    const widths = new Map(
      Array.from({ length: model.config.nLayers }, (_, l) => [model.parameters[`blocks.${l}.mlp.W_in`], l]),
    );
    const spy = vi.spyOn(engine, 'runKernel').mockImplementation((name, inputs, attrs) => {
      const { a, b, x, W } = inputs as Record<string, tf.Tensor>;
      const [left, right] =
        name === 'BatchMatMul' ? [a, b] : name === 'SpexlensLinear' ? [x, W] : [undefined, undefined];
      // A stock product sees the matrix through a reshape; what it shares with the parameter is its data.
      const layer = [...widths].find(([parameter]) => (parameter as tf.Tensor).dataId === right?.dataId)?.[1];
      if (left !== undefined && layer !== undefined) mlp[layer] += left.size / model.config.dModel;
      if (name === 'Concat') queries.push((inputs as unknown as tf.Tensor[])[0].shape[2] as number);
      if (name === 'SpexlensToHeads' || name === 'SpexlensFromHeads')
        live.push([...(inputs as Record<string, tf.Tensor>)['live'].dataSync()]);
      return runKernel(name, inputs, attrs);
    });
    try {
      await run();
    } finally {
      spy.mockRestore();
    }
    return { mlp, queries, live };
  }

  const LENGTH = 8;
  const all = Array.from({ length: 9 }, (_, i) => i);
  const sweep = masksFromMembers(9, [all, ...all.map((out) => all.filter((i) => i !== out))]);

  it('of a leave-one-out sweep is, in each layer, one row for each head up to it', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const game = gameOf(model, 'heads', { tasks: [TASKS[0]], batchSize: 64 });
    const { mlp } = await counted(model, () => game.value(sweep));
    expect(mlp).toEqual([4 * LENGTH, 7 * LENGTH, 10]); // the last layer at the last position only
    const plain = gameOf(model, 'heads', { tasks: [TASKS[0]], batchSize: 64, without: SAVINGS });
    expect((await counted(model, () => plain.value(sweep))).mlp).toEqual([10 * LENGTH, 10 * LENGTH, 10 * LENGTH]);
    model[Symbol.dispose]();
  });

  it('of positions that a mask cannot change is nothing', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const late = masksFromMembers(3, [
      [0, 1],
      [0, 2],
    ]);
    const options = { tasks: [TASKS[0]], batchSize: 64 };
    const game = gameOf(model, 'RESID_PRE0@2,RESID_PRE0@5,RESID_PRE1@6', options);
    // Layer 0 from position 5 on with one row patched and one for the patch in layer 1, which comes later in the stream.
    expect((await counted(model, () => game.value(late))).mlp.slice(0, 2)).toEqual([2 * 3 + LENGTH, 2 * 3 + LENGTH]);
    expect((await counted(model, () => game.value(late))).mlp.slice(0, 2)).toEqual([2 * 3, 2 * 3]); // keys and values are kept
    const twins = gameOf(model, 'heads', { ...options, tasks: [TASKS[1]], ablation: ABLATIONS.resample });
    await twins.value(sweep);
    expect((await counted(model, () => twins.value(sweep))).mlp).toEqual([4 * (LENGTH - 3), 7 * (LENGTH - 3), 10]);
    model[Symbol.dispose]();
  });

  it('goes on from residuals of the block before, as far as they hold', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const late = gameOf(model, 'L2H0,L2H1,L2H2', { tasks: [TASKS[0]], batchSize: 2 });
    const masks = uniformMasks(3, 8, createRandom(1));
    expect((await counted(model, () => late.value(masks))).mlp).toEqual([LENGTH, LENGTH, 8]);
    const blind = gameOf(model, 'L2H0,L2H1,L2H2', { tasks: [TASKS[0]], batchSize: 2, without: ['states'] });
    expect((await counted(model, () => blind.value(masks))).mlp).toEqual([4 * LENGTH, 4 * LENGTH, 8]);
    const poor = gameOf(model, 'L2H0,L2H1,L2H2', { tasks: [TASKS[0]], batchSize: 2, stateBytes: 10 });
    expect((await counted(model, () => poor.value(masks))).mlp).toEqual([4 * LENGTH, 4 * LENGTH, 8]);
    // Three blocks of a sweep: layer 2's heads, layer 1's, layer 0's; each begins where it parts from the one before.
    const blocks = gameOf(model, 'heads', { tasks: [TASKS[0]], batchSize: 4 });
    expect((await counted(model, () => blocks.value(sweep))).mlp).toEqual([(1 + 3) * LENGTH, (1 + 3 + 3) * LENGTH, 10]);
    model[Symbol.dispose]();
  });

  it.each(['stock', 'auto'] as const)(
    'has no heads that a block ablates throughout, nor those that a mask does where kernels can leave these out: %s',
    async (kernels) => {
      await open('wasm', { kernels });
      const { model } = randomModel({ ...CONFIGS['gpt2'], dHead: 32 });
      const game = gameOf(model, 'heads', { tasks: [TASKS[0]] });
      // Layer 0 with one head, layer 1 with none.
      const throughout = masksFromRows([
        [0, 1, 0, 0, 0, 0, 1, 1, 1],
        [0, 1, 0, 0, 0, 0, 1, 0, 1],
      ]);
      const seen = await counted(model, () => game.value(throughout));
      if (kernels === 'stock') expect(seen.queries).toEqual([1]);
      else
        expect(seen.live).toEqual([
          [0, 1, 0],
          [0, 1, 0],
          [0, 1, 0],
          [0, 1, 0],
          [0, 0, 0],
        ]); // q, k, v and what layer 0 writes; what layer 1 writes
      // In layer 1 each mask keeps another head.
      const apart = masksFromRows([
        [1, 1, 1, 1, 0, 0, 1, 1, 1],
        [1, 1, 1, 0, 0, 1, 1, 1, 1],
      ]);
      const { live } = await counted(model, () => game.value(apart));
      if (kernels === 'auto')
        expect(live).toEqual([
          [1, 0, 1],
          [1, 0, 1],
          [1, 0, 1],
          [1, 0, 0, 0, 0, 1],
        ]); // one row reads for both masks
      game[Symbol.dispose]();
      model[Symbol.dispose]();
    },
  );

  it('is told at once of every value, in any order', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const game = gameOf(model, 'heads', { batchSize: 8 });
    const masks = mixedMasks(9);
    const values = new Float64Array(masks.count).fill(NaN);
    let told = 0;
    const result = await game.value(masks, {
      onValues(rows, fresh) {
        told += rows.length;
        for (let k = 0; k < rows.length; k++) values[rows[k]] = fresh[k];
      },
    });
    expect(told).toBe(masks.count);
    expect([...values]).toEqual([...result]);
    model[Symbol.dispose]();
  });
});

describe('a batch that does not fit into memory', () => {
  beforeAll(async () => {
    await open('wasm');
  });

  it.each([
    ['while it runs', false],
    ['while it is read back', true],
  ])('is halved until it does, when that shows %s', async (_, late) => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const metric = metricOf('logit-diff');
    const masks = mixedMasks(9);
    const expected = await gameOf(model, 'heads').value(masks);
    const most = 5;
    let refused = 0;
    const game = gameOf(model, 'heads', {
      batchSize: 32,
      metric: {
        ...metric,
        value(logits, ...rest) {
          const value = metric.value(logits, ...rest);
          if (logits.shape[0] <= most) return value;
          refused++;
          if (!late) throw new RangeError('Array buffer allocation failed');
          return value;
        },
      },
    });
    const backend = tf.backend();
    const read = backend.read.bind(backend);
    const spy = vi.spyOn(backend, 'read').mockImplementation(async (id) => {
      const values = await read(id);
      if (late && (values as Float32Array).length > most)
        throw new Error('ResourceExhausted: OOM when allocating tensor');
      return values;
    });
    try {
      const told = new Set<number>();
      const values = await game.value(masks, {
        onValues: (rows) => Array.from(rows).forEach((row) => (expect(told).not.toContain(row), told.add(row))),
      });
      expect(values).toBeAllClose(expected, 1e-5);
      expect(told.size).toBe(masks.count);
      expect(game.batchSize).toBe(4); // 32, 16, 8, 4
      expect(refused).toBeGreaterThan(0);
      await expect(() => game.value(masks)).toLeakNoTensors();
    } finally {
      spy.mockRestore();
    }
    game[Symbol.dispose]();
    model[Symbol.dispose]();
  });

  it('ends the request when a single mask does not fit either', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const game = gameOf(model, 'heads', {
      batchSize: 4,
      metric: {
        ...metricOf('logit-diff'),
        value: () => {
          throw new RangeError('Array buffer allocation failed');
        },
      },
    });
    await expect(() => game.value(mixedMasks(9))).toLeakNoTensors();
    await expect(game.value(mixedMasks(9))).rejects.toThrow('Array buffer allocation failed');
    expect(game.batchSize).toBe(1);
  });

  it.each([
    ['Array buffer allocation failed', true],
    ['OOM when allocating tensor with shape[1024,3072]', true],
    ['Out of memory - Failed to allocate 4294967296 bytes', true],
    ['memory access out of bounds', true],
    ['WebAssembly.Memory.grow(): Maximum memory size exceeded, out of memory', true],
    ['the room of zoom 3 is missing', false],
    ['shapes [2,3] and [4] do not match', false],
  ])('is known by its message: %s', (message, is) => {
    expect(isOutOfMemory(new Error(message))).toBe(is);
  });
});
