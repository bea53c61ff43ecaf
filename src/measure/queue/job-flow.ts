/**
 * The asker's end of a study's queue: keeps so many jobs in flight as workers can use, and hears of their answers.
 *
 * Answers come as events. Whatever an outage swallows (an event, a job that the server forgot) is found by looking after the jobs in
 * flight from time to time. Jobs of other askers of the same study are listened to as well.
 */
import type { Job } from 'bullmq';
import { fail, throwIfAborted } from '../../errors.ts';
import { selectRows } from '../../masks.ts';
import type { AskedMasks, Conflict, Piece } from './asked-masks.ts';
import { refusalOf, type QueueConnection } from './connection.ts';
import type { Flight, Other, Request } from './flight.ts';
import { createSweep } from './job-sweep.ts';
import { createOthers } from './others-jobs.ts';
import { jobSize, keptOf, mostMasks } from './job-size.ts';
import { failureOf, jobOf, readResult, type Result } from './messages.ts';
import { openStudyQueue } from './study-queue.ts';

/** Answered jobs whose second answers are compared. */
const REMEMBERED = 30;
/** Jobs in flight for each worker: one that it works on, and what hides the way there. */
const AHEAD = 3;
/** The same before anything is known of how fast they are: jobs are small then. */
const FIRST_JOBS = 100;
/** How often jobs in flight are looked after, and how long after they were sent. */
const SWEEP_MS = 5000;
/** Times that a job is tried where a worker fails it for reasons of its own. */
const ATTEMPTS = 3;
/** How long finished jobs are kept, for a run that goes on. */
const KEPT_SECONDS = 3600;

export interface FlowFacts {
  /** Workers that serve the study now. */
  readonly serving: readonly string[];
  /** Rates that they report, by worker. */
  readonly rates: ReadonlyMap<string, number>;
  /** Whether others ask the same study. */
  readonly shared: boolean;
}

export interface FlowOptions {
  readonly connection: QueueConnection;
  readonly hash: string;
  readonly players: number;
  /** Unique among askers. */
  readonly asker: string;
  readonly facts: () => FlowFacts;
  readonly onConflict: (conflict: Conflict) => void;
  readonly onResult: (result: Result) => void;
}

export interface JobFlow {
  /** Has every mask answered; rejects with what its listener throws, a worker fails for good, or its signal. */
  ask(masks: AskedMasks, signal: AbortSignal | undefined): Promise<void>;
  /** More workers may be there. */
  pump(): void;
  /** Ends all that is asked with `error`. */
  stop(error: Error): void;
  /** Takes back what is in flight; `last`: nobody else asks, and the queue goes. */
  close(last: () => Promise<boolean>): Promise<void>;
}

export async function openJobFlow(options: FlowOptions): Promise<JobFlow> {
  const { connection, hash, players, asker, facts } = options;
  const { bull, redis, shown } = connection;
  const who = `queue ${shown}`;
  const { queue, events } = await openStudyQueue(connection, hash);
  const requests: Request[] = [];
  const flights = new Map<string, Flight>();
  const others = new Map<string, Other>();
  const answered = new Map<string, Flight>(); // the last ones, whose answers may come again
  const rates = new Map<string, number>();
  let serial = 0;
  let stopped: Error | undefined;
  let lengths = 0; // events kept, as the server was told

  const end = (request: Request, error?: Error): void => {
    const at = requests.indexOf(request);
    if (at === -1) return;
    requests.splice(at, 1);
    for (const [id, flight] of flights)
      if (flight.request === request) {
        flights.delete(id);
        void queue.remove(id).catch(() => undefined); // one that is being worked on stays, and is forgotten
      }
    request.settle(error);
  };
  const stop = (error: Error): void => {
    stopped ??= error;
    for (const request of requests.slice()) end(request, error);
  };
  const broken = (error: Error): void => {
    if (stopped === undefined)
      stop(refusalOf(error, who) ?? fail('backend', who, `a command failed (${error.message}).`));
  };
  const accept = (request: Request, piece: Piece, result: Result): void => {
    if (request.masks.left > 0 && !requests.includes(request)) return; // stopped on the way
    try {
      const conflict = request.masks.accept(piece, result);
      if (conflict !== undefined) options.onConflict(conflict);
      if (request.masks.left === 0) end(request);
    } catch (error) {
      end(request, error as Error); // its listener's
    }
  };
  const hear = (result: Result): void => {
    const rate = (1000 * result.values.length) / Math.max(0.1, result.milliseconds);
    rates.set(result.worker, (rate + (rates.get(result.worker) ?? rate)) / 2);
    options.onResult(result);
  };
  const completed = (id: string, message: unknown): void => {
    const flight = flights.get(id) ?? answered.get(id);
    if (flight !== undefined) {
      flights.delete(id);
      remember(answered, id, flight);
      const { request, piece } = flight;
      try {
        const result = readResult(message, request.masks.wanted, piece.rows.length, players);
        hear(result);
        accept(request, piece, result);
      } catch (error) {
        end(request, error as Error);
      }
      pump();
    } else if (others.has(id)) {
      const { wanted, count, pieces } = others.get(id) as Other;
      others.delete(id);
      try {
        const result = readResult(message, wanted, count, players);
        for (const { request, piece } of pieces) accept(request, piece, result);
      } catch {
        for (const { request, piece } of pieces) request.masks.giveBack(piece);
      }
      pump();
    }
  };
  const failed = (id: string, reason: string): void => {
    const flight = flights.get(id);
    if (flight !== undefined) end(flight.request, failureOf(reason, who));
    lost(id);
  };
  /** The job will not be answered. */
  const lost = (id: string): void => {
    const flight = flights.get(id);
    flights.delete(id);
    flight?.request.masks.giveBack(flight.piece);
    for (const { request, piece } of others.get(id)?.pieces ?? []) request.masks.giveBack(piece);
    others.delete(id);
    pump();
  };
  const finished = (job: Job, id: string): void => {
    if (job.returnvalue !== null && job.returnvalue !== undefined) completed(id, job.returnvalue);
    else failed(id, job.failedReason ?? 'it failed');
  };
  const { meet, look, isLooking } = createOthers({ bull, queue, players, asker, requests, others, finished, broken });
  events.on('completed', ({ jobId, returnvalue }) => completed(jobId, returnvalue));
  events.on('failed', ({ jobId, failedReason }) => failed(jobId, failedReason));
  events.on('removed', ({ jobId }) => lost(jobId));
  events.on('added', ({ jobId }) => void meet(jobId));
  events.on('progress', ({ jobId, data }) => {
    // From a worker that lost the job to another one, and has an answer all the same.
    const late = (data as { late?: unknown }).late;
    if (late === undefined) return;
    if (flights.has(jobId)) void queue.remove(jobId).catch(() => undefined);
    completed(jobId, late);
  });

  const send = (request: Request, piece: Piece): void => {
    const id = `${asker}.${++serial}`;
    const { wanted } = request.masks;
    flights.set(id, { request, piece, sent: Infinity, missing: false });
    const { jobs, events: length } = keptOf(piece.rows.length, players, wanted);
    if (length !== lengths) redis.hset(queue.toKey('meta'), 'opts.maxLenEvents', (lengths = length)).catch(broken);
    queue
      .add(wanted, jobOf(selectRows(piece.window.masks, piece.rows), wanted), {
        jobId: id,
        attempts: ATTEMPTS,
        removeOnComplete: { age: KEPT_SECONDS, count: jobs },
        removeOnFail: { age: KEPT_SECONDS, count: 100 },
        stackTraceLimit: 1,
      })
      .then(
        () => {
          const flight = flights.get(id);
          if (flight !== undefined) flight.sent = performance.now();
          else void queue.remove(id).catch(() => undefined); // taken back before it was there
        },
        (error: Error) => broken(error),
      );
  };
  const pump = (): void => {
    if (stopped !== undefined || isLooking()) return;
    const { serving, rates: reported } = facts();
    const ahead = AHEAD * Math.max(1, serving.length);
    const most = rates.size === 0 ? Math.min(FIRST_JOBS, ahead) : ahead;
    for (let idle = 0; flights.size < most && idle < requests.length; ) {
      const request = requests.shift() as Request; // in turn
      requests.push(request);
      const known = serving.flatMap((id) => rates.get(id) ?? reported.get(id) ?? []);
      const { wanted, open } = request.masks;
      const piece = request.masks.take(
        jobSize({
          open,
          workers: serving.length,
          rates: known.length > 0 ? known : [...rates.values()],
          most: mostMasks(players, wanted),
        }),
      );
      if (piece === undefined) idle++;
      else {
        idle = 0;
        send(request, piece);
      }
    }
  };
  const sweep = createSweep({
    redis,
    queue,
    watched: (age) =>
      [...flights]
        .filter(([, { sent }]) => performance.now() - sent > age)
        .map(([id]) => id)
        .concat([...others.keys()]),
    find: (id) => flights.get(id) ?? others.get(id),
    finished: async (id) => {
      const job = await bull.Job.fromId(queue, id);
      if (job !== undefined) finished(job, id);
    },
    lost,
    broken: (error) => {
      if (refusalOf(error, who) !== undefined) broken(error);
    },
    isStopped: () => stopped !== undefined,
  });
  const timer = setInterval(() => void sweep(2 * SWEEP_MS), SWEEP_MS);
  connection.onTurn((there) => {
    if (there) void sweep(0);
  });
  let first = true;
  return {
    pump,
    stop,
    async ask(masks, signal) {
      if (stopped !== undefined) throw stopped;
      throwIfAborted(signal, who);
      let stopAsking = (): void => undefined;
      try {
        await new Promise<void>((resolve, reject) => {
          const request: Request = { masks, settle: (error) => (error === undefined ? resolve() : reject(error)) };
          stopAsking = () => {
            try {
              throwIfAborted(signal, who);
            } catch (error) {
              end(request, error as Error);
            }
          };
          signal?.addEventListener('abort', stopAsking, { once: true });
          requests.push(request);
          if (!first && !facts().shared) return pump();
          first = false;
          void look().then(pump);
        });
      } finally {
        signal?.removeEventListener('abort', stopAsking);
      }
    },
    async close(isLast) {
      clearInterval(timer);
      stop(fail('aborted', who, 'was disposed.'));
      if (await isLast()) await queue.obliterate({ force: true }).catch(() => undefined);
      await Promise.allSettled([events.close(), queue.close()]);
    },
  };
}

/** Puts an entry into a map that holds the last ones. */
function remember<T>(map: Map<string, T>, id: string, entry: T): void {
  map.set(id, entry);
  if (map.size <= REMEMBERED) return;
  map.delete([...map.keys()][0]);
}
