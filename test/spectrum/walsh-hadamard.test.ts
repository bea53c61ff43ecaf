import { describe, expect, it } from 'vitest';
import { allMasks } from '../../src/masks.ts';
import { evaluate } from '../../src/spectrum/spectrum.ts';
import {
  denseOfSpectrum,
  fourierFromTable,
  membersOf,
  maskOf,
  spectrumOfDense,
  tableFromFourier,
  tableOfSpectrum,
  walshHadamard,
} from '../../src/spectrum/walsh-hadamard.ts';
import { popcount, randomSparse, randomTable, setOf, slowFourier, tableOf } from './tables.ts';

describe('the Walsh-Hadamard transform', () => {
  it.each([0, 1, 2, 6, 8])('equals the defining sum at n = %i', (n) => {
    const table = randomTable(n, n);
    expect(fourierFromTable(table)).toBeAllClose(slowFourier(table), 1e-13);
  });

  it('is its own inverse up to 2^n', () => {
    const table = randomTable(10, 1);
    expect(walshHadamard(walshHadamard(table.slice())).map((v) => v / 1024)).toBeAllClose(table, 1e-13);
    expect(tableFromFourier(fourierFromTable(table))).toBeAllClose(table, 1e-13);
  });

  it('keeps the energy (Parseval): the variance is the energy of all sets but the empty one', () => {
    const table = randomTable(9, 2);
    const mean = table.reduce((a, b) => a + b, 0) / table.length;
    const variance = table.reduce((sum, v) => sum + (v - mean) ** 2, 0) / table.length;
    const coefficients = fourierFromTable(table);
    expect(coefficients[0]).toBeCloseTo(mean, 12);
    expect(coefficients.subarray(1).reduce((sum, v) => sum + v ** 2, 0)).toBeCloseTo(variance, 12);
  });

  it('works in place and leaves the arguments of the table functions alone', () => {
    const table = randomTable(4, 3);
    const before = table.slice();
    fourierFromTable(table);
    tableFromFourier(table);
    expect(table).toEqual(before);
    expect(walshHadamard(table)).toBe(table);
    expect(table).not.toEqual(before);
  });

  it('gives the closed forms of AND, OR, XOR, a linear game and the majority of three', () => {
    const n = 5;
    const t = 0b01101; // players 0, 2, 3
    const and = fourierFromTable(tableOf(n, (m) => ((m & t) === t ? 1 : 0)));
    const or = fourierFromTable(tableOf(n, (m) => ((m & t) !== 0 ? 1 : 0)));
    const xor = fourierFromTable(tableOf(n, (m) => popcount(m & t) % 2));
    const inside = (s: number): boolean => (s & t) === s;
    expect(and).toBeAllClose(
      tableOf(n, (s) => (inside(s) ? (-1) ** popcount(s) / 8 : 0)),
      1e-15,
    );
    expect(or).toBeAllClose(
      tableOf(n, (s) => (s === 0 ? 7 / 8 : inside(s) ? -1 / 8 : 0)),
      1e-15,
    );
    expect(xor).toBeAllClose(
      tableOf(n, (s) => (s === 0 ? 1 / 2 : s === t ? -1 / 2 : 0)),
      1e-15,
    );
    const a = [0.5, -1, 2, 0, 3];
    const linear = fourierFromTable(tableOf(n, (m) => 7 + setOf(m).reduce((sum, i) => sum + a[i], 0)));
    expect(linear).toBeAllClose(
      tableOf(n, (s) => (s === 0 ? 7 + 4.5 / 2 : popcount(s) === 1 ? -a[setOf(s)[0]] / 2 : 0)),
      1e-15,
    );
    const majority = fourierFromTable(tableOf(3, (m) => (popcount(m) >= 2 ? 1 : 0)));
    expect(majority).toBeAllClose([1 / 2, -1 / 4, -1 / 4, 0, -1 / 4, 0, 0, 1 / 4], 1e-15);
  });

  it.each([0, 3, 12])('refuses %i values, which are not 2^n', (size) => {
    expect(() => walshHadamard(new Float64Array(size))).toThrow(`${size} values are not a table`);
  });
});

describe('dense and sparse spectra', () => {
  it('round-trip through each other', () => {
    const spectrum = randomSparse(9, 40, 5, 4);
    expect(spectrumOfDense('fourier', denseOfSpectrum(spectrum), () => 0)).toEqual(spectrum);
  });

  it('evaluate to the same table', () => {
    const spectrum = randomSparse(9, 40, 5, 5);
    expect(tableOfSpectrum(spectrum)).toBeAllClose(evaluate(spectrum, allMasks(9)), 1e-13);
  });

  it('keep the empty set even when its coefficient is zero', () => {
    expect(spectrumOfDense('fourier', new Float64Array(8), () => 0).terms).toEqual([{ members: [], value: 0 }]);
  });

  it('number sets up to player 30', () => {
    expect(membersOf(maskOf([0, 7, 30]))).toEqual([0, 7, 30]);
    expect(membersOf(0)).toEqual([]);
  });

  it('refuse 25 players', () => {
    expect(() => denseOfSpectrum({ basis: 'fourier', players: 25, terms: [] })).toThrow('at most 24 players');
  });
});
