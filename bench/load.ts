/**
 * How long a model takes from disk and how much memory, beside reading and converting the same bytes in plain Node.
 *
 *     npx tsx bench/load.ts [--shapes gpt2-small,SmolLM2-135M --stored F32,BF16 --backend wasm --runs 3]
 *
 * The checkpoints are random numbers in the shapes of well-known models, written to a temporary folder that is
 * removed at the end. Every measurement is a process of its own; files are in the page cache. Peak memory is
 * what loading adds to the process; its bound is the float32 weights, the largest tensor and 100 MB.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { fail } from '../src/errors.ts';
import type { Measurement } from './load/once.ts';
import { SHAPES, writeCheckpoint, type StoredAs } from './shapes.ts';
import { runCommand, terminal, whole } from '../cli/command.ts';

const ONCE = fileURLToPath(new URL('./load/once.ts', import.meta.url));
const MB = 1e6;
const STORED: readonly string[] = ['F32', 'F16', 'BF16'] satisfies StoredAs[];

const command = new Command('bench-load')
  .description('Time and peak memory of loading random checkpoints of well-known shapes from disk.')
  .option('--shapes <list>', Object.keys(SHAPES).join(', '), 'gpt2-small,SmolLM2-135M')
  .option('--stored <list>', `how the file holds the numbers: ${STORED.join(', ')}`, 'F32,BF16')
  .option('--backend <name>', 'backend that is loaded onto', 'wasm')
  .option('--runs <n>', 'measurements of each; the median is printed', '3')
  .option('--debug', 'show stack traces');

/** Runs once.ts; a failure comes back as its last line. */
async function measure(args: readonly string[]): Promise<Measurement | string> {
  const child = spawn(process.execPath, ['--import', 'tsx', ONCE, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => void (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (err += chunk.toString()));
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code === 0) return JSON.parse(out) as Measurement;
  return /SpexlensError: ([^\n]*)/.exec(err)?.[1] ?? err.slice(-500);
}

const medianOf = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** The ways to load, interleaved so that a busy moment meets them alike. */
async function row(shape: string, model: string, backend: string, runs: number): Promise<string> {
  const ways = ['read', 'convert', 'load'] as const;
  const measured: Record<(typeof ways)[number], Measurement[]> = { read: [], convert: [], load: [] };
  for (let run = 0; run <= runs; run++) {
    for (const way of ways) {
      const result = await measure([way, model, backend]);
      if (typeof result === 'string') return `not loaded: ${result}`;
      if (run > 0) measured[way].push(result); // the first round fills the page cache
    }
  }
  const time = (way: (typeof ways)[number]): number => medianOf(measured[way].map(({ ms }) => ms));
  const cpu = (way: (typeof ways)[number]): number => medianOf(measured[way].map(({ cpuMs }) => cpuMs));
  const added = Math.max(...measured.load.map(({ before, peak }) => peak - before));
  const largest = Math.max(
    ...Object.values(SHAPES[shape].tensors).map((sizes) => 4 * sizes.reduce((a, b) => a * b, 1)),
  );
  const bound = 4 * measured.load[0].values + largest + 100 * MB;
  const cells: [number, number, number][] = [
    [time('read'), 0, 6],
    [time('convert'), 0, 8],
    [time('load'), 0, 8],
    [time('load') / time('read'), 2, 10],
    [cpu('load') / cpu('read'), 2, 8],
    [time('load') / time('convert'), 2, 13],
    [cpu('load') / cpu('convert'), 2, 8],
    [added / MB, 0, 11],
    [bound / MB, 0, 8],
  ];
  return cells.map(([value, digits, width]) => value.toFixed(digits).padStart(width)).join(' ');
}

process.exitCode = await runCommand(
  command,
  process.argv.slice(2),
  terminal,
  async (flags: { shapes: string; stored: string; backend: string; runs: string; debug?: boolean }) => {
    const runs = whole('--runs', flags.runs);
    const folder = await mkdtemp(join(tmpdir(), 'spexlens-load-'));
    try {
      say(`backend ${flags.backend}, Node ${process.version}, median of ${runs}; times in ms, memory in MB`);
      say('read: bytes read and widened in plain Node; convert: and laid out; load: loadModel');
      say(
        'shape         stored     read  convert     load  load/read    (CPU)  load/convert    (CPU)  peak added    bound',
      );
      for (const shape of flags.shapes.split(',')) {
        for (const stored of flags.stored.split(',')) {
          if (!STORED.includes(stored))
            throw fail('input', '--stored', `"${stored}" is unknown; there are ${STORED.join(', ')}.`);
          const model = join(folder, `${shape}-${stored}`);
          await writeCheckpoint(model, shape, stored as StoredAs, 0);
          const line = await row(shape, model, flags.backend, runs);
          say(`${shape.padEnd(13)} ${stored.padEnd(6)} ${line}`);
          await rm(model, { recursive: true });
        }
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
