import { describe, expect, test } from 'vitest';
import { bchSize, cosetExponents, createBch, parityOf } from '../../src/spex/bch.ts';
import { galoisField, multiply } from '../../src/spex/galois-field.ts';

/** Largest n : p, for t = 1..5 (SPEX, as tabled in the reference result files). */
const TABLE: Record<number, readonly (readonly [n: number, p: number])[]> = {
  1: [
    [4, 3],
    [11, 4],
    [26, 5],
    [57, 6],
    [120, 7],
    [247, 8],
    [502, 9],
    [1013, 10],
  ],
  2: [
    [7, 8],
    [21, 10],
    [51, 12],
    [113, 14],
    [239, 16],
    [493, 18],
    [1003, 20],
  ],
  3: [
    [5, 10],
    [16, 15],
    [45, 18],
    [106, 21],
    [231, 24],
    [484, 27],
    [993, 30],
  ],
  4: [
    [11, 20],
    [39, 24],
    [99, 28],
    [223, 32],
    [475, 36],
    [983, 40],
  ],
  5: [
    [11, 20],
    [36, 27],
    [92, 35],
    [215, 40],
    [466, 45],
    [973, 50],
    [1992, 55],
  ],
};

const polynomial = (exponents: readonly number[], degree: number): number[] =>
  Array.from({ length: degree + 1 }, (_, d) => (exponents.includes(d) ? 1 : 0));

describe('BCH codes', () => {
  test.each([1, 2, 3, 4, 5])(
    'parity bits at t = %i follow the table up to the last n of each row, and grow after it',
    (t) => {
      TABLE[t].forEach(([n, p], row) => {
        expect(bchSize(n, t).parityBits).toBe(p);
        const following = TABLE[t][row + 1];
        if (following) expect(bchSize(n + 1, t).parityBits).toBe(following[1]);
      });
    },
  );

  test('n = 4,000 costs 36 parity bits at t = 3 and 60 at t = 5', () => {
    expect(bchSize(4000, 3)).toEqual({ m: 12, parityBits: 36 });
    expect(bchSize(4000, 5)).toEqual({ m: 12, parityBits: 60 });
  });

  test('g(x) is x^4 + x + 1 at t = 1 and x^8 + x^7 + x^6 + x^4 + 1 at t = 2, m = 4', () => {
    expect([...createBch(11, 1).generator]).toEqual(polynomial([4, 1, 0], 4));
    expect([...createBch(7, 2).generator]).toEqual(polynomial([8, 7, 6, 4, 0], 8));
  });

  test('g(x) has binary coefficients, the cosets as degree, and vanishes at α .. α^{2t}', () => {
    for (const [n, t] of [
      [16, 3],
      [120, 4],
      [300, 5],
      [4000, 3],
      [60, 8],
    ]) {
      const { field, generator, parityBits } = createBch(n, t);
      expect(generator.length - 1).toBe(parityBits);
      expect(cosetExponents(field.m, t).size).toBe(parityBits);
      expect(generator.every((bit) => bit <= 1)).toBe(true);
      for (let power = 1; power <= 2 * t; power++) {
        const x = field.exp[power];
        let value = 0;
        for (let d = parityBits; d >= 0; d--) value = multiply(field, value, x) ^ generator[d];
        expect(value).toBe(0);
      }
    }
  });

  test('message bit i with its parity bits is a codeword: it vanishes at the roots of g', () => {
    for (const [n, t] of [
      [11, 1],
      [36, 5],
      [215, 5],
      [1000, 4],
    ]) {
      const code = createBch(n, t);
      const { exp, order } = galoisField(code.field.m);
      const parity = new Uint32Array(code.stride);
      for (let i = 0; i < n; i += 1 + Math.floor(n / 40)) {
        parityOf(code, [i], parity);
        for (let root = 1; root < 2 * t; root += 2) {
          let value = exp[((code.parityBits + i) * root) % order];
          for (let d = 0; d < code.parityBits; d++)
            if ((parity[d >>> 5] >>> (d & 31)) & 1) value ^= exp[(d * root) % order];
          expect(value).toBe(0);
        }
      }
    }
  });

  test("parity is linear: P(k xor k') = Pk xor Pk'", () => {
    const code = createBch(500, 5);
    const [a, b, c] = [
      [3, 70, 400],
      [70, 71],
      [3, 71, 400],
    ].map((set) => parityOf(code, set, new Uint32Array(code.stride)));
    expect([...c]).toEqual([...a].map((word, w) => (word ^ b[w]) >>> 0));
  });

  test('t = 0 and n beyond the code table are refused, with the numbers', () => {
    expect(() => bchSize(10, 0)).toThrow(/t = 0.*>= 1/);
    expect(() => bchSize(10, 1.5)).toThrow(/t = 1\.5/);
    expect(() => bchSize(70_000, 5)).toThrow(/70000 players at t = 5.*65455/);
    expect(bchSize(65_455, 5).m).toBe(16);
  });
});
