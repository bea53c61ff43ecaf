/**
 * GF(2^m) by logarithm tables: an element is an m-bit integer, the coefficients of a polynomial in α.
 *
 * α is a root of a primitive polynomial, so its powers run through every nonzero element; a product is
 * one addition of logarithms. Polynomials: the usual minimum-weight list (Lin and Costello, appendix A).
 */
import { fail } from '../errors.ts';

export interface GaloisField {
  readonly m: number;
  /** 2^m - 1, the number of nonzero elements and the order of α. */
  readonly order: number;
  /** α^e for 0 <= e < 2 · order, so that a sum of two logarithms needs no reduction. */
  readonly exp: Uint16Array;
  /** The logarithm of a nonzero element, in [0, order); log[0] is meaningless. */
  readonly log: Uint16Array;
}

/** Primitive polynomials of degree 1..16 as bit masks, x^m included. */
const PRIMITIVE = [
  0, 0x3, 0x7, 0xb, 0x13, 0x25, 0x43, 0x89, 0x11d, 0x211, 0x409, 0x805, 0x1053, 0x201b, 0x4443, 0x8003, 0x1100b,
];

/** The largest m with a table. */
export const MAX_FIELD_DEGREE = PRIMITIVE.length - 1;

const cache = new Map<number, GaloisField>();

/** GF(2^m), 1 <= m <= 16; built once. @throws on another m. */
export function galoisField(m: number): GaloisField {
  const known = cache.get(m);
  if (known) return known;
  if (!Number.isInteger(m) || m < 1 || m > MAX_FIELD_DEGREE) {
    throw fail('input', 'galoisField', `m = ${m}; fields of 2^1 .. 2^${MAX_FIELD_DEGREE} elements are tabled.`);
  }
  const order = 2 ** m - 1;
  const exp = new Uint16Array(2 * order);
  const log = new Uint16Array(order + 1);
  let power = 1;
  for (let e = 0; e < order; e++) {
    exp[e] = exp[e + order] = power;
    log[power] = e;
    power <<= 1;
    if (power > order) power ^= PRIMITIVE[m];
  }
  const field = { m, order, exp, log };
  cache.set(m, field);
  return field;
}

/** a · b. */
export function multiply(field: GaloisField, a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : field.exp[field.log[a] + field.log[b]];
}

/** 1 / a for a ≠ 0. */
export function inverse(field: GaloisField, a: number): number {
  return field.exp[field.order - field.log[a]];
}

/** a². Squaring is linear here: (a + b)² = a² + b². */
export function square(field: GaloisField, a: number): number {
  return a === 0 ? 0 : field.exp[2 * field.log[a]];
}
