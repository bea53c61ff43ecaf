/**
 * The cache that Python's huggingface_hub keeps, read and written in its layout, so that neither downloads
 * what the other has:
 *
 *     models--org--name/blobs/<etag>                    the bytes
 *     models--org--name/snapshots/<commit>/<file>       a relative link to its blob
 *     models--org--name/refs/<revision>                 the commit it stood for
 *
 * Links are made under another name and renamed, so what is under a final name is whole. Every name that comes
 * from the network has been checked to be a base name, a commit or an ETag of plain characters. Nothing is written
 * through a link that someone else put there: folders of a model must be folders, new files are made exclusively, and
 * a file of a snapshot counts only when it lies, links followed, within the model's own folder.
 */
import { constants } from 'node:fs';
import {
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { fail } from '../../errors.ts';
import { isBaseName } from '../weight-files.ts';
import { isCommit, type HubId } from './hub-id.ts';
import type { HubSettings } from './settings.ts';

let temporaries = 0;

export interface CacheFolder {
  readonly path: string;
  readonly blobs: string;
  snapshot(commit: string): string;
}

export function cacheFolderOf({ repo }: HubId, { cacheDir }: HubSettings): CacheFolder {
  const path = join(cacheDir, `models--${repo.replace('/', '--')}`);
  return { path, blobs: join(path, 'blobs'), snapshot: (commit) => join(path, 'snapshots', commit) };
}

/** The commit that `revision` stood for when it was last looked up; undefined when it never was. */
export async function cachedCommit(cache: CacheFolder, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  const text = await readFile(join(cache.path, 'refs', revision), 'utf8').catch(() => '');
  return isCommit(text.trim()) ? text.trim() : undefined;
}

/** Remembers what `revision` stands for. */
export async function rememberCommit(cache: CacheFolder, revision: string, commit: string, who: string): Promise<void> {
  if (isCommit(revision) || (await cachedCommit(cache, revision)) === commit) return;
  const path = join(cache.path, 'refs', revision);
  await writing(who, path, async () => {
    await makeFolder(cache, dirname(path), who);
    const partial = join(cache.path, `.${process.pid}.${temporaries++}.ref`);
    await rm(partial, { force: true });
    await writeFile(partial, commit, { flag: 'wx' });
    await rename(partial, path);
  });
}

/**
 * Makes `folder`, in the model's own, and those above it. @throws 'checkpoint' when one of them is a link: what is
 * written there would be written elsewhere.
 */
export async function makeFolder(cache: CacheFolder, folder: string, who: string): Promise<void> {
  await mkdir(dirname(cache.path), { recursive: true });
  const steps = relative(cache.path, folder)
    .split(sep)
    .filter((step) => step !== '');
  for (let k = 0; k <= steps.length; k++) {
    const path = join(cache.path, ...steps.slice(0, k));
    await mkdir(path).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
    if (!(await lstat(path)).isDirectory())
      throw fail('checkpoint', who, `${path} is a link or a file; nothing is written through it. Remove it.`);
  }
}

/** The files of a snapshot that are really there; a link to a blob that is gone or outside the cache does not count. */
export async function filesOf(cache: CacheFolder, snapshot: string): Promise<string[]> {
  const names = await readdir(snapshot).catch(() => []);
  const own = await realpath(cache.path).catch(() => cache.path);
  const present = await Promise.all(
    names.map(async (name) => {
      const path = await realpath(join(snapshot, name)).catch(() => undefined);
      return path !== undefined && path.startsWith(own + sep) && (await stat(path)).isFile();
    }),
  );
  return names.filter((_, i) => present[i]);
}

/** Puts a blob into a snapshot under its file's name: linked, or copied where links are impossible. */
export async function link(
  cache: CacheFolder,
  commit: string,
  file: string,
  blob: string,
  { copies }: HubSettings,
  who: string,
): Promise<void> {
  if (!isBaseName(file))
    throw fail('checkpoint', who, `the hub names a file ${JSON.stringify(file)}, which is no plain file name.`);
  const path = join(cache.snapshot(commit), file);
  await writing(who, path, async () => {
    await makeFolder(cache, dirname(path), who);
    const target = relative(dirname(path), join(cache.blobs, blob));
    if (!copies && (await readlink(path).catch(() => undefined)) === target) return;
    const partial = join(cache.path, `.${process.pid}.${temporaries++}.link`);
    await rm(partial, { force: true });
    // A relative link means the same from the place it is renamed to only if it is made for that place.
    const linked =
      !copies &&
      (await symlink(target, partial).then(
        () => true,
        () => false,
      ));
    if (!linked) await copyFile(join(cache.blobs, blob), partial, constants.COPYFILE_EXCL);
    await rename(partial, path);
  });
}

/** Runs `work`, which writes to `path`; what the system says against it becomes one line. */
export async function writing<T>(who: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) throw error;
    const advice =
      error.code === 'ENOSPC'
        ? 'make room, or set HF_HUB_CACHE to a folder on a larger disk'
        : 'set HF_HUB_CACHE to a folder that can be written to';
    throw fail('checkpoint', who, `${path} cannot be written (${String(error.code)}); ${advice}.`);
  }
}
