/**
 * Threads of this package: worker_threads whose entry is one of its own files, as TypeScript source or as published.
 *
 * Where the runtime reads TypeScript itself (Deno, Bun, Node from 22.18 on) a source is started as it is; elsewhere tsx's loader runs
 * it, which the thread registers before it imports its entry. The published package is plain JavaScript and needs none.
 */
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { threadId, Worker, type WorkerOptions } from 'node:worker_threads';

export { parentPort, workerData, type MessagePort, type Worker } from 'node:worker_threads';

/** How many threads the machine runs at once. */
export function cores(): number {
  return availableParallelism();
}

/** The number of this thread in its process: 0 for the first. */
export function threadNumber(): number {
  return threadId;
}

/** Why no thread can be started here; undefined where they can. */
export function noThreads(): string | undefined {
  return undefined;
}

/** Bytes of memory that are free for this process. */
export function freeMemory(): number {
  return process.availableMemory();
}

/**
 * Starts a thread at `entry`, the path of a module relative to the caller and without its ending (`./tune-worker`).
 *
 * @param from the caller's `import.meta.url`; its ending is the entry's.
 */
export function startThread(entry: string, from: string, options: WorkerOptions = {}): Worker {
  // None of this process's flags are handed on: some (--max-old-space-size, --input-type) are refused for a thread.
  const own = { execArgv: [], ...options };
  if (!from.endsWith('.ts')) return new Worker(new URL(`${entry}.js`, from), own);
  const source = new URL(`${entry}.ts`, from);
  if (readsTypeScript()) return new Worker(source, own);
  const loader = pathToFileURL(
    createRequire(import.meta.url)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs'),
  ).href;
  return new Worker(
    `import(${JSON.stringify(loader)}).then(({ register }) => { register(); return import(${JSON.stringify(source.href)}); })`,
    { ...own, eval: true },
  );
}

function readsTypeScript(): boolean {
  const { versions, features } = process as {
    versions: Record<string, string | undefined>;
    features: { typescript?: unknown };
  };
  return versions['deno'] !== undefined || versions['bun'] !== undefined || Boolean(features.typescript);
}
