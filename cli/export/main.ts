/** The export command: a record and its run log as tables for data frames. */
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { fail } from '../../src/errors.ts';
import { printableJson } from '../../src/printable.ts';
import { comparisonTables } from '../../src/report/comparison-tables.ts';
import { csvOf } from '../../src/report/csv.ts';
import {
  curveTable,
  interactionsTable,
  masksTable,
  playersTable,
  termsTable,
  type Column,
  type DataTable,
} from '../../src/report/data-tables.ts';
import { outputsTable } from '../../src/report/outputs-table.ts';
import { patchesTable } from '../../src/report/patches-table.ts';
import { runCommand, type Streams } from '../command.ts';
import { makeFolder, writeFile } from '../files.ts';
import { measuredBeside } from '../measured-beside.ts';
import { readRecord, RECORD_FILES } from '../report/records.ts';

const describe = (): Command =>
  new Command('export')
    .description(
      'Write the tables of a record: players, interactions, terms of the spectrum, the faithfulness curve, what tokens of an answer owe to players, and the measured masks of the run log beside it; of a patch.json, its patches; of a comparison.json, its methods, their scores and their curves.',
    )
    .argument('<record>', `a ${RECORD_FILES.join(' or ')} that spexlens wrote`)
    .option('--csv <folder>', 'as CSV files')
    .option('--parquet <folder>', 'as Parquet files')
    .option('--json <folder>', 'as JSON files: a list of rows each')
    .option('--debug', 'show stack traces');

interface Flags {
  readonly csv?: string;
  readonly parquet?: string;
  readonly json?: string;
  readonly debug?: boolean;
}

/** How a table becomes a file. */
const FORMATS: Readonly<Record<'csv' | 'parquet' | 'json', (table: DataTable) => string | Uint8Array>> = {
  csv: csvOf,
  json: jsonOf,
  parquet: parquetOf,
};

/** Runs the command with `args`; the result is the exit code. */
export const exportCommand = (args: readonly string[], streams: Streams): Promise<number> => {
  const command = describe();
  return runCommand(command, args, streams, async (flags: Flags) => {
    const [path] = command.args;
    const formats = (Object.keys(FORMATS) as (keyof typeof FORMATS)[]).filter((format) => flags[format] !== undefined);
    if (formats.length === 0)
      throw fail('input', 'export', 'has no format; give --csv, --parquet or --json with a folder.');
    const tables = tablesOf(path);
    for (const format of formats) {
      const folder = flags[format] as string;
      const files = tables.map((table) => ({
        file: join(folder, `${table.name}.${format}`),
        content: FORMATS[format](table),
      }));
      makeFolder(`--${format}`, folder);
      for (const { file, content } of files) writeFile(`--${format}`, file, content);
      tables.forEach(({ columns }, k) =>
        streams.out(`${files[k].file}  ${columns[0].values.length} rows, ${columns.length} columns\n`),
      );
    }
  });
};

function tablesOf(path: string): DataTable[] {
  const record = readRecord(path);
  if (record.kind === 'patches') return [patchesTable(record.patches)];
  if (record.kind === 'comparison') return comparisonTables(record.comparison);
  const { result } = record;
  const measured = measuredBeside(join(dirname(path), 'run-log.jsonl'), result);
  return [
    playersTable(result),
    interactionsTable(result),
    termsTable(result),
    curveTable(result),
    outputsTable(result),
    measured && masksTable(result, measured),
  ].filter((table) => table !== undefined);
}

function jsonOf({ columns }: DataTable): string {
  const rows = columns[0].values.map((_, row) =>
    Object.fromEntries(columns.map(({ name, values }) => [name, values[row] ?? null])),
  );
  return `${printableJson(JSON.stringify(rows, null, 1))}\n`;
}

function parquetOf({ columns }: DataTable): Uint8Array {
  const columnData = columns.map(({ name, type, values }: Column) => ({
    name,
    type,
    data: values.map((value) => value ?? null),
    nullable: values.some((value) => value === undefined),
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
