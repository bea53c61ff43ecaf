/** Options that several commands have: how they are called, what they mean, and what is done with them. */
import type { Command } from 'commander';
import { BACKENDS } from '../src/backend/backend.ts';
import { fail } from '../src/errors.ts';
import { formatResult, type Result } from '../src/report/result.ts';
import { terminalReport } from '../src/report/terminal.ts';
import { solverOf, SOLVERS } from '../src/solve/solve.ts';
import type { Solver } from '../src/solver.ts';
import { storyOptions, whole, type Streams } from './command.ts';
import { writeTables } from './tables.ts';

/** A table's names, as an option offers them. */
export const namesOf = (table: object): string => Object.keys(table).join(' | ');

export interface SolveFlags {
  readonly solver: string;
  readonly budget?: string;
  readonly heldOut: string;
  readonly target: string;
  readonly seed: string;
}

/** How to solve: `heldOut` masks by default, and what the target is a share of. */
export function addSolveOptions(command: Command, { heldOut, target }: Readonly<Record<string, string>>): Command {
  return command
    .optionsGroup('How to solve:')
    .option('--solver <name>', namesOf(SOLVERS), 'auto')
    .option('--budget <masks>', 'distinct masks the solver may measure (default: 1024)')
    .option('--held-out <masks>', 'fresh masks to score the answer on, beyond the budget', heldOut)
    .option('--target <share>', target, '0.9')
    .option('--seed <n>', 'seed of everything random', '0');
}

/** @throws 'input' naming the option. */
export function solveOptionsOf({ solver, budget = '1024', heldOut, target, seed }: SolveFlags): {
  readonly solver: Solver;
  readonly budget: number;
  readonly heldOut: number;
  readonly target: number;
  readonly seed: number;
} {
  return {
    solver: solverOf(solver),
    budget: whole('--budget', budget),
    heldOut: whole('--held-out', heldOut),
    target: number('--target', target, 'a share in (0, 1] is needed, e.g. 0.9'),
    seed: whole('--seed', seed),
  };
}

/** A finite number from an option. @throws 'input' naming the option, and what is `needed` of it. */
export function number(option: string, text: string, needed?: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw fail('input', option, `"${text}" is not a number${needed === undefined ? '' : `; ${needed}`}.`);
}

/** A whole number, where the option is given. */
export function optional(option: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : whole(option, text);
}

export function addBackendOption(command: Command): Command {
  return command
    .optionsGroup('Where to run and write:')
    .option('--backend <name>', `auto | ${BACKENDS.join(' | ')}`, 'auto');
}

/** What a pilot's verdict may be overruled by. */
export function addInsistOption(command: Command): Command {
  return command.option(
    '--insist',
    'spend the whole budget on a question that the pilot calls broken, not a quarter of it',
  );
}

export interface RunFlags {
  readonly batchSize?: string;
  readonly threads: string;
}

/** Rows of a pass, and threads. */
export function addRunOptions(command: Command): Command {
  return addThreadsOption(
    command.option('--batch-size <rows>', 'masks per forward pass (default: from the byte estimate)'),
    'that measure',
  );
}

/** How many threads `that` do it. */
export function addThreadsOption(command: Command, that: string): Command {
  return command.option(
    '--threads <n|auto>',
    `threads ${that}, on wasm and cpu (auto: one, and all cores once a job is long enough)`,
    'auto',
  );
}

/** @throws 'input' naming the option. */
export function runOptionsOf({ batchSize, threads }: RunFlags): {
  readonly batchSize: number | undefined;
  readonly threads: number | 'auto';
} {
  return {
    batchSize: optional('--batch-size', batchSize),
    threads: threadsOf(threads),
  };
}

/** @throws 'input' for what is neither a whole number nor auto. */
export function threadsOf(text: string): number | 'auto' {
  return text === 'auto' ? 'auto' : whole('--threads', text);
}

export interface OutputFlags {
  readonly out?: string;
  readonly csv?: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** Where a command of the answers writes; `folder` is the folder's name without --out. */
export function addOutputOptions(command: Command, folder: string): Command {
  return command
    .option('--out <folder>', `where result.json, report.html and the run log go (default: out/${folder})`)
    .option('--csv <folder>', 'write players.csv and interactions.csv there')
    .option('--json', 'print result.json instead of the story')
    .option('--debug', 'show stack traces');
}

/** Shows what was found, as the flags have it. */
export function showResult(result: Result, { csv, json }: OutputFlags, streams: Streams): void {
  if (csv !== undefined) writeTables(csv, result);
  streams.out(json === true ? formatResult(result) : terminalReport(result, storyOptions(streams)));
}

/** Layers from `0,2-3`. @throws 'input' for what is no layer and no range. */
export function layersOf(text: string | undefined): number[] | undefined {
  return text?.split(',').flatMap((part) => {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    const [from, to] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
    if (match === null || to < from || to > 10_000)
      throw fail('input', '--layers', `"${part}" is not a layer or an increasing range; write e.g. 0,2-3.`);
    return Array.from({ length: to - from + 1 }, (_, k) => from + k);
  });
}
