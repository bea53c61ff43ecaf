/**
 * A worker: waits for studies, opens the ones it can, and measures their jobs.
 *
 * It looks at the list of studies every two seconds. A study that it does not have or cannot measure it refuses by name, once; its
 * jobs go to others, because nobody takes from a queue whose study he has not opened. Of the studies that it serves the jobs are
 * done in turn, one at a time.
 */
import { SpexlensError } from '../../errors.ts';
import { processName } from '../../platform/about.ts';
import { fail } from '../../errors.ts';
import type { Study } from '../../study.ts';
import { VERSION } from '../../version.ts';
import { connectQueue, type ConnectOptions, type QueueAddress } from './connection.ts';
import { BEAT_MS, createRegistry, queueName, type WorkerRecord } from './registry.ts';
import { serveStudy, type ServedStudy } from './served-study.ts';
import type { OpenStudy } from './study-host.ts';
import { createTurns } from './turns.ts';

/** Whom a worker serves, and with how much at once. */
export interface QueueWorkerOptions extends ConnectOptions {
  /** Opens a study, or refuses it. */
  readonly open: OpenStudy;
  /** What others see of it. */
  readonly about?: Partial<Pick<WorkerRecord, 'backend' | 'threads' | 'models'>> | undefined;
  /** Unique among workers. Default: host and process. */
  readonly name?: string | undefined;
  /** Studies that are open at once. Default 4. */
  readonly mostStudies?: number | undefined;
  /** Milliseconds after which a job of a worker that is silent is given to another. Default 30,000. */
  readonly lockMs?: number | undefined;
  /** Serve this study alone. */
  readonly only?: string | undefined;
  /** Hears what its owner should know, one sentence each. */
  readonly onNote?: ((text: string) => void) | undefined;
}

/** A worker that measures for whoever asks on a queue, until it is disposed. */
export interface QueueWorker {
  readonly name: string;
  /** Gives back what it works on, and leaves. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** After so long a study may have to make room for one that waits. */
const TURN_MS = 30_000;
/** Looks at the list between two cleanings of what nobody asks any more. */
const CLEAN_EVERY = 30;
const CLOSE_MS = 10_000;
let workers = 0;

/**
 * Begins to work for the queue at `address`.
 * @throws 'input' without bullmq and ioredis, and for a server that does not answer or drops keys.
 */
export async function startQueueWorker(address: QueueAddress, options: QueueWorkerOptions): Promise<QueueWorker> {
  const { open, about = {}, mostStudies = 4, lockMs = 30_000, only, onNote = () => undefined } = options;
  const connection = await connectQueue(address, options);
  const registry = createRegistry(connection);
  const name = options.name ?? (++workers === 1 ? processName() : `${processName()}.${workers}`);
  for (const text of connection.notes) onNote(text);
  const turns = createTurns();
  const served = new Map<string, ServedStudy>();
  const refused = new Map<string, string>();
  const waiting = new Set<string>(); // for room
  let closing: Promise<void> | undefined;

  const refuse = (hash: string, why: string): void => {
    if (refused.has(hash)) return;
    refused.set(hash, why);
    onNote(`study ${hash.slice(0, 8)}: refused: ${why}`);
    const there = served.get(hash);
    served.delete(hash);
    void there?.close();
  };
  const openStudy = async (hash: string): Promise<void> => {
    let study: Study;
    let source: string | null;
    try {
      const announced = await registry.studyOf(hash);
      if (announced === undefined) return; // it may be there at the next look
      if (announced.version !== VERSION)
        throw fail(
          'input',
          'version',
          `the study was asked by spexlens ${announced.version}, this worker is ${VERSION}; the same on both ends is needed.`,
        );
      ({ study, source } = announced);
    } catch (error) {
      if (error instanceof SpexlensError) refuse(hash, error.message);
      return;
    }
    if (closing !== undefined || served.has(hash)) return;
    served.set(
      hash,
      serveStudy({
        connection,
        queue: queueName(hash),
        players: study.question.players.length,
        open: async () => open(study, source),
        turns,
        worker: name,
        lockMs,
        onOpen: (host) => onNote(`study ${hash.slice(0, 8)}: ${study.model.id}, opened: ${host}`),
        onRefuse: (error) => refuse(hash, error.message),
      }),
    );
  };
  const record = (): WorkerRecord => ({
    id: name,
    version: VERSION,
    backend: about.backend ?? '',
    threads: about.threads ?? '1',
    models: about.models ?? [],
    studies: Object.fromEntries([
      ...[...refused].map(([hash, why]) => [hash, { state: 'refused' as const, why: why.slice(0, 2000) }] as const),
      ...[...waiting].map((hash) => [hash, { state: 'full' as const, why: `${mostStudies} others are open` }] as const),
      ...[...served].map(([hash, study]) => [hash, study.status()] as const),
    ]),
  });
  let looks = 0;
  const look = async (): Promise<void> => {
    const asked = (await registry.asked()).filter((hash) => only === undefined || hash === only);
    for (const [hash, study] of served)
      if (!asked.includes(hash)) {
        served.delete(hash);
        await study.close();
        onNote(`study ${hash.slice(0, 8)}: done, ${study.status().masks ?? 0} masks measured here`);
      }
    for (const hash of refused.keys()) if (!asked.includes(hash)) refused.delete(hash);
    waiting.clear();
    for (const hash of asked.filter((each) => !served.has(each) && !refused.has(each))) {
      if (served.size >= mostStudies) {
        const [oldest] = [...served].sort(([, a], [, b]) => a.since - b.since);
        if (performance.now() - oldest[1].since < TURN_MS) {
          waiting.add(hash);
          continue;
        }
        served.delete(oldest[0]);
        await oldest[1].close();
      }
      await openStudy(hash);
    }
    await registry.put(record());
    if (++looks % CLEAN_EVERY === 0)
      for (const hash of await registry.forgotten()) {
        const queue = new connection.bull.Queue(queueName(hash), {
          connection: connection.redis,
          prefix: connection.prefix,
        });
        queue.on('error', () => undefined);
        await queue.obliterate({ force: true }).catch(() => undefined);
        await queue.close();
      }
  };
  let looking = false;
  const safeLook = async (): Promise<void> => {
    if (looking || closing !== undefined) return;
    looking = true;
    try {
      await look();
    } catch {
      // An outage, or a server without room: the next look comes.
    } finally {
      looking = false;
    }
  };
  connection.onTurn((there) => {
    if (closing !== undefined) return;
    onNote(
      there
        ? `queue ${connection.shown} is there again; going on.`
        : `queue ${connection.shown} is not there; waiting.`,
    );
    if (there) void safeLook();
  });
  await safeLook();
  const timer = setInterval(() => void safeLook(), BEAT_MS);
  const close = async (): Promise<void> => {
    clearInterval(timer);
    const work = (async () => {
      await Promise.all([...served.values()].map(async (study) => study.close()));
      await registry.drop(name);
    })().catch(() => undefined);
    await Promise.race([work, new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())]);
    await connection.close();
  };
  return {
    name,
    async [Symbol.asyncDispose]() {
      await (closing ??= close());
    },
  };
}
