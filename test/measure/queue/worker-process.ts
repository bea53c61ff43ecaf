/** A worker in a process of its own, to be killed: `worker-process.ts URL NAME LOCK_MS EACH_MS SHIFT`; values are off by SHIFT. */
import { startQueueWorker } from '../../../src/measure/queue/queue-worker.ts';
import { madeUpValue, openMadeUp } from './made-up.ts';

const [url, name, lock, each, shift] = process.argv.slice(2);
const value: typeof madeUpValue = (masks, row) => madeUpValue(masks, row) + Number(shift);
await startQueueWorker(url, { open: openMadeUp({ each: Number(each), value }), name, lockMs: Number(lock) });
process.send?.('ready');
