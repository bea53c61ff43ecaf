/**
 * A long run, killed on the way: does memory stay flat, does no tensor stay, and is no mask measured twice?
 *
 *     npx tsx bench/soak-ablation.ts [--masks 100000] [--kill-at 0.4]
 *
 * A child process measures uniform masks over the heads and MLPs of ioi-tiny into a run log and is killed (SIGKILL) on the
 * way; a second one goes on from the log. Every thousand masks the child notes its resident memory, the backend's memory
 * and its tensors.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { openBackend } from '../src/open-backend.ts';
import { uniformMasks } from '../src/uniform-masks.ts';
import { fail } from '../src/errors.ts';
import { openLedger } from '../src/ledger.ts';
import { createComponentGame } from '../src/lens/components/component-game.ts';
import { parsePlayers } from '../src/lens/components/components.ts';
import { metricOf } from '../src/lens/metrics.ts';
import { readPrompts, toTasks } from '../src/lens/prompts.ts';
import { openRunLog } from '../src/measure/run-log.ts';
import { loadModel } from '../src/model/model.ts';
import { createRandom } from '../src/random.ts';
import { runCommand, terminal, whole } from '../cli/command.ts';
import { fromRoot } from '../cli/package-root.ts';
import { ABLATIONS } from '../src/lens/components/ablations.ts';

interface Sample {
  readonly masks: number;
  readonly rssMiB: number;
  readonly backendMiB: number;
  readonly tensors: number;
}

interface Report {
  readonly resumed: number;
  readonly measured: number;
  readonly seconds: number;
  /** Tensors after all is disposed, less those before the model was loaded. */
  readonly left: number;
  readonly samples: readonly Sample[];
}

/** Bytes of the WebAssembly memory that tfjs-backend-wasm computes in; 0 elsewhere. */
function backendBytes(): number {
  const { wasm } = tf.backend() as { readonly wasm?: { readonly HEAPU8?: Uint8Array } };
  return wasm?.HEAPU8?.buffer.byteLength ?? 0;
}

async function measure(masks: number, path: string, backendName: string): Promise<Report> {
  const backend = await openBackend(backendName);
  const before = tf.memory().numTensors;
  const model = await loadModel(fromRoot('models/ioi-tiny'));
  const metric = metricOf('logit-diff');
  const prompts = (await readPrompts(`${model.folder}/prompts.jsonl`)).slice(0, 1);
  const players = parsePlayers('heads,mlps', model.config);
  const game = createComponentGame(model, {
    players,
    tasks: toTasks(model, prompts, { metric, corrupted: false }),
    metric,
    ablation: ABLATIONS.zero,
  });
  const log = openRunLog(path, { players: players.map(({ name }) => name), soak: masks });
  const memo = openLedger(game, log);
  const samples: Sample[] = [];
  let done = 0;
  const note = (): void =>
    void samples.push({
      masks: done,
      rssMiB: process.memoryUsage.rss() / 2 ** 20,
      backendMiB: backendBytes() / 2 ** 20,
      tensors: tf.memory().numTensors,
    });
  const started = performance.now();
  await memo.value(uniformMasks(players.length, masks, createRandom(1)), {
    onValues(_rows, values) {
      const thousands = Math.floor(done / 1000);
      done += values.length;
      if (Math.floor(done / 1000) > thousands) note();
    },
  });
  const seconds = (performance.now() - started) / 1000;
  log.close();
  game[Symbol.dispose]();
  model[Symbol.dispose]();
  backend.close();
  return { resumed: memo.resumed, measured: memo.measured, seconds, left: tf.memory().numTensors - before, samples };
}

/** Runs the child; resolves with what it printed, or with undefined when it was killed once the log had `killAt` lines. */
function child(
  masks: number,
  path: string,
  backend: string,
  killAt: number,
  signal: AbortSignal,
): Promise<Report | undefined> {
  return new Promise((resolve, reject) => {
    const running = spawn(
      process.execPath,
      [
        ...process.execArgv,
        fileURLToPath(import.meta.url),
        '--masks',
        String(masks),
        '--backend',
        backend,
        '--child',
        path,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'], signal },
    );
    let text = '';
    running.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const watch = setInterval(() => {
      if (killAt < masks && existsSync(path) && linesOf(path).length >= killAt) running.kill('SIGKILL');
    }, 100);
    running.on('error', reject);
    running.on('close', (code, killed) => {
      clearInterval(watch);
      if (killed === 'SIGKILL') resolve(undefined);
      else if (code === 0) resolve(JSON.parse(text) as Report);
      else reject(fail('input', 'soak-ablation', `the child process ended with code ${code}.`));
    });
  });
}

/** The masks in a log, in whole lines. */
function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8').split('\n').slice(1, -1);
}

interface Flags {
  readonly masks: string;
  readonly killAt: string;
  readonly backend: string;
  readonly child?: string;
  readonly debug?: boolean;
}

const command = new Command('soak-ablation')
  .description('Measure many masks, kill the process on the way, go on, and check memory, tensors and the log.')
  .option('--masks <n>', 'distinct masks', '100000')
  .option('--kill-at <share>', 'the share of the masks after which the first process is killed', '0.4')
  .option('--backend <name>', 'where to run', 'wasm')
  .option('--child <log>', 'be the process that is killed (used by this script itself)')
  .option('--debug', 'show stack traces');

process.exitCode = await runCommand<Flags>(command, process.argv.slice(2), terminal, async (flags, { signal }) => {
  const masks = whole('--masks', flags.masks);
  if (flags.child !== undefined) {
    terminal.out(JSON.stringify(await measure(masks, flags.child, flags.backend)));
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'soak-'));
  try {
    const path = join(folder, 'masks.jsonl');
    if ((await child(masks, path, flags.backend, Number(flags.killAt) * masks, signal)) !== undefined)
      throw fail('input', 'soak-ablation', 'the first process was done before it could be killed; give more masks.');
    const kept = linesOf(path).length;
    terminal.out(`killed with ${kept} of ${masks} masks in the log\n`);
    const report = await child(masks, path, flags.backend, Infinity, signal);
    if (report === undefined) throw fail('input', 'soak-ablation', 'the second process was killed.');
    const names = linesOf(path).map((line) => (JSON.parse(line) as { mask: string }).mask);
    const [first, last] = [report.samples[0], report.samples[report.samples.length - 1]];
    const most = (key: keyof Sample): number => Math.max(...report.samples.map((sample) => sample[key]));
    terminal.out(
      `went on: ${report.resumed} from the log, ${report.measured} measured in ${report.seconds.toFixed(1)} s; ${names.length} lines, ${new Set(names).size} masks\n` +
        `resident memory: ${first.rssMiB.toFixed(0)} MiB after the first thousand, ${last.rssMiB.toFixed(0)} at the end, at most ${most('rssMiB').toFixed(0)}\n` +
        `backend memory:  ${first.backendMiB.toFixed(1)} MiB after the first thousand, ${last.backendMiB.toFixed(1)} at the end\n` +
        `tensors:         ${first.tensors} after the first thousand, at most ${most('tensors')}; ${report.left} left when all was disposed\n`,
    );
    if (report.resumed !== kept || report.resumed + report.measured !== masks || new Set(names).size !== names.length)
      throw fail('input', 'soak-ablation', 'a mask was measured twice, or lost.');
    if (report.left !== 0) throw fail('input', 'soak-ablation', `${report.left} tensors were left.`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
