/**
 * Where the package goes, and how it gets there: built beside, moved in by one rename, taken back by another.
 *
 * The place is the node_modules that holds our @tensorflow/tfjs-core, so that the backend registers itself with that one
 * core. A mark in the package's folder says that this command put it there; --undo removes nothing else.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fail } from '../../src/errors.ts';

export const PACKAGE = '@tensorflow/tfjs-node-gpu';
/** The version of the npm package; the one core that everything shares has the same. */
export const PACKAGE_VERSION = '4.22.0';
const MARK = 'spexlens.json';
const STAGING = '.install-tensorflow-';

export interface Place {
  readonly modules: string;
  readonly folder: string;
  /** On the same file system as `folder`; a name with a dot is none of npm's business. */
  readonly staging: string;
}

/** @throws 'input' when tfjs-core is not installed above this file. */
export function findPlace(): Place {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const modules = join(at, 'node_modules');
    if (existsSync(join(modules, '@tensorflow', 'tfjs-core')))
      return { modules, folder: join(modules, PACKAGE), staging: join(modules, `${STAGING}${process.pid}`) };
    if (at === dirname(at))
      throw fail('input', 'install-tensorflow', '@tensorflow/tfjs-core is not installed here; run npm ci first.');
  }
}

/** An empty staging folder; what killed runs left behind goes. */
export function makeStaging({ modules, staging }: Place): void {
  for (const name of readdirSync(modules).filter((entry) => entry.startsWith(STAGING))) {
    if (!isRunning(Number(name.slice(STAGING.length)))) rmSync(join(modules, name), { recursive: true, force: true });
  }
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { recursive: true });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** What the mark says about where libtensorflow came from; undefined for a package that npm or nobody put there. */
export function origin({ folder }: Place): string | undefined {
  const mark = join(folder, MARK);
  return existsSync(mark) ? (JSON.parse(readFileSync(mark, 'utf8')) as { from: string }).from : undefined;
}

/** Marks the built package and moves it in; the result takes it out again and puts back what was there. */
export function moveIn(place: Place, built: string, from: string): () => void {
  const former = join(place.staging, 'former');
  writeFileSync(join(built, MARK), `${JSON.stringify({ from })}\n`);
  rmSync(former, { recursive: true, force: true });
  const had = existsSync(place.folder);
  if (had) renameSync(place.folder, former);
  else mkdirSync(dirname(place.folder), { recursive: true });
  renameSync(built, place.folder);
  return () => {
    renameSync(place.folder, built);
    if (had) renameSync(former, place.folder);
  };
}

/** @throws 'input' when the package is absent or not this command's. */
export function remove(place: Place): string {
  const from = origin(place);
  if (!existsSync(place.folder))
    throw fail('input', '--undo', `${PACKAGE} is not installed; there is nothing to undo.`);
  if (from === undefined)
    throw fail('input', '--undo', `${PACKAGE} was not put there by this command; npm uninstall removes it.`);
  rmSync(place.folder, { recursive: true });
  return from;
}
