/** Files that an option names: what cannot be written is one line that says which, and why. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fail } from '../src/errors.ts';

/** @throws 'input' in the name of `option` where the file cannot be written. */
export function writeFile(option: string, path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content);
  } catch (error) {
    throw fail('input', option, `${path} cannot be written (${(error as NodeJS.ErrnoException).code}).`);
  }
}

/** Makes a folder and its parents. @throws 'input' in the name of `option` where it cannot be made. */
export function makeFolder(option: string, folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw fail('input', option, `${folder} cannot be written to (${(error as NodeJS.ErrnoException).code}).`);
  }
}
