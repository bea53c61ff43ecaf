/**
 * A run log read by somebody who does not write it: a page that shows measured values, an export.
 *
 * No lock is taken: entries are appended whole, and half a line at the end is not looked at.
 */
import { closeSync, openSync } from 'node:fs';
import { fail } from '../errors.ts';
import type { Entries } from '../ledger.ts';
import { hashStudy, playersOf, type OwnStudy, type Study } from '../study.ts';
import { unsealLine } from './run-log-line.ts';
import { firstLineOf, piecesOf } from './run-log-reader.ts';

export interface LoggedRun {
  readonly study: Study | OwnStudy;
  /** The study's. */
  readonly hash: string;
  readonly players: number;
  /** What was measured, as it was written, in pieces of bounded size; a mask may come again, with its gradient. */
  entries(): Generator<Entries>;
}

/** The log at `path`. @throws 'log' where it cannot be read or is none; entries() throws on the first damaged line. */
export function readRunLog(path: string): LoggedRun {
  const who = `run log ${path}`;
  const header = withFile(path, who, (file) => firstLineOf(file, who));
  const body = header === undefined ? undefined : unsealLine(header);
  const { hash, study } = (body === undefined ? {} : JSON.parse(`${body}}`)) as Partial<LoggedRun>;
  if (hash === undefined || study === undefined || hashStudy(study) !== hash)
    throw fail('log', who, 'does not begin with a run-log header that is whole; give the run-log.jsonl of a run.');
  const players = playersOf(study);
  return {
    study,
    hash,
    players,
    *entries() {
      const file = open(path, who);
      try {
        yield* piecesOf(file, players, Infinity, who);
      } finally {
        closeSync(file);
      }
    },
  };
}

function withFile<T>(path: string, who: string, read: (file: number) => T): T {
  const file = open(path, who);
  try {
    return read(file);
  } finally {
    closeSync(file);
  }
}

function open(path: string, who: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw fail('log', who, `cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}
