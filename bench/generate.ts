/**
 * How long a step of generation takes, with and without the cache of keys and values.
 *
 *     npx tsx bench/generate.ts [--shapes gpt2-small,SmolLM2-135M --backend wasm --rows 1,4 --prompt 64 --tokens 16]
 *
 * The checkpoints are random numbers in the shapes of well-known models, written to a temporary folder that is
 * removed at the end. The first step runs the prompt; the others are the median of what follows.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { BACKENDS } from '../src/backend/backend.ts';
import { openBackend } from '../src/open-backend.ts';
import { generateSteps } from '../src/hooks/generate.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import { SHAPES, writeCheckpoint } from './shapes.ts';
import { runCommand, terminal, whole } from '../cli/command.ts';

const command = new Command('bench-generate')
  .description('Time a step of generation with and without the cache of keys and values.')
  .option('--shapes <list>', Object.keys(SHAPES).join(', '), 'gpt2-small,SmolLM2-135M')
  .option('--backend <name>', `auto | ${BACKENDS.join(' | ')}`, 'wasm')
  .option('--rows <list>', 'batch sizes', '1,4')
  .option('--prompt <n>', 'tokens of the prompt', '64')
  .option('--tokens <n>', 'new tokens', '16')
  .option('--debug', 'show stack traces');

/** Milliseconds of the first step and the median of the others. */
async function time(
  model: Model,
  rows: number,
  length: number,
  maxNewTokens: number,
  cache: boolean,
  signal: AbortSignal,
): Promise<[first: number, other: number]> {
  const prompts = Array.from({ length: rows }, (_, r) =>
    Array.from({ length }, (__, s) => (r + 7 * s) % model.config.dVocab),
  );
  const times: number[] = [];
  let at = performance.now();
  for await (const { step } of generateSteps(model, prompts, { maxNewTokens, cache, stopTokens: [], signal })) {
    times[step] = performance.now() - at;
    at = performance.now();
  }
  const others = times.slice(1).sort((a, b) => a - b);
  return [times[0], others[Math.floor(others.length / 2)]];
}

process.exitCode = await runCommand(
  command,
  process.argv.slice(2),
  terminal,
  async (
    flags: { shapes: string; backend: string; rows: string; prompt: string; tokens: string; debug?: boolean },
    { signal },
  ) => {
    const [length, tokens] = [whole('--prompt', flags.prompt), Math.max(3, whole('--tokens', flags.tokens))];
    const batches = flags.rows.split(',').map((rows) => whole('--rows', rows));
    const backend = await openBackend(flags.backend);
    const folder = await mkdtemp(join(tmpdir(), 'spexlens-generate-'));
    const say = (text: string): void => terminal.out(`${text}\n`);
    try {
      say(
        `backend ${backend.name} (${backend.device}), Node ${process.version}; a prompt of ${length} tokens, ${tokens} new ones; ms a step`,
      );
      say('shape           rows   first  cached  uncached');
      for (const shape of flags.shapes.split(',')) {
        await writeCheckpoint(join(folder, shape), shape, 'F32', 0);
        const model = await loadModel(join(folder, shape));
        await time(model, 1, length, 2, true, signal); // the first run of a backend also sets it up
        for (const rows of batches) {
          const [first, cached] = await time(model, rows, length, tokens, true, signal);
          const [, uncached] = await time(model, rows, length, 3, false, signal);
          say(
            `${shape.padEnd(13)} ${String(rows).padStart(6)} ${[first, cached, uncached].map((ms, i) => ms.toFixed(0).padStart([7, 7, 9][i])).join(' ')}`,
          );
        }
        model[Symbol.dispose]();
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
      backend.close();
    }
  },
);
