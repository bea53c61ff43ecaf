/** Where this package lies: the folder with models/ and package.json. */
import { createRequire } from 'node:module';
import { relative } from 'node:path';
import { packageFile } from '../src/platform/package-files.ts';

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
