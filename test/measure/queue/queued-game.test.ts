/** A game on a queue is a game like any other: the contract, gradients included, on a real redis-server. */
import { afterAll, beforeAll, describe } from 'vitest';
import { createQueuedGame } from '../../../src/measure/queue/queued-game.ts';
import { startQueueWorker, type QueueWorker } from '../../../src/measure/queue/queue-worker.ts';
import { gameContract } from '../../contracts/game.ts';
import { madeUpStudy, openMadeUp } from './made-up.ts';
import { HAS_REDIS, startRedis, type RedisServer } from './redis.ts';

describe.skipIf(!HAS_REDIS)('a game on a queue', { timeout: 60_000 }, () => {
  let server: RedisServer;
  let workers: QueueWorker[];
  beforeAll(async () => {
    server = await startRedis();
    workers = await Promise.all(
      ['a', 'b'].map(async (name) => startQueueWorker(server.url, { open: openMadeUp(), name })),
    );
  });
  afterAll(async () => {
    for (const worker of workers) await worker[Symbol.asyncDispose]();
    await server.stop();
  });
  gameContract('a queued game', async () => createQueuedGame(madeUpStudy(9), server.url));
});
