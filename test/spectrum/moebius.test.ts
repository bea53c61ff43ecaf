import { describe, expect, it } from 'vitest';
import { allMasks } from '../../src/masks.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { createRandom } from '../../src/random.ts';
import { fourierFromMoebius, moebius, moebiusFromTable, or, tableFromMoebius } from '../../src/spectrum/moebius.ts';
import { createSpectrum, evaluate } from '../../src/spectrum/spectrum.ts';
import { denseOfSpectrum, fourierFromTable, spectrumOfDense } from '../../src/spectrum/walsh-hadamard.ts';
import { byMask, popcount, randomSparse, randomTable, slowSpectrum, tableOf } from './tables.ts';

/** I(T) = Σ_{R ⊆ T} (-1)^{|T|-|R|} f(R), by the defining sum. */
function slowMoebius(table: Float64Array): Float64Array {
  return table.map((_, t) =>
    table.reduce((sum, value, r) => ((r & t) === r ? sum + (-1) ** (popcount(t) - popcount(r)) * value : sum), 0),
  );
}

describe('Möbius terms', () => {
  it.each([0, 1, 6, 8])('of a table equal the defining sum at n = %i, and the zeta transform inverts them', (n) => {
    const table = randomTable(n, n);
    expect(moebiusFromTable(table)).toBeAllClose(slowMoebius(table), 1e-12);
    expect(tableFromMoebius(moebiusFromTable(table))).toBeAllClose(table, 1e-12);
  });

  it.each([6, 7, 8])('of a dense Fourier spectrum equal the defining sum at n = %i', (n) => {
    const table = randomTable(n, 10 + n);
    expect(byMask(n, moebius(slowSpectrum(table)).terms)).toBeAllClose(slowMoebius(table), 1e-11);
  });

  it('of a sparse Fourier spectrum are the same term by term as over all sets', () => {
    const spectrum = randomSparse(8, 12, 4, 1); // 12 terms of <= 4 players: spread term by term
    const table = evaluate(spectrum, allMasks(8));
    expect(byMask(8, moebius(spectrum).terms)).toBeAllClose(slowMoebius(table), 1e-11);
  });

  it('reproduce the game among 300 players, and go back to the same Fourier terms', () => {
    const spectrum = randomSparse(300, 60, 5, 2);
    const terms = moebius(spectrum);
    const wide = uniformMasks(300, 256, createRandom(2));
    expect(evaluate(terms, wide)).toBeAllClose(evaluate(spectrum, wide), 1e-10);
    const back = fourierFromMoebius(terms);
    expect(back.terms.map(({ members }) => members)).toEqual(spectrum.terms.map(({ members }) => members));
    expect(back.terms.map(({ value }) => value)).toBeAllClose(
      spectrum.terms.map(({ value }) => value),
      1e-12,
    );
  });

  it.each([7, 8])('of a dense game go back to the same Fourier coefficients at n = %i', (n) => {
    const spectrum = slowSpectrum(randomTable(n, 20 + n));
    const back = fourierFromMoebius(moebius(spectrum));
    expect(byMask(n, back.terms)).toBeAllClose(byMask(n, spectrum.terms), 1e-11);
  });

  it('of all 65,536 sets of 16 players are there and back in seconds, not minutes', () => {
    const fourier = spectrumOfDense('fourier', fourierFromTable(randomTable(16, 1)), () => 0);
    const back = fourierFromMoebius(moebius(fourier));
    expect(denseOfSpectrum(back)).toBeAllClose(denseOfSpectrum(fourier), 1e-9);
  }, 15_000);

  it('of AND are one term; of OR alternate in sign; of XOR are (-2)^(|U|-1)', () => {
    const t = 0b10110;
    const [and, any, xor] = [
      (m: number) => ((m & t) === t ? 1 : 0),
      (m: number) => ((m & t) !== 0 ? 1 : 0),
      (m: number) => popcount(m & t) % 2,
    ].map((f) => moebius(slowSpectrum(tableOf(5, f))));
    expect(and.terms.filter(({ value }) => value !== 0)).toEqual([{ members: [1, 2, 4], value: 1 }]);
    const inside = (f: (size: number) => number) => tableOf(5, (u) => (u !== 0 && (u & t) === u ? f(popcount(u)) : 0));
    expect(byMask(5, any.terms)).toBeAllClose(
      inside((size) => (-1) ** (size + 1)),
      1e-12,
    );
    expect(byMask(5, xor.terms)).toBeAllClose(
      inside((size) => (-2) ** (size - 1)),
      1e-12,
    );
  });

  it('leave out what rounding makes of zero: an AND of ten players stays one term', () => {
    const terms = Array.from({ length: 1024 }, (_, s) => s).map((s) => ({
      members: Array.from({ length: 10 }, (_, i) => i)
        .filter((i) => (s >>> i) & 1)
        .map((i) => 3 * i),
      value: ((-1) ** popcount(s) * 0.1) / 1024,
    }));
    const found = moebius(createSpectrum('fourier', 40, terms)).terms.filter(({ members }) => members.length > 0);
    expect(found).toHaveLength(1);
    expect(found[0].value).toBeCloseTo(0.1, 12);
  });

  it('refuse a term that spreads to 2^23 subsets, with the numbers', () => {
    const spectrum = createSpectrum('fourier', 40, [{ members: Array.from({ length: 23 }, (_, i) => i), value: 1 }]);
    expect(() => moebius(spectrum)).toThrow(
      'moebius: 1 terms of up to 23 players touch 8388608 subsets, more than 4194304; keep fewer or smaller terms.',
    );
  });
});

describe('OR terms', () => {
  const reproduce = (players: number, terms: Float64Array) =>
    tableOf(players, (m) => terms.reduce((sum, value, t) => (t === 0 || (t & m) !== 0 ? sum + value : sum), 0));

  it.each([6, 7])('of a dense game satisfy f(m) = O(∅) + Σ_{T ∩ m ≠ ∅} O(T) on every mask at n = %i', (n) => {
    const table = randomTable(n, 30 + n);
    expect(reproduce(n, byMask(n, or(slowSpectrum(table)).terms))).toBeAllClose(table, 1e-11);
  });

  it('of a sparse spectrum satisfy it too, term by term', () => {
    const spectrum = randomSparse(8, 10, 4, 3);
    expect(reproduce(8, byMask(8, or(spectrum).terms))).toBeAllClose(evaluate(spectrum, allMasks(8)), 1e-11);
    expect(evaluate(or(spectrum), allMasks(8))).toBeAllClose(evaluate(spectrum, allMasks(8)), 1e-11);
  });

  it('make an OR of three players one term', () => {
    const found = or(slowSpectrum(tableOf(5, (m) => ((m & 0b11001) !== 0 ? 2 : 0))));
    expect(found.terms.filter(({ value }) => Math.abs(value) > 1e-12)).toEqual([{ members: [0, 3, 4], value: 2 }]);
  });
});
