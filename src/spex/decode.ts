/**
 * From a bin's column to the sets it may hold: hard decoding and Chase soft decoding.
 *
 * A lone term k with value F gives U = F·(1, (-1)^{(Pk)_1}, .., (-1)^{(Pk)_p}): the signs relative to U_0
 * are the parity bits of k. Received word [0_n | r], r_i = 1 iff U_i U_0 < 0; the error pattern is k
 * itself plus the parity bits that noise or aliasing flipped; it decodes iff |k| + flips <= t.
 * Chase: flip the least reliable of the R = p + 1 entries, cheapest patterns first. Entry 0 is one of
 * them (flipping it turns every parity bit), which also settles a U_0 near 0.
 * Sources: SPEX (arXiv 2502.13870), section 3; Chase 1972. Deviation: the reference ranks candidates by
 * corrected positions and proposes ∅ on failure; here failure is no candidate, ranking is the caller's.
 */
import { berlekampMassey, locatorWorkspace } from './berlekamp-massey.ts';
import type { BchCode } from './bch.ts';
import { chienSearch, rootWorkspace, splits } from './chien.ts';

export interface Decoder {
  readonly code: BchCode;
  /** The set whose parity bits are the signs of `column`, up to t - |k| flips; undefined when there is none. */
  hard(column: Float64Array): number[] | undefined;
  /** Distinct sets found by flipping the least reliable entries, cheapest pattern first; the hard word is not among the tries. */
  chase(column: Float64Array): number[][];
}

/**
 * A decoder with its own workspace. `depth` is D: D(D+1)/2 patterns over the D least reliable entries,
 * default 2t. A hard try costs O(t² + m·t²) plus O((n + p)·t) when the locator splits.
 */
export function createDecoder(code: BchCode, depth = 2 * code.t): Decoder {
  const { field, t, parityBits, players } = code;
  const { exp, log, order } = field;
  const entries = parityBits + 1;
  const considered = Math.min(depth, entries);
  const tries = (depth * (depth + 1)) / 2;
  const locatorSpace = locatorWorkspace(t);
  const rootSpace = rootWorkspace(t);
  const syndromes = new Uint16Array(2 * t);
  const base = new Uint16Array(t); // S_1, S_3, .., of the hard word

  // What flipping entry i adds to S_1, S_3, ..: α^{(i-1)(2h+1)}; entry 0 flips every parity bit.
  const flips = new Uint16Array(entries * t);
  for (let i = 1; i < entries; i++) {
    for (let h = 0; h < t; h++) {
      const power = exp[((i - 1) * (2 * h + 1)) % order];
      flips[i * t + h] = power;
      flips[h] ^= power;
    }
  }

  const receive = (column: Float64Array): void => {
    base.fill(0);
    const negative = column[0] < 0;
    for (let i = 1; i < entries; i++) {
      if (column[i] !== 0 && column[i] < 0 !== negative) for (let h = 0; h < t; h++) base[h] ^= flips[i * t + h];
    }
  };
  /** Decodes the word whose odd syndromes stand at syndromes[0], [2], ... */
  const locate = (): number[] | undefined => {
    let any = 0;
    for (let i = 0; i < 2 * t; i += 2) any |= syndromes[i];
    if (any === 0) return [];
    for (let i = 2; i <= 2 * t; i += 2) {
      const half = syndromes[i / 2 - 1]; // S_i = S_{i/2}²
      syndromes[i - 1] = half === 0 ? 0 : exp[2 * log[half]];
    }
    const degree = berlekampMassey(field, syndromes, t, locatorSpace);
    if (degree < 1 || !splits(field, locatorSpace.locator, degree, rootSpace)) return undefined;
    const roots = chienSearch(field, locatorSpace.locator, degree, parityBits + players, rootSpace);
    return roots?.filter((d) => d >= parityBits).map((d) => d - parityBits);
  };

  return {
    code,
    hard(column) {
      receive(column);
      for (let h = 0; h < t; h++) syndromes[2 * h] = base[h];
      return locate();
    },
    chase(column) {
      receive(column);
      const weak = leastReliable(column, considered);
      const found: number[][] = [];
      const seen = new Set<string>();
      for (const pattern of cheapestPatterns(
        Float64Array.from(weak, (i) => Math.abs(column[i])),
        tries,
      )) {
        for (let h = 0; h < t; h++) syndromes[2 * h] = base[h];
        for (let rest = pattern; rest !== 0; rest &= rest - 1) {
          const i = weak[31 - Math.clz32(rest & -rest)];
          for (let h = 0; h < t; h++) syndromes[2 * h] ^= flips[i * t + h];
        }
        const members = locate();
        if (members === undefined) continue;
        const key = members.join(',');
        if (seen.has(key)) continue;
        seen.add(key);
        found.push(members);
      }
      return found;
    },
  };
}

/** The `count` entries of least magnitude, least first; ties by index. */
export function leastReliable(column: Float64Array, count: number): number[] {
  const chosen: number[] = [];
  for (let i = 0; i < column.length; i++) {
    const size = Math.abs(column[i]);
    let at = chosen.length;
    while (at > 0 && Math.abs(column[chosen[at - 1]]) > size) at--;
    if (at >= count) continue;
    chosen.splice(at, 0, i);
    if (chosen.length > count) chosen.pop();
  }
  return chosen;
}

/**
 * The `count` non-empty subsets of increasing weights with the least sums, as bit masks, least first.
 * Best-first: a subset with largest element e yields the one with e replaced by e + 1 and the one with
 * e + 1 added, so that every subset is reached once and never before a cheaper one. At most 30 weights.
 */
export function cheapestPatterns(weights: Float64Array, count: number): number[] {
  const patterns: number[] = [];
  if (weights.length === 0) return patterns;
  // A sorted list beats a heap at these sizes (tens of entries).
  const open: { readonly sum: number; readonly mask: number; readonly last: number }[] = [
    { sum: weights[0], mask: 1, last: 0 },
  ];
  const push = (sum: number, mask: number, last: number): void => {
    let at = open.length;
    while (at > 0 && open[at - 1].sum < sum) at--;
    open.splice(at, 0, { sum, mask, last });
  };
  while (patterns.length < count) {
    const next = open.pop();
    if (next === undefined) break;
    patterns.push(next.mask);
    const e = next.last + 1;
    if (e === weights.length) continue;
    push(next.sum + weights[e], next.mask | (1 << e), e);
    push(next.sum + weights[e] - weights[e - 1], (next.mask ^ (1 << (e - 1))) | (1 << e), e);
  }
  return patterns;
}
