/** The report command: a result.json in, its page written again or its story printed. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { fail } from '../../src/errors.ts';
import { renderReport } from '../../src/report/html.ts';
import { formatResult, parseResult } from '../../src/report/result.ts';
import { terminalReport } from '../../src/report/terminal.ts';
import { runCommand, type Streams } from '../command.ts';

const describe = (): Command =>
  new Command('report')
    .description(
      'Render a result.json again: the page beside it, and the story in the terminal. Reads records of older versions.',
    )
    .argument('<result.json>', 'a record that spexlens wrote')
    .option('--html <file>', 'where the page goes (default: report.html beside the record)')
    .option('--json', 'print the record, as this version writes it, and write no page')
    .option('--debug', 'show stack traces');

interface Flags {
  readonly html?: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** Runs the command with `args`; the result is the exit code. */
export const reportCommand = (args: readonly string[], streams: Streams): Promise<number> => {
  const command = describe();
  return runCommand(command, args, streams, async (flags: Flags) => {
    const [path] = command.args;
    const result = parseResult(read(path), path);
    if (flags.json === true) return streams.out(formatResult(result));
    const page = flags.html ?? join(dirname(path), 'report.html');
    try {
      writeFileSync(page, renderReport(result));
    } catch (error) {
      throw fail('input', '--html', `${page} cannot be written (${(error as NodeJS.ErrnoException).code}).`);
    }
    streams.out(
      terminalReport({ ...result, files: [{ path: page, what: 'the page' }] }, { color: streams.color ?? false }),
    );
  });
};

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw fail(
      'input',
      'report',
      `${path} cannot be read (${(error as NodeJS.ErrnoException).code}); give a result.json.`,
    );
  }
}
