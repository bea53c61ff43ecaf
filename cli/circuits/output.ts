/**
 * The out folder: result.json, report.html and the run log, each whole or absent.
 *
 * Files are written beside their place and renamed. Whoever has the log open owns the folder, from openLog to settle: a second
 * process is refused by the log's lock, and leaves everything as it is. A folder that this run made and left empty (because it
 * failed before measuring anything) is removed again, as is a log without values.
 */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fail } from '../../src/errors.ts';
import { openRunLog, type RunLog } from '../../src/measure/run-log.ts';
import { measuredBeside } from '../measured-beside.ts';
import { hashStudy, type OwnStudy, type Study } from '../../src/study.ts';
import { renderReport } from '../../src/report/html.ts';
import { formatResult, parseResult, type Result } from '../../src/report/result.ts';

export interface Output {
  /** The log of `study` in the folder. Its close() leaves the folder to this run, which has its record to write yet. */
  readonly openLog: (study: Study | OwnStudy) => RunLog;
  /** Writes result.json and report.html; returns the result with its files listed. */
  write(result: Result): Promise<Result>;
  /** Closes the log, which lets others have the folder, and removes what this run made and did not use. */
  settle(): Promise<void>;
}

/** Bytes of a record that is looked at before it is replaced. */
const MOST_READ = 2 ** 26;

/** What a run writes beside its place: `result.json.123.tmp`, `.write-test-123`. */
const DRAFT = /^(?:(?:result\.json|report\.html)\.\d+\.tmp|\.write-test-\d+)$/;

export function createOutput(given: string | undefined): Output {
  let folder = given;
  let log: RunLog | undefined;
  const made: string[] = [];
  if (folder !== undefined) makeFolder(folder, made);
  return {
    openLog(study) {
      folder ??= join('out', `${nameOf(study)}-${hashStudy(study).slice(0, 8)}`);
      log = openIn(folder, made, study);
      clearDrafts(folder);
      return { ...log, close: () => {} };
    },
    async write(result) {
      if (folder === undefined || log === undefined) throw new Error('write before openLog');
      const [json, page] = [join(folder, 'result.json'), join(folder, 'report.html')];
      const files = [
        { path: page, what: 'the page' },
        { path: json, what: ['the record', ...replaced(json, result)].join('; it replaces ') },
        { path: log.path, what: 'every measured value' },
      ];
      const complete = { ...result, files };
      replace(json, formatResult(complete));
      replace(page, renderReport(complete, measuredBeside(log.path, complete)));
      return complete;
    },
    async settle() {
      log?.close();
      removeEmpty(made);
    },
  };
}

/** What a folder is called after: the model, or the data. */
function nameOf(study: Study | OwnStudy): string {
  const { model, data } = study as { readonly model?: Study['model']; readonly data?: unknown };
  return model?.id ?? (typeof data === 'string' ? data.replace(/[^\w.-]+/g, '-') : 'game');
}

/** Opens the log; once more where a process that made the folder, and did not use it, removed it meanwhile. */
function openIn(folder: string, made: string[], study: Study | OwnStudy): RunLog {
  for (let left = 2; ; left--) {
    makeFolder(folder, made);
    try {
      return openRunLog(join(folder, 'run-log.jsonl'), study);
    } catch (error) {
      if (left === 0 || existsSync(folder)) throw error;
    }
  }
}

/** Removes the folders in which nobody has put anything, the innermost first. */
function removeEmpty(folders: readonly string[]): void {
  for (const path of folders.toReversed()) {
    try {
      rmdirSync(path);
    } catch {
      // Somebody uses it, or has removed it.
    }
  }
}

/** Makes `folder` and its parents, noting which were new. @throws 'input' when it cannot be written to. */
function makeFolder(folder: string, made: string[]): void {
  const missing: string[] = [];
  for (let at = folder; !existsSync(at) && at !== dirname(at); at = dirname(at)) missing.unshift(at);
  try {
    // One by one: a recursive mkdir below /proc never ends.
    for (const path of missing) if (makeOne(path)) made.push(path);
    const probe = join(folder, `.write-test-${process.pid}`);
    writeFileSync(probe, '');
    rmSync(probe, { force: true });
  } catch (error) {
    removeEmpty(made);
    const isFile = existsSync(folder) && !statSync(folder).isDirectory();
    throw fail(
      'input',
      '--out',
      `${folder} cannot be written to (${isFile ? 'it is a file' : (error as NodeJS.ErrnoException).code}); give a folder that can.`,
    );
  }
}

/** Whether it was made here; false when another process was quicker. */
function makeOne(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Takes away what processes that were killed while they wrote left behind: with the log open, nobody else writes here. */
function clearDrafts(folder: string): void {
  for (const name of readdirSync(folder)) if (DRAFT.test(name)) rmSync(join(folder, name), { force: true });
}

/** What a record that is there already was of, where it was not of the same options; the log keeps both runs' values. */
function replaced(path: string, { run }: Result): string[] {
  try {
    if (!existsSync(path) || statSync(path).size > MOST_READ) return [];
    const before = parseResult(readFileSync(path, 'utf8'), path).run;
    const [old, now] = [
      { ...before.options, seed: before.seed },
      { ...run.options, seed: run.seed },
    ] as Record<string, unknown>[];
    const other = Object.keys(now).filter((key) => JSON.stringify(old[key]) !== JSON.stringify(now[key]));
    return other.length === 0 ? [] : [`that of ${other.map((key) => `${key} ${String(old[key])}`).join(', ')}`];
  } catch {
    return ['a file that was no record'];
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
