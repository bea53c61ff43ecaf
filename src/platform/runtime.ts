/** The process that this runs in: flags, variables and modules of its runtime. */
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, sep } from 'node:path';
import util from 'node:util';
import { runInNewContext } from 'node:vm';
import { fail } from '../errors.ts';

export { setFlagsFromString } from 'node:v8';

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

export function environment(): Environment {
  return process.env;
}

/** The user's folder. */
export function homeFolder(): string {
  return homedir();
}

/** Where tfjs-backend-wasm finds its modules: a folder, with a slash at its end, or an address by name. */
export async function wasmModules(): Promise<string | Readonly<Record<string, string>>> {
  return dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')) + sep;
}

/** A package that may be absent. @throws 'backend' naming `backend` where it is, with `advice`, and where it does not load. */
export async function importPackage(packageName: string, backend: string, advice = ''): Promise<unknown> {
  try {
    return await import(packageName);
  } catch (error) {
    const text = error instanceof Error ? error.message.split('\n')[0] : String(error);
    const absent = (error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND';
    throw fail(
      'backend',
      backend,
      absent
        ? `the package ${packageName} is not installed${advice}.`
        : `the package ${packageName} does not load (${text}).`,
    );
  }
}

/** What `work` gives, or undefined where it takes longer than `ms`. @throws what it throws. */
export function within<T>(ms: number, work: () => T): { readonly done: T } | undefined {
  try {
    // Only the call is inside: the context bounds its time, also in functions from outside.
    return { done: runInNewContext('work()', { work }, { timeout: ms }) as T };
  } catch (error) {
    // The error of another context is no Error of this one.
    if ((error as { readonly code?: unknown } | null)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined;
    throw error;
  }
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
