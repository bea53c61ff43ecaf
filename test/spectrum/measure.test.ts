import { describe, expect, it } from 'vitest';
import { keepOf, type Keep } from '../../src/keep.ts';
import { allMasks, isKept } from '../../src/masks.ts';
import { energyByOrder } from '../../src/spectrum/energy.ts';
import { banzhaf, bii, fbii, shapley, sii, stii } from '../../src/spectrum/indices.ts';
import { toMeasure } from '../../src/spectrum/measure.ts';
import { moebius, moebiusFromTable, or } from '../../src/spectrum/moebius.ts';
import { createSpectrum, evaluate, type FourierSpectrum, type Term } from '../../src/spectrum/spectrum.ts';
import { fourierFromTable, spectrumOfDense, tableOfSpectrum } from '../../src/spectrum/walsh-hadamard.ts';
import { byMask, popcount, randomSparse, randomTable, setOf } from './tables.ts';

const N = 7;
const KEEPS: readonly (readonly [string, Keep])[] = [
  ['.9 for all', 0.9],
  ['.2 for all', 0.2],
  ['one a player', [0.9, 0.5, 0.35, 0.99, 0.6, 0.1, 0.75]],
];

/** Probability of every mask in counting order. */
const probabilities = (keep: Keep): Float64Array =>
  Float64Array.from({ length: 2 ** N }, (_, mask) =>
    Array.from({ length: N }, (__, i) => ((mask >>> i) & 1 ? keepOf(keep, i) : 1 - keepOf(keep, i))).reduce(
      (product, p) => product * p,
      1,
    ),
  );
const meanOf = (table: Float64Array, weight: Float64Array): number =>
  table.reduce((sum, value, mask) => sum + value * weight[mask], 0);
const spectrumOf = (table: Float64Array, keep: Keep): FourierSpectrum =>
  spectrumOfDense('fourier', fourierFromTable(table, keep), () => 0, keep);
const valuesOf = ({ terms }: { readonly terms: readonly Term[] }): Float64Array => byMask(N, terms);

describe.each(KEEPS)('a spectrum of masks that keep players with probability %s', (_, keep) => {
  const table = randomTable(N, 3);
  const weight = probabilities(keep);
  const spectrum = spectrumOf(table, keep);

  it('has the coefficients E_p[χ_S f], χ_S = Π (p - m)/√(p(1-p))', () => {
    const character = (set: number, mask: number): number =>
      setOf(set).reduce((product, i) => {
        const p = keepOf(keep, i);
        return (product * (p - ((mask >>> i) & 1))) / Math.sqrt(p * (1 - p));
      }, 1);
    const direct = table.map((__, set) =>
      meanOf(
        table.map((value, mask) => value * character(set, mask)),
        weight,
      ),
    );
    expect(valuesOf(spectrum)).toBeAllClose(direct, 1e-11);
  });

  it('is the function again, mask by mask and as a table', () => {
    expect(evaluate(spectrum, allMasks(N))).toBeAllClose(table, 1e-10);
    expect(tableOfSpectrum(spectrum)).toBeAllClose(table, 1e-10);
  });

  it('has energies that add up to the variance over such masks', () => {
    const variance = meanOf(
      table.map((value) => (value - meanOf(table, weight)) ** 2),
      weight,
    );
    expect(energyByOrder(spectrum).reduce((a, b) => a + b)).toBeCloseTo(variance, 10);
  });

  it('reads a Banzhaf interaction as the mean discrete derivative over such masks', () => {
    const derivative = (set: number): number =>
      meanOf(
        table.map((__, mask) => {
          let sum = 0;
          for (let part = set; ; part = (part - 1) & set) {
            sum += (popcount(set ^ part) % 2 === 0 ? 1 : -1) * table[(mask & ~set) | part];
            if (part === 0) return sum;
          }
        }),
        weight,
      );
    const found = byMask(N, bii(spectrum, 3).terms);
    for (const set of [0b1, 0b1000, 0b11, 0b1001000, 0b10101]) expect(found[set]).toBeCloseTo(derivative(set), 9);
    expect(banzhaf(spectrum)[2]).toBeCloseTo(derivative(0b100), 9);
  });

  it('has the Shapley family and Möbius terms of the function, whatever the masks', () => {
    const fair = spectrumOf(table, 0.5);
    expect(shapley(spectrum)).toBeAllClose(shapley(fair), 1e-10);
    expect(valuesOf(sii(spectrum, 2))).toBeAllClose(valuesOf(sii(fair, 2)), 1e-10);
    expect(valuesOf(stii(spectrum, 2))).toBeAllClose(valuesOf(stii(fair, 2)), 1e-10);
    expect(valuesOf(moebius(spectrum))).toBeAllClose(moebiusFromTable(table), 1e-8);
    expect(evaluate(or(spectrum), allMasks(N))).toBeAllClose(table, 1e-8);
  });

  it('has as Faith-Banzhaf the polynomial of low order closest under such masks', () => {
    const terms = valuesOf(fbii(spectrum, 2));
    const polynomial = table.map((__, mask) =>
      terms.reduce((sum, t, set) => ((set & mask) === set ? sum + t : sum), 0),
    );
    // Closest: what is left is orthogonal to every product of at most two players.
    for (const set of [0, 0b1, 0b100, 0b11, 0b1010000]) {
      const left = table.map((value, mask) => ((set & mask) === set ? value - polynomial[mask] : 0));
      expect(meanOf(left, weight)).toBeCloseTo(0, 9);
    }
  });
});

describe('toMeasure', () => {
  it('keeps a sparse function of many players as it is, there and back', () => {
    const spectrum = randomSparse(60, 40, 4, 2);
    const keep = Array.from({ length: 60 }, (_, i) => 0.1 + (0.8 * i) / 59);
    const moved = toMeasure(spectrum, keep);
    expect(moved.keep).toEqual(keep);
    expect(moved.terms.length).toBeGreaterThan(spectrum.terms.length);
    const back = toMeasure(moved);
    expect(back).not.toHaveProperty('keep');
    expect(back.terms.length).toBe(spectrum.terms.length);
    spectrum.terms.forEach(({ members, value }, k) => {
      expect(back.terms[k].members).toEqual(members);
      expect(back.terms[k].value).toBeCloseTo(value, 10);
    });
  });

  it('takes the dense way for dense spectra, to the same function', () => {
    const table = randomTable(N, 5);
    const fair = spectrumOf(table, 0.5);
    expect(tableOfSpectrum(toMeasure(fair, 0.8))).toBeAllClose(table, 1e-9);
  });

  it('leaves a spectrum of the same masks alone', () => {
    const spectrum = randomSparse(10, 5, 2, 1);
    expect(toMeasure(spectrum)).toBe(spectrum);
    expect(toMeasure(spectrum, [...Array<number>(10).fill(0.5)])).toBe(spectrum);
  });

  it('refuses terms that touch too many subsets', () => {
    const wide = createSpectrum('fourier', 40, [{ members: Array.from({ length: 30 }, (_, i) => i), value: 1 }]);
    expect(() => toMeasure(wide, 0.9)).toThrow(/1 terms touch 1073741824 subsets, more than 4194304/);
  });
});

it('a player that raises f when kept has a negative coefficient at any probability', () => {
  const table = Float64Array.from({ length: 2 ** N }, (_, mask) => mask & 1);
  for (const [, keep] of KEEPS) expect(valuesOf(spectrumOf(table, keep))[1]).toBeLessThan(0);
  expect(isKept(allMasks(N), 1, 0)).toBe(true);
});

it.each([0, 1, -0.2, Number.NaN])('keeping players with probability %d is refused', (keep) => {
  expect(() => createSpectrum('fourier', 2, [], keep)).toThrow(/a number between 0 and 1 is needed/);
});
