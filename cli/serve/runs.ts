/** The runs below a folder: every result.json, patch.json and comparison.json that is a file of its own. */
import { readdirSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fail } from '../../src/errors.ts';
import { readRecord, RECORD_FILES, type AnyRecord } from '../report/records.ts';

export interface FoundRun {
  /** Its path below the folder, with slashes: what a request names it by. */
  readonly id: string;
  readonly path: string;
  /** The record, or why it cannot be read. */
  readonly record: AnyRecord | { readonly kind: 'broken'; readonly why: string };
  /** Milliseconds since 1970 of its last change. */
  readonly changed: number;
}

const NAMES: readonly string[] = RECORD_FILES;
const DEEPEST = 5;
const MOST_FOLDERS = 5000;
const MOST_BYTES = 2 ** 27;

/** What finds the runs below `folder`, newest first; records are read again only where their files changed. */
export function findRunsIn(folder: string): () => FoundRun[] {
  const known = new Map<string, FoundRun>();
  return () => {
    const found = filesBelow(folder).map((path): FoundRun => {
      const { mtimeMs: changed, size } = statSync(path);
      const before = known.get(path);
      if (before !== undefined && before.changed === changed) return before;
      const run = { id: relative(folder, path).split(sep).join('/'), path, changed, record: read(path, size) };
      known.set(path, run);
      return run;
    });
    return found.sort((a, b) => b.changed - a.changed || (a.id < b.id ? -1 : 1));
  };
}

function read(path: string, size: number): FoundRun['record'] {
  if (size > MOST_BYTES) return { kind: 'broken', why: `${path} has ${size} bytes; at most ${MOST_BYTES} are read.` };
  try {
    return readRecord(path);
  } catch (error) {
    return { kind: 'broken', why: error instanceof Error ? error.message : String(error) };
  }
}

/** Links are not followed: nothing outside the folder is served. @throws 'input' where there is no such folder. */
function filesBelow(folder: string): string[] {
  const files: string[] = [];
  let folders = [folder];
  for (let depth = 0, seen = 0; depth < DEEPEST && folders.length > 0; depth++) {
    const next: string[] = [];
    for (const at of folders) {
      if (++seen > MOST_FOLDERS) return files;
      for (const entry of entriesOf(at, at === folder)) {
        if (entry.isFile() && NAMES.includes(entry.name)) files.push(join(at, entry.name));
        else if (entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
          next.push(join(at, entry.name));
      }
    }
    folders = next;
  }
  return files;
}

function entriesOf(folder: string, isRoot: boolean): ReturnType<typeof listed> {
  try {
    return listed(folder);
  } catch (error) {
    if (!isRoot) return []; // it went meanwhile, or is not ours to read
    throw fail(
      'input',
      'serve',
      `${folder} cannot be read (${(error as NodeJS.ErrnoException).code}); give the folder that runs were written to.`,
    );
  }
}

function listed(folder: string): import('node:fs').Dirent[] {
  return readdirSync(folder, { withFileTypes: true });
}
