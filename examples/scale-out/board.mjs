// Bull Board over the studies of a queue, on http://127.0.0.1:3000; studies come and go, so it looks every two seconds.
//   npm install @bull-board/api @bull-board/express express bullmq ioredis
//   node board.mjs redis://localhost:6379
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { Queue } from 'bullmq';
import express from 'express';
import { Redis } from 'ioredis';

const redis = new Redis(process.argv[2], { maxRetriesPerRequest: null });
const server = new ExpressAdapter();
const board = createBullBoard({ queues: [], serverAdapter: server });
const shown = new Map();
setInterval(async () => {
  const studies = new Set(await redis.smembers('spexlens:studies'));
  for (const study of studies)
    if (!shown.has(study)) {
      const queue = new Queue(`study-${study}`, { connection: redis, prefix: 'spexlens', skipMetasUpdate: true });
      shown.set(study, new BullMQAdapter(queue, { readOnlyMode: true }));
      board.addQueue(shown.get(study));
    }
  for (const [study, adapter] of shown)
    if (!studies.has(study)) {
      board.removeQueue(adapter);
      shown.delete(study);
    }
}, 2000);
express().use('/', server.getRouter()).listen(3000, '127.0.0.1');
