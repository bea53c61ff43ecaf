/**
 * Which ablation to ask a model with: every task under every ablation, its pilot beside what comes out where nobody heeds it.
 *
 *     npx tsx bench/pilots.ts --model FOLDER|FILE.gguf|ID [--tasks ioi,greater-than] [--pairs 1 --budget 192 --held-out 96]
 *         [--backend auto] [--folder out/pilots] [--write docs/real-models.md]
 *
 * A row has the share of sixteen prompts on which the model is right, the metric with everything kept and everything ablated, its mean
 * and spread over random halves, what those leave of the range, the pilot's verdict; then R² on masks that were not fitted, of auto and
 * of first order, and the smallest measured set that keeps 80 %. What was measured stays in the folder and is not measured again. The
 * last table has rules of choosing an ablation over every question in the folder that its model answers. `--tasks own`: the prompts of
 * the model's folder; `--tasks ""`: measure nothing, and print what is there.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { runCommand, terminal, whole } from '../cli/command.ts';
import { loadModel } from '../src/model/model.ts';
import { openBackend } from '../src/open-backend.ts';
import { measureCell, ORDER, type Cell } from './pilots/cell.ts';
import { cellTable, ruleTable } from './pilots/tables.ts';
import { putTables } from './put-tables.ts';

interface Flags {
  readonly model: string;
  readonly tasks: string;
  readonly pairs: string;
  readonly budget: string;
  readonly heldOut: string;
  readonly folder: string;
  readonly backend: string;
  readonly write?: string;
  readonly debug?: boolean;
}

const command = new Command('pilots')
  .requiredOption('--model <folder|file|id>', 'the model')
  .option('--tasks <names>', 'tasks of the literature, or own', 'ioi,greater-than,induction,subject-verb,capitals')
  .option('--pairs <n>', 'pairs of prompts that are measured', '1')
  .option('--budget <masks>', 'masks that are fitted', '192')
  .option('--held-out <masks>', 'masks to score on', '96')
  .option('--folder <folder>', 'where answers are kept', 'out/pilots')
  .option('--backend <name>', 'where to run', 'auto')
  .option('--write <file>', 'put the tables between the comments `pilots` of this file');

process.exitCode = await runCommand(command, process.argv.slice(2), terminal, async (flags: Flags, { signal }) => {
  const backend = await openBackend(flags.backend);
  const model = await loadModel(flags.model);
  mkdirSync(flags.folder, { recursive: true });
  for (const task of flags.tasks.split(',').filter((name) => name !== '')) {
    for (const ablation of ORDER) {
      const path = join(flags.folder, `${model.name}-${task}-${ablation}.json`.replaceAll('/', '-'));
      if (existsSync(path)) continue;
      const cell = await measureCell(model, {
        folder: flags.model,
        task,
        ablation,
        pairs: whole('--pairs', flags.pairs),
        budget: whole('--budget', flags.budget),
        heldOut: whole('--held-out', flags.heldOut),
        signal,
      });
      writeFileSync(path, JSON.stringify(cell));
    }
  }
  const cells = readdirSync(flags.folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => read(join(flags.folder, name)))
    .sort((a, b) => place(a).localeCompare(place(b)));
  const text = `${cellTable(cells)}\n\n${ruleTable(cells)}`;
  terminal.out(`${backend.device}\n\n${text}\n`);
  model[Symbol.dispose]();
  backend.close();
  if (flags.write !== undefined) putTables(flags.write, text, 'pilots');
});

/** Bundled models first, then by model and task; the ablations of a question in the order in which they are tried. */
function place({ model, task, ablation }: Cell): string {
  return `${task === 'own' ? 0 : 1} ${model} ${task} ${ORDER.indexOf(ablation)}`;
}

function read(path: string): Cell {
  return JSON.parse(readFileSync(path, 'utf8')) as Cell;
}
