/**
 * Times the backends of this machine against each other: ablated forward passes, a single pass, and plain matrix products.
 *
 *     npx tsx bench/backends.ts [--backends tensorflow,wasm,wasm:stock] [--masks 2048] [--rounds 5] [--batch-size 64]
 *
 * wasm:simd is wasm without fused multiply-add, wasm:stock without kernels of our own.
 * Each round visits every backend, so that what else the machine does hits all alike; medians over the rounds. The job is
 * the default one: random masks of ioi-tiny's 16 heads on a pair of prompts. A row is one mask on one prompt.
 * `rows/CPU-s` divides by the processor time of all threads, which other programs disturb less than the clock.
 */
import { cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { type Backend, type OwnKernels } from '../src/backend/backend.ts';
import { openBackend } from '../src/open-backend.ts';
import { fail } from '../src/errors.ts';
import { createComponentGame } from '../src/lens/components/component-game.ts';
import { parsePlayers } from '../src/lens/components/components.ts';
import { metricOf } from '../src/lens/metrics.ts';
import { readPrompts, toTasks } from '../src/lens/prompts.ts';
import { runWithHooks } from '../src/hooks/run.ts';
import { loadModel } from '../src/model/model.ts';
import { toSequences } from '../src/model/tokens.ts';
import { proxyMasks } from '../src/proxy/proxyspex.ts';
import { runCommand, terminal, whole } from '../cli/command.ts';
import { fromRoot } from '../cli/package-root.ts';
import { ABLATIONS } from '../src/lens/components/ablations.ts';

/** Products timed: [rows, inner] · [inner, columns]. The second is the MLP of a batch of 64 masks on ioi-tiny. */
const PRODUCTS = [
  [1024, 1024, 1024],
  [1024, 64, 256],
] as const;
const say = (text: string): void => terminal.out(`${text}\n`);
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

interface Measured {
  readonly rows: number[];
  readonly perCpu: number[];
  /** Milliseconds of one clean pass of one prompt, read back. */
  readonly single: number[];
  /** GFLOP/s by product. */
  readonly products: number[][];
}

interface Job {
  readonly masks: number;
  readonly batchSize: number | undefined;
}

async function ablations({ masks, batchSize }: Job, into: Measured): Promise<void> {
  const model = await loadModel(fromRoot('models/ioi-tiny'));
  const metric = metricOf('logit-diff');
  const prompts = (await readPrompts(`${model.folder}/prompts.jsonl`)).slice(0, 2);
  const game = createComponentGame(model, {
    players: parsePlayers('heads', model.config),
    tasks: toTasks(model, prompts, { metric, corrupted: false }),
    metric,
    ablation: ABLATIONS.zero,
    batchSize,
  });
  await game.value(proxyMasks(16, masks, 1)); // warm, and the shapes of every batch seen
  const [clock, cpu] = [performance.now(), process.cpuUsage()];
  await game.value(proxyMasks(16, masks, 2));
  const { user, system } = process.cpuUsage(cpu);
  const rows = masks * game.rowsPerMask;
  into.rows.push((1000 * rows) / (performance.now() - clock));
  into.perCpu.push((1e6 * rows) / (user + system));
  game[Symbol.dispose]();
  const [tokens] = toSequences(model, prompts[0].prompt);
  const times: number[] = [];
  for (let pass = 0; pass < 40; pass++) {
    const started = performance.now();
    const logits = runWithHooks(model, tokens, []);
    await logits.data();
    times.push(performance.now() - started);
    logits.dispose();
  }
  into.single.push(median(times));
  model[Symbol.dispose]();
}

async function products(into: Measured): Promise<void> {
  for (const [k, [rows, inner, columns]] of PRODUCTS.entries()) {
    const [a, b] = [tf.randomNormal([rows, inner]), tf.randomNormal([inner, columns])];
    const once = async (): Promise<void> => {
      const c = tf.matMul(a, b);
      const read = tf.slice(c, [0, 0], [1, 1]);
      await read.data();
      tf.dispose([c, read]);
    };
    await once();
    const flops = 2 * rows * inner * columns;
    const times = Math.max(3, Math.ceil(2e9 / flops));
    let best = Infinity;
    for (let t = 0; t < times; t++) {
      const started = performance.now();
      await once();
      best = Math.min(best, performance.now() - started);
    }
    (into.products[k] ??= []).push(flops / best / 1e6);
    tf.dispose([a, b]);
  }
}

async function open(name: string): Promise<Backend> {
  const [backend, kernels] = name.split(':');
  return openBackend(backend, { kernels: kernels as OwnKernels | undefined });
}

const command = new Command('bench-backends')
  .description('Time ablated forward passes and matrix products on the backends of this machine.')
  .option('--backends <list>', 'which', 'tensorflow,wasm')
  .option('--masks <n>', 'masks a round', '2048')
  .option('--rounds <n>', 'rounds', '5')
  .option('--batch-size <rows>', 'masks per forward pass (default: what the game chooses)')
  .option('--debug', 'show stack traces');

process.exitCode = await runCommand(
  command,
  process.argv.slice(2),
  terminal,
  async (
    flags: { backends: string; masks: string; rounds: string; batchSize?: string; debug?: boolean },
    { signal },
  ) => {
    const rounds = Math.max(1, whole('--rounds', flags.rounds));
    const job = {
      masks: Math.max(1, whole('--masks', flags.masks)),
      batchSize: flags.batchSize === undefined ? undefined : whole('--batch-size', flags.batchSize),
    };
    say(
      `Node ${process.version}, ${cpus().length} x ${cpus()[0].model}, tfjs ${tf.version_core}; ioi-tiny, ${job.masks} masks on 2 prompts, batch ${job.batchSize ?? 'as the game chooses'}, ${rounds} rounds`,
    );
    const measured = new Map<string, Measured>();
    const devices = new Map<string, string>();
    for (const name of flags.backends.split(',')) {
      try {
        const backend = await open(name);
        devices.set(name, backend.device);
        measured.set(name, { rows: [], perCpu: [], single: [], products: [] });
        backend.close();
      } catch (error) {
        say(`not timed: ${(error as Error).message}`);
      }
    }
    for (let round = 0; round < rounds; round++) {
      for (const [name, into] of measured) {
        if (signal.aborted) throw fail('aborted', 'bench-backends', 'stopped on request.');
        const backend = await open(name);
        await ablations(job, into);
        await products(into);
        backend.close();
      }
    }
    say(
      `\nbackend     rows/s  (lowest - highest)   rows/CPU-s  one pass, ms  ${PRODUCTS.map((shape) => `GFLOP/s ${shape.join('x')}`).join('  ')}  device`,
    );
    for (const [name, { rows, perCpu, single, products: speeds }] of measured) {
      const range = `(${Math.min(...rows).toFixed(0)} - ${Math.max(...rows).toFixed(0)})`;
      const shown = speeds.map((values, k) =>
        median(values)
          .toFixed(1)
          .padEnd(8 + PRODUCTS[k].join('x').length),
      );
      say(
        `${name.padEnd(10)}  ${median(rows).toFixed(0).padEnd(6)}  ${range.padEnd(19)}  ${median(perCpu).toFixed(0).padEnd(10)}  ${median(single).toFixed(1).padEnd(12)}  ${shown.join('  ')}  ${devices.get(name)}`,
      );
    }
  },
);
