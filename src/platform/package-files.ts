/** Files of this package: its models, what commands carry along. */
import { fileURLToPath } from 'node:url';

/** This file is in the package's src/platform/ as source, in its dist/src/platform/ as published. */
const ROOT = new URL(import.meta.url.endsWith('.ts') ? '../../' : '../../../', import.meta.url);

/** Absolute path of a file of this package, given from its root. */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(path, ROOT));
}
