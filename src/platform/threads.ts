/**
 * Threads of this package: worker_threads whose entry is one of its own files, as TypeScript source or as published.
 *
 * Sources are run by tsx's loader, which the thread registers before it imports its entry; the published package is
 * plain JavaScript and needs none.
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Starts a thread at `entry`, the path of a module relative to the caller and without its ending (`./tune-worker`).
 *
 * @param from the caller's `import.meta.url`; its ending is the entry's.
 */
export function startThread(entry: string, from: string, options: WorkerOptions = {}): Worker {
  // Node hands this process's flags on; of a module given by --eval, one of them is refused for a file.
  const execArgv = process.execArgv.filter(
    (flag, k, all) => !flag.startsWith('--input-type') && all[k - 1] !== '--input-type',
  );
  if (!from.endsWith('.ts')) return new Worker(new URL(`${entry}.js`, from), { execArgv, ...options });
  const loader = pathToFileURL(
    createRequire(import.meta.url)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs'),
  ).href;
  const source = new URL(`${entry}.ts`, from).href;
  return new Worker(
    `import(${JSON.stringify(loader)}).then(({ register }) => { register(); return import(${JSON.stringify(source)}); })`,
    { execArgv, ...options, eval: true },
  );
}
