/** The queue of a study, and what happens on it. */
import type { Queue, QueueEvents } from 'bullmq';
import type { QueueConnection } from './connection.ts';
import { queueName } from './registry.ts';

/** Events that are kept before anything is known of their size. */
const FIRST_EVENTS = 1000;

/** Opens both; no event is missed that comes after this has returned. */
export async function openStudyQueue(
  { bull, redis, prefix }: QueueConnection,
  hash: string,
): Promise<{ readonly queue: Queue; readonly events: QueueEvents }> {
  const name = queueName(hash);
  const queue = new bull.Queue(name, { connection: redis, prefix, streams: { events: { maxLen: FIRST_EVENTS } } });
  const [last] = await redis.xrevrange(queue.toKey('events'), '+', '-', 'COUNT', 1);
  const lastEventId = last === undefined ? '0-0' : last[0]; // not "whatever comes next", which may come before the first look
  const events = new bull.QueueEvents(name, { connection: redis, prefix, lastEventId });
  queue.on('error', () => undefined); // outages are the connection's to tell
  events.on('error', () => undefined);
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
  return { queue, events };
}
