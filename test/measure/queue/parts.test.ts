/** The queue's parts without a server: messages, sizes of jobs, masks on their way, the mask that fails, turns, addresses. */
import { describe, expect, it } from 'vitest';
import { gameFromFunction } from '../../../src/game.ts';
import { fail } from '../../../src/errors.ts';
import { allMasks, maskHex, selectRows } from '../../../src/masks.ts';
import { createAskedMasks } from '../../../src/measure/queue/asked-masks.ts';
import { connectQueue, refusalOf, shownAddress } from '../../../src/measure/queue/connection.ts';
import { jobSize, keptOf, mostMasks } from '../../../src/measure/queue/job-size.ts';
import {
  failureOf,
  failureText,
  jobOf,
  MOST_BYTES,
  readJob,
  readResult,
  resultOf,
} from '../../../src/measure/queue/messages.ts';
import { namingMask } from '../../../src/measure/queue/name-mask.ts';
import { createTurns } from '../../../src/measure/queue/turns.ts';
import { createRandom } from '../../../src/random.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';

describe('messages', () => {
  it.each([1, 7, 8, 9, 31, 32, 33, 1000])('carry masks over %i players and their answers to the last bit', (n) => {
    const masks = n < 6 ? allMasks(n) : uniformMasks(n, 50, createRandom(n, 'messages'));
    const job = JSON.parse(JSON.stringify(jobOf(masks, 'gradients'))) as unknown;
    expect(readJob(job, n)).toEqual({ masks, wanted: 'gradients' });
    const random = createRandom(2, 'numbers');
    const values = Float64Array.from({ length: masks.count }, () => random.normal() * 1e-7);
    values[0] = -0;
    const gradients = Float32Array.from({ length: masks.count * n }, () => random.normal());
    const result = { worker: 'gpu/1', milliseconds: 12.5, values, gradients };
    const sent = JSON.parse(JSON.stringify(resultOf(result))) as unknown;
    expect(readResult(sent, 'gradients', masks.count, n)).toMatchObject(result);
    expect(Object.is(readResult(sent, 'values', masks.count, n).values[0], -0)).toBe(true);
  });

  it('are refused where they are not what they should be', () => {
    const job = jobOf(allMasks(3), 'values');
    for (const [change, why] of [
      [{ spexlens: 'queue/2' }, 'job: spexlens: '],
      [{ wanted: 'code' }, 'job: wanted: '],
      [{ count: 0 }, 'job: count: '],
      [{ count: 1e6 }, 'job: count: '],
      [{ count: 7 }, 'job: sent 8 bytes; 7 belong to this job.'],
      [{ players: 4 }, 'job: has masks over 4 players; its study has 3.'],
      [
        { masks: Buffer.from([0, 1, 2, 3, 4, 5, 6, 8]).toString('base64') },
        'job: mask 7 keeps a player beyond the last of 3.',
      ],
      [{ masks: '<script>' }, 'job: masks: '],
      [{ masks: 'A'.repeat(2 * MOST_BYTES) }, 'job: masks: '],
      [{ more: 1 }, 'job: it: '],
    ] as const)
      expect(() => readJob({ ...job, ...change }, 3)).toThrow(why);
    const result = resultOf({ worker: 'w', milliseconds: 1, values: new Float64Array(8) });
    expect(() => readResult(result, 'values', 9, 3)).toThrow('worker w: sent 64 bytes; 72 belong to this job.');
    expect(() => readResult(result, 'gradients', 8, 3)).toThrow('worker w: sent 0 bytes; 96 belong to this job.');
    expect(() => readResult({ ...result, values: 1 }, 'values', 8, 3)).toThrow('answer of a worker: values: ');
  });

  it('carry failures with their kind', () => {
    const error = fail('input', 'a game', 'is wrong: so; do it right.');
    expect(failureOf(failureText(error, 'w'), 'queue')).toMatchObject({
      kind: 'input',
      message: 'a game: is wrong: so; do it right. (measured by w)',
    });
    expect(failureOf(failureText(new TypeError('x is not a function'), 'w'), 'queue').kind).toBe('backend');
    expect(failureOf('job stalled more than allowable limit', 'queue q')).toMatchObject({
      kind: 'backend',
      message: 'queue q: a job failed: job stalled more than allowable limit.',
    });
  });
});

describe('the size of a job', () => {
  it('is five seconds of the middle worker, ten at most of the slowest, and less towards the end', () => {
    const size = (open: number, rates: readonly number[], workers = rates.length, most = 1e6): number =>
      jobSize({ open, rates, workers, most });
    expect(size(1e6, [])).toBe(16);
    expect(size(1e6, [100, 100, 100])).toBe(500);
    expect(size(1e6, [1, 100, 2000])).toBe(10);
    expect(size(1e6, [100, 2000, 2000])).toBe(1000);
    expect(size(600, [100, 100, 100])).toBe(100);
    expect(size(60, [100, 100, 100])).toBe(25);
    expect(size(3, [100, 100])).toBe(3);
    expect(size(1e6, [0.01])).toBe(1);
    expect(size(1e6, [1e5], 1, 4096)).toBe(4096);
  });

  it('is bounded by bytes, as is what is kept of jobs', () => {
    expect(mostMasks(144, 'values')).toBe(65_536);
    expect(mostMasks(1000, 'values')).toBe(Math.floor(MOST_BYTES / 125));
    expect(mostMasks(1000, 'gradients')).toBe(Math.floor(MOST_BYTES / 4008));
    expect(mostMasks(46_080, 'gradients')).toBe(11);
    expect(keptOf(11, 46_080, 'gradients').jobs).toBeLessThan(10);
    expect(keptOf(16, 16, 'values')).toEqual({ jobs: 1000, events: 4000 });
  });
});

describe('masks on their way', () => {
  const masks = uniformMasks(20, 40, createRandom(1, 'way'));
  const stages = Array.from({ length: 20 }, (_, i) => i);
  const answer = (worker: string, rows: Int32Array, shift = 0) => ({
    worker,
    milliseconds: 1,
    values: Float64Array.from(rows, (row) => row + shift),
  });

  it('are asked in runs, told of once by all who asked, and asked again where they came back', () => {
    const twice = selectRows(masks, [...Array.from({ length: 40 }, (_, i) => i), 3, 3]);
    const told = new Map<number, number>();
    const asked = createAskedMasks(twice, 'values', stages, (rows, values) =>
      rows.forEach((row, k) => {
        expect(told.has(row)).toBe(false);
        told.set(row, values[k]);
      }),
    );
    expect(asked.left).toBe(40);
    const first = asked.take(15);
    const second = asked.take(100);
    expect([first?.rows.length, second?.rows.length, asked.take(5), asked.open]).toEqual([15, 25, undefined, 0]);
    if (first === undefined || second === undefined) throw new Error('unreachable');
    asked.giveBack(first);
    expect(asked.open).toBe(15);
    const again = [asked.take(10), asked.take(10)];
    expect(again.map((piece) => piece?.rows.length)).toEqual([10, 5]);
    expect(asked.accept(second, answer('a', second.rows))).toBeUndefined();
    expect(asked.accept(first, answer('b', first.rows))).toBeUndefined(); // comes after all
    expect(asked.left).toBe(0);
    expect(told.size).toBe(42);
    expect(new Set([told.get(3), told.get(40), told.get(41)]).size).toBe(1);
  });

  it('of others are waited for, and a second answer is compared with the first', () => {
    const asked = createAskedMasks(masks, 'values', stages, () => undefined);
    const [held] = asked.hold(selectRows(masks, [5, 6, 7]));
    const rest = asked.take(100);
    expect([rest?.rows.length, asked.open]).toEqual([37, 0]);
    asked.accept(held, { worker: 'a', milliseconds: 1, values: Float64Array.of(1, 2, 3) });
    expect(asked.left).toBe(37);
    const close = { worker: 'b', milliseconds: 1, values: Float64Array.of(1 + 9e-6, 2, 3 - 2e-5) };
    expect(asked.accept(held, close)).toBeUndefined();
    const far = { worker: 'b', milliseconds: 1, values: Float64Array.of(1, 2 + 1e-4, 3) };
    expect(asked.accept(held, far)).toEqual({
      mask: maskHex(masks, 6),
      said: [
        { worker: 'a', value: 2 },
        { worker: 'b', value: 2 + 1e-4 },
      ],
    });
    expect(asked.hold(selectRows(masks, [5]))).toEqual([]); // it has its answer
  });

  it('of a large request are sorted in windows, and all come', () => {
    const many = uniformMasks(24, 70_000, createRandom(4, 'windows'));
    let told = 0;
    const asked = createAskedMasks(many, 'values', stages, (rows) => (told += rows.length));
    for (let piece = asked.take(9999); piece !== undefined; piece = asked.take(9999))
      asked.accept(piece, answer('a', piece.rows));
    expect([told, asked.left]).toEqual([70_000, 0]);
  });
});

describe('a game that names its masks', () => {
  it('names the one that fails, and lets lack of memory and stops through', async () => {
    const masks = allMasks(6);
    const failing = (error: Error, at: number) =>
      namingMask(
        gameFromFunction('g', 6, (row, some) => {
          if (some.words[row] === at) throw error;
          return some.words[row];
        }),
      );
    await expect(failing(new RangeError('no'), 37).value(masks)).rejects.toMatchObject({
      kind: 'input',
      message: 'g: mask 25 (hex, player 0 = lowest bit of the first byte) fails: no',
    });
    const memory = fail('backend', 'gpu', 'is out of memory.');
    await expect(failing(memory, 37).value(masks)).rejects.toBe(memory);
    expect(await failing(new RangeError('no'), 64).value(masks)).toEqual(Float64Array.from(masks.words));
  });
});

describe('turns', () => {
  it('come in order, and one that is given up lets the next one pass', async () => {
    const turns = createTurns();
    const order: string[] = [];
    const never = new AbortController();
    const stop = new AbortController();
    const end = await turns.next(never.signal);
    const given = turns.next(stop.signal);
    const third = turns.next(never.signal).then((done) => (order.push('third'), done));
    stop.abort();
    await expect(given).rejects.toThrow('stopped');
    expect(order).toEqual([]);
    end();
    (await third)();
    expect(order).toEqual(['third']);
  });
});

describe('an address', () => {
  it('is shown without its password, and has to be one of Redis', async () => {
    expect(shownAddress('rediss://me:secret@host:6380/1?family=6')).toBe('rediss://host:6380/1');
    expect(shownAddress({ host: 'host', password: 'secret', tls: {} })).toBe('rediss://host:6379');
    expect(shownAddress({ path: '/run/redis.sock' })).toBe('unix:/run/redis.sock');
    await expect(connectQueue('localhost:6379')).rejects.toThrow('queue: "localhost:6379" is no address');
    await expect(connectQueue({ host: '127.0.0.1', port: 1 })).rejects.toThrow(
      'redis://127.0.0.1:1: cannot be reached',
    );
  });

  it('whose server takes no writes is said to, with what to do', () => {
    for (const [text, what] of [
      ["OOM command not allowed when used memory > 'maxmemory'.", 'no memory left'],
      ['MISCONF Errors writing to the AOF file: No space left on device', 'its disk is full'],
      ["READONLY You can't write against a read only replica.", 'a replica'],
      ['NOAUTH Authentication required.', 'lets nobody in'],
    ])
      expect(refusalOf(new Error(text), 'queue q')?.message).toContain(what);
    const aborted = Object.assign(new Error('EXECABORT'), { previousErrors: [new Error('OOM command not allowed')] });
    expect(refusalOf(aborted, 'queue q')?.message).toContain('no memory left');
    expect(refusalOf(new Error('read ECONNRESET'), 'queue q')).toBeUndefined();
  });
});
