import { describe, expect, test } from 'vitest';
import { galoisField, inverse, multiply, square } from '../../src/spex/galois-field.ts';

const DEGREES = Array.from({ length: 16 }, (_, k) => k + 1);

describe('GF(2^m)', () => {
  test.each(DEGREES)('every nonzero element of GF(2^%i) is one power of α', (m) => {
    const { exp, order } = galoisField(m);
    expect(new Set(exp.subarray(0, order)).size).toBe(order);
    expect(exp.subarray(0, order)).not.toContain(0);
  });

  test.each([4, 6, 8])('multiplication in GF(2^%i) is polynomial multiplication: shifts and xors', (m) => {
    const field = galoisField(m);
    const timesAlpha = (a: number): number => multiply(field, a, 2);
    for (let a = 0; a <= field.order; a += 3) {
      for (let b = 1; b <= field.order; b += 7) {
        let product = 0;
        let shifted = a;
        for (let bits = b; bits > 0; bits >>= 1) {
          if (bits & 1) product ^= shifted;
          shifted = timesAlpha(shifted);
        }
        expect(multiply(field, a, b)).toBe(product);
      }
    }
  });

  test('a times its inverse is 1, and squaring is multiplying by itself', () => {
    const field = galoisField(10);
    for (let a = 1; a <= field.order; a++) {
      expect(multiply(field, a, inverse(field, a))).toBe(1);
      expect(square(field, a)).toBe(multiply(field, a, a));
    }
    expect(square(field, 0)).toBe(0);
  });

  test.each([0, 17, 2.5])('m = %d is refused', (m) => {
    expect(() => galoisField(m)).toThrow(/2\^1 \.\. 2\^16/);
  });
});
