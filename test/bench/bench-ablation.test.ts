/** bench-ablation on shapes small enough for seconds: its record, its counts, its checkpoints, and what it refuses. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SHAPES, writeCheckpoint } from '../../bench/shapes.ts';
import { parseVariant } from '../../bench/ablation/backends.ts';
import { forwardFlops, profile, shareOutside } from '../../bench/ablation/flops.ts';
import { masksOf, headMasks, makeJob, type JobOptions } from '../../bench/ablation/job.ts';
import { benchAblationCommand } from '../../bench/ablation/main.ts';
import { matMulPeak } from '../../bench/ablation/peak.ts';
import { openPython } from '../../bench/ablation/python.ts';
import {
  difference,
  largestDifference,
  median,
  numbersOf,
  pairedRatio,
  type Report,
} from '../../bench/ablation/report.ts';
import { pythonTable } from '../../bench/ablation/tables.ts';
import { createWay, WITHOUT } from '../../bench/ablation/ways.ts';
import { maskHex } from '../../src/masks.ts';
import { runWithHooks } from '../../src/hooks/run.ts';
import { loadModel } from '../../src/model/model.ts';
import { open, TEST_BACKEND } from '../tensors.ts';

const TINY = ['gpt2-tiny', 'pythia-tiny', 'SmolLM2-tiny'];
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bench-ablation-test-'));
  for (const shape of TINY) await writeCheckpoint(join(folder, shape), shape, 'F32', 0);
  await open(TEST_BACKEND);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await benchAblationCommand(['--backends', 'wasm', ...args], {
    out: (text) => (out += text),
    err: (text) => (err += text),
  });
  return { code, out, err };
}

const options: JobOptions = {
  players: 'heads',
  design: 'random',
  masks: 12,
  loopMasks: 5,
  hookBatch: 4,
  batchSize: undefined,
  length: 7,
  seconds: 0,
  seed: 3,
};

describe('the checkpoints', () => {
  it('have the same bytes for the same seed, and others for another', async () => {
    const bytes = async (name: string, seed: number): Promise<Buffer> => {
      await writeCheckpoint(join(folder, name), 'gpt2-tiny', 'F32', seed);
      return readFileSync(join(folder, name, 'model.safetensors'));
    };
    const [first, again, other] = [await bytes('a', 5), await bytes('b', 5), await bytes('c', 6)];
    expect(first.equals(again)).toBe(true);
    expect(first.equals(other)).toBe(false);
  });

  it.each(TINY)('%s: loads whole, and its logits and a head of each layer count for something', async (shape) => {
    const model = await loadModel(join(folder, shape));
    const { nLayers, nHeads } = model.config;
    expect(model.unusedTensors).toEqual([]);
    const tokens = [3, 1, 4, 1, 5, 9, 2, 6];
    const clean = runWithHooks(model, tokens, []);
    const values = Float32Array.from(await clean.data());
    expect(Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length)).toBeGreaterThan(0.05);
    for (let layer = 0; layer < nLayers; layer++) {
      const off = runWithHooks(model, tokens, [
        [
          `blocks.${layer}.attn.hook_z`,
          (z) => tf.tidy(() => tf.mul(z, tf.tensor([0, ...Array<number>(nHeads - 1).fill(1)], [1, 1, nHeads, 1]))),
        ],
      ]);
      expect(difference(Array.from(await off.data()), Array.from(values))).toBeGreaterThan(1e-3);
      off.dispose();
    }
    clean.dispose();
    model[Symbol.dispose]();
  });

  it('are in the shapes of the models that they are named after', () => {
    const count = (name: string): number =>
      Object.values(SHAPES[name].tensors).reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
    // as their cards say; GPT-2 and SmolLM2 tie their unembedding
    expect(count('gpt2-small')).toBe(124_439_808);
    expect(count('pythia-160m')).toBe(162_322_944);
    expect(count('SmolLM2-135M')).toBe(134_515_008);
  });
});

describe('counting', () => {
  it('agrees with a count by hand', async () => {
    const gpt2 = await makeJob(join(folder, 'gpt2-tiny'), 'gpt2-tiny', options);
    // S 7, d 64, m 256, V 500, 2 layers: 4 square projections, scores and mixing, 2 products of the MLP
    expect(forwardFlops(gpt2.config, 7)).toBe(
      2 * (4 * 2 * 7 * 64 * 64 + 2 * 2 * 7 * 7 * 64 + 2 * 2 * 7 * 64 * 256) + 2 * 7 * 64 * 500,
    );
    const llama = await makeJob(join(folder, 'SmolLM2-tiny'), 'SmolLM2-tiny', options);
    // S 7, d 48, 6 heads and 2 key/value heads of 8, m 128 gated, V 500, 3 layers
    expect(forwardFlops(llama.config, 7)).toBe(
      3 * (2 * 2 * 7 * 48 * 48 + 2 * 2 * 7 * 48 * 16 + 2 * 2 * 7 * 7 * 48 + 3 * 2 * 7 * 48 * 128) + 2 * 7 * 48 * 500,
    );
  });

  it.each(TINY)(
    '%s: the kernels of a whole pass do what the formula says, and the profile leaves nothing behind',
    async (shape) => {
      const model = await loadModel(join(folder, shape));
      const once = async (): Promise<void> => {
        const logits = runWithHooks(
          model,
          [
            [1, 2, 3, 4, 5],
            [5, 4, 3, 2, 1],
          ],
          [],
        );
        await logits.data();
        logits.dispose();
      };
      const found = await profile(once);
      expect(found.flops).toBe(2 * forwardFlops(model.config, 5));
      expect(shareOutside(found)).toBeGreaterThan(0);
      expect(shareOutside(found)).toBeLessThan(1);
      expect(Object.hasOwn(tf.engine(), 'runKernel')).toBe(false);
      await expect(profile(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
      expect(Object.hasOwn(tf.engine(), 'runKernel')).toBe(false);
      model[Symbol.dispose]();
    },
  );

  it('takes the median of ratios round by round, and no number for no difference', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(pairedRatio([10, 1, 6], [5, 1, 2])).toBe(2);
    expect(difference([1, 2, 8], [1, 2, 4, 100])).toBe(1);
    expect(difference([Number.NaN], [1])).toBe(Infinity);
    expect(
      largestDifference([
        { name: 'a', values: [1] },
        { name: 'b', values: [1.5] },
        { name: 'c', values: [1.25] },
      ]),
    ).toEqual({ difference: 0.5, between: 'a and b' });
  });

  it('finds the peak of a kernel and times its shape again', async () => {
    const peak = await matMulPeak(32, 64);
    expect(peak.stock.gflops).toBeGreaterThan(0);
    const again = await matMulPeak(32, 64, peak);
    expect(again.stock.shape).toEqual(peak.stock.shape);
  });
});

describe('the ways', () => {
  it.each(TINY)(
    '%s: loop, batched hooks and the engine, with any saving off, give the same values and leave no tensor',
    async (shape) => {
      const job = await makeJob(join(folder, shape), shape, { ...options, players: 'heads,mlps,attns' });
      const model = await loadModel(job.folder);
      const all = async (): Promise<number[][]> => {
        const specs = [
          { name: 'loop', kind: 'loop' },
          { name: 'hooks', kind: 'hooks' },
          { name: 'engine', kind: 'engine' },
          ...Object.keys(WITHOUT).map((off) => ({ name: off, kind: 'engine', off }) as const),
        ] as const;
        const values: number[][] = [];
        for (const spec of specs) {
          const way = createWay(model, job, spec);
          values.push(Array.from(await way.run()));
          expect(values.at(-1)).toHaveLength(way.masks);
          way[Symbol.dispose]();
        }
        return values;
      };
      const values = await all();
      expect(values.map(({ length }) => length).slice(0, 3)).toEqual([5, 12, 12]);
      for (const other of values) expect(difference(other, values[2])).toBeLessThanOrEqual(1e-5);
      expect(new Set(values[2].map((value) => value.toFixed(4))).size).toBeGreaterThan(6);
      await expect(all).toLeakNoTensors();
      model[Symbol.dispose]();
    },
  );

  it('tells the twin which heads stay, those that are no players too', async () => {
    const job = await makeJob(join(folder, 'gpt2-tiny'), 'gpt2-tiny', {
      ...options,
      players: 'L1H2,L0H0+L0H3',
      design: 'leave-one-out',
      masks: undefined,
    });
    expect(headMasks(job)).toEqual([
      [1, 1, 1, 1, 1, 1, 1, 1],
      [1, 1, 1, 1, 1, 1, 0, 1],
      [0, 1, 1, 0, 1, 1, 1, 1],
    ]);
    expect(
      headMasks(await makeJob(join(folder, 'gpt2-tiny'), 'gpt2-tiny', { ...options, players: 'heads,mlps' })),
    ).toBeUndefined();
    expect(maskHex(masksOf(job, 1), 0)).toBe('03');
  });
});

describe('the command', () => {
  it('prints a table, writes record and picture, and takes its checkpoint away', async () => {
    const temporary = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('spexlens-ablation'));
    const before = temporary();
    const [json, picture] = [join(folder, 'report.json'), join(folder, 'report.svg')];
    const { code, out, err } = await run(
      '--model',
      'gpt2-tiny',
      '--masks',
      '16',
      '--loop-masks',
      '3',
      '--rounds',
      '2',
      '--seconds',
      '0',
      '--length',
      '6',
      '--off',
      'columns',
      '--threads',
      '2',
      '--backends',
      'wasm:stock',
      '--compare',
      'python',
      '--python',
      join(folder, 'no-such-python'),
      '--json',
      json,
      '--picture',
      picture,
    );
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^model +gpt2-tiny shape, random weights \(gpt2\): 2 layers x 4 heads/m);
    expect(out).toMatch(/^wasm:stock: CPU, WebAssembly.*TensorFlow\.js's kernels \(as asked for\)$/m);
    for (const way of ['loop', 'batched hooks', 'engine', 'engine, 2 threads', 'engine, no columns'])
      expect(out).toMatch(new RegExp(`^  ${way} +\\d+ +[\\d.,]+ +\\([\\d.,]+ - [\\d.,]+\\)`, 'm'));
    expect(out).not.toMatch(/undefined|NaN|\[object/);
    expect(out).toMatch(/^not measured: python: .*no-such-python cannot be started$/m);
    const report = JSON.parse(readFileSync(json, 'utf8')) as Report;
    expect(report.schema).toBe('spexlens.bench-ablation/1');
    expect(report.forwardFlops).toBe(forwardFlops(report.job.config, 6));
    const [backend] = report.backends;
    expect(backend.peaks).toHaveLength(2);
    expect(backend.ways.map(({ name, masks }) => [name, masks])).toEqual([
      ['loop', 3],
      ['batched hooks', 16],
      ['engine', 16],
      ['engine, 2 threads', 16],
      ['engine, no columns', 16],
    ]);
    for (const way of backend.ways) {
      expect(way.rounds).toHaveLength(2);
      expect(way.values).toHaveLength(way.masks);
      const numbers = numbersOf(report, backend, way);
      expect(numbers.lowest).toBeGreaterThan(0);
      if (way.name.includes('threads')) expect(way.profile).toBeUndefined();
      else expect(Math.min(numbers.effectiveGflops ?? 0, numbers.shareOfPeak ?? 0)).toBeGreaterThan(0);
      if (way.name.includes('no ')) expect(way.memory).toBeNull();
      else expect(way.memory?.peakBytes).toBeGreaterThanOrEqual(way.memory?.loadedBytes ?? Infinity);
    }
    const [loop, , engine, , columns] = backend.ways;
    expect(loop.profile?.flops).toBe(3 * report.forwardFlops);
    expect(engine.profile?.flops).toBeLessThan(columns.profile?.flops ?? 0);
    expect(report.differences.within.difference).toBeLessThanOrEqual(1e-5);
    expect(readFileSync(picture, 'utf8')).toMatch(/^<svg .*wasm:stock: engine.*<\/svg>\n$/s);
    expect(temporary()).toEqual(before);
  }, 120_000);

  it('says why there is no twin', async () => {
    const setting = { python: join(folder, 'no-such-python'), device: 'cpu', threads: 1, tf32: false };
    const why = async (shape: string, players: string): Promise<unknown> =>
      openPython(
        await makeJob(join(folder, shape), shape, { ...options, players }),
        setting,
        new AbortController().signal,
      );
    expect(await why('gpt2-tiny', 'heads')).toBe(`${setting.python} cannot be started`);
    expect(await why('gpt2-tiny', 'heads,mlps')).toBe('the twin ablates heads only, and the players are heads,mlps');
    expect(await why('SmolLM2-tiny', 'heads')).toBe('the twin knows GPT-2 only, and this model is llama');
  });

  it.each([
    [['--backends', 'wams'], '--backends: "wams" is unknown; did you mean wasm?'],
    [['--backends', 'wasm:fast'], '--backends: "wasm:fast": there is no variant "fast"'],
    [['--backends', ','], '--backends: names none'],
    [['--model', 'no-such-model'], 'no-such-model'],
    [['--masks', '0'], '--masks: 0 is too few'],
    [['--masks', 'many'], '--masks: "many" is not a whole number >= 0.'],
    [['--design', 'latin'], '--design: "latin" is unknown; did you mean random?'],
    [['--players', 'hats'], '"hats" is not a component'],
    [['--players', 'heads@positions'], '@positions needs prompts'],
    [['--length', '33'], '--length: 33 tokens; 1 to 32 fit this model.'],
    [['--off', 'colums'], '--off: "colums" is unknown; did you mean columns?'],
    [['--threads', '2,x'], '--threads: "x" is not a whole number >= 0.'],
    [['--rounds', '0'], '--rounds: 0 is too few'],
    [['--seconds', 'x'], '--seconds: "x" is not a number >= 0.'],
    [['--compare', 'julia'], '--compare: "julia" is unknown'],
    [['--python-ways', 'lenses'], '--python-ways: "lenses" is unknown; did you mean lens?'],
  ])('refuses %j', async (args, message) => {
    const { code, err } = await run('--masks', '4', ...args);
    expect(code).toBe(1);
    expect(err).toContain(message);
    expect(err.trim().split('\n')).toHaveLength(1);
  });

  it('reads a backend and its variant', () => {
    expect(parseVariant('wasm')).toEqual({ name: 'wasm', kernels: 'auto' });
    expect(parseVariant('wasm:simd')).toEqual({ name: 'wasm', kernels: 'simd' });
    expect(parseVariant('tensorflow:stock')).toEqual({ name: 'tensorflow', kernels: 'stock' });
  });

  it('ends on Ctrl-C with code 130, and leaves no process and no folder', async () => {
    const scratch = join(folder, 'scratch');
    mkdirSync(scratch);
    const child = spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        'bench/ablation.ts',
        '--model',
        'gpt2-tiny',
        '--rounds',
        '1000',
        '--seconds',
        '0.05',
        '--masks',
        '8',
      ],
      { env: { ...process.env, TMPDIR: scratch }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let out = '';
    const code = await new Promise((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        if (out === '') expect(readdirSync(scratch).some((name) => name.startsWith('spexlens-ablation'))).toBe(true);
        out += chunk.toString();
        child.kill('SIGINT');
      });
      child.on('close', resolve); // after its children let go of stderr
    });
    expect(code).toBe(130);
    expect(out).toMatch(/^round 1 of 1000/);
    expect(existsSync(scratch) && readdirSync(scratch).filter((name) => name.startsWith('spexlens-'))).toEqual([]);
  }, 120_000);
});

describe('the tables', () => {
  it('set the engine of every backend, on one thread or several, against each way of the twin', () => {
    const way = (name: string, speed: number, values: readonly number[]) => ({
      name,
      masks: 2,
      batch: 2,
      values,
      rounds: [1, 2].map((round) => ({ runs: 1, rowsPerSecond: speed * round, rowsPerCpuSecond: speed })),
    });
    const report = {
      backends: [
        {
          name: 'wasm',
          ways: [
            way('loop', 1, [1]),
            way('engine', 10, [1, 2]),
            way('engine, no trunk', 5, [1, 2]),
            way('engine, 2 threads', 20, [1, 2.5]),
          ],
        },
      ],
    } as unknown as Report;
    const text = pythonTable(report, {
      versions: { torch: '2' },
      device: 'CPU',
      threads: 2,
      tf32: false,
      ways: [{ name: 'lens', batch: 32, rounds: [4, 8], values: [1, 2] }],
      peakBytes: 3 * 2 ** 20,
    });
    const [title, head, row, peak] = text.split('\n');
    expect(title).toBe('PyTorch: CPU, 2 threads, float32; torch 2');
    expect(head.trim().split(/ {2,}/)).toEqual([
      'batch',
      'rows/s',
      'wasm engine / this',
      'wasm engine, 2 threads / this',
      'largest difference',
    ]);
    expect(row.trim().split(/ {2,}/)).toEqual(['lens', '32', '6.00', '(4.00 - 8.00)', '2.50', '5.00', '2.5e-1']);
    expect(peak).toBe('  peak memory of its process: 3 MiB');
  });
});
