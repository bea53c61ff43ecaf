/**
 * What every command does alike: parse, run, one-line errors with exit code 1, stop cleanly on Ctrl-C.
 */
import { CommanderError, type Command } from 'commander';
import pc from 'picocolors';
import { fail, SpexlensError } from '../src/errors.ts';
import { printable, printableLines, terminalText } from '../src/printable.ts';
import { fromRoot } from './package-root.ts';

export interface Running {
  /**
   * Fires on Ctrl-C; a second Ctrl-C ends the process at once. A command that never reads it is ended by the first.
   */
  readonly signal: AbortSignal;
  /** The same for what loses nothing by an end at any moment, as measuring with a log does: it is ended MEASURING_MS later. */
  readonly measuring: AbortSignal;
  /** The command line, for the record. */
  readonly line: string;
}

/** How the command is called from here: from source in a checkout, by its name where it is installed. */
function invocation(): string[] {
  return import.meta.url.endsWith('.ts') ? ['npx tsx', fromRoot('cli/spexlens.ts')] : ['npx spexlens'];
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
  /** Columns of the terminal; absent where there is none. */
  readonly columns?: number | undefined;
}

/** The process's own streams. */
export const terminal: Streams = {
  out: (text) => void process.stdout.write(terminalText(text, { color: process.stdout.isTTY })),
  err: (text) => void process.stderr.write(terminalText(text, { color: process.stderr.isTTY })),
  color: process.stdout.isTTY && pc.isColorSupported,
  get columns() {
    return process.stdout.isTTY ? process.stdout.columns : undefined;
  },
};

/** How a story is to be told on `streams`. */
export function storyOptions({ color, columns }: Streams): {
  readonly color: boolean;
  readonly width: number | undefined;
} {
  return { color: color ?? false, width: columns === undefined ? undefined : Math.min(MOST_COLUMNS, columns) };
}

/** Lines longer than this are not read. */
const MOST_COLUMNS = 132;

/**
 * Whoever reads our output may stop (`| head -1`): that ends the process quietly, as it ends other programs. A disk that is full
 * is one line and exit code 1.
 */
export function guardStreams(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      if (stream === process.stdout) process.stderr.write(`spexlens: the output cannot be written (${error.code}).\n`);
      process.exit(1);
    });
}

/** What has not stopped so long after Ctrl-C. */
const MEASURING_MS = 1800;

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
  const writeErr = (text: string): void => streams.err(printableLines(text));
  command.exitOverride().configureOutput({ writeOut: streams.out, writeErr });
  try {
    command.parse([...args], { from: 'user' });
  } catch (error) {
    return error instanceof CommanderError ? error.exitCode : 1;
  }
  const flags = command.opts<Flags>();
  const interrupt = createInterrupt();
  try {
    const line = [...invocation(), command.name(), ...args.map(quoteArgument)].join(' ');
    const running: Running = {
      line,
      get signal() {
        return interrupt.listen(Infinity);
      },
      get measuring() {
        return interrupt.listen(MEASURING_MS);
      },
    };
    await main(flags, running);
    return 0;
  } catch (error) {
    const known = error instanceof SpexlensError;
    const text = printable(error instanceof Error ? error.message.split('\n')[0] : String(error));
    streams.err(
      `${pc.createColors(streams.color ?? false).red(known ? text : `${command.name()}: unexpected error: ${text} (--debug shows where).`)}\n`,
    );
    if (flags.debug === true && error instanceof Error) streams.err(printableLines(`${error.stack}\n`));
    return known && error.kind === 'aborted' ? 130 : 1;
  } finally {
    interrupt.close();
  }
}

/** Ctrl-C as a signal, from the first `listen` on; the process is ended `endAfterMs` later. */
function createInterrupt(): { readonly listen: (endAfterMs: number) => AbortSignal; readonly close: () => void } {
  const controller = new AbortController();
  let stoppedAt = Infinity;
  let least = Infinity;
  let last: NodeJS.Timeout | undefined;
  const stop = (): void => {
    // Wrappers pass one Ctrl-C on a second time; only a later one means "at once".
    if (performance.now() - stoppedAt > 1000) process.exit(130);
    if (controller.signal.aborted) return;
    stoppedAt = performance.now();
    if (least < Infinity) last = setTimeout(() => process.exit(130), least);
    controller.abort();
  };
  return {
    listen(endAfterMs) {
      least = Math.min(least, endAfterMs);
      if (!process.listeners('SIGINT').includes(stop)) process.on('SIGINT', stop);
      return controller.signal;
    },
    close() {
      clearTimeout(last);
      process.off('SIGINT', stop);
    },
  };
}

function quoteArgument(argument: string): string {
  return /^[\w./,=@:+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}
