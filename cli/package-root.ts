/** Where this package lies: the folder with models/ and package.json. */
import { createRequire } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** This file is in the package's cli/ as source, in its dist/cli/ as published. */
const ROOT = new URL(import.meta.url.endsWith('.ts') ? '../' : '../../', import.meta.url);

/** Absolute path of a file of this package, given from its root. */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(path, ROOT));
}

/** A path inside this package, given from its root, as seen from the working directory. */
export function fromRoot(path: string): string {
  return relative(process.cwd(), packageFile(path)) || '.';
}

/** Whether a package is installed where this one finds it. */
export function resolves(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}
