/** --csv: a record's two tables in a folder. */
import { join } from 'node:path';
import { interactionCsv, playerCsv } from '../src/report/csv.ts';
import type { Result } from '../src/report/result.ts';
import { makeFolder, writeFile } from './files.ts';

/** Writes players.csv and interactions.csv. @throws 'input' where the folder cannot be written to. */
export function writeTables(folder: string, result: Result): void {
  makeFolder('--csv', folder);
  writeFile('--csv', join(folder, 'players.csv'), playerCsv(result));
  writeFile('--csv', join(folder, 'interactions.csv'), interactionCsv(result));
}
