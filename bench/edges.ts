/**
 * What edges cost: rows a second under masks over all edges beside masks over all heads, the rankings of all edges, and bytes.
 *
 *     npx tsx bench/edges.ts [--model models/ioi-tiny] [--backends tensorflow,wasm] [--masks 64] [--patched 64] [--rounds 3] [--steps 5]
 *
 * One prompt with a corrupted twin (of the model's prompts.jsonl, else of the task ioi), resample ablation, a logit difference. `heads` are
 * random halves of the heads, every mask a row of its own and nothing left out, so that rows compare; `edges` random halves of all edges; `one edge`
 * masks that cut one edge each, an even sample of all. A gradient is one forward and one backward pass at a random mask. Ways take
 * turns, a number is the median round's. Bytes are the estimate that batches are chosen by; peak is the process's resident memory
 * after all of that, one process a backend.
 */
import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { runCommand, terminal, whole } from '../cli/command.ts';
import { fail } from '../src/errors.ts';
import { attributionPatching, eapIg } from '../src/attribution/rankings.ts';
import type { Game } from '../src/game.ts';
import { ABLATIONS } from '../src/lens/components/ablations.ts';
import { twinned } from '../src/lens/components/choose-ablation.ts';
import { createComponentGame } from '../src/lens/components/component-game.ts';
import { parsePlayers } from '../src/lens/components/components.ts';
import { edgeBytesPerRow } from '../src/lens/components/edges/edge-bytes.ts';
import { createEdgeGame } from '../src/lens/components/edges/edge-game.ts';
import { parseEdges } from '../src/lens/components/edges/edge-players.ts';
import { METRICS } from '../src/lens/metrics.ts';
import { readPrompts, toTasks, type Task } from '../src/lens/prompts.ts';
import { promptsOfTask, taskOf } from '../src/lens/tasks/task.ts';
import { TASKS } from '../src/lens/tasks/tasks.ts';
import { allButOne, selectRows, type Masks } from '../src/masks.ts';
import { loadModel, tokenizerOf, type Model } from '../src/model/model.ts';
import { openBackend } from '../src/open-backend.ts';
import { createRandom } from '../src/random.ts';
import { uniformMasks } from '../src/uniform-masks.ts';

interface Flags {
  readonly model: string;
  readonly backends: string;
  readonly masks: string;
  readonly patched: string;
  readonly rounds: string;
  readonly steps: string;
  readonly debug?: boolean;
}
interface Sizes {
  readonly masks: number;
  readonly patched: number;
  readonly rounds: number;
  readonly steps: number;
}

const HERE = fileURLToPath(import.meta.url);
const metric = METRICS['logit-diff'];
const command = new Command('edges')
  .option('--model <folder|file>', 'the model', 'models/ioi-tiny')
  .option('--backends <list>', 'where to run', 'tensorflow,wasm')
  .option('--masks <n>', 'random masks of a round', '64')
  .option('--patched <n>', 'single edges of a round', '64')
  .option('--rounds <n>', 'rounds', '3')
  .option('--steps <n>', 'steps of EAP-IG', '5');

if (process.argv[2] === 'lane') await lane(process.argv[3], process.argv[4], JSON.parse(process.argv[5]) as Sizes);
else
  process.exitCode = await runCommand(command, process.argv.slice(2), terminal, async (flags: Flags) => {
    const [masks, patched, rounds, steps] = (['masks', 'patched', 'rounds', 'steps'] as const).map((flag) =>
      whole(`--${flag}`, flags[flag]),
    );
    for (const backend of flags.backends.split(',')) {
      const child = fork(HERE, ['lane', backend, flags.model, JSON.stringify({ masks, patched, rounds, steps })], {
        execArgv: ['--import', 'tsx'],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      const code = await new Promise((resolve) => child.once('close', resolve));
      if (code !== 0) throw fail('input', backend, `ended with ${String(code)}; its message stands above.`);
    }
  });

/** One prompt and its corrupted twin. */
async function taskFor(model: Model): Promise<Task> {
  const file = join(model.folder ?? '', 'prompts.jsonl');
  const prompts = existsSync(file)
    ? await readPrompts(file)
    : promptsOfTask(taskOf('ioi', TASKS), tokenizerOf(model), 1, 0);
  return twinned(toTasks(model, prompts.slice(0, 2), { metric, corrupted: false }))[0];
}

/** `count` of the masks that cut one player each, evenly over all. */
function evenly(players: number, count: number): Masks {
  const all = allButOne(players);
  const few = Math.min(count, players);
  return selectRows(
    all,
    Array.from({ length: few }, (_, k) => Math.floor(((k + 0.5) * players) / few)),
  );
}

async function lane(name: string, path: string, { masks, patched, rounds, steps }: Sizes): Promise<void> {
  const backend = await openBackend(name);
  const model = await loadModel(path);
  const task = await taskFor(model);
  const asked = { tasks: [task], metric, ablation: ABLATIONS.resample };
  const edges = parseEdges('edges', model.config);
  const game = createEdgeGame(model, { ...asked, players: edges });
  const heads = createComponentGame(model, {
    ...asked,
    players: parsePlayers('heads', model.config),
    without: ['sharing', 'states', 'heads', 'past'],
  });
  const n = edges.length;
  const [ofEdges, ofHeads] = [n, heads.players.length].map((players) =>
    uniformMasks(players, masks, createRandom(1, 'masks')),
  );
  const single = evenly(n, patched);
  const few = selectRows(ofEdges, [0, 1, 2, 3].slice(0, masks));
  const gradients = game.gradients as NonNullable<Game['gradients']>;
  const ways: readonly (readonly [string, number, () => Promise<unknown>])[] = [
    ['heads, forward', masks, () => heads.value(ofHeads)],
    ['edges, forward', masks, () => game.value(ofEdges)],
    ['one edge cut, forward', single.count, () => game.value(single)],
    ['edges, forward + backward', few.count, () => gradients(few)],
    ['EAP of all edges', 1, () => attributionPatching(game)],
    [`EAP-IG inputs, ${steps} steps, of all edges`, 1, () => eapIg(game, { steps })],
  ];
  for (const [, , run] of ways) await run(); // the first pass of each counts for nothing
  const seconds = ways.map((): number[] => []);
  for (let round = 0; round < rounds; round++)
    for (const [k, [, , run]] of ways.entries()) {
      const started = performance.now();
      await run();
      seconds[k].push((performance.now() - started) / 1000);
    }
  const bytes = edgeBytesPerRow(model, edges, [task], metric);
  const mebibytes = (value: number): string => `${(value / 2 ** 20).toPrecision(3)} MiB`;
  terminal.out(
    `\n${model.name}, ${backend.device}: ${n} edges, ${heads.players.length} heads, ${task.tokens.length} tokens; ${game.batchSize} masks a pass, ${game.gradientBatchSize} differentiated\n\n| what | rows/s | seconds |\n|---|---|---|\n`,
  );
  ways.forEach(([what, rows], k) => {
    const time = seconds[k].toSorted((a, b) => a - b)[rounds >> 1];
    terminal.out(`| ${what} | ${(rows / time).toPrecision(3)} | ${time.toPrecision(3)} |\n`);
  });
  terminal.out(
    `\na row ${mebibytes(bytes.value)}, differentiated ${mebibytes(bytes.gradient)}; peak ${mebibytes(1024 * process.resourceUsage().maxRSS)}\n`,
  );
  game[Symbol.dispose]();
  heads[Symbol.dispose]();
  model[Symbol.dispose]();
  backend.close();
}
