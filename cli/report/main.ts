/** The report command: a record in, its page written again and its story printed. */
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { patchText } from '../../src/report/patch-text.ts';
import { printableJson } from '../../src/printable.ts';
import { formatResult } from '../../src/report/result.ts';
import { terminalReport } from '../../src/report/terminal.ts';
import { runCommand, storyOptions, type Streams } from '../command.ts';
import { writeFile } from '../files.ts';
import { pageOf, readRecord, type AnyRecord } from './records.ts';

const describe = (): Command =>
  new Command('report')
    .description(
      'Render a result.json or patch.json again: the page beside it, and the story in the terminal. Reads records of older versions; measured values come from the run log beside it.',
    )
    .argument('<record>', 'a result.json or patch.json that spexlens wrote')
    .option('--html <file>', 'where the page goes (default: report.html or patch.html beside the record)')
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
    const record = readRecord(path);
    if (flags.json === true) return streams.out(jsonOf(record));
    const page = flags.html ?? join(dirname(path), record.kind === 'patches' ? 'patch.html' : 'report.html');
    const text = pageOf(record, path);
    writeFile('--html', page, text);
    streams.out(storyOf(record, page, streams));
  });
};

function jsonOf(record: AnyRecord): string {
  return record.kind === 'patches'
    ? printableJson(`${JSON.stringify(record.patches, null, 1)}\n`)
    : formatResult(record.result);
}

function storyOf(record: AnyRecord, page: string, streams: Streams): string {
  if (record.kind === 'patches') return `${patchText(record.patches, storyOptions(streams))}\nwritten  ${page}\n`;
  return terminalReport({ ...record.result, files: [{ path: page, what: 'the page' }] }, storyOptions(streams));
}
