/** Threads in a page: the one that asks. Whoever wants the page free meanwhile does the whole in a worker of their own. */
import { fail } from '../../errors.ts';
import type { MessagePort, Worker } from '../threads.ts';

export type { MessagePort, Worker } from '../threads.ts';

export const parentPort: MessagePort | null = null;
export const workerData: unknown = undefined;

/** What a WebAssembly memory can grow to; a page is not told what is free. */
const MOST_BYTES = 2 ** 32;

export function cores(): number {
  return 1;
}

export function threadNumber(): number {
  return 0;
}

export function freeMemory(): number {
  return MOST_BYTES;
}

export function noThreads(): string | undefined {
  return "in a page everything is done by the thread that asks; do it in a worker to keep the page's own free";
}

/** @throws 'input' always. */
export function startThread(entry: string, _from: string, _options: object = {}): Worker {
  throw fail('input', `thread ${entry.replace('./', '')}`, `cannot be started: ${noThreads()}.`);
}
