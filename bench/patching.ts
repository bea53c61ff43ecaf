/**
 * Patching sweeps a second, beside TransformerLens's own functions on the same model, prompts and cores, in turns.
 *
 *     npx tsx bench/patching.ts [--model gpt2-small] [--backends tensorflow,wasm] [--tokens 15] [--rounds 3] [--threads 2] [--sample n] [--python python]
 *
 * resid_pre by [layer, position] (get_act_patch_resid_pre) and z by [layer, head] (get_act_patch_attn_head_out_all_pos), clean into
 * corrupted, a logit difference at the last position, random weights. The prompts differ from token 1 on, or from token 9 on, as an
 * IOI prompt does from its twin with another subject: what is before it is alike in both runs, of which TransformerLens makes no use.
 * A time is that of a whole patchSweep call, on wasm with the start of its threads ("open" in a second row: threads that are there).
 * Of TransformerLens it is that of the function alone, the clean run's cache not counted; with --sample it patches so many places of
 * each sweep, and a time is what all would take. Processor seconds are those of all threads of a process. Every process warms up.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { runCommand, terminal, whole } from '../cli/command.ts';
import { fail } from '../src/errors.ts';
import { ABLATIONS } from '../src/lens/components/ablations.ts';
import { parsePlayers } from '../src/lens/components/components.ts';
import { METRICS } from '../src/lens/metrics.ts';
import { allButOne } from '../src/masks.ts';
import { createPooledGame, type PooledGame } from '../src/measure/pooled-game.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import { openBackend } from '../src/open-backend.ts';
import { patchSweep } from '../src/patch-sweep.ts';
import { patchedRuns } from '../src/patched-runs.ts';
import { createRandom } from '../src/random.ts';
import { SHAPES, writeCheckpoint } from './shapes.ts';

interface Asked {
  readonly sweep: 'resid_pre' | 'z';
  readonly clean: readonly number[];
  readonly corrupted: readonly number[];
  readonly correct: number;
  readonly incorrect: number;
  /** [layer, position or head] that TransformerLens patches. */
  readonly places: readonly (readonly [number, number])[];
}

interface Round {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly values: readonly number[];
}

/** Somebody who answers sweeps, in a process of its own. */
interface Lane {
  readonly name: string;
  ask(asked: Asked): Promise<Round>;
  close(): void;
}

const HERE = fileURLToPath(import.meta.url);

/** The process of one of our lanes. */
async function serve(backendName: string, folder: string, threads: number, isOpen: boolean): Promise<void> {
  const backend = await openBackend(backendName);
  const model = await loadModel(folder);
  const pools = new Map<string, PooledGame>();
  const send = (message: unknown): void => void process.send?.(message);
  process.on('message', (asked: Asked) => {
    const [started, cpu] = [performance.now(), process.cpuUsage()];
    const run = isOpen
      ? inPool(model, asked, threads, pools)
      : patchSweep(model, backend, { ...asked, what: asked.sweep, threads: backendName === 'wasm' ? threads : 1 }).then(
          ({ values }) => values,
        );
    run.then(
      (values) => {
        const { user, system } = process.cpuUsage(cpu);
        send({
          seconds: (performance.now() - started) / 1000,
          cpuSeconds: (user + system) / 1e6,
          values: Array.from(values),
        });
      },
      (error: unknown) => send({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  send({ ready: true });
}

/** The same masks on threads that stay. */
async function inPool(
  model: Model,
  asked: Asked,
  threads: number,
  pools: Map<string, PooledGame>,
): Promise<Float64Array> {
  const key = JSON.stringify(asked);
  const { tasks } = patchedRuns(model, asked);
  const length = asked.clean.length;
  const players = parsePlayers(asked.sweep === 'z' ? 'heads' : 'resid_pre@positions', model.config, { length });
  const options = { players, tasks, metric: METRICS['logit-diff'], ablation: ABLATIONS.resample };
  const pool = pools.get(key) ?? createPooledGame(model, options, { threads });
  pools.set(key, pool);
  return pool.value(allButOne(players.length));
}

function ours(name: string, backend: string, folder: string, threads: number, isOpen: boolean): Promise<Lane> {
  const child = fork(HERE, ['--serve', backend, folder, String(threads), String(isOpen)], {
    execArgv: ['--import', 'tsx'],
  });
  const next = (): Promise<Round> =>
    new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(fail('backend', name, `its process ended (${code}).`)));
      child.once('message', (message: Round & { readonly error?: string }) => {
        child.removeAllListeners('exit');
        if (message.error === undefined) resolve(message);
        else reject(fail('backend', name, message.error));
      });
    });
  const lane: Lane = {
    name,
    ask(asked) {
      const answer = next();
      child.send(asked);
      return answer;
    },
    close: () => void child.kill(),
  };
  return next().then(() => lane);
}

async function theirs(python: string, folder: string, threads: number): Promise<Lane> {
  const file = fileURLToPath(new URL('./transformer_lens_patching.py', import.meta.url));
  const child: ChildProcess = spawn(python, ['-W', 'ignore', file, folder, String(threads)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const line = await lines.next();
    if (line.done === true)
      throw fail('input', '--python', `${python} ended; it needs torch and transformer-lens < 4.`);
    return line.value;
  };
  const { versions } = JSON.parse(await next()) as { versions: Record<string, string> };
  return {
    name: `TransformerLens ${versions['transformer-lens']}, PyTorch ${versions['torch']}`,
    async ask(asked) {
      child.stdin?.write(`${JSON.stringify(asked)}\n`);
      return JSON.parse(await next()) as Round;
    },
    close: () => void child.kill(),
  };
}

interface Flags {
  readonly model: string;
  readonly backends: string;
  readonly tokens: string;
  readonly sweeps: string;
  readonly rounds: string;
  readonly threads: string;
  readonly sample: string;
  readonly python: string;
  readonly debug?: boolean;
}

const command = new Command('bench/patching.ts')
  .description("Patching sweeps beside TransformerLens's.")
  .option('--model <shape>', Object.keys(SHAPES).join(' | '), 'gpt2-small')
  .option('--backends <names>', 'tensorflow,wasm', 'tensorflow,wasm')
  .option('--tokens <n>', 'tokens of a prompt', '15')
  .option('--sweeps <names>', 'resid_pre, z', 'resid_pre,z')
  .option('--rounds <n>', 'turns of each', '3')
  .option('--threads <n>', 'of each', '2')
  .option('--sample <n>', 'places that TransformerLens patches, of all (0: all)', '0')
  .option('--python <file>', 'a Python that has torch and transformer-lens < 4', 'python3')
  .option('--debug', 'show stack traces');

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

async function main(flags: Flags): Promise<void> {
  const [tokens, rounds, threads, sample] = (['tokens', 'rounds', 'threads', 'sample'] as const).map((name) =>
    whole(`--${name}`, flags[name]),
  );
  const folder = mkdtempSync(join(tmpdir(), 'spexlens-patching-'));
  const lanes: Lane[] = [];
  try {
    await writeCheckpoint(folder, flags.model, 'F32', 0);
    const { config } = SHAPES[flags.model];
    const [layers, heads] = ['n_layer', 'n_head'].map((field) => Number(config[field]));
    lanes.push(await theirs(flags.python, folder, threads));
    for (const backend of flags.backends.split(',')) {
      lanes.push(await ours(`spexlens, ${backend}`, backend, folder, threads, false));
      if (backend === 'wasm') lanes.push(await ours('spexlens, wasm, threads open', backend, folder, threads, true));
    }
    terminal.out(
      '| sweep | prompts differ from token | | seconds | processor seconds | times as fast | by processor seconds | largest difference |\n',
    );
    terminal.out('|---|---|---|---|---|---|---|---|\n');
    for (const sweep of (['resid_pre', 'z'] as const).filter((name) => flags.sweeps.split(',').includes(name)))
      for (const from of [1, Math.min(9, tokens - 2)]) {
        const count = sweep === 'z' ? heads : tokens;
        await compare(lanes, askedOf(sweep, tokens, from, placesOf(layers, count, sample)), from, rounds, [
          layers,
          count,
        ]);
      }
  } finally {
    for (const lane of lanes) lane.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All places of a sweep, or `sample` of them. */
function placesOf(layers: number, columns: number, sample: number): (readonly [number, number])[] {
  const all = Array.from({ length: layers * columns }, (_, i) => [Math.floor(i / columns), i % columns] as const);
  return sample === 0 ? all : createRandom(2).shuffle(all).slice(0, sample);
}

/** Random prompts that differ at token `from` and in half of those behind it. */
function askedOf(sweep: Asked['sweep'], tokens: number, from: number, places: Asked['places']): Asked {
  const random = createRandom(1);
  const clean = Array.from({ length: tokens }, () => 1 + random.integer(400));
  const corrupted = clean.map((token, p) =>
    p === from || (p > from && p % 2 === 0) ? 1 + random.integer(400) : token,
  );
  return { sweep, clean, corrupted, correct: 17, incorrect: 42, places };
}

/** Turns of all lanes at one sweep; the first lane is theirs, and what it took for its places is scaled to all. */
async function compare(
  lanes: readonly Lane[],
  asked: Asked,
  from: number,
  rounds: number,
  [layers, columns]: readonly [number, number],
): Promise<void> {
  const count = layers * columns;
  const found = lanes.map((): Round[] => []);
  for (let round = -1; round < rounds; round++)
    for (const [k, lane] of lanes.entries()) {
      const warm = round < 0 && k === 0 ? { ...asked, places: asked.places.slice(0, 4) } : asked;
      const answer = await lane.ask(warm);
      if (round >= 0) found[k].push(answer);
    }
  const scale = (k: number): number => (k === 0 ? count / asked.places.length : 1);
  lanes.forEach(({ name }, k) => {
    const of = (what: 'seconds' | 'cpuSeconds'): number[] => found[k].map((round) => scale(k) * round[what]);
    const ratio = (what: 'seconds' | 'cpuSeconds'): number =>
      median(found[0].map((round, r) => (scale(0) * round[what]) / found[k][r][what] / scale(k)));
    const [theirs, here] = [found[0][0].values, found[k][0].values];
    const apart = asked.places.map(([layer, column], i) =>
      Math.abs(theirs[i] - (k === 0 ? theirs[i] : here[layer * columns + column])),
    );
    const row = [
      `${asked.sweep}, ${count} patches`,
      from,
      name,
      median(of('seconds')).toFixed(2),
      median(of('cpuSeconds')).toFixed(2),
      ratio('seconds').toFixed(2),
      ratio('cpuSeconds').toFixed(2),
      Math.max(...apart).toExponential(1),
    ];
    terminal.out(`| ${row.join(' | ')} |\n`);
  });
}

if (process.argv[2] === '--serve') {
  const [, , , backend, folder, threads, isOpen] = process.argv;
  await serve(backend, folder, Number(threads), isOpen === 'true');
} else process.exitCode = await runCommand(command, process.argv.slice(2), terminal, main);
