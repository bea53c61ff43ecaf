/**
 * Gradient boosting on binary players, tree by tree (AssemblyScript; compiled by scripts/build-wasm.ts into
 * src/kernels/kernels-bytes.ts, called through src/proxy/trees/trainer.ts, which lays out the memory).
 *
 * Leaf-wise growth. Gain = G_L²/n_L + G_R²/n_R - G²/n, ties to the lowest player, then to the oldest leaf. Masks lie
 * word-column by word-column, 32 players to a word. A row's weight, count and gradient in one i64: (1 << shift) +
 * round(g·scale), is added into one of 256 pattern bins for each byte of a word (16 for each nibble in small nodes),
 * and the bins are folded into player sums: one addition serves eight players. Sums are exact integers, so a
 * sibling's histogram is parent minus child without drift and no answer depends on the order of rows.
 */

import { fillSums } from './histogram';

/** Everything one run of boosting needs; pointers into memory that the caller has laid out. */
@unmanaged
class Run {
  players: i32;
  /** Words of a mask. */
  stride: i32;
  /** Rows of the word columns and of residual. */
  rowsAll: i32;
  trainCount: i32;
  heldCount: i32;
  numLeaves: i32;
  maxDepth: i32;
  minData: i32;
  learningRate: f64;
  /** Σ|g| at or below which boosting has converged. */
  rounding: f64;
  words: usize; // i32[stride][rowsAll]
  train: usize; // i32[trainCount]
  held: usize; // i32[heldCount]
  residual: usize; // f64[rowsAll]
  rows: usize; // i32[trainCount]: the nodes' stretches
  heldRows: usize; // i32[heldCount]
  aside: usize; // i32[max(trainCount, heldCount)]
  packed: usize; // i64[rowsAll]
  weights: usize; // i64[trainCount]
  bins: usize; // i64[1024]
  sums: usize; // i64[numLeaves + 1][players]
  free: usize; // i32[numLeaves + 1]: unused slots of sums
  leaves: usize; // Leaf[numLeaves]
  /** The forest: tree t has nodes treeStart[t] .. treeStart[t + 1] - 1; a node's present child follows its absent one. */
  trees: i32;
  maxTrees: i32;
  treeStart: usize; // i32[maxTrees + 1]
  player: usize; // i32[maxTrees · (2 · numLeaves - 1)], -1 at leaves
  absent: usize; // i32, child relative to the tree's first node
  value: usize; // f64
  /** Σ residual² over the held rows after 0, 1, .. trees. */
  stages: usize; // f64[maxTrees + 1]
}

@unmanaged
class Leaf {
  node: i32;
  depth: i32;
  start: i32;
  end: i32;
  heldStart: i32;
  heldEnd: i32;
  /** Slot of its sums; -1 when it cannot split. */
  slot: i32;
  player: i32;
  total: i64;
  gain: f64;
}

/** Bytes of a Run and of a Leaf, for the caller's layout. */
export function runBytes(): i32 {
  return offsetof<Run>();
}
export function leafBytes(): i32 {
  return offsetof<Leaf>();
}

/** Σ residual² over the held rows. */
export function heldError(at: usize): f64 {
  return squares(changetype<Run>(at));
}

/** Grows up to `count` trees; returns how many (fewer: converged, nothing left to split, or the forest is full). */
export function advance(at: usize, count: i32): i32 {
  const run = changetype<Run>(at);
  let grown = 0;
  while (grown < count && run.trees < run.maxTrees) {
    if (!growTree(run)) break;
    grown++;
    store<f64>(run.stages + (<usize>run.trees << 3), squares(run));
  }
  return grown;
}

function squares(run: Run): f64 {
  let sum: f64 = 0;
  const held = run.held;
  for (let k = 0, n = run.heldCount; k < n; k++) {
    const r = load<f64>(run.residual + (<usize>load<i32>(held + (<usize>k << 2)) << 3));
    sum += r * r;
  }
  return sum;
}

// @ts-ignore: decorator
@inline
function leafAt(run: Run, k: i32): Leaf {
  return changetype<Leaf>(run.leaves + <usize>k * offsetof<Leaf>());
}

function growTree(run: Run): bool {
  const trainCount = run.trainCount;
  memory.copy(run.rows, run.train, <usize>trainCount << 2);
  memory.copy(run.heldRows, run.held, <usize>run.heldCount << 2);
  let size: f64 = 0;
  for (let k = 0; k < trainCount; k++) size += Math.abs(load<f64>(run.residual + (<usize>load<i32>(run.train + (<usize>k << 2)) << 3)));
  if (!(size > run.rounding)) return false;
  // Every partial sum of gradients stays below half a unit in magnitude, so it never spills into the count.
  const shift = 62 - (32 - clz(trainCount));
  const unit: i64 = <i64>1 << <i64>shift;
  const scale = (<f64>(unit >> 1) - <f64>trainCount) / size;
  let total: i64 = 0;
  for (let k = 0; k < trainCount; k++) {
    const row = <usize>load<i32>(run.train + (<usize>k << 2)) << 3;
    const weight = unit + <i64>nearest<f64>(load<f64>(run.residual + row) * scale);
    store<i64>(run.packed + row, weight);
    total += weight;
  }
  for (let k = 0; k <= run.numLeaves; k++) store<i32>(run.free + (<usize>k << 2), k);
  let freeCount = run.numLeaves + 1;

  const first = load<i32>(run.treeStart + (<usize>run.trees << 2));
  const player = run.player + (<usize>first << 2);
  const absent = run.absent + (<usize>first << 2);
  const value = run.value + (<usize>first << 3);
  const root = leafAt(run, 0);
  root.node = 0;
  root.depth = 0;
  root.start = 0;
  root.end = trainCount;
  root.heldStart = 0;
  root.heldEnd = run.heldCount;
  root.total = total;
  root.slot = -1;
  root.gain = 0;
  store<i32>(player, -1);
  if (splittable(run, trainCount, 0)) {
    root.slot = load<i32>(run.free + (<usize>(--freeCount) << 2));
    histogram(run, root);
    choose(run, root, shift);
  }
  let leaves = 1;
  let nodes = 1;
  while (leaves < run.numLeaves) {
    let at = -1;
    let most: f64 = 0;
    for (let k = 0; k < leaves; k++) {
      const gain = leafAt(run, k).gain;
      if (gain > most) {
        most = gain;
        at = k;
      }
    }
    if (at < 0) break;
    const left = leafAt(run, at);
    const right = leafAt(run, leaves);
    const asked = left.player;
    const column = run.words + (<usize>(asked >>> 5) * <usize>run.rowsAll << 2);
    const bit = asked & 31;
    const middle = partition(column, bit, run.rows, left.start, left.end, run.aside);
    const heldMiddle = partition(column, bit, run.heldRows, left.heldStart, left.heldEnd, run.aside);
    const kept = load<i64>(run.sums + ((<usize>left.slot * <usize>run.players + <usize>asked) << 3));
    const slot = left.slot;
    store<i32>(player + (<usize>left.node << 2), asked);
    store<i32>(absent + (<usize>left.node << 2), nodes);
    store<i32>(player + (<usize>nodes << 2), -1);
    store<i32>(player + (<usize>(nodes + 1) << 2), -1);
    const depth = left.depth + 1;
    right.node = nodes + 1;
    right.depth = depth;
    right.start = middle;
    right.end = left.end;
    right.heldStart = heldMiddle;
    right.heldEnd = left.heldEnd;
    right.total = kept;
    right.slot = -1;
    right.gain = 0;
    left.node = nodes;
    left.depth = depth;
    left.end = middle;
    left.heldEnd = heldMiddle;
    left.total -= kept;
    left.slot = -1;
    left.gain = 0;
    nodes += 2;
    leaves++;
    // The smaller child is counted, the larger is parent minus smaller; neither where the larger cannot split.
    const smallIsLeft = left.end - left.start <= right.end - right.start;
    const small = smallIsLeft ? left : right;
    const large = smallIsLeft ? right : left;
    if (leaves < run.numLeaves && splittable(run, large.end - large.start, depth)) {
      small.slot = load<i32>(run.free + (<usize>(--freeCount) << 2));
      histogram(run, small);
      large.slot = slot;
      subtract(run.sums + (<usize>slot * <usize>run.players << 3), run.sums + (<usize>small.slot * <usize>run.players << 3), run.players);
      choose(run, large, shift);
      if (splittable(run, small.end - small.start, depth)) choose(run, small, shift);
      else {
        store<i32>(run.free + (<usize>(freeCount++) << 2), small.slot);
        small.slot = -1;
      }
    } else store<i32>(run.free + (<usize>(freeCount++) << 2), slot);
  }
  if (leaves == 1) return false;

  memory.fill(value, 0, <usize>nodes << 3);
  for (let k = 0; k < leaves; k++) {
    const leaf = leafAt(run, k);
    const count = leaf.end - leaf.start;
    const step = (run.learningRate * <f64>(leaf.total - (<i64>count << <i64>shift))) / (scale * <f64>count);
    store<f64>(value + (<usize>leaf.node << 3), step);
    descend(run.residual, run.rows, leaf.start, leaf.end, step);
    descend(run.residual, run.heldRows, leaf.heldStart, leaf.heldEnd, step);
  }
  run.trees++;
  store<i32>(run.treeStart + (<usize>run.trees << 2), first + nodes);
  return true;
}

// @ts-ignore: decorator
@inline
function splittable(run: Run, count: i32, depth: i32): bool {
  return count >= 2 * run.minData && depth < run.maxDepth;
}

function descend(residual: usize, rows: usize, start: i32, end: i32, step: f64): void {
  for (let k = start; k < end; k++) {
    const p = residual + (<usize>load<i32>(rows + (<usize>k << 2)) << 3);
    store<f64>(p, load<f64>(p) - step);
  }
}

/** Rows without the bit first, order kept on both sides; returns where the others begin. Both sides are written: a fair bit is a branch mispredicted. */
function partition(column: usize, bit: i32, rows: usize, start: i32, end: i32, aside: usize): i32 {
  let left = rows + (<usize>start << 2);
  let right = aside;
  const stop = rows + (<usize>end << 2);
  for (let p = left; p < stop; p += 4) {
    const row = load<i32>(p);
    const kept = <usize>((load<i32>(column + (<usize>row << 2)) >>> bit) & 1) << 2;
    store<i32>(left, row);
    store<i32>(right, row);
    right += kept;
    left += 4 - kept;
  }
  memory.copy(left, aside, right - aside);
  return <i32>((left - rows) >> 2);
}

/** The admissible player with the largest gain; gain 0 when none separates the rows. */
function choose(run: Run, leaf: Leaf, shift: i32): void {
  const sums = run.sums + (<usize>leaf.slot * <usize>run.players << 3);
  const count = leaf.end - leaf.start;
  const least = run.minData;
  const most = count - least;
  const half: i64 = <i64>1 << <i64>(shift - 1);
  const mean = <f64>(leaf.total - (<i64>count << <i64>shift)) / <f64>count;
  let player = -1;
  let top: f64 = 0; // the best gain is top / under · count
  let under: f64 = 1;
  for (let i = 0, n = run.players; i < n; i++) {
    const sum = load<i64>(sums + (<usize>i << 3));
    const kept = <i32>((sum + half) >> <i64>shift);
    if (kept < least || kept > most) continue;
    const excess = <f64>(sum - (<i64>kept << <i64>shift)) - mean * <f64>kept; // G_R - n_R·G/n
    const square = excess * excess;
    const spread = <f64>kept * <f64>(count - kept);
    if (square * under > top * spread) {
      top = square;
      under = spread;
      player = i;
    }
  }
  leaf.player = player;
  leaf.gain = player < 0 ? 0 : (top / under) * <f64>count;
}

function subtract(from: usize, sums: usize, count: i32): void {
  let k = 0;
  for (; k + 1 < count; k += 2) {
    const p = <usize>k << 3;
    v128.store(from + p, i64x2.sub(v128.load(from + p), v128.load(sums + p)));
  }
  if (k < count) {
    const p = <usize>k << 3;
    store<i64>(from + p, load<i64>(from + p) - load<i64>(sums + p));
  }
}

/** sums[slot][i] = Σ of the packed weights of the leaf's rows that keep player i. */
function histogram(run: Run, leaf: Leaf): void {
  const count = leaf.end - leaf.start;
  const rows = run.rows + (<usize>leaf.start << 2);
  const stop = rows + (<usize>count << 2);
  for (let p = rows, w = run.weights; p < stop; p += 4, w += 8) store<i64>(w, load<i64>(run.packed + (<usize>load<i32>(p) << 3)));
  const out = run.sums + (<usize>leaf.slot * <usize>run.players << 3);
  fillSums(run.words, run.rowsAll, run.players, rows, count, run.weights, run.bins, out);
}
