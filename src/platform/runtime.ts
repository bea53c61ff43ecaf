/** The process that this runs in: flags, variables and modules of its runtime. */
import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import util from 'node:util';

export { setFlagsFromString } from 'node:v8';

/** The folder of an installed module's entry, with a slash at its end. */
export function folderOfModule(name: string): string {
  return dirname(createRequire(import.meta.url).resolve(name)) + sep;
}

/** Sets environment variables that are not set. */
export function setVariables(defaults: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(defaults)) process.env[name] ??= value;
}

/** Two functions of Node's util module that it dropped in Node 23, and that @tensorflow/tfjs-node-gpu calls. */
export function restoreUtil(): void {
  const isNullOrUndefined = (value: unknown): boolean => value === null || value === undefined;
  Object.assign(util, { isNullOrUndefined, isArray: Array.isArray });
}

const FATAL = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Runs `work` and takes away what it hung on this process's last resorts: a library that catches uncaught errors of its own would
 * change how the host program dies of its own.
 */
export async function keepingFatalHandlers<T>(work: () => Promise<T>): Promise<T> {
  const before = FATAL.map((event) => new Set<unknown>(process.rawListeners(event)));
  try {
    return await work();
  } finally {
    FATAL.forEach((event, k) => {
      for (const listener of process.rawListeners(event))
        if (!before[k].has(listener)) process.removeListener(event, listener as () => void);
    });
  }
}
