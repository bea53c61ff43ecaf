/**
 * One regression tree on binary players, grown leaf-wise.
 *
 * A node keeps its rows as a stretch of one list, partitioned in place; held-out rows are carried
 * through the same splits. Gain = G_L²/n_L + G_R²/n_R - G²/n, ties to the lowest player, then to the
 * oldest leaf. Counts and gradients travel in one Float64: unit + round(g·scale), unit = 2^s, with s
 * and scale chosen per tree so that every partial sum is an exact integer below 2^53: a sibling's
 * histogram is then parent minus child without drift, and no answer depends on the order of rows.
 */
import { fail } from '../errors.ts';
import { createHistogram, type WordColumns } from './pattern-histogram.ts';
import type { Tree } from './tree.ts';

/** As LightGBM names them. */
export interface GrowOptions {
  /** Leaf cap, default 31. */
  readonly numLeaves: number;
  /** Splits on a path; -1 for no limit. */
  readonly maxDepth: number;
  /** Rows that each side of a split must keep. */
  readonly minDataInLeaf: number;
}

export interface Grower {
  /**
   * Fits a tree to `residual` on the train rows and subtracts learningRate · (leaf mean) from the
   * residual of train and held rows alike. Undefined when no split has a positive gain.
   */
  grow(residual: Float64Array, learningRate: number): Tree | undefined;
}

const MAX_ROWS = 2 ** 20;

interface Leaf {
  node: number;
  depth: number;
  /** Stretch of the train list. */
  start: number;
  end: number;
  /** Stretch of the held list. */
  heldStart: number;
  heldEnd: number;
  /** Σ of packed weights. */
  total: number;
  /** Packed sums per player; undefined when the node cannot split. */
  sums: Float64Array | undefined;
  gain: number;
  player: number;
}

/** A grower over fixed masks and rows, its buffers reused from tree to tree. @throws above 2^20 rows. */
export function createGrower(columns: WordColumns, train: Int32Array, held: Int32Array, options: GrowOptions): Grower {
  if (train.length > MAX_ROWS) throw fail('input', 'gbt', `${train.length} masks; split sums are exact up to ${MAX_ROWS}.`);
  const { players, rows: allRows, words } = columns;
  const { numLeaves, minDataInLeaf } = options;
  const maxDepth = options.maxDepth < 0 ? Infinity : options.maxDepth;
  const histogram = createHistogram(columns);
  const rows = new Int32Array(train.length);
  const heldRows = new Int32Array(held.length);
  const aside = new Int32Array(Math.max(train.length, held.length));
  const packed = new Float64Array(allRows);
  const weights = new Float64Array(train.length);
  const pool: Float64Array[] = [];
  const player = new Int32Array(2 * numLeaves);
  const absent = new Int32Array(2 * numLeaves);
  const present = new Int32Array(2 * numLeaves);

  const unit = 2 ** (52 - Math.ceil(Math.log2(train.length + 1)));
  const splittable = (count: number, depth: number): boolean => count >= 2 * minDataInLeaf && depth < maxDepth;

  /** Reads the rows' histogram into the leaf. */
  const measure = (leaf: Leaf): void => {
    leaf.sums = pool.pop() ?? new Float64Array(players);
    gather(packed, rows, leaf.start, leaf.end, weights);
    histogram.fill(rows, leaf.start, leaf.end, weights, leaf.sums);
  };
  const choose = (leaf: Leaf): void => {
    if (leaf.sums === undefined) return;
    const best = bestSplit(leaf.sums, players, leaf.end - leaf.start, leaf.total, unit, minDataInLeaf);
    leaf.player = best.player;
    leaf.gain = best.gain;
  };
  const release = (leaf: Leaf): void => {
    if (leaf.sums !== undefined) pool.push(leaf.sums);
    leaf.sums = undefined;
    leaf.gain = 0;
  };

  const grow = (residual: Float64Array, learningRate: number): Tree | undefined => {
    rows.set(train);
    heldRows.set(held);
    const size = absoluteSum(residual, train);
    if (!(size > 0)) return undefined;
    // Σ|round(g·scale)| <= unit/2 - N + N/2: gradients never spill into the count.
    const scale = (unit / 2 - train.length) / size;
    const total = pack(residual, train, packed, unit, scale);
    const root: Leaf = { node: 0, depth: 0, start: 0, end: train.length, heldStart: 0, heldEnd: held.length, total, sums: undefined, gain: 0, player: -1 };
    if (splittable(train.length, 0)) {
      measure(root);
      choose(root);
    }
    const leaves = [root];
    let nodes = 1;
    player[0] = -1;
    while (leaves.length < numLeaves) {
      const at = largestGain(leaves);
      if (at < 0) break;
      const parent = leaves[at];
      const word = (parent.player >>> 5) * allRows;
      const bit = parent.player & 31;
      const middle = partition(words, word, bit, rows, parent.start, parent.end, aside);
      const heldMiddle = partition(words, word, bit, heldRows, parent.heldStart, parent.heldEnd, aside);
      const kept = parent.sums![parent.player];
      const depth = parent.depth + 1;
      const left: Leaf = { node: nodes, depth, start: parent.start, end: middle, heldStart: parent.heldStart, heldEnd: heldMiddle, total: parent.total - kept, sums: undefined, gain: 0, player: -1 };
      const right: Leaf = { node: nodes + 1, depth, start: middle, end: parent.end, heldStart: heldMiddle, heldEnd: parent.heldEnd, total: kept, sums: undefined, gain: 0, player: -1 };
      player[parent.node] = parent.player;
      absent[parent.node] = nodes;
      present[parent.node] = nodes + 1;
      player[nodes] = player[nodes + 1] = -1;
      nodes += 2;
      leaves[at] = left;
      leaves.push(right);
      if (leaves.length < numLeaves) share(parent, left, right);
      release(parent);
    }
    leaves.forEach(release);
    if (leaves.length === 1) return undefined;

    const value = new Float64Array(nodes);
    for (const leaf of leaves) {
      const count = leaf.end - leaf.start;
      const step = (learningRate * (leaf.total - count * unit)) / (scale * count);
      value[leaf.node] = step;
      subtract(residual, rows, leaf.start, leaf.end, step);
      subtract(residual, heldRows, leaf.heldStart, leaf.heldEnd, step);
    }
    const links = (from: Int32Array): Int32Array => from.slice(0, nodes).map((child, node) => (player[node] < 0 ? -1 : child));
    return { player: player.slice(0, nodes), absent: links(absent), present: links(present), value };
  };

  /** Histograms for the children that can split again: the smaller is counted, the larger is parent minus smaller. */
  const share = (parent: Leaf, left: Leaf, right: Leaf): void => {
    const [small, large] = left.end - left.start <= right.end - right.start ? [left, right] : [right, left];
    const needsLarge = splittable(large.end - large.start, large.depth);
    if (!needsLarge) return; // then the smaller cannot split either
    measure(small);
    const difference = parent.sums!;
    const counted = small.sums!;
    subtractSums(difference, counted);
    large.sums = difference;
    parent.sums = undefined;
    choose(large);
    if (splittable(small.end - small.start, small.depth)) choose(small);
    else release(small);
  };

  return { grow };
}

/** The admissible player with the largest gain; gain 0 and player -1 when none separates the rows. */
function bestSplit(sums: Float64Array, players: number, count: number, total: number, unit: number, least: number): { player: number; gain: number } {
  const perUnit = 1 / unit;
  const mean = (total - count * unit) / count;
  let player = -1;
  let most = 0;
  for (let i = 0; i < players; i++) {
    const sum = sums[i];
    const kept = Math.floor(sum * perUnit + 0.5);
    const ablated = count - kept;
    if (kept < least || ablated < least) continue;
    const excess = sum - kept * unit - mean * kept; // G_R - n_R·G/n
    const gain = (excess * excess) / (kept * ablated); // the gain is n times this
    if (gain > most) {
      most = gain;
      player = i;
    }
  }
  return { player, gain: most * count };
}

/** Rows without the bit first, order kept on both sides; returns where the others begin. Both sides are written: a fair bit is a branch mispredicted. */
function partition(words: Int32Array, word: number, bit: number, rows: Int32Array, start: number, end: number, aside: Int32Array): number {
  let left = start;
  let right = 0;
  for (let k = start; k < end; k++) {
    const row = rows[k];
    const kept = (words[word + row] >>> bit) & 1;
    rows[left] = row;
    aside[right] = row;
    right += kept;
    left += 1 - kept;
  }
  for (let k = 0; k < right; k++) rows[left + k] = aside[k];
  return left;
}

// The loops over rows are functions of their own: V8 optimises them apart from the bookkeeping above.

/** Σ|g| over the rows. */
export function absoluteSum(g: Float64Array, rows: Int32Array): number {
  let sum = 0;
  for (let k = 0; k < rows.length; k++) sum += Math.abs(g[rows[k]]);
  return sum;
}

/** packed = unit + round(g·scale) for the rows; returns their sum. */
function pack(g: Float64Array, rows: Int32Array, packed: Float64Array, unit: number, scale: number): number {
  let total = 0;
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k];
    const weight = unit + Math.round(g[row] * scale);
    packed[row] = weight;
    total += weight;
  }
  return total;
}

function gather(packed: Float64Array, rows: Int32Array, start: number, end: number, weights: Float64Array): void {
  for (let k = start; k < end; k++) weights[k] = packed[rows[k]];
}

function subtract(residual: Float64Array, rows: Int32Array, start: number, end: number, step: number): void {
  for (let k = start; k < end; k++) residual[rows[k]] -= step;
}

function subtractSums(from: Float64Array, sums: Float64Array): void {
  for (let i = 0; i < from.length; i++) from[i] -= sums[i];
}

function largestGain(leaves: readonly Leaf[]): number {
  let at = -1;
  let most = 0;
  for (let k = 0; k < leaves.length; k++) {
    if (leaves[k].gain > most) {
      most = leaves[k].gain;
      at = k;
    }
  }
  return at;
}
