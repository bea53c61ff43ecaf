import { describe, expect, it } from 'vitest';
import { allMasks, keptPlayers, type Masks } from '../../src/masks.ts';
import { greedySelector } from '../../src/circuit/greedy.ts';
import { integerProgramSelector } from '../../src/circuit/integer-program.ts';
import { autoSelector, enumerationSelector } from '../../src/circuit/enumeration.ts';
import type { Selector } from '../../src/circuit/selector.ts';
import { complementOf } from '../../src/masks.ts';
import { createSpectrum, evaluate, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { popcount, randomSparse, slowSpectrum, tableOf } from '../spectrum/tables.ts';

const everySize = (n: number): number[] => Array.from({ length: n + 1 }, (_, k) => k);

async function select(
  selector: Selector,
  spectrum: FourierSpectrum,
  direction: 1 | -1 = 1,
): Promise<{ masks: Masks; values: Float64Array }> {
  const masks = await selector.select({ spectrum, sizes: everySize(spectrum.players), direction });
  return { masks, values: evaluate(spectrum, masks) };
}

describe.each([enumerationSelector, greedySelector, integerProgramSelector])('$name', (selector) => {
  it('returns sets of exactly the sizes asked for', async () => {
    const masks = await selector.select({ spectrum: randomSparse(10, 40, 4, 1), sizes: [0, 3, 7, 10], direction: 1 });
    expect([0, 1, 2, 3].map((row) => keptPlayers(masks, row).length)).toEqual([0, 3, 7, 10]);
  });

  it('keeps the largest slopes of an additive game, and drops the negative ones first', async () => {
    const slopes = [2, -1, 0.5, 3, -4];
    const spectrum = createSpectrum(
      'fourier',
      5,
      slopes.map((a, i) => ({ members: [i], value: -a / 2 })),
    );
    const { masks } = await select(selector, spectrum);
    expect(everySize(5).map((row) => keptPlayers(masks, row))).toEqual([
      [],
      [3],
      [0, 3],
      [0, 2, 3],
      [0, 1, 2, 3],
      [0, 1, 2, 3, 4],
    ]);
  });

  it('finds an AND of four whose parts are worth nothing', async () => {
    const spectrum = slowSpectrum(tableOf(8, (m) => ((m & 0b10110100) === 0b10110100 ? 1 : 0) + 0.01 * (m & 1)));
    const { masks } = await select(selector, spectrum);
    expect(keptPlayers(masks, 4)).toEqual([2, 4, 5, 7]);
  });

  it('minimises when told to', async () => {
    const spectrum = randomSparse(9, 50, 4, 2);
    const { values } = await select(selector, spectrum, -1);
    const table = evaluate(spectrum, allMasks(9));
    const lowest = everySize(9).map((k) =>
      table.reduce((low, value, m) => (popcount(m) === k ? Math.min(low, value) : low), Infinity),
    );
    expect(values).toBeAllClose(lowest, 1e-12);
  });

  it('breaks ties towards the lowest players, the same way every time', async () => {
    const even = createSpectrum(
      'fourier',
      6,
      everySize(5).map((i) => ({ members: [i], value: -0.1 })),
    );
    const { masks } = await select(selector, even);
    expect(keptPlayers(masks, 3)).toEqual([0, 1, 2]);
    expect((await select(selector, even)).masks).toEqual(masks);
  });

  it('serves a spectrum without interactions, and games of no or one player', async () => {
    expect((await select(selector, createSpectrum('fourier', 4, [{ members: [], value: 1 }]))).values).toBeAllClose(
      [1, 1, 1, 1, 1],
      0,
    );
    expect((await select(selector, createSpectrum('fourier', 0, [{ members: [], value: 1 }]))).masks.count).toBe(1);
    expect(
      keptPlayers((await select(selector, createSpectrum('fourier', 1, [{ members: [0], value: 1 }]))).masks, 1),
    ).toEqual([0]);
  });
});

describe('enumeration', () => {
  it('is optimal: no set of its size has a larger f̂', async () => {
    for (let seed = 0; seed < 5; seed++) {
      const spectrum = randomSparse(10, 200, 6, seed);
      const table = evaluate(spectrum, allMasks(10));
      const most = everySize(10).map((k) =>
        table.reduce((high, value, m) => (popcount(m) === k ? Math.max(high, value) : high), -Infinity),
      );
      expect((await select(enumerationSelector, spectrum)).values).toBeAllClose(most, 1e-12);
    }
  });

  it('refuses 21 players, for which greedy is the default', () => {
    const spectrum = createSpectrum('fourier', 21, []);
    expect(() => enumerationSelector.select({ spectrum, sizes: [1], direction: 1 })).toThrow('2^21 masks');
    expect(autoSelector(20).name).toBe('enumeration');
    expect(autoSelector(21).name).toBe('greedy');
  });
});

describe('greedy', () => {
  it('finds the optimum at 97 of 100 sizes of random order-4 games of 12 players, and misses by little', async () => {
    let [optimal, total, worst] = [0, 0, 0];
    for (let seed = 0; seed < 12; seed++) {
      const spectrum = randomSparse(12, 100, 4, 50 + seed);
      const best = (await select(enumerationSelector, spectrum)).values;
      const found = (await select(greedySelector, spectrum)).values;
      const span = Math.max(...best) - Math.min(...best);
      best.forEach((value, k) => {
        const gap = (value - found[k]) / span;
        expect(gap).toBeGreaterThan(-1e-9);
        total++;
        if (gap < 1e-9) optimal++;
        worst = Math.max(worst, gap);
      });
    }
    expect(optimal / total).toBeGreaterThanOrEqual(0.97);
    expect(worst).toBeLessThan(0.1);
  });

  it('cannot be bettered by any exchange of one player among 60', async () => {
    const spectrum = randomSparse(60, 200, 4, 3);
    const sizes = [5, 20, 41];
    const masks = await greedySelector.select({ spectrum, sizes, direction: 1 });
    const values = evaluate(spectrum, masks);
    for (let row = 0; row < sizes.length; row++) {
      const kept = keptPlayers(masks, row);
      const others = everySize(59).filter((i) => !kept.includes(i));
      const swapped = kept.flatMap((out) => others.map((into) => [...kept.filter((i) => i !== out), into]));
      const grid = { ...masks, count: swapped.length, words: new Uint32Array(swapped.length * masks.stride) };
      swapped.forEach((members, r) =>
        members.forEach((i) => (grid.words[r * masks.stride + (i >>> 5)] |= 1 << (i & 31))),
      );
      expect(Math.max(...evaluate(spectrum, grid))).toBeLessThanOrEqual(values[row] + 1e-9);
    }
  });
});

it('the complement of a mask keeps exactly the others, beyond one word too', () => {
  const masks = { players: 40, count: 1, stride: 2, words: Uint32Array.of(0b101, 0b10) };
  const others = complementOf(masks);
  expect(keptPlayers(others, 0)).toEqual(everySize(39).filter((i) => ![0, 2, 33].includes(i)));
  expect(complementOf(others)).toEqual(masks);
});
