/**
 * Who finds circuits whose truth is known: every method on every compiled program, by kind of ablation, over nodes and over edges.
 *
 *     npx tsx bench/known-circuits.ts [--programs reverse,hist] [--players edges] [--ablations zero] [--methods spectrum,acdc]
 *         [--backend tensorflow] [--measured] [--write docs/known-circuits.md]
 *
 * Programs are compiled into --folder; the metric is the squared distance of all logits (l2), on as few pairs of inputs as show every true
 * edge; every method has the same masks: 3 for each player, 512 at least. Scores are judged by the area under the ROC curve (AUROC), of their magnitudes. What was
 * measured is kept in --folder, method by method, and not measured again; --redo does. --write puts the tables between the two comments `measured` of a file.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { runCommand, terminal } from '../cli/command.ts';
import { PROGRAMS } from '../src/rasp/programs.ts';
import { ABLATION_KINDS, type AblationKind } from '../src/rasp/truth.ts';
import { openBackend } from '../src/open-backend.ts';
import { measureCell, type Cell } from './known-circuits/cell.ts';
import { tables } from './known-circuits/tables.ts';
import { putTables } from './put-tables.ts';

interface Flags {
  readonly folder: string;
  readonly programs?: string;
  readonly players: string;
  readonly ablations?: string;
  readonly methods?: string;
  readonly backend: string;
  readonly redo?: boolean;
  readonly measured?: boolean;
  readonly write?: string;
  readonly debug?: boolean;
}

const command = new Command('known-circuits')
  .option('--folder <folder>', 'where models and answers are kept', 'out/known-circuits')
  .option('--programs <names>', 'programs, with commas between (default: all)')
  .option('--players <kinds>', 'nodes, edges', 'nodes,edges')
  .option('--ablations <kinds>', 'kinds of ablation (default: all)')
  .option('--methods <names>', 'methods (default: all)')
  .option('--backend <name>', 'where it is measured', 'auto')
  .option('--redo', 'measure anew what was measured')
  .option('--measured', 'measure nothing more: the tables of what was measured')
  .option('--write <file>', 'put the tables into this file')
  .option('--debug', 'show stack traces');

process.exitCode = await runCommand(command, process.argv.slice(2), terminal, async (flags: Flags) => {
  const list = (text: string | undefined, all: readonly string[]): readonly string[] => text?.split(',') ?? all;
  const programs = list(flags.programs, Object.keys(PROGRAMS));
  const kinds = list(flags.ablations, ABLATION_KINDS) as readonly AblationKind[];
  const players = list(flags.players, []) as readonly Cell['players'][];
  const backend = await openBackend(flags.backend);
  const cells: Cell[] = [];
  mkdirSync(flags.folder, { recursive: true });
  try {
    for (const program of programs)
      for (const what of players)
        for (const ablation of kinds) {
          const path = join(flags.folder, `${program}-${what}-${ablation}.json`);
          const kept =
            flags.redo !== true && existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Cell) : undefined;
          if (flags.measured === true && kept === undefined) continue;
          const cell =
            flags.measured === true && kept !== undefined
              ? kept
              : await measureCell({
                  folder: flags.folder,
                  program,
                  players: what,
                  ablation,
                  methods: flags.methods?.split(','),
                  kept,
                  save: (part) => writeFileSync(path, `${JSON.stringify(part, null, 2)}\n`),
                });
          cells.push(cell);
          const scores = cell.results.map(({ method, auroc }) => `${method} ${auroc?.toFixed(3) ?? '-'}`).join('  ');
          terminal.out(`${program} ${what} ${ablation}: ${cell.true} of ${cell.count} true  ${scores}\n`);
        }
  } finally {
    backend.close();
  }
  const text = tables(cells);
  terminal.out(`\n${text}\n`);
  if (flags.write !== undefined) putTables(flags.write, text);
});
