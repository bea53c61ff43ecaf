/**
 * Masks sorted so that neighbours agree on early layers, and what a block of neighbours shares.
 *
 * A forward pass meets the players in stages (its ablated hook points, in the order in which it reaches them). Two masks
 * that agree on all players of stages 0..s have the same activations up to stage s + 1. Sorted by stage, the masks are
 * the leaves of a prefix tree, and the rows that a run of neighbours needs at a stage are its distinct prefixes: few in
 * early layers, all in the last. Equal masks are one leaf. Masks that keep a player come before those that ablate it.
 */
import { emptyMasks, isKept, selectRows, type Masks } from '../../masks.ts';

export interface OrderedMasks {
  /** The masks to run, in order. */
  readonly masks: Masks;
  /** The rows of the original matrix that mask i answers: origins[from[i]] .. origins[from[i + 1] - 1]. */
  readonly origins: Int32Array;
  readonly from: Int32Array;
  /** The first stage at which mask i differs from mask i - 1; 0 for the first. */
  readonly differs: Int32Array;
  /** The first position that mask i changes; increasing. */
  readonly first: Int32Array;
}

/**
 * Distinct masks, sorted. `stages[i]` is the first stage at which player i is ablated, `first` the first position that a mask
 * changes: masks that change later ones alone come later.
 */
export function sortByStage(
  masks: Masks,
  stages: ArrayLike<number>,
  first: (masks: Masks, row: number) => number = () => 0,
): OrderedMasks {
  const order = Array.from({ length: masks.players }, (_, i) => i).sort((a, b) => stages[a] - stages[b]);
  const keys = sortKeys(masks, order);
  const { stride } = masks;
  const firsts = Int32Array.from({ length: masks.count }, (_, row) => first(masks, row));
  const compare = (a: number, b: number): number => {
    if (firsts[a] !== firsts[b]) return firsts[a] - firsts[b];
    for (let w = 0; w < stride; w++) {
      const [x, y] = [keys[a * stride + w], keys[b * stride + w]];
      if (x !== y) return y - x; // kept first
    }
    return a - b;
  };
  const rows = Int32Array.from({ length: masks.count }, (_, row) => row).sort(compare);
  const heads: number[] = [];
  const differs: number[] = [];
  rows.forEach((row, k) => {
    const rank = k === 0 ? 0 : firstDifference(keys, stride, rows[k - 1], row);
    if (rank === undefined) return; // the same mask again
    heads.push(k);
    differs.push(k === 0 ? 0 : stages[order[rank]]);
  });
  return {
    masks: selectRows(
      masks,
      heads.map((k) => rows[k]),
    ),
    origins: rows,
    from: Int32Array.from([...heads, masks.count]),
    differs: Int32Array.from(differs),
    first: Int32Array.from(heads, (k) => firsts[rows[k]]),
  };
}

/** Every mask as it comes, each a leaf that shares nothing. */
export function asGiven(masks: Masks): OrderedMasks {
  const each = Int32Array.from({ length: masks.count + 1 }, (_, row) => row);
  return {
    masks,
    origins: each.subarray(0, masks.count),
    from: each,
    differs: new Int32Array(masks.count),
    first: new Int32Array(masks.count),
  };
}

/** A run of neighbours, mask `start` to `end - 1`. */
export interface MaskBlock {
  readonly masks: Masks;
  readonly start: number;
  readonly end: number;
  /** By stage, the first mask of each distinct prefix: the rows there. Each stage's are among the next one's. */
  readonly rows: readonly Int32Array[];
}

export function blockOf({ masks, differs }: OrderedMasks, start: number, end: number, stages: number): MaskBlock {
  const rows = Array.from({ length: stages }, (_, s) => {
    const firsts: number[] = [];
    for (let i = start; i < end; i++) if (i === start || differs[i] <= s) firsts.push(i);
    return Int32Array.from(firsts);
  });
  return { masks, start, end, rows };
}

/** How many leading stages all masks of start..end - 1 agree on, of `stages`. */
export function sharedStages({ differs }: OrderedMasks, start: number, end: number, stages: number): number {
  let least = stages;
  for (let i = start + 1; i < end; i++) least = Math.min(least, differs[i]);
  return least;
}

/** For every row of `later`, the row of `earlier` (a stage before, of the same block) that it continues. */
export function ancestors(earlier: Int32Array, later: Int32Array): Int32Array {
  let at = 0;
  return later.map((mask) => {
    while (at + 1 < earlier.length && earlier[at + 1] <= mask) at++;
    return at;
  });
}

/** The columns `players` of the masks `rows`, as 0 and 1, and `ones` more of 1: [rows, players + ones]. */
export function maskMatrix(
  masks: Masks,
  rows: ArrayLike<number>,
  players: readonly number[],
  ones: 0 | 1,
): Float32Array {
  const matrix = new Float32Array(rows.length * (players.length + ones));
  let at = 0;
  for (let r = 0; r < rows.length; r++) {
    for (const player of players) matrix[at++] = isKept(masks, rows[r], player) ? 1 : 0;
    if (ones === 1) matrix[at++] = 1;
  }
  return matrix;
}

/** Each mask's bits in `order`, the first in the highest bit of the first word: words compare as masks do. */
function sortKeys(masks: Masks, order: readonly number[]): Uint32Array {
  const { count, stride, words } = masks;
  const keys = emptyMasks(masks.players, count).words;
  order.forEach((player, rank) => {
    const [from, shift] = [player >>> 5, player & 31];
    const [to, up] = [rank >>> 5, 31 - (rank & 31)];
    for (let row = 0; row < count; row++) keys[row * stride + to] |= ((words[row * stride + from] >>> shift) & 1) << up;
  });
  return keys;
}

/** The rank of the first bit in which two keys differ; undefined when they are equal. */
function firstDifference(keys: Uint32Array, stride: number, a: number, b: number): number | undefined {
  for (let w = 0; w < stride; w++) {
    const difference = keys[a * stride + w] ^ keys[b * stride + w];
    if (difference !== 0) return 32 * w + Math.clz32(difference);
  }
  return undefined;
}
