import { afterEach, describe, expect, it } from 'vitest';
import { allMasks } from '../../src/masks.ts';
import type { SpexlensError } from '../../src/errors.ts';
import { createMaskThreads, type MaskThreads } from '../../src/measure/mask-threads.ts';
import { startThread } from '../../src/platform/threads.ts';
import type { Behaviour } from './threads/made-up-thread.ts';

const MASKS = allMasks(3);
const VALUES = [0, 0, 1, 1, 2, 2, 3, 3];
const never = new AbortController().signal;

let threads: MaskThreads | undefined;
afterEach(() => threads?.close());

const startThreads = (count: number, ...behaviours: Behaviour[]): MaskThreads => {
  let next = 0;
  return (threads = createMaskThreads(
    () =>
      startThread('./threads/made-up-thread', import.meta.url, {
        workerData: behaviours[next++ % behaviours.length],
        resourceLimits: { maxOldGenerationSizeMb: 48 },
      }),
    count,
    'game',
  ));
};

async function failureOf(work: Promise<unknown>): Promise<SpexlensError> {
  return work.then(
    () => {
      throw new Error('nothing was thrown');
    },
    (error: SpexlensError) => error,
  );
}

describe('threads that answer masks', { timeout: 120_000 }, () => {
  it('answer more runs than there are threads, each part of each once', async () => {
    const pool = startThreads(2, 'adds');
    await pool.ready;
    const answers = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const values: number[] = [];
        await pool.answer(
          MASKS,
          'values',
          (rows, part) => part.forEach((value, k) => (values[rows[k]] = value)),
          never,
        );
        return values;
      }),
    );
    expect(answers).toEqual(Array(5).fill(VALUES));
  });

  it.each([
    [
      'fills its memory',
      'backend',
      'game: a thread failed (out of memory); what was reported before is safe. Use fewer threads or a smaller batch size.',
    ],
    [
      'exits',
      'backend',
      'game: a thread failed (exit code 3); what was reported before is safe. Use fewer threads or a smaller batch size.',
    ],
    [
      'throws a defect',
      'backend',
      'game: a thread failed (undefined is not a function); what was reported before is safe. Use fewer threads or a smaller batch size.',
    ],
    ['throws an error of ours', 'input', 'mask 1: its value: NaN; a number is needed.'],
    ['cannot start', 'backend', 'wasm: is not there.'],
  ] as [Behaviour, string, string][])(
    'say what happened when one %s, after what it reported',
    async (behaviour, kind, message) => {
      const pool = startThreads(1, behaviour);
      const parts: [number[], number[]][] = [];
      const error = await failureOf(
        pool.answer(MASKS, 'values', (rows, values) => parts.push([[...rows], [...values]]), never),
      );
      expect([error.kind, error.message]).toEqual([kind, message]);
      expect(parts).toEqual(behaviour === 'cannot start' ? [] : [[[0], [0]]]);
      if (behaviour === 'cannot start') expect((await failureOf(pool.ready)).message).toBe(message);
    },
  );

  it('fail those who wait, and who come later, when one dies', async () => {
    const pool = startThreads(1, 'exits');
    const all = Array.from({ length: 3 }, async () => failureOf(pool.answer(MASKS, 'values', () => undefined, never)));
    for (const { message } of await Promise.all(all)) expect(message).toMatch(/a thread failed \(exit code 3\)/);
    expect((await failureOf(pool.answer(MASKS, 'values', () => undefined, never))).message).toMatch(/exit code 3/);
  });

  it('stop on request and by what the listener throws, and answer again afterwards', async () => {
    const pool = startThreads(1, 'waits');
    for (let round = 0; round < 2; round++) {
      const controller = new AbortController();
      const stopped = failureOf(pool.answer(MASKS, 'values', () => controller.abort(), controller.signal));
      expect((await stopped).kind).toBe('aborted');
      const thrown = failureOf(
        pool.answer(
          MASKS,
          'values',
          () => {
            throw new RangeError('full');
          },
          never,
        ),
      );
      expect(await thrown).toEqual(new RangeError('full'));
    }
    const before = AbortSignal.abort();
    expect((await failureOf(pool.answer(MASKS, 'values', () => undefined, before))).kind).toBe('aborted');
  });

  it('end when closed, with the work under way', async () => {
    const pool = startThreads(1, 'waits');
    const [working, waiting] = [
      failureOf(pool.answer(MASKS, 'values', () => pool.close(), never)),
      failureOf(pool.answer(MASKS, 'values', () => undefined, never)),
    ];
    for (const error of await Promise.all([working, waiting]))
      expect([error.kind, error.message]).toEqual(['aborted', 'game: was disposed, and its threads ended.']);
  });
});
