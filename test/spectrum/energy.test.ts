import { describe, expect, it } from 'vitest';
import {
  directSubsetRate,
  staircaseRate,
  energyByOrder,
  energySplit,
  topInteractions,
} from '../../src/spectrum/energy.ts';
import { createSpectrum, type Term } from '../../src/spectrum/spectrum.ts';
import { randomTable, slowSpectrum } from './tables.ts';

const spectrum = (terms: readonly (readonly [number[], number])[], players = 4) =>
  createSpectrum(
    'fourier',
    players,
    terms.map(([members, value]): Term => ({ members, value })),
  );

describe('energy', () => {
  it('by order adds up to the variance over uniform masks', () => {
    const table = randomTable(7, 1);
    const mean = table.reduce((a, b) => a + b, 0) / table.length;
    const variance = table.reduce((sum, v) => sum + (v - mean) ** 2, 0) / table.length;
    const energy = energyByOrder(slowSpectrum(table));
    expect(energy).toHaveLength(8);
    expect(energy[0]).toBe(0);
    expect(energy.reduce((a, b) => a + b)).toBeCloseTo(variance, 12);
  });

  it('splits into alone, within a group, across groups and ungrouped, as shares, whatever the groups are called', () => {
    const drawn = spectrum([
      [[], 9],
      [[0], 2],
      [[0, 1], 1],
      [[1, 2], -1],
      [[0, 1, 2], 1],
      [[2, 3], 1],
    ]);
    const expected = { total: 8, alone: 4 / 8, within: 1 / 8, across: 2 / 8, ungrouped: 1 / 8 };
    expect(energySplit(drawn, [0, 0, 1, undefined])).toEqual(expected);
    expect(energySplit(drawn, ['noun', 'noun', 'verb', undefined])).toEqual(expected);
  });

  it('of a constant is zero in every share, never NaN', () => {
    expect(energySplit(spectrum([[[], 5]]), Array(4).fill(undefined))).toEqual({
      total: 0,
      alone: 0,
      within: 0,
      across: 0,
      ungrouped: 0,
    });
    expect(energyByOrder(spectrum([]))).toEqual([0]);
  });

  it('refuses a list of other players than the spectrum has', () => {
    expect(() => energySplit(spectrum([]), [])).toThrow('0 players were given for a spectrum over 4');
  });
});

describe('top interactions', () => {
  it('are the largest terms of at least the order asked for', () => {
    const found = spectrum([
      [[], 9],
      [[0], 5],
      [[0, 1], 1],
      [[1, 2], -3],
      [[0, 1, 2], 2],
    ]);
    expect(topInteractions(found, 2).map(({ members }) => members)).toEqual([
      [1, 2],
      [0, 1, 2],
    ]);
    expect(topInteractions(found, 5, 3).map(({ members }) => members)).toEqual([[0, 1, 2]]);
    expect(topInteractions(found, 1, 1)).toEqual([{ members: [0], value: 5 }]);
  });
});

describe('the direct subset rate', () => {
  it('of {∅, {1}, {2}, {1,3}} is 7/8', () => {
    expect(
      directSubsetRate(
        spectrum([
          [[], 4],
          [[1], 3],
          [[2], 2],
          [[1, 3], 1],
        ]),
      ),
    ).toBe(7 / 8);
  });

  it('is 1 for a staircase and falls when only the largest terms count', () => {
    const stair = spectrum([
      [[], 1],
      [[0], 2],
      [[1], 3],
      [[0, 1], 4],
    ]);
    expect(directSubsetRate(stair)).toBe(1);
    expect(directSubsetRate(stair, 1)).toBe(0);
    expect(directSubsetRate(stair, 2)).toBe((1 / 2 + 1) / 2);
  });

  it('takes the empty set as present even when the mean is zero, and is 1 without terms', () => {
    expect(directSubsetRate(spectrum([[[2], 1]]))).toBe(1);
    expect(directSubsetRate(spectrum([]))).toBe(1);
  });

  it('counts the sets that stand on a staircase of smaller ones', () => {
    const of = (...sets: number[][]): number =>
      staircaseRate(
        createSpectrum(
          'fourier',
          6,
          sets.map((members) => ({ members, value: 1 })),
        ),
      );
    expect(of([], [1], [2], [1, 3])).toBe(1); // {1,3} over {1}
    expect(of([1], [1, 2], [1, 2, 3], [4, 5])).toBe(3 / 4);
    expect(of([1, 2, 3], [1, 2])).toBe(0); // nothing leads up from the empty set
    expect(of([0], [0, 1], [0, 1, 2], [3], [3, 4, 5])).toBe(4 / 5);
    expect(of()).toBe(1);
  });
});
