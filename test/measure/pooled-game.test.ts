import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { allMasks, emptyMasks, selectRows } from '../../src/masks.ts';
import type { SpexlensError } from '../../src/errors.ts';
import type { ValueOptions } from '../../src/game.ts';
import { ABLATIONS, type AblationName } from '../../src/lens/components/ablations.ts';
import { createComponentGame, type ComponentGameOptions } from '../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../src/lens/components/components.ts';
import { metricOf } from '../../src/lens/metrics.ts';
import { cores } from '../../src/platform/threads.ts';
import { createPooledGame, type PooledGame, type PoolOptions } from '../../src/measure/pooled-game.ts';
import type { Task } from '../../src/lens/prompts.ts';
import type { Model } from '../../src/model/model.ts';
import { CONFIGS, open, randomModel } from '../tensors.ts';

const task = (tokens: number[], corrupted: number[]): Task => ({
  tokens,
  corrupted,
  correct: 5,
  incorrect: 2,
  label: tokens.join(' '),
  text: { prompt: tokens.join(' ') },
  strTokens: tokens.map(String),
});
const TASKS = [
  task([3, 1, 4, 1, 5, 9, 2, 6], [8, 2, 11, 7, 0, 3, 3, 5]),
  task([7, 7, 1, 0, 2, 9, 9, 8], [1, 16, 3, 2, 4, 4, 0, 1]),
];
const MASKS = allMasks(9); // 512 masks of 9 heads

const optionsOf = (model: Model, options: Partial<ComponentGameOptions> = {}): ComponentGameOptions => ({
  players: parsePlayers('heads', model.config),
  tasks: TASKS,
  metric: metricOf('logit-diff'),
  ablation: ABLATIONS.zero,
  batchSize: 16,
  ...options,
});

/** Values by row as they were told of; expects each once, and some at every telling. */
function listener(): { readonly onValues: NonNullable<ValueOptions['onValues']>; readonly values: number[] } {
  const values: number[] = [];
  return {
    values,
    onValues: (rows, batch) => {
      expect(batch.length).toBeGreaterThan(0);
      expect(rows).toHaveLength(batch.length);
      batch.forEach((value, k) => {
        expect(values[rows[k]]).toBeUndefined();
        values[rows[k]] = value;
      });
    },
  };
}

/** Each thread starts a backend, which takes seconds where the cores are busy. */
const timeout = 120_000;
/** Blocks of other masks may take other kernels: equal up to rounding. */
const TOLERANCE = 1e-5;

describe('a game on threads gives the values of one thread', { timeout }, () => {
  it.each([
    ['wasm', 'gpt2', 'logit-diff', 'zero'],
    ['wasm', 'llama: rotary, gated, grouped heads', 'kl', 'resample'],
    ['cpu', 'solu_ln', 'cross-entropy', 'mean-per-position'],
  ] as [string, string, string, AblationName][])('%s: %s, %s, %s', async (backend, config, metric, ablation) => {
    const { close } = await open(backend);
    const { model } = randomModel(CONFIGS[config]);
    const options = optionsOf(model, { metric: metricOf(metric), ablation: ABLATIONS[ablation] });
    using alone = createComponentGame(model, options);
    using pooled = createPooledGame(model, options, { threads: 2 });
    const masks = wide(
      backend === 'cpu'
        ? selectRows(
            MASKS,
            Array.from({ length: 90 }, (_, k) => 5 * k),
          )
        : MASKS,
      alone.players.length,
    );
    const heard = listener();
    const values = await pooled.value(masks, { onValues: heard.onValues });
    expect(heard.values).toEqual([...values]);
    expect(values).toBeAllClose(await alone.value(masks), TOLERANCE);
    expect(new Set(values).size).toBeGreaterThan(40);
    expect([pooled.threads, pooled.batchSize, pooled.rowsPerMask, pooled.name]).toEqual([2, 16, 2, alone.name]);
    model[Symbol.dispose]();
    close();
  });
});

/** The same masks over more players, the others ablated. */
function wide(masks: ReturnType<typeof allMasks>, players: number): ReturnType<typeof allMasks> {
  const more = emptyMasks(players, masks.count);
  for (let row = 0; row < masks.count; row++) more.words[row * more.stride] = masks.words[row];
  return more;
}

describe('a game on threads', { timeout }, () => {
  let close: () => void;
  let model: Model;
  let pooled: PooledGame;
  let truth: Float64Array;
  beforeAll(async () => {
    close = (await open('wasm')).close;
    model = randomModel(CONFIGS['gpt2']).model;
    using alone = createComponentGame(model, optionsOf(model));
    truth = await alone.value(MASKS);
    pooled = createPooledGame(model, optionsOf(model), { threads: 2 });
  });
  afterAll(() => {
    pooled[Symbol.dispose]();
    model[Symbol.dispose]();
    close();
  });
  const failureOf = async (work: Promise<unknown>): Promise<SpexlensError> =>
    work.then(
      () => expect.unreachable('nothing was thrown'),
      (error: SpexlensError) => error,
    );

  it('answers any number of masks, the same ones always alike', async () => {
    for (const count of [0, 1, 3, 17, 130, 512]) {
      const heard = listener();
      const rows = Array.from({ length: count }, (_, k) => (k * 37) % 300); // some twice
      const values = await pooled.value(selectRows(MASKS, rows), { onValues: heard.onValues });
      expect(values).toBeAllClose(
        rows.map((row) => truth[row]),
        TOLERANCE,
      );
      expect(heard.values).toEqual([...values]);
    }
  });

  it('answers several requests at once', async () => {
    const answers = await Promise.all([0, 1, 2].map(async () => pooled.value(MASKS)));
    for (const values of answers) expect(values).toBeAllClose(truth, TOLERANCE);
  });

  it('stops on request between batches and keeps what it reported', async () => {
    const controller = new AbortController();
    const heard = new Map<number, number>();
    const error = await failureOf(
      pooled.value(MASKS, {
        signal: controller.signal,
        onValues: (rows, values) => {
          values.forEach((value, k) => heard.set(rows[k], value));
          controller.abort();
        },
      }),
    );
    expect([error.kind, error.message]).toEqual([
      'aborted',
      'random logit-diff: stopped on request; what was measured so far is in the run log.',
    ]);
    expect(heard.size).toBeGreaterThan(0);
    expect(heard.size).toBeLessThan(MASKS.count);
    for (const [row, value] of heard) expect([value]).toBeAllClose([truth[row]], TOLERANCE);
    expect((await failureOf(pooled.value(MASKS, { signal: AbortSignal.abort() }))).kind).toBe('aborted');
    expect(await pooled.value(MASKS)).toBeAllClose(truth, TOLERANCE);
  });

  it('stops when its listener throws, with what it threw', async () => {
    const onValues = (): void => {
      throw new RangeError('the disk is full');
    };
    expect(await failureOf(pooled.value(MASKS, { onValues }))).toEqual(new RangeError('the disk is full'));
    expect(await pooled.value(MASKS)).toBeAllClose(truth, TOLERANCE);
  });

  it('refuses what it cannot do', async () => {
    const make =
      (options: PoolOptions, game: Partial<ComponentGameOptions> = {}) =>
      () =>
        createPooledGame(model, optionsOf(model, game), options)[Symbol.dispose]();
    expect(make({ threads: 0 })).toThrow('threads: 0 is not a whole number >= 1, nor auto.');
    expect(make({ threads: 1.5 })).toThrow('threads: 1.5 is not a whole number >= 1, nor auto.');
    expect(make({ threads: 1e9 })).toThrow(
      `threads: 1000000000 on ${cores()} cores would wait for one another; ${8 * cores()} at most.`,
    );
    expect(make({}, { metric: { ...metricOf('logit') } })).toThrow(
      'threads: take metrics and ablations that are known by name, and logit with zero is not; use metricOf and ablationOf, or threads 1.',
    );
    expect(make({}, { tasks: [] })).toThrow('component game: has no prompts');
    expect((await failureOf(pooled.value(allMasks(3)))).message).toBe(
      'random logit-diff: masks over 3 players were given; this game has 9.',
    );
  });

  it('leaves no tensors, and ends with its work when disposed', async () => {
    await expect(async () => {
      const game = createPooledGame(model, optionsOf(model), { threads: 1 });
      const error = failureOf(game.value(MASKS, { onValues: () => game[Symbol.dispose]() }));
      expect([(await error).kind, (await error).message]).toEqual([
        'aborted',
        'random logit-diff: was disposed, and its threads ended.',
      ]);
      expect((await failureOf(game.value(MASKS))).message).toBe('random logit-diff: was disposed; make a new one.');
    }).toLeakNoTensors();
    const before = tf.memory().numTensors;
    await pooled.value(MASKS);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('stays on this thread while auto has little to do', async () => {
    using auto = createPooledGame(model, optionsOf(model));
    const heard = listener();
    expect(await auto.value(MASKS, { onValues: heard.onValues })).toEqual(truth);
    expect(heard.values).toEqual([...truth]);
    expect([auto.threads, auto.alone]).toEqual([1, undefined]);
  });

  it('hands what is left to threads where auto finds it worth it', async () => {
    using auto = createPooledGame(model, optionsOf(model, { batchSize: 2, without: ['sharing'] }), { worthMs: 0 });
    const rows = Array.from({ length: 1600 }, (_, k) => (k * 37) % 512);
    const heard = listener();
    expect(await auto.value(selectRows(MASKS, rows), { onValues: heard.onValues })).toBeAllClose(
      rows.map((row) => truth[row]),
      TOLERANCE,
    );
    expect(heard.values).toHaveLength(rows.length);
    if (availableParallelism() > 1) expect(auto.threads).toBeGreaterThan(1);
  });

  it('stays on this thread where auto finds no memory for more, and says so', async () => {
    const free = vi.spyOn(process, 'availableMemory').mockReturnValue(2 ** 20);
    using auto = createPooledGame(model, optionsOf(model), { worthMs: 0 });
    expect(await auto.value(MASKS)).toEqual(truth);
    expect(auto.threads).toBe(1);
    if (availableParallelism() > 1) expect(auto.alone).toMatch(/^\d+ would take about \d+ MiB, and 1 are free$/);
    free.mockRestore();
  });

  it('does not keep a process alive that forgets to dispose it', async () => {
    const program = `
      const at = (path) => import(new URL(path, ${JSON.stringify(new URL('../../src/', import.meta.url).href)}));
      const [{ openBackend }, { loadModel }, { createPooledGame }, { parsePlayers }, { ABLATIONS }, { metricOf }, { readPrompts, toTasks }, { allMasks }] = await Promise.all(
        ['open-backend.ts', 'model/model.ts', 'measure/pooled-game.ts', 'lens/components/components.ts', 'lens/components/ablations.ts', 'lens/metrics.ts', 'lens/prompts.ts', 'masks.ts'].map(at));
      await openBackend('wasm');
      const model = await loadModel('models/induction-2l-h1');
      const metric = metricOf('accuracy');
      const tasks = toTasks(model, (await readPrompts('models/induction-2l-h1/prompts.jsonl')).slice(0, 2), { metric, corrupted: false });
      const game = createPooledGame(model, { players: parsePlayers('heads', model.config), tasks, metric, ablation: ABLATIONS.zero }, { threads: 2 });
      const values = await game.value(allMasks(game.players.length));
      console.log(values.length, game.threads);`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      cwd: new URL('../..', import.meta.url),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    expect(await new Promise((resolve) => child.on('close', resolve)), text).toBe(0);
    expect(text).toBe('4 2\n');
  });
});
