/** --csv: a record's two tables in a folder. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../src/errors.ts';
import { interactionCsv, playerCsv } from '../src/report/csv.ts';
import type { Result } from '../src/report/result.ts';

/** Writes players.csv and interactions.csv. @throws 'input' where the folder cannot be written to. */
export function writeTables(folder: string, result: Result): void {
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'players.csv'), playerCsv(result));
    writeFileSync(join(folder, 'interactions.csv'), interactionCsv(result));
  } catch (error) {
    throw fail('input', '--csv', `${folder} cannot be written to (${(error as NodeJS.ErrnoException).code}).`);
  }
}
