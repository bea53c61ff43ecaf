/**
 * Rows of tokens as the leaves of a prefix tree, and blocks of them as one row of tokens in which what rows begin with stands once.
 *
 * Sorted, rows that share c tokens are neighbours, and a row adds to its neighbour's path all but the tokens that it shares with
 * it: a block runs each of its distinct beginnings once. The next block goes on from the path on which this one ended.
 */
import type { TokenTree } from '../../model/forward/forward.ts';

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
 * Neighbours as a tree. `lengths`: tokens of each, `shared`: how many of these are the one's before; of the first, the tokens
 * that were run before, columns 0, 1, .. of the tree.
 */
export function treeOf(lengths: readonly number[], shared: ArrayLike<number>): TokenTree {
  const paths: Int32Array[] = [];
  const own: number[] = [];
  let column = shared[0];
  lengths.forEach((length, k) => {
    const before = shared[k];
    const path = new Int32Array(length);
    for (let i = 0; i < length; i++) path[i] = i >= before ? column++ : k === 0 ? i : paths[k - 1][i];
    paths.push(path);
    own.push(length - before);
  });
  return { paths, own };
}
