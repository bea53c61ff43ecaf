/** Looks after jobs in flight: finds finished ones whose event was missed in an outage, and ones that the server forgot. */
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';

export interface Watched {
  /** Whether it was not there at the last look. */
  missing: boolean;
}

export interface SweepOptions {
  readonly redis: Redis;
  readonly queue: Queue;
  /** Jobs in flight that were sent longer ago than `age` milliseconds. */
  readonly watched: (age: number) => readonly string[];
  /** A job that is still in flight. */
  readonly find: (id: string) => Watched | undefined;
  readonly finished: (id: string) => Promise<void>;
  readonly lost: (id: string) => void;
  readonly broken: (error: Error) => void;
  readonly isStopped: () => boolean;
}

/** A function that looks once; one at a time. */
export function createSweep({
  redis,
  queue,
  watched,
  find,
  finished,
  lost,
  broken,
  isStopped,
}: SweepOptions): (age: number) => Promise<void> {
  let sweeping = false;
  const look = async (id: string): Promise<void> => {
    const key = queue.toKey(id);
    const [there, finishedOn] = await Promise.all([redis.exists(key), redis.hget(key, 'finishedOn')]);
    const job = find(id);
    if (job === undefined) return;
    if (finishedOn !== null) await finished(id);
    else if (there === 1) job.missing = false;
    else if (job.missing) lost(id);
    else job.missing = true; // its event may be on the way
  };
  return async (age) => {
    if (sweeping || isStopped()) return;
    sweeping = true;
    try {
      for (const id of watched(age)) await look(id);
    } catch (error) {
      broken(error as Error);
    } finally {
      sweeping = false;
    }
  };
}
