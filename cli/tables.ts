/** --csv: a record's tables in a folder. */
import { join } from 'node:path';
import { csvOf, interactionCsv, playerCsv } from '../src/report/csv.ts';
import { outputsTable } from '../src/report/outputs-table.ts';
import type { Result } from '../src/report/result.ts';
import { makeFolder, writeFile } from './files.ts';

/** Writes players.csv, interactions.csv and, where tokens of an answer have values of their own, outputs.csv. @throws 'input' where the folder cannot be written to. */
export function writeTables(folder: string, result: Result): void {
  makeFolder('--csv', folder);
  writeFile('--csv', join(folder, 'players.csv'), playerCsv(result));
  writeFile('--csv', join(folder, 'interactions.csv'), interactionCsv(result));
  const outputs = outputsTable(result);
  if (outputs !== undefined) writeFile('--csv', join(folder, 'outputs.csv'), csvOf(outputs));
}
