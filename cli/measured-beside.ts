/** What was measured of a record's game, from the run log of its folder. */
import { existsSync } from 'node:fs';
import type { Entries } from '../src/ledger.ts';
import { readRunLog } from '../src/measure/read-run-log.ts';
import type { Result } from '../src/report/result.ts';
import { canonicalJson } from '../src/study.ts';

/** The entries of the log at `path`; undefined where there is no log, or it is not of the record's study. */
export function measuredBeside(path: string, { study }: Result): Iterable<Entries> | undefined {
  if (study === undefined || !existsSync(path)) return undefined;
  const log = readRunLog(path);
  return canonicalJson(log.study) === canonicalJson(study) ? log.entries() : undefined;
}
