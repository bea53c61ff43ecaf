/**
 * Who is there: studies that somebody asks, who asks them, and workers; short records that fade when their owner is gone.
 *
 * Beside BullMQ's own keys: a study once, as JSON by its hash, so that jobs carry no more than masks; and a record of each asker and
 * worker. A record lasts so long as it is renewed, by the server's clock.
 */
import { z } from 'zod';
import { fail } from '../../errors.ts';
import { hashStudy, parseStudy, type Study } from '../../study.ts';
import { PROTOCOL } from './messages.ts';
import type { QueueConnection } from './connection.ts';

/** How often records are renewed, and how long they last without. */
export const BEAT_MS = 2000;
const WORKER_MS = 15_000;
const ASKER_MS = 30_000;
/** How long the study and the answers of an asker that was killed are kept. */
const STUDY_MS = 3_600_000;
/** A study may be a large one: every neuron of a model, with its name. */
const MOST_STUDY = 2 ** 26;

const count = z.int().min(0);
const name = z.string().min(1).max(200);
const announcementSchema = z.strictObject({
  protocol: z.string(),
  version: z.string(),
  /** A hub id to find the model by, where the asker has it from there. */
  source: z.string().max(300).nullable(),
  study: z.unknown(),
});
const askerSchema = z.strictObject({
  id: name,
  /** Masks that were asked for, that have an answer, and answers a second. */
  asked: count,
  done: count,
  rate: z.number().min(0),
});
const workerSchema = z.strictObject({
  id: name,
  version: z.string().max(100),
  backend: z.string().max(200),
  threads: z.string().max(20),
  models: z.array(z.string().max(300)).max(1000),
  studies: z.record(
    z.string().max(64),
    z.strictObject({
      state: z.enum(['opening', 'serving', 'refused', 'full']),
      why: z.string().max(2000).optional(),
      /** Masks a second, once some were measured. */
      rate: z.number().min(0).optional(),
      masks: count.optional(),
    }),
  ),
});

export type AskerRecord = z.infer<typeof askerSchema>;
export type WorkerRecord = z.infer<typeof workerSchema>;
/** A study as it stands on the queue. */
export interface Announcement {
  readonly version: string;
  readonly source: string | null;
  readonly study: Study;
}

export interface Registry {
  /** Says that `asker` asks the study; again at every beat. */
  announce(hash: string, announcement: Announcement, asker: AskerRecord): Promise<void>;
  /** Takes the asker away; true when it was the study's last. */
  leave(hash: string, asker: string): Promise<boolean>;
  /** Studies that somebody asks. */
  asked(): Promise<string[]>;
  /** Studies that nobody has asked for long, which are taken off the list. */
  forgotten(): Promise<string[]>;
  /**
   * undefined while nobody has announced it: a server that forgot everything, or an asker that leaves, may have it on the list for a
   * moment all the same.
   * @throws 'input' for what is no study of this hash, or of another version of the queue.
   */
  studyOf(hash: string): Promise<Announcement | undefined>;
  askersOf(hash: string): Promise<AskerRecord[]>;
  put(worker: WorkerRecord): Promise<void>;
  drop(worker: string): Promise<void>;
  workers(): Promise<WorkerRecord[]>;
}

/** The queue of a study; its keys begin with the prefix too. */
export function queueName(hash: string): string {
  return `study-${hash}`;
}

/** What identifies a study on a queue: its hash, which is that of its log. */
export function createRegistry({ redis, prefix, shown }: QueueConnection): Registry {
  const key = (...parts: readonly string[]): string => [prefix, ...parts].join(':');
  /** The records of a set of names; names without one are taken off it. */
  const recordsOf = async <T>(set: string, schema: z.ZodType<T>, at: (id: string) => string): Promise<T[]> => {
    const ids = await redis.smembers(set);
    if (ids.length === 0) return [];
    const texts = await redis.mget(ids.map(at));
    const gone = ids.filter((_, k) => texts[k] === null);
    if (gone.length > 0) await redis.srem(set, ...gone);
    return texts.flatMap((text) => {
      const record = schema.safeParse(text === null ? undefined : jsonOf(text));
      return record.success ? [record.data] : []; // somebody else's
    });
  };
  return {
    async announce(hash, { version, source, study }, asker) {
      if ((await redis.pexpire(key('study', hash), STUDY_MS)) === 0) {
        const text = JSON.stringify({ protocol: PROTOCOL, version, source, study });
        if (text.length > MOST_STUDY)
          throw fail('input', `queue ${shown}`, `the study takes ${text.length} bytes; ${MOST_STUDY} are allowed.`);
        await redis.set(key('study', hash), text, 'PX', STUDY_MS);
      }
      await redis
        .multi()
        .sadd(key('studies'), hash)
        .sadd(key('askers', hash), asker.id)
        .pexpire(key('askers', hash), STUDY_MS)
        .set(key('asker', hash, asker.id), JSON.stringify(asker), 'PX', ASKER_MS)
        .set(key('asked', hash), '1', 'PX', ASKER_MS)
        .exec();
    },
    async leave(hash, asker) {
      await redis
        .multi()
        .srem(key('askers', hash), asker)
        .del(key('asker', hash, asker))
        .exec();
      const others = await recordsOf(key('askers', hash), askerSchema, (id) => key('asker', hash, id));
      if (others.length > 0) return false;
      await redis
        .multi()
        .del(key('asked', hash), key('askers', hash), key('study', hash))
        .srem(key('studies'), hash)
        .exec();
      return true;
    },
    async asked() {
      const hashes = (await redis.smembers(key('studies'))).filter((hash) => /^[0-9a-f]{64}$/.test(hash));
      if (hashes.length === 0) return [];
      const alive = await redis.mget(hashes.map((hash) => key('asked', hash)));
      return hashes.filter((_, k) => alive[k] !== null);
    },
    async forgotten() {
      const hashes = await redis.smembers(key('studies'));
      const gone: string[] = [];
      for (const hash of hashes)
        if ((await redis.exists(key('study', hash))) === 0 && (await redis.srem(key('studies'), hash)) === 1)
          gone.push(hash);
      return gone;
    },
    async studyOf(hash) {
      const who = `study ${hash.slice(0, 8)}`;
      const text = await redis.get(key('study', hash));
      if (text === null) return undefined;
      if (text.length > MOST_STUDY) throw fail('input', who, `takes ${text.length} bytes; ${MOST_STUDY} are allowed.`);
      const announcement = announcementSchema.safeParse(jsonOf(text));
      if (!announcement.success) throw fail('input', who, 'is not as spexlens announces one.');
      const { protocol, version, source, study } = announcement.data;
      if (protocol !== PROTOCOL)
        throw fail(
          'input',
          who,
          `was announced in the form ${protocol} by spexlens ${version}; this one reads ${PROTOCOL}.`,
        );
      const parsed = parseStudy(study, who);
      if (hashStudy(parsed) !== hash) throw fail('input', who, 'has another hash than its name.');
      return { version, source, study: parsed };
    },
    askersOf: async (hash) => recordsOf(key('askers', hash), askerSchema, (id) => key('asker', hash, id)),
    async put(worker) {
      await redis
        .multi()
        .sadd(key('workers'), worker.id)
        .set(key('worker', worker.id), JSON.stringify(worker), 'PX', WORKER_MS)
        .exec();
    },
    async drop(worker) {
      await redis.multi().srem(key('workers'), worker).del(key('worker', worker)).exec();
    },
    workers: async () => recordsOf(key('workers'), workerSchema, (id) => key('worker', id)),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
