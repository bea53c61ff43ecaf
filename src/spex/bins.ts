/**
 * One bin against one set: the singleton test, and taking a term out of its bins.
 *
 * sig(k)_i = (-1)^{<d_i,k>}: +1 for the zero delay, then the signs of P k. A lone term gives U = F(k)·sig(k);
 * ρ = <sig, U>/R is the least-squares value and ||U - ρ sig||² = ||U||² - Rρ² what it leaves.
 * Source: SPEX (arXiv 2502.13870), section 3.
 */
import { parityOf, type BchCode } from './bch.ts';
import { binOf } from './sample.ts';
import type { Bins } from './transform.ts';

/** A set with its signature and its addresses: what every test on a bin needs. */
export interface Candidate {
  readonly members: readonly number[];
  /** P k, bit-packed: bit i - 1 set means sig_i = -1. */
  readonly parity: Uint32Array;
  /** Bin number c·2^b + j of the set in each group. */
  readonly bins: readonly number[];
}

/** The candidate of a set. */
export function candidateOf(bins: Bins, members: readonly number[]): Candidate {
  const { code, groups, plan } = bins.draw;
  return {
    members,
    parity: signature(code, members),
    bins: groups.map((group, c) => c * 2 ** plan.b + binOf(group, members)),
  };
}

function signature(code: BchCode, members: readonly number[]): Uint32Array {
  return parityOf(code, members, new Uint32Array(code.stride));
}

/** <sig(k), U> of bin number `bin`. */
export function correlation(bins: Bins, bin: number, parity: Uint32Array): number {
  const { columns, delays } = bins;
  const start = bin * delays;
  let sum = columns[start];
  for (let i = 0; i < delays - 1; i++) {
    const u = columns[start + 1 + i];
    sum += (parity[i >>> 5] >>> (i & 31)) & 1 ? -u : u;
  }
  return sum;
}

/** ||U||² of bin number `bin`. */
export function energy(bins: Bins, bin: number): number {
  const { columns, delays } = bins;
  let sum = 0;
  for (let e = bin * delays; e < (bin + 1) * delays; e++) sum += columns[e] * columns[e];
  return sum;
}

/** U -= value · sig(k) in bin number `bin`, in place. */
export function subtract(bins: Bins, bin: number, parity: Uint32Array, value: number): void {
  const { columns, delays } = bins;
  const start = bin * delays;
  columns[start] -= value;
  for (let i = 0; i < delays - 1; i++) columns[start + 1 + i] -= (parity[i >>> 5] >>> (i & 31)) & 1 ? -value : value;
}
