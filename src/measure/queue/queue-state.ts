/** What is on a queue: its workers, its studies with who asks them, their jobs and failures. */
import { connectQueue, type ConnectOptions, type QueueAddress } from './connection.ts';
import { failureOf } from './messages.ts';
import { createRegistry, queueName, type AskerRecord, type WorkerRecord } from './registry.ts';

export interface StudyState {
  readonly hash: string;
  /** `ioi-tiny logit-diff`; absent for a study that this version cannot read. */
  readonly name: string | undefined;
  readonly players: number;
  readonly askers: readonly AskerRecord[];
  /** Jobs by state. */
  readonly jobs: Readonly<Record<'waiting' | 'active' | 'completed' | 'failed', number>>;
  /** The last failures, newest first. */
  readonly failures: readonly string[];
}

export interface QueueState {
  readonly shown: string;
  /** Bytes that the server takes. */
  readonly memory: number;
  readonly workers: readonly WorkerRecord[];
  readonly studies: readonly StudyState[];
}

const SHOWN_FAILURES = 3;

/** Reads it once. @throws as connectQueue. */
export async function readQueue(address: QueueAddress, options: ConnectOptions = {}): Promise<QueueState> {
  const connection = await connectQueue(address, options);
  const { bull, redis, prefix, shown } = connection;
  const registry = createRegistry(connection);
  try {
    const hashes = await registry.asked();
    const studies = hashes.map(async (hash): Promise<StudyState> => {
      const study = await registry.studyOf(hash).then(
        (announced) => announced?.study,
        () => undefined,
      );
      const queue = new bull.Queue(queueName(hash), { connection: redis, prefix, skipMetasUpdate: true });
      queue.on('error', () => undefined);
      const counts = await queue.getJobCounts('waiting', 'active', 'completed', 'failed');
      const failed = await queue.getFailed(0, SHOWN_FAILURES - 1);
      await queue.close();
      const question = study?.question;
      const value = question?.lens === 'components' ? question.metric.name : question?.value.name;
      return {
        hash,
        name: study === undefined ? undefined : `${study.model.id} ${value ?? ''}`,
        players: question?.players.length ?? 0,
        askers: await registry.askersOf(hash),
        jobs: {
          waiting: counts['waiting'] ?? 0,
          active: counts['active'] ?? 0,
          completed: counts['completed'] ?? 0,
          failed: counts['failed'] ?? 0,
        },
        failures: failed.map((job) => failureOf(job.failedReason ?? 'no reason', 'job').message),
      };
    });
    const memory = /^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1] ?? '0';
    return { shown, memory: Number(memory), workers: await registry.workers(), studies: await Promise.all(studies) };
  } finally {
    await connection.close();
  }
}
