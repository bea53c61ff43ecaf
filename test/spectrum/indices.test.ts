/**
 * Every index against its original definition, which is written here from the papers and not from src: as
 * an average of discrete derivatives, or as a constrained least-squares problem, over all masks.
 */
import { describe, expect, it } from 'vitest';
import {
  banzhaf,
  bii,
  fbii,
  fsii,
  influence,
  kSii,
  shapley,
  sii,
  stii,
  type Interactions,
} from '../../src/spectrum/indices.ts';
import { createSpectrum, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { byMask, popcount, randomSparse, randomTable, setOf, slowSpectrum, tableOf } from './tables.ts';

const factorial = (k: number): number => (k <= 1 ? 1 : k * factorial(k - 1));
const choose = (n: number, k: number): number => factorial(n) / factorial(k) / factorial(n - k);

/** δ_T f(S) = Σ_{R ⊆ T} (-1)^{|T|-|R|} f(S ∪ R). */
function derivative(table: Float64Array, t: number, s: number): number {
  let sum = 0;
  for (let r = t; ; r = (r - 1) & t) {
    sum += (-1) ** (popcount(t) - popcount(r)) * table[s | r];
    if (r === 0) return sum;
  }
}

/** Σ over S ⊆ N \ T of weight(|S|) δ_T f(S), for every T of at most `order` players. */
function averaged(
  n: number,
  table: Float64Array,
  order: number,
  weight: (s: number, t: number) => number,
): Float64Array {
  return tableOf(n, (t) => {
    if (popcount(t) > order) return 0;
    let sum = 0;
    for (let s = 0; s < 2 ** n; s++)
      if ((s & t) === 0) sum += weight(popcount(s), popcount(t)) * derivative(table, t, s);
    return sum;
  });
}

const slowSii = (n: number, table: Float64Array, order: number): Float64Array =>
  averaged(n, table, order, (s, t) => (factorial(n - s - t) * factorial(s)) / factorial(n - t + 1));

/** Solves A x = y by Gauss-Jordan elimination with partial pivots. */
function solve(a: number[][], y: number[]): number[] {
  const rows = a.map((row, k) => [...row, y[k]]);
  for (let c = 0; c < rows.length; c++) {
    const pivot = rows
      .slice(c)
      .reduce((best, row, k) => (Math.abs(row[c]) > Math.abs(rows[best][c]) ? c + k : best), c);
    [rows[c], rows[pivot]] = [rows[pivot], rows[c]];
    for (let r = 0; r < rows.length; r++) {
      if (r === c) continue;
      const factor = rows[r][c] / rows[c][c];
      for (let k = c; k < rows[r].length; k++) rows[r][k] -= factor * rows[c][k];
    }
  }
  return rows.map((row, k) => row[rows.length] / row[k]);
}

/**
 * The Möbius polynomial of order l that minimises Σ_m weight(m) (f(m) - g(m))², exact on `pinned` masks:
 * normal equations with Lagrange multipliers.
 */
function faithful(
  n: number,
  table: Float64Array,
  order: number,
  weight: (m: number) => number,
  pinned: number[],
): Float64Array {
  const sets = Array.from({ length: 2 ** n }, (_, t) => t).filter((t) => popcount(t) <= order);
  const size = sets.length + pinned.length;
  const a = Array.from({ length: size }, () => Array.from({ length: size }, () => 0));
  const y = Array.from({ length: size }, () => 0);
  table.forEach((value, m) => {
    const w = pinned.includes(m) ? 0 : weight(m);
    sets.forEach((t, row) => {
      if ((t & m) !== t) return;
      y[row] += w * value;
      sets.forEach((u, column) => (a[row][column] += (u & m) === u ? w : 0));
    });
  });
  pinned.forEach((m, k) => {
    sets.forEach((t, row) => {
      const inside = (t & m) === t ? 1 : 0;
      a[row][sets.length + k] = inside;
      a[sets.length + k][row] = inside;
    });
    y[sets.length + k] = table[m];
  });
  const answer = solve(a, y);
  const dense = new Float64Array(2 ** n);
  sets.forEach((t, row) => (dense[t] = answer[row]));
  return dense;
}

const dense = (n: number, found: Interactions): Float64Array => byMask(n, found.terms);
const total = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

describe.each([6, 7])('on a random game of %i players', (n) => {
  const table = randomTable(n, 40 + n);
  const spectrum = slowSpectrum(table);
  const all = 2 ** n - 1;

  it('Shapley values are the mean marginal contribution over orders of arrival, and efficient', () => {
    const expected = Array.from({ length: n }, (_, i) => slowSii(n, table, 1)[1 << i]);
    expect(shapley(spectrum)).toBeAllClose(expected, 1e-12);
    expect(total(shapley(spectrum))).toBeCloseTo(table[all] - table[0], 11);
  });

  it('Banzhaf values are the mean marginal contribution over uniform masks', () => {
    const expected = averaged(n, table, 1, () => 2 ** -(n - 1));
    expect(banzhaf(spectrum)).toBeAllClose(
      Array.from({ length: n }, (_, i) => expected[1 << i]),
      1e-12,
    );
  });

  it('influence is the mean squared half difference that flipping a player makes', () => {
    const expected = Array.from(
      { length: n },
      (_, i) => table.reduce((sum, v, m) => sum + ((v - table[m ^ (1 << i)]) / 2) ** 2, 0) / table.length,
    );
    expect(influence(spectrum)).toBeAllClose(expected, 1e-12);
  });

  it.each([1, 2, 3, n])('SII of order %i is the Shapley-weighted mean discrete derivative', (order) => {
    expect(dense(n, sii(spectrum, order))).toBeAllClose(slowSii(n, table, order), 1e-11);
  });

  it.each([1, 2, 3, n])('BII of order %i is the uniform mean discrete derivative', (order) => {
    expect(dense(n, bii(spectrum, order))).toBeAllClose(
      averaged(n, table, order, (_, t) => 2 ** -(n - t)),
      1e-11,
    );
  });

  it.each([1, 2, 3, 4, n])(
    'STII of order %i is the derivative at ∅ below the top order, its Taylor mean at it, and efficient',
    (order) => {
      const expected = tableOf(n, (t) => {
        const size = popcount(t);
        if (size > order) return 0;
        if (size < order) return derivative(table, t, 0);
        let sum = 0;
        for (let s = 0; s <= all; s++) if ((s & t) === 0) sum += derivative(table, t, s) / choose(n - 1, popcount(s));
        return (order / n) * sum;
      });
      expect(dense(n, stii(spectrum, order))).toBeAllClose(expected, 1e-11);
      expect(total(dense(n, stii(spectrum, order)))).toBeCloseTo(table[all], 10);
    },
  );

  it.each([1, 2, 3])(
    'FSII of order %i is the Shapley-weighted least-squares polynomial, exact at both ends, and efficient',
    (order) => {
      const kernel = (m: number): number => (n - 1) / (choose(n, popcount(m)) * popcount(m) * (n - popcount(m)));
      expect(dense(n, fsii(spectrum, order))).toBeAllClose(faithful(n, table, order, kernel, [0, all]), 1e-9);
      expect(total(dense(n, fsii(spectrum, order)))).toBeCloseTo(table[all], 10);
    },
  );

  it.each([1, 2, 3])('FBII of order %i is the uniform least-squares polynomial', (order) => {
    expect(dense(n, fbii(spectrum, order))).toBeAllClose(
      faithful(n, table, order, () => 1, []),
      1e-9,
    );
  });

  it.each([1, 2, 3, 4])('k-SII of order %i follows the n-Shapley recursion, and is efficient', (order) => {
    const slow = slowSii(n, table, order);
    const bernoulli = [1, -1 / 2, 1 / 6, 0];
    let values = tableOf(n, (t) => (popcount(t) === 1 ? slow[t] : 0)); // order 1: the Shapley values
    for (let k = 2; k <= order; k++) {
      const lower = values;
      values = tableOf(n, (t) => {
        if (t === 0 || popcount(t) > k) return 0;
        if (popcount(t) === k) return slow[t];
        let sum = 0;
        for (let s = 0; s <= all; s++) if ((s & t) === 0 && popcount(s) + popcount(t) === k) sum += slow[s | t];
        return lower[t] + bernoulli[k - popcount(t)] * sum;
      });
    }
    values[0] = table[0];
    expect(dense(n, kSii(spectrum, order))).toBeAllClose(values, 1e-11);
    expect(total(dense(n, kSii(spectrum, order)))).toBeCloseTo(table[all], 10);
  });

  it('the order-1 members of the family are the Shapley and Banzhaf values', () => {
    for (const index of [sii, stii, fsii, kSii]) {
      const values = dense(n, index(spectrum, 1));
      expect(Array.from({ length: n }, (_, i) => values[1 << i])).toBeAllClose(shapley(spectrum), 1e-11);
    }
    for (const index of [bii, fbii]) {
      const values = dense(n, index(spectrum, 1));
      expect(Array.from({ length: n }, (_, i) => values[1 << i])).toBeAllClose(banzhaf(spectrum), 1e-12);
    }
  });
});

describe('closed forms', () => {
  const n = 6;
  const t = 0b101100;
  const and = slowSpectrum(tableOf(n, (m) => ((m & t) === t ? 1 : 0)));

  it('of AND share the Shapley value equally, and halve BII with every player left out', () => {
    expect(shapley(and)).toBeAllClose([0, 0, 1 / 3, 1 / 3, 0, 1 / 3], 1e-15);
    expect(dense(n, bii(and, 3))).toBeAllClose(
      tableOf(n, (u) => ((u & t) === u ? 2 ** -(3 - popcount(u)) : 0)),
      1e-15,
    );
  });

  it('of a majority of three give each player a third', () => {
    expect(shapley(slowSpectrum(tableOf(3, (m) => (popcount(m) >= 2 ? 1 : 0))))).toBeAllClose(
      [1 / 3, 1 / 3, 1 / 3],
      1e-15,
    );
  });

  it('of a linear game are its slopes in every index', () => {
    const slopes = [2, -1, 0.5, 0, 4, 1];
    const linear = slowSpectrum(tableOf(n, (m) => 3 + setOf(m).reduce((sum, i) => sum + slopes[i], 0)));
    expect(shapley(linear)).toBeAllClose(slopes, 1e-14);
    expect(banzhaf(linear)).toBeAllClose(slopes, 1e-14);
    expect(influence(linear)).toBeAllClose(
      slopes.map((a) => (a / 2) ** 2),
      1e-14,
    );
    for (const index of [sii, bii, stii, fsii, fbii, kSii]) {
      const values = dense(n, index(linear, 2));
      values.forEach((value, u) => popcount(u) === 2 && expect(Math.abs(value)).toBeLessThan(1e-13));
      expect(slopes.map((_, i) => values[1 << i])).toBeAllClose(slopes, 1e-13);
    }
  });
});

describe('among 1,000 players', () => {
  const spectrum = randomSparse(1000, 400, 9, 3);
  const full = spectrum.terms.reduce((sum, { members, value }) => sum + (-1) ** members.length * value, 0); // f(all)
  const none = spectrum.terms.reduce((sum, { value }) => sum + value, 0); // f(∅)

  it.each([1, 2, 3])('the efficient indices of order %i add up to f(all), with no loop over the powerset', (order) => {
    for (const index of [stii, fsii, kSii]) {
      const values = index(spectrum, order).terms;
      expect(total(values.map(({ value }) => value))).toBeCloseTo(full, 8);
      expect(values.find(({ members }) => members.length === 0)?.value).toBeCloseTo(none, 8);
    }
    expect(total(shapley(spectrum))).toBeCloseTo(full - none, 8);
  });

  it('agree with the same game among few players: the others are null', () => {
    const small = randomSparse(8, 30, 6, 5);
    const rename = (i: number): number => 100 * i + 7;
    const wide: FourierSpectrum = createSpectrum(
      'fourier',
      1000,
      small.terms.map(({ members, value }) => ({ members: members.map(rename), value })),
    );
    for (const index of [sii, bii, stii, fsii, fbii, kSii]) {
      const few = index(small, 3).terms.filter(({ value }) => Math.abs(value) > 1e-9);
      const many = index(wide, 3).terms.filter(({ value }) => Math.abs(value) > 1e-9);
      const key = (members: readonly number[]): string => members.join(',');
      const found = new Map(many.map(({ members, value }) => [key(members), value]));
      expect(many).toHaveLength(few.length);
      expect(few.map(({ members }) => found.get(key(members.map(rename))) ?? Number.NaN)).toBeAllClose(
        few.map(({ value }) => value),
        1e-10,
      );
    }
  });

  it('stay accurate for a term of 60 players: the sums do not cancel', () => {
    const members = Array.from({ length: 61 }, (_, k) => 3 * k);
    const long = createSpectrum('fourier', 1000, [{ members, value: 1 }]); // f = (-1)^|m ∩ S|: f(∅) = 1, f(all) = -1
    for (const index of [stii, fsii]) expect(total(index(long, 2).terms.map(({ value }) => value))).toBeCloseTo(-1, 9);
    expect(shapley(long)[0]).toBeCloseTo(-2 / 61, 15);
  });
});

describe('results', () => {
  const spectrum = slowSpectrum(randomTable(6, 1));

  it('say which index, order and how many players they are of, largest terms first', () => {
    const found = fsii(spectrum, 2);
    expect(found).toMatchObject({ index: 'fsii', order: 2, players: 6 });
    expect(found.terms.every(({ value }, k) => k === 0 || Math.abs(value) <= Math.abs(found.terms[k - 1].value))).toBe(
      true,
    );
    expect(found.terms).toHaveLength(1 + 6 + 15);
  });

  it('of a constant are its value at the empty set', () => {
    const constant = createSpectrum('fourier', 5, [{ members: [], value: 4 }]);
    for (const index of [sii, bii, stii, fsii, fbii, kSii])
      expect(index(constant, 2).terms).toEqual([{ members: [], value: 4 }]);
    expect(Array.from(shapley(constant))).toEqual([0, 0, 0, 0, 0]);
  });

  it.each([0, -1, 1.5, Number.NaN])('are refused for order %d', (order) => {
    for (const index of [sii, bii, stii, fsii, fbii, kSii])
      expect(() => index(spectrum, order)).toThrow(`order ${order}`);
  });

  it('are refused when they would touch millions of subsets, with the order that would do', () => {
    const long = createSpectrum('fourier', 100, [{ members: Array.from({ length: 90 }, (_, i) => i), value: 1 }]);
    expect(() => sii(long, 6)).toThrow(
      /touch \d+ subsets, more than 4194304; keep fewer or smaller terms, or ask for order 4\./,
    );
    expect(sii(long, 2).terms.length).toBeGreaterThan(0);
  });
});
