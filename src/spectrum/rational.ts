/**
 * Exact fractions of big integers, for index weights whose alternating sums would cancel in floating point.
 */

export interface Fraction {
  readonly numerator: bigint;
  /** > 0; the fraction is in lowest terms. */
  readonly denominator: bigint;
}

export const ZERO: Fraction = { numerator: 0n, denominator: 1n };

/** numerator / denominator in lowest terms. */
export function fraction(numerator: bigint, denominator: bigint): Fraction {
  let a = numerator < 0n ? -numerator : numerator;
  let b = denominator < 0n ? -denominator : denominator;
  while (b !== 0n) [a, b] = [b, a % b];
  const sign = denominator < 0n ? -a : a;
  return { numerator: numerator / sign, denominator: denominator / sign };
}

export function plus(a: Fraction, b: Fraction): Fraction {
  return fraction(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);
}

/** The nearest double, to within one unit in the last place. */
export function toNumber({ numerator, denominator }: Fraction): number {
  // 64 bits more than the quotient's own, so that the integer division loses nothing a double can hold.
  const shift = Math.max(0, denominator.toString(2).length - numerator.toString(2).length + 64);
  return Number((numerator << BigInt(shift)) / denominator) * 2 ** -shift;
}

/** C(n, k); 0 when k > n. */
export function binomial(n: number, k: number): bigint {
  let choose = 1n;
  for (let j = 0; j < k; j++) choose = (choose * BigInt(n - j)) / BigInt(j + 1);
  return choose;
}
