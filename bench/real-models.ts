/**
 * The chapter on real language models: fetches their weights by pip, runs every cell in a process of its own, prints its tables.
 *
 *     npx tsx bench/real-models.ts [--only smollm2/ioi] [--folder out/real-models] [--backend tensorflow] [--write docs/real-models.md]
 *
 * A cell that was answered is not run again, one that was stopped goes on from its log; --redo runs it anew. Where the weights cannot
 * be had it says why and ends. --write puts the tables between the two comments `measured` of a file.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { runCommand, terminal } from '../cli/command.ts';
import { fail, SpexlensError } from '../src/errors.ts';
import { openBackend } from '../src/open-backend.ts';
import { putTables } from './put-tables.ts';
import { answer, type Answered } from './real-models/cell.ts';
import { cellsOf, type Cell } from './real-models/cells.ts';
import { chapter } from './real-models/chapter.ts';
import { REAL_MODELS, weightsOf } from './real-models/weights.ts';

interface Flags {
  readonly folder: string;
  readonly backend: string;
  readonly only?: string;
  readonly redo?: boolean;
  readonly python: string;
  readonly write?: string;
  readonly cell?: string;
  readonly debug?: boolean;
}

const command = new Command('real-models')
  .option('--folder <folder>', 'where weights, logs and answers are kept', 'out/real-models')
  .option('--backend <name>', 'where the tables are measured', 'tensorflow')
  .option('--only <text>', 'only cells whose key begins so: model/task/parts/backend')
  .option('--redo', 'measure them anew')
  .option('--python <command>', 'a Python with pip', 'python3')
  .option('--write <file>', 'put the tables into this file')
  .option('--cell <key>', 'run one cell in this process (what this command starts itself with)')
  .option('--debug', 'show stack traces');

process.exitCode = await runCommand(command, process.argv.slice(2), terminal, async (flags: Flags) => {
  const cells = cellsOf(flags.backend);
  if (flags.cell !== undefined) return runCell(flags.cell, cells, flags);
  const chosen = cells.filter(({ key }) => flags.only === undefined || key.startsWith(flags.only));
  if (chosen.length === 0)
    throw fail(
      'input',
      '--only',
      `no cell begins with "${flags.only}"; there are ${cells.map(({ key }) => key).join(', ')}.`,
    );
  for (const model of REAL_MODELS.filter(({ id }) => chosen.some((cell) => cell.model === id))) {
    try {
      weightsOf(model, join(flags.folder, 'weights'), flags.python);
    } catch (error) {
      if (!(error instanceof SpexlensError)) throw error;
      terminal.out(`skipped: ${error.message}\n`);
      return;
    }
  }
  for (const { key } of chosen) {
    if (flags.redo === true) rmSync(folderOf(key, flags), { recursive: true, force: true });
    if (existsSync(answerOf(key, flags))) continue;
    terminal.err(`${key}\n`);
    const options = ['--cell', key, '--folder', flags.folder, '--backend', flags.backend, '--python', flags.python];
    const own = process.argv[1];
    const { status } = spawnSync(process.execPath, ['--import', 'tsx', own, ...options], { stdio: 'inherit' });
    if (status !== 0) throw fail('input', key, `its process ended with ${status}.`);
  }
  const answered = cells.filter(({ key }) => existsSync(answerOf(key, flags)));
  const missing = cells.filter((cell) => !answered.includes(cell)).map(({ key }) => key);
  const read = (cell: Cell): Answered => JSON.parse(readFileSync(answerOf(cell.key, flags), 'utf8')) as Answered;
  const text = chapter(answered.map(read), flags.backend, missing);
  terminal.out(`${text}\n`);
  if (flags.write !== undefined) putTables(flags.write, text);
});

async function runCell(key: string, cells: readonly Cell[], flags: Flags): Promise<void> {
  const cell = cells.find((each) => each.key === key);
  const model = REAL_MODELS.find(({ id }) => id === cell?.model);
  if (cell === undefined || model === undefined) throw fail('input', '--cell', `"${key}" is unknown.`);
  const file = weightsOf(model, join(flags.folder, 'weights'), flags.python);
  const backend = await openBackend(cell.backend);
  mkdirSync(folderOf(key, flags), { recursive: true });
  const answered = await answer(cell, file, backend, flags.folder);
  writeFileSync(answerOf(key, flags), JSON.stringify(answered));
  backend.close();
}

function folderOf(key: string, { folder }: Flags): string {
  return join(folder, key.replaceAll('/', '-'));
}

function answerOf(key: string, flags: Flags): string {
  return join(folderOf(key, flags), 'answer.json');
}
