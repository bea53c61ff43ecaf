/**
 * Primitive narrow-sense BCH codes: the delays of SPEX and the reason a term can be read off its bin.
 *
 * A set k of at most t players, written as n message bits, gets p parity bits P k; from P k alone (the
 * message part received as zeros) a decoder that corrects t errors finds k, because the "errors" ARE k.
 * g(x) is the least common multiple of the minimal polynomials of α, α³, .., α^{2t-1}; the code is
 * systematic, parity at degrees 0..p-1, message bit i at degree p + i, and shortened to n message bits.
 * Source: SPEX (arXiv 2502.13870), section 3; Lin and Costello, chapter 6.
 */
import { fail } from '../errors.ts';
import { galoisField, MAX_FIELD_DEGREE, multiply, type GaloisField } from './galois-field.ts';

export interface BchCode {
  /** n, the message bits kept after shortening. */
  readonly players: number;
  /** Errors corrected: the order of the largest set that decodes. */
  readonly t: number;
  readonly field: GaloisField;
  /** p, the parity bits. */
  readonly parityBits: number;
  /** Coefficients of g(x), degree 0 first, p + 1 bits. */
  readonly generator: Uint8Array;
  /** Words per column of P, ceil(p / 32). */
  readonly stride: number;
  /** P by columns, n x stride words: column i is x^{p+i} mod g(x), bit d its coefficient of x^d. */
  readonly columns: Uint32Array;
}

/** The exponents in the cyclotomic cosets of 1, 3, .., 2t-1 modulo 2^m - 1; their number is p. */
export function cosetExponents(m: number, t: number): Set<number> {
  const order = 2 ** m - 1;
  const exponents = new Set<number>();
  for (let first = 1; first <= 2 * t - 1; first += 2) {
    for (let e = first % order; !exponents.has(e); e = (2 * e) % order) exponents.add(e);
  }
  return exponents;
}

/**
 * The smallest m >= ceil(log2(2t + 2)) whose code keeps at least n message bits, and its p.
 * @throws on t < 1, n < 1, or n beyond the largest tabled code.
 */
export function bchSize(players: number, t: number): { readonly m: number; readonly parityBits: number } {
  if (!Number.isInteger(t) || t < 1)
    throw fail('input', 'bchSize', `t = ${t}; a whole number >= 1 (the largest order to decode) is needed.`);
  if (!Number.isInteger(players) || players < 1)
    throw fail('input', 'bchSize', `${players} players; a whole number >= 1 is needed.`);
  let largest = 0;
  for (let m = Math.ceil(Math.log2(2 * t + 2)); m <= MAX_FIELD_DEGREE; m++) {
    if (2 ** m - 1 - t * m > largest) largest = 2 ** m - 1 - t * m;
    if (2 ** m - 1 < players) continue;
    const parityBits = cosetExponents(m, t).size;
    if (2 ** m - 1 - parityBits >= players) return { m, parityBits };
  }
  throw fail(
    'input',
    'bchSize',
    `${players} players at t = ${t}; the largest code here (length 2^${MAX_FIELD_DEGREE} - 1) takes ${largest} players.`,
  );
}

/** The code for n players and order t, O(n·p/32). @throws as bchSize. */
export function createBch(players: number, t: number): BchCode {
  const { m, parityBits } = bchSize(players, t);
  const field = galoisField(m);
  const stride = Math.max(1, Math.ceil(parityBits / 32));
  const generator = generatorPolynomial(field, t);
  const feedback = new Uint32Array(stride); // g(x) - x^p
  for (let d = 0; d < parityBits; d++) if (generator[d]) feedback[d >>> 5] |= 1 << (d & 31);

  const columns = new Uint32Array(players * stride);
  const register = feedback.slice(); // x^p mod g
  const topWord = (parityBits - 1) >>> 5;
  const topBit = 1 << ((parityBits - 1) & 31);
  for (let i = 0; i < players; i++) {
    columns.set(register, i * stride);
    const overflow = (register[topWord] & topBit) !== 0;
    if (overflow) register[topWord] ^= topBit;
    for (let w = stride - 1; w > 0; w--) register[w] = (register[w] << 1) | (register[w - 1] >>> 31);
    register[0] <<= 1;
    if (overflow) for (let w = 0; w < stride; w++) register[w] ^= feedback[w];
  }
  return { players, t, field, parityBits, generator, stride, columns };
}

/** g(x) = Π (x - α^e) over the coset exponents; its coefficients are 0 and 1. */
function generatorPolynomial(field: GaloisField, t: number): Uint8Array {
  let product = Uint16Array.of(1);
  for (const e of cosetExponents(field.m, t)) {
    const next = new Uint16Array(product.length + 1);
    for (let d = 0; d < product.length; d++) {
      next[d + 1] ^= product[d];
      next[d] ^= multiply(field, product[d], field.exp[e]);
    }
    product = next;
  }
  return Uint8Array.from(product);
}

/** P k into `out` (stride words): the parity bits of the set k, which are the signs of its bin. */
export function parityOf(code: BchCode, members: readonly number[], out: Uint32Array): Uint32Array {
  const { stride, columns } = code;
  out.fill(0);
  for (const i of members) for (let w = 0; w < stride; w++) out[w] ^= columns[i * stride + w];
  return out;
}
