/** The report command: a record in, its page written again and its story printed. */
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { comparisonText } from '../../src/report/comparison-text.ts';
import { patchText } from '../../src/report/patch-text.ts';
import { terminalReport } from '../../src/report/terminal.ts';
import { runCommand, storyOptions, type Streams } from '../command.ts';
import { writeFile } from '../files.ts';
import { jsonOf, pageOf, readRecord, RECORD_FILES, type AnyRecord } from './records.ts';

const describe = (): Command =>
  new Command('report')
    .description(
      'Render a result.json, patch.json or comparison.json again: the page beside it, and the story in the terminal. Reads records of older versions; measured values come from the run log beside it.',
    )
    .argument('<record>', `a ${RECORD_FILES.join(' or ')} that spexlens wrote`)
    .option(
      '--html <file>',
      'where the page goes (default: report.html, patch.html or comparison.html beside the record)',
    )
    .option('--json', 'print the record, as this version writes it, and write no page')
    .option('--debug', 'show stack traces');

/** The pages that the commands write beside their records. */
const PAGES: Readonly<Record<AnyRecord['kind'], string>> = {
  result: 'report.html',
  patches: 'patch.html',
  comparison: 'comparison.html',
};

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
    const page = flags.html ?? join(dirname(path), PAGES[record.kind]);
    const text = pageOf(record, path);
    writeFile('--html', page, text);
    streams.out(storyOf(record, page, streams));
  });
};

function storyOf(record: AnyRecord, page: string, streams: Streams): string {
  const options = storyOptions(streams);
  switch (record.kind) {
    case 'patches':
      return `${patchText(record.patches, options)}\nwritten  ${page}\n`;
    case 'comparison':
      return `${comparisonText(record.comparison, options)}written  ${page}\n`;
    case 'result':
      return terminalReport({ ...record.result, files: [{ path: page, what: 'the page' }] }, options);
    default:
      return record satisfies never;
  }
}
