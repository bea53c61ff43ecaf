/**
 * What every command does alike: parse, run, one-line errors with exit code 1, stop cleanly on Ctrl-C.
 */
import { fileURLToPath } from 'node:url';
import { relative } from 'node:path';
import { CommanderError, type Command } from 'commander';
import pc from 'picocolors';
import { fail, SpexlensError } from '../src/errors.ts';

const ROOT = new URL('../', import.meta.url);

export interface Running {
  /** Fires on Ctrl-C; a second Ctrl-C ends the process at once. */
  readonly signal: AbortSignal;
  /** The command line, for the record. */
  readonly line: string;
}

/** A path inside this package, given from its root, as seen from the working directory. */
export function fromRoot(path: string): string {
  return relative(process.cwd(), fileURLToPath(new URL(path, ROOT))) || '.';
}

/** A whole number >= 0 from an option. @throws 'input' naming the option. */
export function whole(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw fail('input', option, `"${text}" is not a whole number >= 0.`);
  return value;
}

/** Where a command speaks; a test passes its own. */
export interface Streams {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether colour adds to what is said; false when absent. */
  readonly color?: boolean;
}

export const terminal: Streams = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  color: process.stdout.isTTY && pc.isColorSupported,
};

/**
 * Parses `args` and runs `main`; the result is the exit code. Any failure is one line on stderr and code 1
 * (a stack too with --debug), a stop on Ctrl-C is code 130.
 */
export async function runCommand<Flags extends { readonly debug?: boolean }>(
  command: Command,
  args: readonly string[],
  streams: Streams,
  main: (flags: Flags, running: Running) => Promise<void>,
): Promise<number> {
  command.exitOverride().configureOutput({ writeOut: streams.out, writeErr: streams.err });
  try {
    command.parse([...args], { from: 'user' });
  } catch (error) {
    return error instanceof CommanderError ? error.exitCode : 1;
  }
  const flags = command.opts<Flags>();
  const controller = new AbortController();
  let stoppedAt = Infinity;
  const stop = (): void => {
    // Wrappers pass one Ctrl-C on a second time; only a later one means "at once".
    if (performance.now() - stoppedAt > 1000) process.exit(130);
    if (controller.signal.aborted) return;
    stoppedAt = performance.now();
    controller.abort();
  };
  process.on('SIGINT', stop);
  try {
    const line = ['npx tsx', fromRoot(`scripts/${command.name()}.ts`), ...args.map(quoteArgument)].join(' ');
    await main(flags, { signal: controller.signal, line });
    return 0;
  } catch (error) {
    const known = error instanceof SpexlensError;
    const text = error instanceof Error ? error.message : String(error);
    streams.err(
      `${pc.createColors(streams.color ?? false).red(known ? text : `${command.name()}: unexpected error: ${text.split('\n')[0]} (--debug shows where).`)}\n`,
    );
    if (flags.debug === true && error instanceof Error) streams.err(`${error.stack}\n`);
    return known && error.kind === 'aborted' ? 130 : 1;
  } finally {
    process.off('SIGINT', stop);
  }
}

function quoteArgument(argument: string): string {
  return /^[\w./,=@:+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}
