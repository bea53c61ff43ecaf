import { describe, expect, test } from 'vitest';
import { SpexlensError } from '../../src/errors.ts';
import { planSpex } from '../../src/spex/plan.ts';
import { drawMasks } from '../../src/spex/sample.ts';

const kindOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return error instanceof SpexlensError ? error.kind : 'a defect';
  }
  return 'no error';
};

describe('planSpex', () => {
  /** Sample counts at t = 5, C = 3 that the authors' shipped result files show. */
  test.each([
    [8, 3, 504],
    [11, 4, 1008],
    [11, 8, 16_128],
    [36, 3, 672],
    [36, 4, 1344],
    [36, 8, 21_504],
    [92, 3, 864],
    [92, 4, 1728],
    [92, 8, 27_648],
    [215, 3, 984],
    [215, 4, 1968],
    [215, 8, 31_488],
    [466, 3, 1104],
    [466, 4, 2208],
    [466, 8, 35_328],
    [1000, 8, 43_008],
    [1992, 8, 43_008],
  ])('n = %i, b = %i costs %i raw masks', (n, b, raw) => {
    expect(planSpex(n, { b }).masks.raw).toBe(raw);
  });

  test('takes the largest b that the budget holds', () => {
    expect(planSpex(10, { budget: 1000 })).toMatchObject({ b: 3, t: 5, groups: 3, masks: { raw: 504 } });
    expect(planSpex(7, { budget: 800 })).toMatchObject({ b: 3, t: 5 });
    expect(planSpex(92, { budget: 1727 }).b).toBe(3);
    expect(planSpex(92, { budget: 1728 }).b).toBe(4);
    expect(planSpex(100, { budget: 1e9 }).b).toBe(12);
    expect(planSpex(5, { budget: 1e9 }).b).toBe(5);
  });

  test('a budget below the plan is an error that names the least budget and the t that fits', () => {
    expect(() => planSpex(10, { budget: 450 })).toThrow(/450 masks.*at least 504.*t = 3, which fits/);
    expect(() => planSpex(7, { budget: 300 })).toThrow(/at least 504.*t = 2, which fits/);
    expect(kindOf(() => planSpex(10, { budget: 450 }))).toBe('budget');
  });

  test.each([
    [10, 100],
    [7, 20],
    [20, 100],
  ])('n = %i with %i masks fits no t, degrading or not', (n, budget) => {
    expect(() => planSpex(n, { budget })).toThrow(/no t fits/);
    expect(kindOf(() => planSpex(n, { budget, degrade: true }))).toBe('budget');
  });

  test('t falls only when asked, to the one that the error named', () => {
    expect(planSpex(10, { budget: 450, degrade: true })).toMatchObject({ b: 3, t: 3 });
    expect(planSpex(7, { budget: 300, degrade: true })).toMatchObject({ b: 3, t: 2 });
    expect(planSpex(10, { budget: 1000, degrade: true })).toMatchObject({ b: 3, t: 5 });
  });

  test.each([
    ['no players', () => planSpex(0, { budget: 1000 })],
    ['one player', () => planSpex(1, { budget: 1000 })],
    ['two players', () => planSpex(2, { b: 3 })],
    ['a fraction of a player', () => planSpex(9.5, { b: 3 })],
    ['n beyond the code table', () => planSpex(70_000, { b: 3 })],
    ['t = 0', () => planSpex(10, { b: 3, t: 0 })],
    ['t = 16', () => planSpex(10, { b: 3, t: 16 })],
    ['b = 0', () => planSpex(10, { b: 0 })],
    ['b = 13', () => planSpex(20, { b: 13 })],
    ['b beyond n', () => planSpex(5, { b: 6 })],
    ['no groups', () => planSpex(10, { b: 3, groups: 0 })],
    ['neither budget nor b', () => planSpex(10, {})],
    ['an infinite budget', () => planSpex(10, { budget: Infinity })],
  ])('%s is an input error', (_, run) => {
    expect(kindOf(run)).toBe('input');
  });

  test('a chosen b that costs more than the budget is a budget error', () => {
    expect(kindOf(() => planSpex(64, { b: 6, budget: 1000 }))).toBe('budget');
  });

  test.each([
    [4, 3],
    [7, 4],
    [8, 8],
    [20, 4],
    [64, 3],
    [300, 4],
  ])('n = %i, b = %i: no draw has more distinct masks than promised, a large n exactly as many', (n, b) => {
    const plan = planSpex(n, { b });
    for (let seed = 0; seed < 5; seed++) {
      const { masks } = drawMasks(plan, seed);
      expect(masks.count).toBeLessThanOrEqual(plan.masks.unique);
      if (n >= 64) expect(masks.count).toBe(plan.masks.unique);
    }
  });
});
