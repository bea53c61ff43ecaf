/** Several askers: the same study shares answers, other ones share workers; one that stops takes its jobs back; nobody there is said. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Masks } from '../../../src/masks.ts';
import { createQueuedGame } from '../../../src/measure/queue/queued-game.ts';
import { startQueueWorker } from '../../../src/measure/queue/queue-worker.ts';
import { readQueue } from '../../../src/measure/queue/queue-state.ts';
import { hostOf, type OpenStudy } from '../../../src/measure/queue/study-host.ts';
import { createRandom } from '../../../src/random.ts';
import { hashStudy } from '../../../src/study.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import { fail } from '../../../src/errors.ts';
import { madeUpGame, madeUpStudy, madeUpValue, openMadeUp } from './made-up.ts';
import { sleep } from './processes.ts';
import { HAS_REDIS, startRedis, type RedisServer } from './redis.ts';

const N = 24;
const masksOf = (count: number, seed: number): Masks => uniformMasks(N, count, createRandom(seed, 'sharing'));
const valuesOf = (masks: Masks): Float64Array =>
  Float64Array.from({ length: masks.count }, (_, row) => madeUpValue(masks, row));

describe.skipIf(!HAS_REDIS)('askers of a queue', { timeout: 60_000 }, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(async () => server.stop());

  /** Opens studies whose masks take a millisecond, and counts what is measured. */
  const counting = (each = 1): { readonly open: OpenStudy; readonly measured: () => number } => {
    let measured = 0;
    return {
      measured: () => measured,
      open: async () => {
        const game = madeUpGame(N, { each });
        return hostOf({
          ...game,
          value: async (masks, options) => game.value(masks, options).finally(() => (measured += masks.count)),
        });
      },
    };
  };

  it('share the answers to one study', async () => {
    const { open, measured } = counting();
    await using worker = await startQueueWorker(server.url, { open, name: 'shared' });
    await using first = await createQueuedGame(madeUpStudy(N, 'one'), server.url);
    await using second = await createQueuedGame(madeUpStudy(N, 'one'), server.url);
    const masks = masksOf(3000, 1);
    const values = await Promise.all([first.value(masks), sleep(1000).then(async () => second.value(masks))]);
    for (const each of values) expect(each).toEqual(valuesOf(masks));
    expect(measured()).toBeGreaterThanOrEqual(3000);
    expect(measured()).toBeLessThan(4000);
    expect(first.measuredBy.has(worker.name)).toBe(true);
  });

  it('wait for a study that is on the list before it is announced, as after an outage of a server without a log', async () => {
    const study = madeUpStudy(N, 'listed');
    const hash = hashStudy(study);
    await server.redis.sadd('spexlens:studies', hash);
    await server.redis.set(`spexlens:asked:${hash}`, '1', 'PX', 60_000);
    const notes: string[] = [];
    await using worker = await startQueueWorker(server.url, {
      open: openMadeUp(),
      name: 'patient',
      onNote: (text) => notes.push(text),
    });
    await sleep(3000); // it has looked by then
    await using game = await createQueuedGame(study, server.url);
    const masks = masksOf(100, 9);
    expect(await game.value(masks)).toEqual(valuesOf(masks));
    expect(notes.join()).not.toContain('refused');
    expect(game.measuredBy.get(worker.name)).toBe(100);
  });

  it('share the workers, job by job', async () => {
    await using worker = await startQueueWorker(server.url, { open: openMadeUp({ each: 1 }), name: 'fair' });
    await using long = await createQueuedGame(madeUpStudy(N, 'long'), server.url);
    await using short = await createQueuedGame(madeUpStudy(N, 'short'), server.url);
    const all = masksOf(40_000, 2);
    const few = masksOf(40, 3);
    let told = 0;
    const stop = new AbortController();
    const asked = long.value(all, { signal: stop.signal, onValues: (rows) => (told += rows.length) });
    await vi.waitFor(() => expect(told).toBeGreaterThan(100), { timeout: 30_000 });
    expect(await short.value(few)).toEqual(valuesOf(few));
    expect(told).toBeLessThan(all.count); // and not after all of the long one
    const state = await readQueue(server.url);
    expect(state.workers.map(({ id }) => id)).toEqual([worker.name]);
    const studies = state.studies.map(({ name, players, askers }) => `${name} ${players} ${askers.length}`);
    expect(new Set(studies)).toEqual(new Set([`long logit-diff ${N} 1`, `short logit-diff ${N} 1`]));
    stop.abort();
    await expect(asked).rejects.toMatchObject({ kind: 'aborted' });
  });

  it('take their jobs back when they stop, and leave nothing behind', async () => {
    const study = madeUpStudy(N, 'stopped');
    const game = await createQueuedGame(study, server.url);
    const stop = new AbortController();
    const asked = game.value(masksOf(500, 4), { signal: stop.signal });
    const waiting = `spexlens:study-${hashStudy(study)}:wait`;
    await vi.waitFor(async () => expect(await server.redis.llen(waiting)).toBe(3), { timeout: 10_000 });
    stop.abort();
    await expect(asked).rejects.toMatchObject({ kind: 'aborted' });
    await vi.waitFor(async () => expect(await server.redis.llen(waiting)).toBe(0), { timeout: 10_000 });
    await game[Symbol.asyncDispose]();
    expect(await server.redis.keys(`*${hashStudy(study)}*`)).toEqual([]);
    await expect(game.value(masksOf(5, 4))).rejects.toMatchObject({ kind: 'input' });
  });

  it('hear that nobody measures, and give up where they are told to', async () => {
    const open: OpenStudy = async () => Promise.reject(fail('checkpoint', 'model none', 'is not in models here.'));
    await using worker = await startQueueWorker(server.url, { open, name: 'without' });
    const notes: string[] = [];
    await using game = await createQueuedGame(madeUpStudy(N, 'none'), server.url, {
      onNote: (text) => notes.push(text),
      patienceMs: 8000,
    });
    await expect(game.value(masksOf(50, 5))).rejects.toThrow(
      /nobody measured this study for \d+ s \(1 worker is there\); start workers that have none\.$/,
    );
    expect(notes).toEqual([
      `worker ${worker.name} does not measure this study: model none: is not in models here.`,
      `nobody measures this study yet (1 worker is there); start one: spexlens worker --queue ${server.url}`,
    ]);
  });

  it('work too where they are told to', async () => {
    await using game = await createQueuedGame(madeUpStudy(N, 'local'), server.url, { local: { open: openMadeUp() } });
    const masks = masksOf(400, 6);
    expect(await game.value(masks)).toEqual(valuesOf(masks));
    expect(game.measuredBy.size).toBe(1);
  });
});
