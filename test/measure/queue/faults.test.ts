/** What happens when a part dies: workers, the server, the way between, the asker, a mask; on a real redis-server. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { openLedger } from '../../../src/ledger.ts';
import { maskHex, selectRows, type Masks } from '../../../src/masks.ts';
import { namingMask } from '../../../src/measure/queue/name-mask.ts';
import { createQueuedGame } from '../../../src/measure/queue/queued-game.ts';
import { startQueueWorker } from '../../../src/measure/queue/queue-worker.ts';
import { hostOf, type OpenStudy } from '../../../src/measure/queue/study-host.ts';
import { openRunLog } from '../../../src/measure/run-log.ts';
import { createRandom } from '../../../src/random.ts';
import { hashStudy } from '../../../src/study.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import { madeUpGame, madeUpStudy, madeUpValue, openMadeUp } from './made-up.ts';
import { kill, killAllAtTheEnd, message, sleep, start } from './processes.ts';
import { startProxy } from './proxy.ts';
import { HAS_REDIS, startRedis } from './redis.ts';

const N = 24;
const LOCK = 1500;
const masksOf = (count: number, seed: number): Masks => uniformMasks(N, count, createRandom(seed, 'faults'));
const valuesOf = (masks: Masks): Float64Array =>
  Float64Array.from({ length: masks.count }, (_, row) => madeUpValue(masks, row));

const folder = mkdtempSync(join(tmpdir(), 'spexlens-faults-'));
afterAll(() => rmSync(folder, { recursive: true }));
killAllAtTheEnd();

describe.skipIf(!HAS_REDIS)('a run on a queue', { timeout: 120_000 }, () => {
  it.concurrent('answers every mask while a worker is killed 20 times and another stands still', async () => {
    const server = await startRedis();
    const worker = (name: string): ReturnType<typeof start> => start('worker-process.ts', server.url, name, LOCK, 1, 0);
    let victim = worker('victim');
    const still = worker('still');
    const third = worker('third');
    const notes: string[] = [];
    const game = await createQueuedGame(madeUpStudy(N), server.url, { onNote: (text) => notes.push(text) });
    let kills = 0;
    const random = createRandom(7, 'kills');
    const killing = (async () => {
      await vi.waitFor(() => expect(game.measuredBy.get('victim')).toBeGreaterThan(0), { timeout: 60_000 });
      for (; kills < 20; kills++) {
        if (kills % 2 === 0 && kills > 0) await message(victim); // while it works; else while it starts
        await sleep(100 + 1400 * random.uniform());
        await kill(victim);
        victim = worker('victim');
        if (kills === 4) still.kill('SIGSTOP');
        if (kills === 9) still.kill('SIGCONT');
      }
    })();
    let asked = 0;
    for (let seed = 0; kills < 20; seed++) {
      const masks = masksOf(1500, seed);
      expect(await game.value(masks)).toEqual(valuesOf(masks));
      asked += masks.count;
    }
    await killing;
    const by = [...game.measuredBy.values()].reduce((sum, masks) => sum + masks, 0);
    expect(by).toBeGreaterThanOrEqual(asked);
    expect(notes.filter((text) => text.includes('differ'))).toEqual([]);
    await game[Symbol.asyncDispose]();
    await Promise.all([victim, still, third].map(kill));
    await server.stop();
  });

  it.concurrent('says which two machines differ, when a stopped one comes back with its answer', async () => {
    const server = await startRedis();
    // Sixteen masks of its first job take 1.6 s, so that it is stopped in the middle of it.
    const off = start('worker-process.ts', server.url, 'off', LOCK, 100, 1e-3);
    const notes: string[] = [];
    const game = await createQueuedGame(madeUpStudy(N), server.url, { onNote: (text) => notes.push(text) });
    const masks = masksOf(600, 1);
    const values = game.value(masks);
    await vi.waitFor(async () => expect(await server.redis.llen(`spexlens:study-${hashOf()}:active`)).toBe(1), {
      timeout: 30_000,
    });
    await sleep(300);
    off.kill('SIGSTOP');
    start('worker-process.ts', server.url, 'fine', LOCK, 1, 0);
    await vi.waitFor(() => expect(game.measuredBy.get('fine')).toBeGreaterThan(100), { timeout: 60_000 });
    await sleep(2 * LOCK);
    off.kill('SIGCONT');
    await values;
    await vi.waitFor(() => expect(notes.filter((text) => text.startsWith('two machines differ'))).toHaveLength(1), {
      timeout: 30_000,
    });
    expect(notes.join()).toMatch(/for mask [0-9a-f]{6}, fine measured \S+ and off \S+; the first is kept/);
    await game[Symbol.asyncDispose]();
    await server.stop();
  });

  it.concurrent('goes on when the server is killed and started again, with its log or without', async () => {
    for (const options of [[], ['--appendonly', 'no']]) {
      const server = await startRedis({ options });
      const notes: string[] = [];
      const worker = await startQueueWorker(server.url, { open: openMadeUp({ each: 2 }), name: 'w', lockMs: LOCK });
      const game = await createQueuedGame(madeUpStudy(N), server.url, { onNote: (text) => notes.push(text) });
      const masks = masksOf(3000, 2);
      const told = new Set<number>();
      const values = game.value(masks, { onValues: (rows) => Array.from(rows).forEach((row) => told.add(row)) });
      for (const part of [300, 1500]) {
        await vi.waitFor(() => expect(told.size).toBeGreaterThan(part), { timeout: 60_000 });
        await server.kill();
        await sleep(1000);
        await server.start();
        const again = part === 300 ? 1 : 2;
        await vi.waitFor(() => expect(notes.filter((text) => text.endsWith('going on.'))).toHaveLength(again), {
          timeout: 10_000,
        });
      }
      expect(await values).toEqual(valuesOf(masks));
      expect(told.size).toBe(masks.count);
      expect(notes.filter((text) => text.endsWith('is not there; waiting for it.'))).toHaveLength(2);
      await game[Symbol.asyncDispose]();
      await worker[Symbol.asyncDispose]();
      await server.stop();
    }
  });

  it.concurrent.each(['refuse', 'swallow'] as const)(
    'goes on when the way to the server is cut for 30 s: %s',
    async (cut) => {
      const server = await startRedis();
      const proxy = await startProxy(server.port);
      const worker = await startQueueWorker(proxy.url, { open: openMadeUp({ each: 1 }), name: 'w', lockMs: LOCK });
      const game = await createQueuedGame(madeUpStudy(N), proxy.url);
      const masks = masksOf(4000, 3);
      let told = 0;
      const values = game.value(masks, { onValues: (rows) => (told += rows.length) });
      await vi.waitFor(() => expect(told).toBeGreaterThan(200), { timeout: 60_000 });
      proxy[cut]();
      await sleep(30_000);
      proxy.pass();
      expect(await values).toEqual(valuesOf(masks));
      expect(told).toBe(masks.count);
      await game[Symbol.asyncDispose]();
      await worker[Symbol.asyncDispose]();
      await proxy.close();
      await server.stop();
    },
  );

  it.concurrent('resumes when the asker is killed, and measures again at most what was in flight', async () => {
    const server = await startRedis();
    const path = join(folder, 'log.jsonl');
    let measured = 0;
    const open: OpenStudy = async () => {
      const game = madeUpGame(N, { each: 1 });
      const value: typeof game.value = async (masks, options) => {
        const values = await game.value(masks, options);
        measured += masks.count;
        return values;
      };
      return hostOf({ ...game, value });
    };
    const workers = await Promise.all(['a', 'b'].map(async (name) => startQueueWorker(server.url, { open, name })));
    const count = 12_000;
    let resumed = 0;
    for (const part of [1000, 5000]) {
      const asker = start('asker-process.ts', server.url, path, N, count);
      const first = (await message(asker)) as { resumed: number };
      expect(first.resumed).toBeGreaterThanOrEqual(resumed);
      resumed = first.resumed;
      await vi.waitFor(() => expect(linesOf(path)).toBeGreaterThan(part), { timeout: 60_000, interval: 20 });
      await kill(asker);
    }
    const last = start('asker-process.ts', server.url, path, N, count);
    expect(((await message(last)) as { resumed: number }).resumed).toBeGreaterThan(5000);
    await message(last);
    expect(linesOf(path)).toBe(count);
    const again = measured - count;
    expect(again).toBeGreaterThanOrEqual(0);
    expect(again).toBeLessThan(1000); // the jobs of the dead are waited for
    for (const worker of workers) await worker[Symbol.asyncDispose]();
    await server.stop();
  });

  it.concurrent('gets the error of a mask that fails, by its mask; other studies go on', async () => {
    const server = await startRedis();
    const masks = masksOf(2000, 4);
    const bad = masks.words[1234];
    const open: OpenStudy = async ({ model }) =>
      hostOf(
        namingMask(
          madeUpGame(N, {
            value(some, row) {
              if (model.id === 'poisoned' && some.words[row] === bad) throw new RangeError('no logarithm of -1');
              return madeUpValue(some, row);
            },
          }),
        ),
      );
    const worker = await startQueueWorker(server.url, { open, name: 'w', lockMs: LOCK });
    const [poisoned, other] = await Promise.all([
      createQueuedGame(madeUpStudy(N, 'poisoned'), server.url),
      createQueuedGame(madeUpStudy(N, 'other'), server.url),
    ]);
    const [wrong, right] = await Promise.allSettled([poisoned.value(masks), other.value(masks)]);
    const hex = maskHex(masks, 1234);
    expect(wrong).toMatchObject({
      status: 'rejected',
      reason: {
        kind: 'input',
        message: `made-up logit-diff: mask ${hex} (hex, player 0 = lowest bit of the first byte) fails: no logarithm of -1 (measured by w)`,
      },
    });
    expect(right).toMatchObject({ status: 'fulfilled', value: valuesOf(masks) });
    const rest = selectRows(masks, [0, 1, 2]);
    expect(await poisoned.value(rest)).toEqual(valuesOf(rest));
    await poisoned[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    await worker[Symbol.asyncDispose]();
    await server.stop();
  });

  it.concurrent('stops with a clear error when the server has no room, and resumes', async () => {
    const server = await startRedis();
    await stopsAndResumes(server.url, 'Redis has no memory left (maxmemory is reached)', {
      fill: async () => server.redis.config('SET', 'maxmemory', '1mb'),
      empty: async () => server.redis.config('SET', 'maxmemory', '0'),
    });
    await server.stop();
  });

  it.concurrent('stops with a clear error when the disk of the server is full, and resumes', async (test) => {
    const disk = mkdtempSync(join(folder, 'disk-'));
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]).status !== 0) {
      console.info('a full disk is not tested here: no tmpfs can be mounted.');
      return test.skip();
    }
    const server = await startRedis({ folder: disk });
    await stopsAndResumes(server.url, 'Redis takes no writes (its disk is full or fails', {
      fill: async () => fillUp(join(disk, 'fill')),
      empty: async () => rmSync(join(disk, 'fill')),
    });
    await server.stop();
    spawnSync('umount', [disk]);
  });
});

/** A run whose server is filled on the way: it ends with `why`, keeps what it has, and the next one goes on from there. */
async function stopsAndResumes(
  url: string,
  why: string,
  { fill, empty }: { readonly fill: () => Promise<unknown>; readonly empty: () => Promise<unknown> },
): Promise<void> {
  const path = join(mkdtempSync(join(folder, 'log-')), 'log.jsonl');
  const study = madeUpStudy(N);
  const worker = await startQueueWorker(url, { open: openMadeUp({ each: 1 }), name: 'w', lockMs: LOCK });
  const masks = masksOf(5000, 5);
  const run = async (
    onValues: (told: number) => void,
  ): Promise<{ readonly values: Float64Array; readonly resumed: number }> => {
    const log = openRunLog(path, study);
    const game = await createQueuedGame(study, url);
    try {
      const ledger = openLedger(game, log);
      let told = 0;
      const values = await ledger.value(masks, { onValues: (rows) => onValues((told += rows.length)) });
      return { values, resumed: ledger.resumed };
    } finally {
      await game[Symbol.asyncDispose]();
      log.close();
    }
  };
  let filled = false;
  await expect(
    run((told) => {
      if (told < 500 || filled) return;
      filled = true;
      void fill();
    }),
  ).rejects.toThrow(why);
  await empty();
  const { values, resumed } = await run(() => undefined);
  expect(values).toEqual(valuesOf(masks));
  expect(resumed).toBeGreaterThanOrEqual(500);
  await worker[Symbol.asyncDispose]();
}

/** Writes until the disk is full. */
function fillUp(path: string): void {
  for (const bytes of [2 ** 20, 2 ** 12, 1])
    try {
      for (;;) appendFileSync(path, Buffer.alloc(bytes));
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
    }
}

function linesOf(path: string): number {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 2 : 0; // without the header
}

function hashOf(): string {
  return hashStudy(madeUpStudy(N));
}
