#!/usr/bin/env node
/**
 * The one command: `npx spexlens <command> ...` when installed, `npx tsx cli/spexlens.ts <command> ...` in a checkout.
 *
 * A command is a folder beside this file; it is loaded when it is asked for.
 */
import { closest } from '../src/errors.ts';
import { printable } from '../src/printable.ts';
import { VERSION } from '../src/version.ts';
import { guardStreams, terminal, type Streams } from './command.ts';

interface Command {
  readonly about: string;
  readonly run: (args: readonly string[], streams: Streams) => Promise<number>;
}

/** The commands by name, in the order of --help. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  circuits: {
    about: 'which parts of a model act together, and the circuit that remains',
    run: async (args, streams) => (await import('./circuits/main.ts')).circuitsCommand(args, streams),
  },
  compare: {
    about: 'circuits of a task by many methods, judged by the same measurements',
    run: async (args, streams) => (await import('./compare/main.ts')).compareCommand(args, streams),
  },
  prompt: {
    about: 'which words of a prompt act together on an answer',
    run: async (args, streams) => (await import('./prompt/main.ts')).promptCommand(args, streams),
  },
  patch: {
    about: 'activation patching: which places of a run bring the answer, and by which paths',
    run: async (args, streams) => (await import('./patch/main.ts')).patchCommand(args, streams),
  },
  data: {
    about: 'which training examples act together on what a model says of a test example',
    run: async (args, streams) => (await import('./data/main.ts')).dataCommand(args, streams),
  },
  tasks: {
    about: 'prompts of the tasks of the literature, for any tokenizer',
    run: async (args, streams) => (await import('./tasks/main.ts')).tasksCommand(args, streams),
  },
  compile: {
    about: 'a program as a transformer whose circuit is known',
    run: async (args, streams) => (await import('./compile/main.ts')).compileCommand(args, streams),
  },
  inspect: {
    about: 'what a model is: its record, files, memory, hooks, tokenizer, and how true its numbers are',
    run: async (args, streams) => (await import('./inspect/main.ts')).inspectCommand(args, streams),
  },
  export: {
    about: 'the tables of a record and its measured masks, as CSV, Parquet or JSON',
    run: async (args, streams) => (await import('./export/main.ts')).exportCommand(args, streams),
  },
  serve: {
    about: 'the runs of a folder in a browser: their pages, and two beside each other',
    run: async (args, streams) => (await import('./serve/main.ts')).serveCommand(args, streams),
  },
  report: {
    about: 'the page and the story of a result.json or patch.json, rendered again',
    run: async (args, streams) => (await import('./report/main.ts')).reportCommand(args, streams),
  },
  trees: {
    about: 'the exact spectrum of a LightGBM or XGBoost model over 0/1 features',
    run: async (args, streams) => (await import('./trees/main.ts')).treesCommand(args, streams),
  },
  worker: {
    about: 'measure masks for whoever asks on a queue: many machines',
    run: async (args, streams) => (await import('./worker/main.ts')).workerCommand(args, streams),
  },
  queue: {
    about: 'the workers of a queue, the studies on it, and what failed',
    run: async (args, streams) => (await import('./queue/main.ts')).queueCommand(args, streams),
  },
  'install-tensorflow': {
    about: 'put the tensorflow backend in place, which is some three times as fast as wasm',
    run: async (args, streams) =>
      (await import('./install-tensorflow/main.ts')).installTensorflowCommand(args, streams),
  },
};

const wide = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
const HELP = `Usage: spexlens <command> [options]

Load a transformer, switch any of its parts off inside the forward pass, and find out which act together.

Commands:
${Object.entries(COMMANDS)
  .map(([name, { about }]) => `  ${name.padEnd(wide)}  ${about}`)
  .join('\n')}

spexlens <command> --help tells of each; --version says ${VERSION}.
`;

/** Runs the command that `args` begin with; the result is the exit code. */
export async function spexlens([name, ...args]: readonly string[], streams: Streams): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    streams.out(HELP);
    return 0;
  }
  if (name === '--version' || name === '-V') {
    streams.out(`${VERSION}\n`);
    return 0;
  }
  if (Object.hasOwn(COMMANDS, name)) return COMMANDS[name].run(args, streams);
  const near = closest(name, Object.keys(COMMANDS))[0];
  streams.err(
    `spexlens: there is no command ${printable(JSON.stringify(name))}; did you mean ${near}? --help lists them.\n`,
  );
  return 1;
}

async function main(): Promise<void> {
  guardStreams();
  process.exitCode = await spexlens(process.argv.slice(2), terminal);
}

if (process.argv[1] !== undefined && import.meta.filename === (await import('node:fs')).realpathSync(process.argv[1]))
  await main();
