import { describe, expect, it } from 'vitest';
import { createRandom } from '../src/random.ts';

const draws = (seed: number, label?: string): number[] => {
  const random = createRandom(seed, label);
  return Array.from({ length: 8 }, () => random.bits());
};

describe('the generator', () => {
  it('repeats itself for a seed and label, and differs for any other', () => {
    expect(draws(5)).toEqual(draws(5));
    expect(draws(5)).not.toEqual(draws(6));
    expect(draws(5)).not.toEqual(draws(5, 'folds'));
  });

  it('keeps its sequence across versions: every recorded seed depends on it', () => {
    expect(draws(0).slice(0, 4)).toEqual([812435072, 296833561, 1899772108, 402153589]);
    expect(draws(4294967295).slice(0, 2)).toEqual([3698682630, 3171670248]);
  });

  it('forks streams that do not depend on what was drawn before', () => {
    const random = createRandom(1);
    const before = random.fork('masks').bits();
    random.uniform();
    random.normal();
    expect(random.fork('masks').bits()).toBe(before);
    expect(random.fork('folds').bits()).not.toBe(before);
    expect(random.fork('a').fork('b').bits()).toBe(createRandom(1).fork('a').fork('b').bits());
    expect(random.fork('a').fork('b').bits()).not.toBe(random.fork('b').fork('a').bits());
  });

  it.each([-1, 0.5, 2 ** 32, Number.NaN])('refuses the seed %d', (seed) => {
    expect(() => createRandom(seed)).toThrow(`seed ${seed} is not an integer`);
  });
});

describe('its distributions', () => {
  it('uniform: on [0, 1), mean 1/2, variance 1/12', () => {
    const random = createRandom(2);
    const values = Array.from({ length: 20_000 }, () => random.uniform());
    const mean = values.reduce((a, b) => a + b) / values.length;
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / 20_000));
    expect(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length).toBeCloseTo(1 / 12, 2);
  });

  it('normal: mean 0, variance 1, fourth moment 3, neighbours uncorrelated', () => {
    const random = createRandom(3);
    const values = Array.from({ length: 40_000 }, () => random.normal());
    const moment = (p: number): number => values.reduce((sum, v) => sum + v ** p, 0) / values.length;
    expect(Math.abs(moment(1))).toBeLessThan(0.02);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.03);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.25);
    expect(Math.abs(values.slice(1).reduce((sum, v, k) => sum + v * values[k], 0) / values.length)).toBeLessThan(0.02);
  });

  it('integer: every value of [0, n), equally often', () => {
    const random = createRandom(4);
    const counts = Array.from({ length: 7 }, () => 0);
    for (let k = 0; k < 14_000; k++) counts[random.integer(7)]++;
    const chiSquared = counts.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0);
    expect(chiSquared).toBeLessThan(22.5); // 0.999 quantile at 6 degrees of freedom
  });

  it('bits: each of the 32 is fair', () => {
    const random = createRandom(5);
    const ones = Array.from({ length: 32 }, () => 0);
    for (let k = 0; k < 10_000; k++) for (let word = random.bits(), i = 0; i < 32; i++) ones[i] += (word >>> i) & 1;
    for (const count of ones) expect(Math.abs(count - 5000)).toBeLessThan(250); // 5 sigma
  });

  it('shuffle: a permutation in place, every order equally often', () => {
    const random = createRandom(6);
    const counts = new Map<string, number>();
    for (let k = 0; k < 6000; k++) {
      const items = ['a', 'b', 'c'];
      expect(random.shuffle(items)).toBe(items);
      counts.set(items.join(''), (counts.get(items.join('')) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(['abc', 'acb', 'bac', 'bca', 'cab', 'cba']);
    expect([...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)).toBeLessThan(20.5); // 0.999 at 5
  });

  it('subset: k distinct increasing numbers, every set equally often', () => {
    const random = createRandom(7);
    const counts = new Map<string, number>();
    for (let k = 0; k < 10_000; k++) {
      const key = random.subset(5, 2).join(',');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(10);
    expect([...counts.keys()].every((key) => Number(key[0]) < Number(key[2]))).toBe(true);
    expect([...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)).toBeLessThan(27.9); // 0.999 at 9
    expect(random.subset(4, 4)).toEqual([0, 1, 2, 3]);
    expect(random.subset(4, 0)).toEqual([]);
    expect(() => random.subset(2, 3)).toThrow('3 of 2 cannot be drawn');
  });
});
