import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/random.ts';
import { createBch, parityOf, type BchCode } from '../../src/spex/bch.ts';
import { berlekampMassey, locatorWorkspace } from '../../src/spex/berlekamp-massey.ts';
import { chienSearch, rootWorkspace, splits } from '../../src/spex/chien.ts';
import { cheapestPatterns, createDecoder, leastReliable } from '../../src/spex/decode.ts';
import { galoisField, multiply } from '../../src/spex/galois-field.ts';

/** The column of a lone term of value `value`, with the listed entries negated. */
function column(
  code: BchCode,
  members: readonly number[],
  value: number,
  flipped: readonly number[] = [],
): Float64Array {
  const parity = parityOf(code, members, new Uint32Array(code.stride));
  const signs = Float64Array.from({ length: code.parityBits + 1 }, (_, i) =>
    i > 0 && (parity[(i - 1) >>> 5] >>> ((i - 1) & 31)) & 1 ? -value : value,
  );
  for (const i of flipped) signs[i] = -signs[i];
  return signs;
}

/** Every subset of 0..n-1 of size <= most. */
function* subsets(n: number, most: number, from = 0): Generator<number[]> {
  yield [];
  if (most === 0) return;
  for (let i = from; i < n; i++) for (const rest of subsets(n, most - 1, i + 1)) yield [i, ...rest];
}

/** Λ(x) = Π (1 - X x) over locators α^d. */
function locatorOf(m: number, degrees: readonly number[]): Uint16Array {
  const field = galoisField(m);
  let product = Uint16Array.of(1);
  for (const d of degrees) {
    const next = new Uint16Array(product.length + 1);
    product.forEach((c, j) => {
      next[j] ^= c;
      next[j + 1] ^= multiply(field, c, field.exp[d]);
    });
    product = next;
  }
  return product;
}

describe('Berlekamp-Massey and the search for roots', () => {
  test('the locator of 1..t positions comes back from its power sums, and its roots are the positions', () => {
    const random = createRandom(3);
    for (const [m, t] of [
      [4, 2],
      [6, 3],
      [8, 5],
      [11, 5],
      [12, 8],
    ]) {
      const field = galoisField(m);
      const space = locatorWorkspace(t);
      const roots = rootWorkspace(t);
      for (let trial = 0; trial < 60; trial++) {
        const degrees = random.subset(field.order, 1 + random.integer(t));
        const syndromes = Uint16Array.from({ length: 2 * t }, (_, i) =>
          degrees.reduce((sum, d) => sum ^ field.exp[(d * (i + 1)) % field.order], 0),
        );
        expect(berlekampMassey(field, syndromes, t, space)).toBe(degrees.length);
        expect([...space.locator.subarray(0, degrees.length + 1)]).toEqual([...locatorOf(m, degrees)]);
        expect(splits(field, space.locator, degrees.length, roots)).toBe(true);
        expect(chienSearch(field, space.locator, degrees.length, field.order, roots)).toEqual(degrees);
      }
    }
  });

  test('a locator splits exactly when an exhaustive search finds all its roots', () => {
    const random = createRandom(4);
    const counts = { yes: 0, no: 0 };
    for (const m of [4, 5, 8]) {
      const field = galoisField(m);
      const roots = rootWorkspace(5);
      for (let trial = 0; trial < 1000; trial++) {
        const degree = 2 + random.integer(4);
        const locator = Uint16Array.from({ length: 12 }, (_, j) =>
          j === 0 ? 1 : j > degree ? 0 : random.integer(field.order + 1),
        );
        if (locator[degree] === 0) locator[degree] = 1;
        const found = chienSearch(field, locator, degree, field.order, roots);
        expect(splits(field, locator, degree, roots)).toBe(found !== undefined);
        counts[found ? 'yes' : 'no']++;
      }
    }
    expect(Math.min(counts.yes, counts.no)).toBeGreaterThan(50);
  });

  test('a root in a shortened position is no root', () => {
    const field = galoisField(6);
    const locator = new Uint16Array(8);
    locator.set(locatorOf(6, [5, 40]));
    expect(chienSearch(field, locator, 2, 41, rootWorkspace(3))).toEqual([5, 40]);
    expect(chienSearch(field, locator, 2, 40, rootWorkspace(3))).toBeUndefined();
  });
});

describe('hard decoding', () => {
  test.each([
    [7, 2],
    [11, 1],
    [10, 3],
    [11, 5],
    [16, 3],
  ])('n = %i, t = %i: every set of at most t players decodes from its parity bits, for either sign', (n, t) => {
    const code = createBch(n, t);
    const decoder = createDecoder(code);
    for (const set of subsets(n, t)) {
      expect(decoder.hard(column(code, set, 0.7))).toEqual(set);
      expect(decoder.hard(column(code, set, -2))).toEqual(set);
    }
  });

  test.each([
    [7, 2],
    [5, 3],
    [9, 3],
  ])('n = %i, t = %i: every set with every pattern of flipped parity bits decodes while |k| + flips <= t', (n, t) => {
    const code = createBch(n, t);
    const decoder = createDecoder(code);
    for (const set of subsets(n, t)) {
      for (const flips of subsets(code.parityBits, t - set.length)) {
        expect(
          decoder.hard(
            column(
              code,
              set,
              1,
              flips.map((i) => i + 1),
            ),
          ),
        ).toEqual(set);
      }
    }
  });

  test.each([
    [92, 5],
    [215, 4],
    [1000, 4],
    [1992, 5],
    [4000, 3],
    [60_000, 5],
  ])('n = %i, t = %i: sampled sets and flips decode while |k| + flips <= t', (n, t) => {
    const code = createBch(n, t);
    const decoder = createDecoder(code);
    const random = createRandom(n);
    for (let trial = 0; trial < (n > 10_000 ? 15 : 150); trial++) {
      const size = random.integer(t + 1);
      const set = random.subset(n, size);
      const flips = random.subset(code.parityBits, random.integer(t - size + 1)).map((i) => i + 1);
      expect(decoder.hard(column(code, set, 1, flips))).toEqual(set);
    }
  });
});

describe('Chase decoding', () => {
  test('finds a set of t players through flips of its least reliable entries, entry 0 among them', () => {
    const random = createRandom(5);
    for (const [n, t] of [
      [92, 5],
      [500, 4],
      [1000, 3],
    ]) {
      const code = createBch(n, t);
      const decoder = createDecoder(code);
      for (let trial = 0; trial < 20; trial++) {
        const set = random.subset(n, t);
        const weak =
          trial % 2 === 0
            ? [1 + random.integer(code.parityBits), 0]
            : random.subset(code.parityBits, 2).map((i) => i + 1);
        const received = column(code, set, 1, weak);
        for (const i of weak) received[i] *= 0.1;
        expect(decoder.hard(received)).not.toEqual(set);
        expect(decoder.chase(received)).toContainEqual(set);
      }
    }
  });

  test('a zero in entry 0 is settled by trying both signs', () => {
    const code = createBch(50, 3);
    const decoder = createDecoder(code);
    for (const value of [1, -1]) {
      const received = column(code, [4, 17, 33], value);
      received[0] = 0;
      expect([decoder.hard(received), ...decoder.chase(received)]).toContainEqual([4, 17, 33]);
    }
  });

  test('lists distinct sets of at most t players', () => {
    const code = createBch(100, 4);
    const decoder = createDecoder(code);
    const random = createRandom(6);
    let listed = 0;
    for (let trial = 0; trial < 100; trial++) {
      const found = decoder.chase(Float64Array.from({ length: code.parityBits + 1 }, () => random.normal()));
      expect(new Set(found.map((set) => set.join())).size).toBe(found.length);
      for (const set of found) {
        expect(set.length).toBeLessThanOrEqual(4);
        expect(set.every((player, k) => player < 100 && (k === 0 || player > set[k - 1]))).toBe(true);
      }
      listed += found.length;
    }
    expect(listed).toBeGreaterThan(0);
  });

  test('patterns come cheapest first, each once, as an exhaustive sort would give them', () => {
    const weights = Float64Array.of(0.1, 0.25, 0.27, 0.5, 1.1, 1.7);
    const cost = (mask: number): number => weights.reduce((sum, weight, e) => sum + ((mask >> e) & 1 ? weight : 0), 0);
    const all = Array.from({ length: 63 }, (_, k) => k + 1).sort((a, b) => cost(a) - cost(b));
    const patterns = cheapestPatterns(weights, 63);
    expect(new Set(patterns).size).toBe(63);
    expect(patterns.map(cost)).toBeAllClose(all.map(cost), 1e-12);
    expect(cheapestPatterns(weights, 100)).toHaveLength(63);
  });

  test('the least reliable entries are those of least magnitude', () => {
    expect(leastReliable(Float64Array.of(3, -0.1, 2, 0.1, -1), 3)).toEqual([1, 3, 4]);
  });
});
