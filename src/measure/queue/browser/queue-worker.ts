/** A worker of a queue in a page: none, as a page speaks no Redis. */
import { fail } from '../../../errors.ts';
import type { QueueAddress } from '../connection.ts';
import type { QueueWorker, QueueWorkerOptions } from '../queue-worker.ts';

export type { QueueWorker, QueueWorkerOptions } from '../queue-worker.ts';

/** @throws 'input' always. */
export async function startQueueWorker(_address: QueueAddress, _options: QueueWorkerOptions): Promise<QueueWorker> {
  throw fail('input', 'startQueueWorker', 'cannot reach a queue from a page; run it in Node.');
}
