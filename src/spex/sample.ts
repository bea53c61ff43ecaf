/**
 * The masks of a plan: C random subspaces, each shifted by the delays of the code.
 *
 * Group c draws M_c uniform in GF(2)^{n x b} of rank b; mask (c, i, l) = M_c l + d_i for every l in GF(2)^b,
 * with d_0 = 0 and d_1..d_p the rows of P (bch.ts). One bit order everywhere: bit a of l, of a bin address
 * j = M_cᵀ k and of the transform's index is column a of M_c. Masks repeat, so the distinct ones are
 * listed once, in the order of first use, bit-packed; raw numbers point into that list.
 * Source: SPEX (arXiv 2502.13870), section 3. Deviation: the reference does not check the rank.
 */
import { emptyMasks, type Masks } from '../masks.ts';
import { createRandom } from '../random.ts';
import { createBch, type BchCode } from './bch.ts';
import { randomFullRank, transpose, type Gf2Matrix } from './gf2.ts';
import type { SpexPlan } from './plan.ts';

/** The masks of a plan, and which bin each belongs to. */
export interface SpexDraw {
  readonly plan: SpexPlan;
  readonly code: BchCode;
  /** M_c, n x b each. */
  readonly groups: readonly Gf2Matrix[];
  /** The distinct masks, in order of first use. */
  readonly masks: Masks;
  /** Row of `masks` that raw mask (c, i, l) is, at index ((c·(p+1)) + i)·2^b + l. */
  readonly rows: Int32Array; // [groups, p + 1, 2^b]
}

/** The masks of `plan` for a seed; same plan and seed, same masks. O(N·n/32) words, no game is asked. */
export function drawMasks(plan: SpexPlan, seed: number): SpexDraw {
  const { players, b, parityBits } = plan;
  const code = createBch(players, plan.t);
  const random = createRandom(seed, 'spex');
  const groups = Array.from({ length: plan.groups }, (_, c) => randomFullRank(players, b, random.fork(`group ${c}`)));
  const delays = transpose({ rows: players, columns: parityBits, stride: code.stride, words: code.columns }); // [p, n]
  const bins = 2 ** b;
  const masks = emptyMasks(players, plan.masks.raw);
  const { stride } = masks;
  const subspace = new Uint32Array(bins * stride); // M_c l by l
  const distinct = distinctRows(masks);
  const rows = new Int32Array(plan.masks.raw);
  let raw = 0;
  for (const group of groups) {
    const generators = transpose(group); // [b, n]
    for (let l = 1; l < bins; l++) {
      const rest = l & (l - 1);
      const a = 31 - Math.clz32(l & -l);
      for (let w = 0; w < stride; w++)
        subspace[l * stride + w] = subspace[rest * stride + w] ^ generators.words[a * stride + w];
    }
    for (let i = 0; i <= parityBits; i++) {
      for (let l = 0; l < bins; l++) {
        const at = distinct.count * stride;
        for (let w = 0; w < stride; w++)
          masks.words[at + w] = subspace[l * stride + w] ^ (i === 0 ? 0 : delays.words[(i - 1) * stride + w]);
        rows[raw++] = distinct.settle();
      }
    }
  }
  const { count } = distinct;
  return { plan, code, groups, masks: { ...masks, count, words: masks.words.slice(0, count * stride) }, rows };
}

/** The bin of the set in group c, j = M_cᵀ k. */
export function binOf(group: Gf2Matrix, members: readonly number[]): number {
  let j = 0;
  for (const player of members) j ^= group.words[player]; // b <= 12: one word a row
  return j;
}

/**
 * Keeps the rows of a matrix distinct as it is filled: write a row at `count`, then `settle` returns
 * the row that it equals, which is `count` (and is kept) when it is new. Open addressing on a word hash.
 */
function distinctRows(masks: Masks): { readonly count: number; settle(): number } {
  const { words, stride } = masks;
  const capacity = 2 ** Math.ceil(Math.log2(2 * masks.count + 2));
  const table = new Int32Array(capacity).fill(-1);
  let count = 0;
  const same = (row: number): boolean => {
    for (let w = 0; w < stride; w++) if (words[row * stride + w] !== words[count * stride + w]) return false;
    return true;
  };
  return {
    get count() {
      return count;
    },
    settle() {
      let hash = 0x811c9dc5;
      for (let w = 0; w < stride; w++) {
        hash = Math.imul(hash ^ words[count * stride + w], 0x9e3779b1);
        hash ^= hash >>> 15;
      }
      let slot = hash & (capacity - 1);
      while (table[slot] >= 0) {
        if (same(table[slot])) return table[slot];
        slot = (slot + 1) & (capacity - 1);
      }
      table[slot] = count;
      return count++;
    },
  };
}
