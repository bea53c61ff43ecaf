/** One study at a worker: its host, and the jobs that it takes from the study's queue. */
import type { Job, Worker } from 'bullmq';
import { fail, SpexlensError } from '../../errors.ts';
import type { QueueConnection } from './connection.ts';
import { failureText, readJob, resultOf, type ResultMessage } from './messages.ts';
import type { WorkerRecord } from './registry.ts';
import type { StudyHost } from './study-host.ts';
import type { Turns } from './turns.ts';

export interface ServeOptions {
  readonly connection: QueueConnection;
  readonly queue: string;
  readonly players: number;
  readonly open: () => Promise<StudyHost>;
  readonly turns: Turns;
  readonly worker: string;
  readonly lockMs: number;
  /** Hears what measures. */
  readonly onOpen: (about: string) => void;
  /** The study cannot be opened here, or failed too often. */
  readonly onRefuse: (error: Error) => void;
}

export interface ServedStudy {
  /** When it was opened, on the clock of performance.now(). */
  readonly since: number;
  status(): WorkerRecord['studies'][string];
  /** Gives the job at hand back to the queue, and ends. */
  close(): Promise<void>;
}

/** Times that a host may fail one after the other before the study is refused. */
const MOST_FAILURES = 3;
/** Times that a job may lose its worker before it is taken for the cause. */
const MOST_STALLED = 10;

/** Opens the study, then takes its jobs. */
export function serveStudy(options: ServeOptions): ServedStudy {
  const { connection, queue, players, open, turns, worker: name, lockMs, onOpen, onRefuse } = options;
  const { bull, redis, prefix } = connection;
  let host: StudyHost | undefined;
  let worker: Worker<unknown, ResultMessage> | undefined;
  let failures = 0;
  let masks = 0;
  let milliseconds = 0;
  const stopping = new AbortController();

  const { signal } = stopping;
  const answer = async (job: Job<unknown, ResultMessage>, token: string): Promise<ResultMessage> => {
    const asked = readJob(job.data, players);
    const end = await turns.next(signal);
    try {
      host ??= await open();
      const start = performance.now();
      const answers = await host.answer(asked.masks, asked.wanted, signal);
      const took = performance.now() - start;
      failures = 0;
      masks += asked.masks.count;
      milliseconds += took;
      const result = resultOf({ ...answers, worker: name, milliseconds: took });
      // A process that stood still for longer than the lock has lost the job to another; its answer counts all the same.
      if ((await job.extendLock(token, lockMs)) !== 1) await job.updateProgress({ late: result });
      return result;
    } finally {
      end();
    }
  };
  const process = async (job: Job<unknown, ResultMessage>, token = ''): Promise<ResultMessage> => {
    try {
      return await answer(job, token);
    } catch (error) {
      if (signal.aborted) {
        await job.moveToWait(token);
        throw new bull.WaitingError();
      }
      const text = failureText(error, name);
      if (error instanceof SpexlensError && error.kind !== 'backend') throw new bull.UnrecoverableError(text);
      host?.close(); // who knows what state it is in
      host = undefined;
      if (++failures >= MOST_FAILURES)
        onRefuse(fail('backend', 'study', `failed here ${failures} times, at last: ${(error as Error).message}`));
      throw new Error(text, { cause: error });
    }
  };
  const begin = async (): Promise<void> => {
    try {
      host = await open();
    } catch (error) {
      if (!signal.aborted) onRefuse(error as Error);
      return;
    }
    if (signal.aborted) return host.close();
    onOpen(host.about);
    worker = new bull.Worker<unknown, ResultMessage>(queue, process, {
      connection: redis,
      prefix,
      name,
      lockDuration: lockMs,
      stalledInterval: lockMs / 2,
      maxStalledCount: MOST_STALLED,
      runRetryDelay: 1000,
    });
    worker.on('error', () => undefined); // outages are the connection's to tell, a lost lock is looked for above
  };
  const began = begin();
  return {
    since: performance.now(),
    status: () => ({
      state: worker === undefined ? 'opening' : 'serving',
      masks,
      ...(milliseconds === 0 ? {} : { rate: (1000 * masks) / milliseconds }),
    }),
    async close() {
      stopping.abort();
      if (worker === undefined) void began.then(() => host?.close());
      await worker?.close();
      host?.close();
    },
  };
}
