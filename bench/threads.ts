/**
 * Times the threads that share a model's weights against one: ablated forward passes, their processor time, memory.
 *
 *     npx tsx bench/threads.ts [--model ioi-tiny|gpt2] [--threads 1,2] [--masks 2048] [--rounds 5]
 *
 * Each round visits every way, so that what else the machine does hits all alike; medians over the rounds. `alone` is the game
 * on this thread, `n threads` a pool. A row is one mask on one prompt. Processor time is that of all threads: where it does not
 * grow with them, they scale on idle cores. `gpt2` is gpt2-small's shape with random weights and a prompt of 16 tokens.
 */
import { cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { openBackend } from '../src/open-backend.ts';
import { uniformMasks } from '../src/uniform-masks.ts';
import { fail } from '../src/errors.ts';
import { createComponentGame, type ComponentGameOptions } from '../src/lens/components/component-game.ts';
import type { MaskedGame } from '../src/lens/components/masked-game.ts';
import { parsePlayers } from '../src/lens/components/components.ts';
import { metricOf } from '../src/lens/metrics.ts';
import { createPooledGame } from '../src/measure/pooled-game.ts';
import { readPrompts, toTasks, type Task } from '../src/lens/prompts.ts';
import { parameterShapes, type ModelConfig } from '../src/model/config.ts';
import { toDevice } from '../src/model/weights/device-memory.ts';
import { createModel, loadModel, type Model } from '../src/model/model.ts';
import { createRandom } from '../src/random.ts';
import { runCommand, terminal, whole } from '../cli/command.ts';
import { fromRoot } from '../cli/package-root.ts';
import { ABLATIONS } from '../src/lens/components/ablations.ts';

const say = (text: string): void => terminal.out(`${text}\n`);
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const GPT2: ModelConfig = {
  family: 'gpt2',
  nLayers: 12,
  dModel: 768,
  nHeads: 12,
  dHead: 64,
  dMlp: 3072,
  nCtx: 1024,
  dVocab: 50257,
  dVocabOut: 50257,
  norm: { kind: 'layer', eps: 1e-5, affine: true },
  positions: 'learned',
  activation: 'gelu_new',
  attention: { scales: Array<number>(12).fill(1 / 8), causal: true },
  biases: { qkv: true, attnOut: true, mlp: true, unembed: false },
};

/** Random weights: a pool of normal numbers read on and on, since drawing 163 million takes longer than the rest. */
function randomGpt2(): Model {
  const random = createRandom(1, 'weights');
  const drawn = Float32Array.from({ length: 2 ** 20 - 3 }, () => 0.02 * random.normal());
  let at = 0;
  const fill = (into: Float32Array, centre: number): Float32Array => {
    for (let i = 0; i < into.length; i++, at = at + 1 === drawn.length ? 0 : at + 1) into[i] = centre + drawn[at];
    return into;
  };
  const entries = Object.entries(parameterShapes(GPT2)).map(([name, shape]) => {
    const length = shape.reduce((a, b) => a * b, 1);
    return [
      name,
      toDevice((memory) => fill(memory ?? new Float32Array(length), name.endsWith('.w') ? 1 : 0), shape),
    ] as const;
  });
  return createModel(GPT2, Object.fromEntries(entries), { name: 'gpt2 shape' });
}

async function setting(
  name: string,
  batchSize: number | undefined,
): Promise<{ readonly model: Model; readonly options: ComponentGameOptions }> {
  const metric = metricOf('logit-diff');
  if (name === 'gpt2') {
    const model = randomGpt2();
    const tokens = Array.from({ length: 16 }, (_, k) => (k * 3001) % GPT2.dVocab);
    const task: Task = {
      tokens,
      correct: 5,
      incorrect: 7,
      corrupted: undefined,
      label: '16 tokens',
      text: { prompt: '16 tokens' },
      strTokens: tokens.map(String),
    };
    return {
      model,
      options: {
        players: parsePlayers('heads', model.config),
        tasks: [task],
        metric,
        ablation: ABLATIONS.zero,
        batchSize,
      },
    };
  }
  if (name !== 'ioi-tiny') throw fail('input', '--model', `"${name}" is unknown; there are ioi-tiny and gpt2.`);
  const model = await loadModel(fromRoot('models/ioi-tiny'));
  const prompts = (await readPrompts(`${model.folder}/prompts.jsonl`)).slice(0, 2);
  return {
    model,
    options: {
      players: parsePlayers('heads', model.config),
      tasks: toTasks(model, prompts, { metric, corrupted: false }),
      metric,
      ablation: ABLATIONS.zero,
      batchSize,
    },
  };
}

/** What a thread pays for not holding a matrix: its copy, beside the product that needs it. Processor time, medians. */
async function copies(): Promise<void> {
  const [inner, columns] = [768, 3072];
  const shared = new Float32Array(new SharedArrayBuffer(4 * inner * columns)).fill(0.01);
  const copy = (): tf.Tensor2D => toDevice(() => shared, [inner, columns]) as tf.Tensor2D;
  const time = (work: () => tf.Tensor): number => {
    const before = process.cpuUsage();
    work().dispose(); // wasm and cpu compute at once
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  const W = copy();
  for (const rows of [128, 256, 512, 1024]) {
    const x = tf.randomNormal([rows, inner]) as tf.Tensor2D;
    const [held, copied, alone]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < 31; round++) {
      held.push(time(() => tf.matMul(x, W)));
      copied.push(time(() => tf.tidy(() => tf.matMul(x, copy()))));
      alone.push(time(copy));
    }
    say(
      `[${rows}, ${inner}] x [${inner}, ${columns}]: ${median(held).toFixed(1)} ms with the matrix held, ${median(copied).toFixed(1)} ms with it copied for the product; the copy alone ${median(alone).toFixed(1)} ms`,
    );
    x.dispose();
  }
  W.dispose();
}

const command = new Command('bench-threads')
  .description('Time ablation on several threads that share the weights against one.')
  .option('--model <name>', 'ioi-tiny | gpt2 (its shape, random weights)', 'ioi-tiny')
  .option('--backend <name>', 'wasm | cpu', 'wasm')
  .option('--threads <list>', 'sizes of the pools', '1,2')
  .option('--masks <n>', 'masks a round', '2048')
  .option('--rounds <n>', 'rounds', '5')
  .option('--batch-size <rows>', 'masks per forward pass (default: what the game chooses)')
  .option('--copies', 'time the copy of a matrix against its product, and nothing else')
  .option('--debug', 'show stack traces');

interface Flags {
  readonly model: string;
  readonly backend: string;
  readonly threads: string;
  readonly masks: string;
  readonly rounds: string;
  readonly batchSize?: string;
  readonly copies?: boolean;
  readonly debug?: boolean;
}

process.exitCode = await runCommand(command, process.argv.slice(2), terminal, async (flags: Flags, { signal }) => {
  const [count, rounds] = [Math.max(1, whole('--masks', flags.masks)), Math.max(1, whole('--rounds', flags.rounds))];
  const sizes = flags.threads.split(',').map((size) => whole('--threads', size));
  const backend = await openBackend(flags.backend);
  say(`Node ${process.version}, ${cpus().length} x ${cpus()[0].model}, tfjs ${tf.version_core}, ${backend.device}`);
  if (flags.copies === true) return copies();
  const { model, options } = await setting(
    flags.model,
    flags.batchSize === undefined ? undefined : whole('--batch-size', flags.batchSize),
  );
  const masks = (seed: number, many = count) => uniformMasks(options.players.length, many, createRandom(seed, 'masks'));
  const resident = (): number => process.memoryUsage().rss / 2 ** 20;
  const ways = new Map<string, { readonly game: MaskedGame; readonly rows: number[]; readonly cpu: number[] }>();
  let truth: Float64Array | undefined;
  try {
    for (const size of [0, ...sizes]) {
      const [before, started] = [resident(), performance.now()];
      const game =
        size === 0 ? createComponentGame(model, options) : createPooledGame(model, options, { threads: size });
      const warm = masks(0, Math.min(count, game.batchSize * Math.max(1, size)));
      await game.value(warm, { signal }); // warm, and the shapes of every batch seen
      const name = size === 0 ? 'alone' : `${size} thread${size === 1 ? '' : 's'}`;
      ways.set(name, { game, rows: [], cpu: [] });
      say(
        `${name}: first ${warm.count} masks after ${((performance.now() - started) / 1000).toFixed(1)} s; memory ${before.toFixed(0)} -> ${resident().toFixed(0)} MiB`,
      );
    }
    for (let round = 1; round <= rounds; round++) {
      for (const { game, rows, cpu } of ways.values()) {
        const [clock, used] = [performance.now(), process.cpuUsage()];
        const values = await game.value(masks(round), { signal });
        const { user, system } = process.cpuUsage(used);
        rows.push((1000 * count * game.rowsPerMask) / (performance.now() - clock));
        cpu.push((user + system) / 1000 / (count * game.rowsPerMask));
        if (game === ways.get('alone')?.game) truth = values;
        else if (truth !== undefined && values.some((value, k) => value !== truth?.[k]))
          say(
            `round ${round}: values differ by up to ${Math.max(...values.map((value, k) => Math.abs(value - (truth?.[k] ?? NaN)))).toExponential(1)}`,
          );
      }
    }
    const one = ways.get('alone')!;
    say(
      `\n${model.name}, ${count} masks of ${options.players.length} heads on ${one.game.rowsPerMask} prompt(s), batch ${one.game.batchSize}, medians of ${rounds} rounds`,
    );
    say('way          rows/s   x alone  (lowest - highest)   CPU ms/row  x alone  (lowest - highest)');
    for (const [name, { rows, cpu }] of ways) {
      const [speedups, costs] = [rows.map((rate, r) => rate / one.rows[r]), cpu.map((ms, r) => ms / one.cpu[r])];
      const range = (values: readonly number[]): string =>
        `(${Math.min(...values).toFixed(2)} - ${Math.max(...values).toFixed(2)})`;
      say(
        `${name.padEnd(11)}  ${median(rows).toFixed(1).padEnd(7)}  ${median(speedups).toFixed(2).padEnd(7)}  ${range(speedups).padEnd(19)}  ${median(cpu).toFixed(3).padEnd(10)}  ${median(costs).toFixed(2).padEnd(7)}  ${range(costs)}`,
      );
    }
  } finally {
    for (const { game } of ways.values()) game[Symbol.dispose]();
    model[Symbol.dispose]();
    backend.close();
  }
});
