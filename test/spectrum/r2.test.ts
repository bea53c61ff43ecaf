import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/random.ts';
import { quantile, r2, r2Interval } from '../../src/spectrum/r2.ts';

describe('R²', () => {
  it('is 1 for the truth, 0 for its mean and negative for worse', () => {
    expect(r2([1, 2, 3, 6], [1, 2, 3, 6])).toBe(1);
    expect(r2([1, 2, 3, 6], [3, 3, 3, 3])).toBe(0);
    expect(r2([1, 2, 3, 6], [6, 3, 2, 1])).toBe(1 - 52 / 14);
  });

  it('keeps its digits under a large offset', () => {
    expect(r2([1e9 + 1, 1e9 + 2, 1e9 + 3], [1e9 + 1, 1e9 + 2, 1e9 + 4])).toBeCloseTo(0.5, 12);
  });

  it('of a constant truth is 1 when hit and 0 when missed, rounding aside', () => {
    expect(r2([0.1, 0.1, 0.1], [0.1, 0.1, 0.1 + 1e-16])).toBe(1);
    expect(r2([0.1, 0.1, 0.1], [0.1, 0.1, 0.2])).toBe(0);
    expect(r2([0, 0], [0, 0])).toBe(1);
    expect(r2([0, 0], [0, 1e-9])).toBe(0);
    expect(r2([7], [7])).toBe(1);
  });

  it('refuses unequal lengths, nothing at all, and NaN', () => {
    expect(() => r2([1, 2], [1])).toThrow('2 true and 1 estimated');
    expect(() => r2([], [])).toThrow('0 true and 0 estimated');
    expect(() => r2([1, 2], [1, Number.NaN])).toThrow('row 1 is 2, estimated as NaN');
  });
});

describe('the R² interval', () => {
  const noisy = (count: number, seed: number) => {
    const random = createRandom(seed);
    const truth = Float64Array.from({ length: count }, () => random.normal());
    return { truth, estimate: truth.map((v) => v + 0.5 * random.normal()) }; // true R² = 0.75
  };

  it('is the same for the same seed and moves a little with another', () => {
    const { truth, estimate } = noisy(200, 1);
    const first = r2Interval(truth, estimate, { seed: 3 });
    expect(r2Interval(truth, estimate, { seed: 3 })).toEqual(first);
    expect(r2Interval(truth, estimate, { seed: 4 }).low).not.toBe(first.low);
    expect(first.low).toBeLessThan(first.r2);
    expect(first.high).toBeGreaterThan(first.r2);
    expect(first).toMatchObject({ r2: r2(truth, estimate), level: 0.95, masks: 200 });
  });

  it('covers the true value in about 95 of 100 samples', () => {
    let covered = 0;
    for (let seed = 0; seed < 100; seed++) {
      const { truth, estimate } = noisy(150, 100 + seed);
      const { low, high } = r2Interval(truth, estimate, { seed, resamples: 300 });
      if (low <= 0.75 && 0.75 <= high) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(87);
    expect(covered).toBeLessThanOrEqual(100);
  });

  it('narrows with more masks and with a lower level', () => {
    const width = (count: number, level: number) => {
      const { truth, estimate } = noisy(count, 5);
      const { low, high } = r2Interval(truth, estimate, { seed: 1, level });
      return high - low;
    };
    expect(width(1600, 0.95)).toBeLessThan(0.6 * width(100, 0.95));
    expect(width(400, 0.5)).toBeLessThan(width(400, 0.95));
  });

  it('of a single mask or a constant game is a point', () => {
    expect(r2Interval([2], [2], { seed: 1 })).toMatchObject({ r2: 1, low: 1, high: 1, masks: 1 });
    expect(r2Interval([2, 2], [2, 3], { seed: 1 })).toMatchObject({ r2: 0 });
  });

  it('refuses a level of 1', () => {
    expect(() => r2Interval([1], [1], { seed: 1, level: 1 })).toThrow('level 1');
  });
});

it('quantiles interpolate between neighbours', () => {
  expect([0, 0.25, 0.5, 1].map((q) => quantile([1, 2, 4], q))).toEqual([1, 1.5, 2, 4]);
  expect(quantile([5], 0.3)).toBe(5);
});
