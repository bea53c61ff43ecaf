/**
 * The out folder: result.json, report.html and the run log, each whole or absent.
 *
 * Files are written beside their place and renamed. A folder or log that this run made and left empty
 * (because the run failed before measuring anything) is removed again.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fail } from '../../src/errors.ts';
import { openRunLog, type RunLog } from '../../src/measure/run-log.ts';
import { hashStudy, type Study } from '../../src/study.ts';
import { renderReport } from '../../src/report/html.ts';
import { formatResult, type Result } from '../../src/report/result.ts';

export interface Output {
  openLog(study: Study): RunLog;
  /** Writes result.json and report.html; returns the result with its files listed. */
  write(result: Result): Promise<Result>;
  /** Removes what this run made and did not use. */
  settle(): Promise<void>;
}

export function createOutput(given: string | undefined): Output {
  let folder = given;
  let log: RunLog | undefined;
  const made: string[] = [];
  if (folder !== undefined) makeFolder(folder, made);
  return {
    openLog(study) {
      folder ??= join('out', `${study.model.id}-${hashStudy(study).slice(0, 8)}`);
      makeFolder(folder, made);
      log = openRunLog(join(folder, 'run-log.jsonl'), study);
      return log;
    },
    async write(result) {
      if (folder === undefined || log === undefined) throw new Error('write before openLog');
      clearDrafts(folder);
      const [json, page] = [join(folder, 'result.json'), join(folder, 'report.html')];
      const files = [
        { path: page, what: 'the page' },
        { path: json, what: 'the record' },
        { path: log.path, what: 'every measured value' },
      ];
      const complete = { ...result, files };
      replace(json, formatResult(complete));
      replace(page, renderReport(complete));
      return complete;
    },
    async settle() {
      for (const path of made.reverse()) if (existsSync(path) && readdirSync(path).length === 0) rmdirSync(path);
    },
  };
}

/** Makes `folder` and its parents, noting which were new. @throws 'input' when it cannot be written to. */
function makeFolder(folder: string, made: string[]): void {
  const missing: string[] = [];
  for (let at = folder; !existsSync(at) && at !== dirname(at); at = dirname(at)) missing.unshift(at);
  try {
    // One by one: a recursive mkdir below /proc never ends.
    for (const path of missing) {
      makeOne(path);
      made.push(path);
    }
    const probe = join(folder, `.write-test-${process.pid}`);
    writeFileSync(probe, '');
    rmSync(probe);
  } catch (error) {
    for (const path of missing.toReversed()) if (made.includes(path) && existsSync(path)) rmdirSync(path);
    const isFile = existsSync(folder) && !statSync(folder).isDirectory();
    throw fail(
      'input',
      '--out',
      `${folder} cannot be written to (${isFile ? 'it is a file' : (error as NodeJS.ErrnoException).code}); give a folder that can.`,
    );
  }
}

function makeOne(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another process was quicker
  }
}

/** Takes away what processes that were killed while they wrote left behind. */
function clearDrafts(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = /^(?:result\.json|report\.html)\.(\d+)\.tmp$/.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(folder, name), { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function replace(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw fail('input', '--out', `${path} cannot be written (${(error as NodeJS.ErrnoException).code}).`);
  }
}
