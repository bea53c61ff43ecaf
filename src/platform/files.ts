/** Text files of the user's. */
import { fail } from '../errors.ts';
import { readdir, readFile, stat } from './file-system.ts';
import { basename, join, resolve } from './paths.ts';

/**
 * The text of a file, without a byte-order mark.
 * @throws 'input' naming `who` and the path when it cannot be read or is not UTF-8; `wanted` says what is needed.
 */
export async function readTextFile(path: string, who: string, wanted: string): Promise<string> {
  const bytes = await readFile(path).catch((error: { readonly code?: string }) => {
    throw fail('input', `${who} ${path}`, `cannot be read (${error.code ?? 'unreadable'}); ${wanted}`);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes); // which drops the mark
  } catch {
    throw fail('input', `${who} ${path}`, `is not UTF-8; ${wanted}`);
  }
}

/** The path of `name` in `folder`, where there is such a file; else undefined. */
export async function fileIn(folder: string, name: string): Promise<string | undefined> {
  const path = join(folder, name);
  return (await stat(path).catch(() => undefined)) === undefined ? undefined : path;
}

/** The names of what is in `folder`, sorted; none where there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [] as string[])).sort();
}

/** The last part of a path. */
export function nameOfPath(path: string): string {
  return basename(resolve(path));
}
