/** Jobs that others ask of the same study: masks that are wanted here too are waited for rather than asked again. */
import type { Job, Queue } from 'bullmq';
import type { QueueConnection } from './connection.ts';
import type { Other, Request } from './flight.ts';
import { readJob } from './messages.ts';

export interface OthersOptions {
  readonly bull: QueueConnection['bull'];
  readonly queue: Queue;
  readonly players: number;
  /** Whose jobs are not others'. */
  readonly asker: string;
  readonly requests: readonly Request[];
  /** Where those that are waited for are put. */
  readonly others: Map<string, Other>;
  readonly finished: (job: Job, id: string) => void;
  readonly broken: (error: Error) => void;
}

export interface Others {
  /** Hears of a job. */
  meet(this: void, id: string, known?: Job): Promise<void>;
  /** Looks at the jobs that are there: of others at work, or of a run that was killed. */
  look(this: void): Promise<void>;
  /** While this is so nothing should be asked. */
  isLooking(this: void): boolean;
}

/** Jobs that are looked at, at most. */
const LOOKED_AT = 200;

export function createOthers(options: OthersOptions): Others {
  const { bull, queue, players, asker, requests, others, finished, broken } = options;
  let looking = 0;
  const meet = async (id: string, known?: Job): Promise<void> => {
    if (id.startsWith(`${asker}.`) || others.has(id) || requests.length === 0) return;
    const job = known ?? (await bull.Job.fromId(queue, id).catch(() => undefined));
    if (job === undefined || others.has(id)) return;
    try {
      const { masks, wanted } = readJob(job.data, players);
      const pieces = requests
        .filter((request) => request.masks.wanted === wanted)
        .flatMap((request) => request.masks.hold(masks).map((piece) => ({ request, piece })));
      if (pieces.length === 0) return;
      others.set(id, { wanted, count: masks.count, pieces, missing: false });
      if (job.finishedOn !== undefined && job.finishedOn !== null) finished(job, id);
    } catch {
      // no job of ours
    }
  };
  return {
    meet,
    async look() {
      looking++;
      try {
        const jobs = await queue.getJobs(['waiting', 'active', 'completed'], 0, LOOKED_AT);
        for (const job of jobs) if (job?.id !== undefined) await meet(job.id, job);
      } catch (error) {
        broken(error as Error);
      }
      looking--;
    },
    isLooking: () => looking > 0,
  };
}
