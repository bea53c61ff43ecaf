/**
 * What every command does alike: parse, run, one-line errors with exit code 1, stop cleanly on Ctrl-C.
 */
import { fileURLToPath } from 'node:url';
import { relative } from 'node:path';
import type { Command } from 'commander';
import pc from 'picocolors';
import { fail, SpexlensError } from '../src/errors.ts';

export interface Running {
  /** Fires on Ctrl-C; a second Ctrl-C ends the process at once. */
  readonly signal: AbortSignal;
  /** The command line, for the record. */
  readonly line: string;
}

/** A path beside this file as seen from the working directory. */
export function fromText(path: string): string {
  return relative(process.cwd(), fileURLToPath(new URL(path, import.meta.url))) || '.';
}

/** A whole number >= 0 from an option. @throws 'input' naming the option. */
export function whole(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0) throw fail('input', option, `"${text}" is not a whole number >= 0.`);
  return value;
}

/** Parses the arguments and runs `main`; any failure is one line on stderr and exit code 1 (a stack with --debug). */
export async function runCommand<Flags extends { readonly debug?: boolean }>(command: Command, main: (flags: Flags, running: Running) => Promise<void>): Promise<void> {
  command.parse();
  const flags = command.opts<Flags>();
  const controller = new AbortController();
  process.once('SIGINT', () => {
    controller.abort();
    process.once('SIGINT', () => process.exit(130));
  });
  const script = fromText(`./${command.name()}.ts`);
  const line = ['npx tsx', script, ...process.argv.slice(2).map(quoteArgument)].join(' ');
  try {
    await main(flags, { signal: controller.signal, line });
  } catch (error) {
    const known = error instanceof SpexlensError;
    const text = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${pc.red(known ? text : `${command.name()}: unexpected error: ${text.split('\n')[0]} (--debug shows where).`)}\n`);
    if (flags.debug === true && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    process.exitCode = known && error.kind === 'aborted' ? 130 : 1;
  }
}

function quoteArgument(argument: string): string {
  return /^[\w./,=@:+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}
