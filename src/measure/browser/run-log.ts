/** The run log in a page: none, as there is no disk. */
import { fail } from '../../errors.ts';
import type { OwnStudy, Study } from '../../study.ts';
import type { RunLog } from '../run-log.ts';

export type { RunLog } from '../run-log.ts';

/** @throws 'log' always. */
export function openRunLog(path: string, _study: Study | OwnStudy): RunLog {
  throw fail('log', `run log ${path}`, 'cannot be written: a page has no disk. Leave it out, or run in Node.');
}
