/**
 * Rows of tokens as the leaves of a prefix tree, and where it is worth cutting: what is left to run when rows that begin alike share
 * what they begin with.
 *
 * Sorted, rows that share c tokens are neighbours, and running their first c tokens once for each distinct beginning saves one row's
 * work for every pair of neighbours that agree that far: D(c) = #{i: shared_i >= c} rows. Cuts c_1 < c_2 < ... save
 * Σ_l D(c_l)·(c_l - c_(l-1)) tokens, less what the passes of a level cost in themselves.
 */

/** A row as its tokens are told apart: equal numbers are the same token in the same state (seen, hidden, mean). */
export interface Leaf {
  readonly key: Int32Array;
  /** Tokens at the front that it may share: one at least has to be run for itself. */
  readonly sharable: number;
}

/** The leaves in the order of their keys, the shorter first where one begins the other. */
export function sortLeaves<L extends Leaf>(leaves: readonly L[]): L[] {
  return [...leaves].sort((a, b) => {
    const common = commonLength(a.key, b.key);
    return common < Math.min(a.key.length, b.key.length) ? a.key[common] - b.key[common] : a.key.length - b.key.length;
  });
}

/** By sorted leaf, how many tokens it shares with the one before; 0 for the first. */
export function sharedLengths(leaves: readonly Leaf[]): Int32Array {
  return Int32Array.from(leaves, (leaf, k) =>
    k === 0 ? 0 : Math.min(commonLength(leaves[k - 1].key, leaf.key), leaves[k - 1].sharable, leaf.sharable),
  );
}

function commonLength(a: Int32Array, b: Int32Array): number {
  const most = Math.min(a.length, b.length);
  let k = 0;
  while (k < most && a[k] === b[k]) k++;
  return k;
}

/**
 * Where to cut, increasing, beyond `begun` tokens that are there already; none where sharing pays for no level of its own.
 * `overhead`: what a level costs, in tokens of one row.
 */
export function chooseCuts(shared: ArrayLike<number>, begun: number, overhead: number): number[] {
  const lengths = Array.from(shared)
    .filter((length) => length > begun)
    .sort((a, b) => a - b);
  // A cut between two lengths saves less than one at the longer of them, for as many rows.
  const at = [begun, ...new Set(lengths)];
  const rows = at.map((length) => lengths.length - lengths.findIndex((each) => each >= length));
  const best = [0];
  const from = [-1];
  for (let k = 1; k < at.length; k++) {
    best[k] = -Infinity;
    for (let j = 0; j < k; j++) {
      const saved = best[j] + rows[k] * (at[k] - at[j]) - overhead;
      if (saved > best[k]) [best[k], from[k]] = [saved, j];
    }
  }
  const cuts: number[] = [];
  for (let k = best.indexOf(Math.max(...best)); k > 0; k = from[k]) cuts.unshift(at[k]);
  return cuts;
}

/** Leaves [from, to) of the sorted ones, which share a beginning: `parent` of those a level before. */
export interface Branch {
  readonly from: number;
  readonly to: number;
  readonly parent: number;
}

/** The branches of the next level, whose leaves share `cut` tokens, and the leaves that share so much with nobody. */
export function branchesAt(
  shared: ArrayLike<number>,
  branches: readonly Branch[],
  cut: number,
): { readonly branches: Branch[]; readonly ends: Branch[] } {
  const found: { readonly branches: Branch[]; readonly ends: Branch[] } = { branches: [], ends: [] };
  branches.forEach(({ from, to }, parent) => {
    for (let start = from; start < to; ) {
      let end = start + 1;
      while (end < to && shared[end] >= cut) end++;
      (end > start + 1 ? found.branches : found.ends).push({ from: start, to: end, parent });
      start = end;
    }
  });
  return found;
}
