/**
 * What a gradient costs: forward passes under masks, and those with the masks' gradients, on each backend, beside PyTorch's autograd.
 *
 *     npx tsx bench/gradients-cost.ts [--shapes gpt2-small,SmolLM2-135M] [--backends tensorflow,wasm] [--players heads] [--tokens 14]
 *         [--masks 64] [--rows 32] [--rounds 5] [--pool 1] [--threads 2] [--compare python]
 *
 * Models have random weights. Everything is zero-ablated, the value is a logit difference at the last position. `forward` is the same
 * pass without gradients: rows that share nothing (each mask its own row from the first player on), nothing left out; `value()` is
 * what a game's values take with all its savings. Ways take turns, round by round; a number is the median round's rows a second.
 * wasm runs on one thread, or with --pool on so many. With --compare (a Python that has torch and transformers) PyTorch
 * runs the same masks on as many threads in the same rounds, and values and gradients are compared.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { runCommand, terminal, whole } from '../cli/command.ts';
import { fail } from '../src/errors.ts';
import type { Game } from '../src/game.ts';
import { ablationOf } from '../src/lens/components/ablations.ts';
import {
  createComponentGame,
  type ComponentGame,
  type ComponentGameOptions,
} from '../src/lens/components/component-game.ts';
import { parsePlayers } from '../src/lens/components/components.ts';
import { metricOf } from '../src/lens/metrics.ts';
import type { Task } from '../src/lens/prompts.ts';
import { isKept, type Masks } from '../src/masks.ts';
import { canPool, createPooledGame, type PooledGame } from '../src/measure/pooled-game.ts';
import { loadModel } from '../src/model/model.ts';
import { openBackend } from '../src/open-backend.ts';
import { createRandom } from '../src/random.ts';
import { uniformMasks } from '../src/uniform-masks.ts';
import { writeCheckpoint } from './shapes.ts';

interface Flags {
  readonly shapes: string;
  readonly backends: string;
  readonly players: string;
  readonly tokens: string;
  readonly masks: string;
  readonly rows: string;
  readonly rounds: string;
  readonly pool: string;
  readonly threads: string;
  readonly compare?: string;
  readonly debug?: boolean;
}

/** One way of running all masks. */
interface Way {
  readonly name: string;
  /** Seconds, and what came out. */
  run(): Promise<Round>;
}

interface Round {
  readonly seconds: number;
  readonly values: ArrayLike<number>;
  /** Of the first mask. */
  readonly gradients?: ArrayLike<number>;
}

const command = new Command('gradients-cost')
  .option('--shapes <list>', 'shapes of bench/shapes.ts', 'gpt2-small,SmolLM2-135M')
  .option('--backends <list>', 'where to run', 'tensorflow,wasm')
  .option('--players <spec>', 'the parts; PyTorch has heads only', 'heads')
  .option('--tokens <n>', 'tokens of the prompt', '14')
  .option('--masks <n>', 'masks of a round', '64')
  .option('--rows <n>', 'masks in a pass', '32')
  .option('--rounds <n>', 'rounds', '5')
  .option('--pool <n>', 'threads of ours on wasm and cpu', '1')
  .option('--threads <n>', "PyTorch's threads", '2')
  .option('--compare <python>', 'PyTorch beside them');

process.exitCode = await runCommand(command, process.argv.slice(2), terminal, async (flags: Flags) => {
  const [length, count, rows, rounds] = (['tokens', 'masks', 'rows', 'rounds'] as const).map((flag) =>
    whole(`--${flag}`, flags[flag]),
  );
  terminal.out(
    `${flags.players}, zero ablation, ${length} tokens, ${count} masks, ${rows} in a pass, rows a second, median of ${rounds} rounds\n\n| shape | where | value() | forward | forward + backward | cost in forward passes |\n|---|---|---|---|---|---|\n`,
  );
  const temporary = await mkdtemp(join(tmpdir(), 'spexlens-'));
  try {
    for (const shape of flags.shapes.split(',')) {
      const folder = join(temporary, shape);
      await writeCheckpoint(folder, shape, 'F32', 1);
      for (const backend of flags.backends.split(','))
        await measure(shape, folder, backend, flags, { length, count, rows, rounds });
    }
  } finally {
    await rm(temporary, { recursive: true });
  }
});

interface Sizes {
  readonly length: number;
  readonly count: number;
  readonly rows: number;
  readonly rounds: number;
}

async function measure(shape: string, folder: string, name: string, flags: Flags, sizes: Sizes): Promise<void> {
  const { length, count, rows, rounds } = sizes;
  const backend = await openBackend(name);
  const model = await loadModel(folder);
  const random = createRandom(1, 'prompt');
  const tokens = Array.from({ length }, () => Math.floor(random.uniform() * model.config.dVocab));
  const task: Task = {
    tokens,
    corrupted: undefined,
    correct: 5,
    incorrect: 2,
    label: 'prompt',
    text: { prompt: '' },
    strTokens: tokens.map(String),
  };
  const players = parsePlayers(flags.players, model.config, { length });
  const options = {
    players,
    tasks: [task],
    metric: metricOf('logit-diff'),
    ablation: ablationOf('zero'),
    batchSize: rows,
  };
  const threads = canPool() ? whole('--pool', flags.pool) : 1;
  const open = (given: ComponentGameOptions): ComponentGame | PooledGame =>
    threads > 1 ? createPooledGame(model, given, { threads }) : createComponentGame(model, given);
  const game = open(options);
  const plain = open({ ...options, without: ['sharing', 'states', 'heads'] });
  const masks = uniformMasks(players.length, count, createRandom(1, 'masks'));
  const timed = async (run: () => Promise<Omit<Round, 'seconds'>>): Promise<Round> => {
    const start = performance.now();
    const round = await run();
    return { ...round, seconds: (performance.now() - start) / 1000 };
  };
  const gradientsOf = game.gradients as NonNullable<Game['gradients']>;
  const ways: Way[] = [
    { name: 'value()', run: () => timed(async () => ({ values: await game.value(masks) })) },
    { name: 'forward', run: () => timed(async () => ({ values: await plain.value(masks) })) },
    { name: 'gradients', run: () => timed(async () => gradientsOf(masks)) },
  ];
  const other =
    flags.compare === undefined || flags.players !== 'heads'
      ? undefined
      : await torchWays(flags, folder, masks, task, rows);
  const all = [...ways, ...(other?.ways ?? [])];
  try {
    for (const way of all) await way.run(); // the first pass of each counts for nothing
    const seen = all.map((): Round[] => []);
    for (let round = 0; round < rounds; round++) for (const [k, way] of all.entries()) seen[k].push(await way.run());
    const rates = seen.map((each) => count / middle(each.map(({ seconds }) => seconds)));
    const line = (where: string, [value, forward, both]: readonly (number | undefined)[]): string =>
      `| ${shape} | ${where} | ${value?.toFixed(1) ?? '-'} | ${forward?.toFixed(1)} | ${both?.toFixed(1)} | ${((forward ?? 0) / (both ?? 1)).toFixed(2)} |\n`;
    const where = threads > 1 ? `${backend.device}, ${threads} of them` : backend.device;
    terminal.out(line(where, rates));
    if (other !== undefined) {
      terminal.out(line(`${other.name}, ${flags.threads} threads`, [undefined, rates[3], rates[4]]));
      terminal.out(
        `| | ${backend.device} over PyTorch | | ${(rates[1] / rates[3]).toFixed(2)} x | ${(rates[2] / rates[4]).toFixed(2)} x | values differ by ${apart(seen[2][0].values, seen[4][0].values)}, gradients by ${apart(Array.from(seen[2][0].gradients ?? []).slice(0, players.length), seen[4][0].gradients ?? [])} |\n`,
      );
    }
  } finally {
    other?.close();
    game[Symbol.dispose]();
    plain[Symbol.dispose]();
    model[Symbol.dispose]();
    backend.close();
  }
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** The largest difference over the largest number. */
function apart(a: ArrayLike<number>, b: ArrayLike<number>): string {
  if (a.length !== b.length) throw fail('input', 'PyTorch', `${b.length} numbers came back for ${a.length}.`);
  const largest = Math.max(...Array.from(b, Math.abs));
  return (Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]))) / largest).toExponential(1);
}

interface Torch {
  readonly name: string;
  readonly ways: readonly Way[];
  close(): void;
}

async function torchWays(flags: Flags, folder: string, masks: Masks, task: Task, rows: number): Promise<Torch> {
  const job = join(folder, 'job.json');
  const bits = Array.from({ length: masks.count }, (_, row) =>
    Array.from({ length: masks.players }, (_player, i) => Number(isKept(masks, row, i))),
  );
  const { tokens, correct, incorrect } = task;
  await writeFile(
    job,
    JSON.stringify({ tokens, correct, incorrect, masks: bits, rows, threads: Number(flags.threads) }),
  );
  const script = fileURLToPath(new URL('gradients/torch_gradients.py', import.meta.url));
  const child = spawn(flags.compare as string, [script, folder, job], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async <T>(): Promise<T> => {
    const { value, done } = (await lines.next()) as { value: string; done?: boolean };
    if (done === true) throw fail('input', script, 'ended early; its message stands above.');
    return JSON.parse(value) as T;
  };
  const { versions } = await next<{ versions: { torch: string } }>();
  const way = (name: string): Way => ({
    name,
    run() {
      child.stdin.write(`${name}\n`);
      return next<Round>();
    },
  });
  return {
    name: `PyTorch ${versions.torch}`,
    ways: [way('forward'), way('gradients')],
    close: () => void child.kill(),
  };
}
