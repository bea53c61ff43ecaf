/**
 * Runs of boosting over one set of masks, in the memory of the WebAssembly kernels (wasm/trees.ts).
 *
 * A space holds the masks, word-column by word-column; a run grows trees on some of its rows and carries others
 * through the same splits, so that every count of trees is scored on rows that were not fitted. Boosting is nested:
 * a run can always grow on, and its first trees are those of every shorter run.
 */
import type { Masks } from '../../masks.ts';
import { fail } from '../../errors.ts';
import { createKernels, type Kernels } from '../../kernels/kernels.ts';
import type { Ensemble, Tree } from './tree.ts';

/** As LightGBM names them; see boost.ts for the defaults. */
export interface RunOptions {
  readonly maxTrees: number;
  readonly learningRate: number;
  readonly numLeaves: number;
  /** -1 for no limit. */
  readonly maxDepth: number;
  readonly minDataInLeaf: number;
}

export interface BoostRun {
  /** Trees grown so far. */
  readonly trees: number;
  /** Grows up to `count` more; returns how many. Fewer than asked: converged, nothing left to split, or maxTrees. */
  advance(count: number): number;
  /** Σ (y - f̂)² over the held rows after 0, 1, .. trees. */
  stages(): Float64Array;
  /** f̂ of the held rows, in their order, after the trees so far. */
  heldPredictions(): Float64Array;
  /** The first `count` trees (default: all so far), copied out. */
  ensemble(count?: number): Ensemble;
}

export interface TrainingSpace {
  /** A run over `train` rows with `held` ones carried along. Valid until `clear`. */
  start(values: Float64Array, train: Int32Array, held: Int32Array, options: RunOptions): BoostRun;
  /** Frees all runs. */
  clear(): void;
}

const MOST_ROWS = 2 ** 20;
/** Residuals this small relative to the values are rounding. */
const CONVERGED = 1e-13;
const BINS = 1024;

/** A space over the masks. @throws above 2^20 masks. */
export function createTrainingSpace({ players, count, stride, words }: Masks): TrainingSpace {
  if (count > MOST_ROWS) throw fail('input', 'gbt', `${count} masks; split sums are exact up to ${MOST_ROWS}.`);
  const kernels = createKernels();
  const columns = kernels.reserve(4 * stride * count);
  const view = kernels.int32(columns, stride * count);
  for (let w = 0; w < stride; w++) for (let r = 0; r < count; r++) view[w * count + r] = words[r * stride + w];
  const empty = kernels.mark();
  return {
    start: (values, train, held, options) =>
      startRun(kernels, { players, count, stride, columns }, values, train, held, options),
    clear: () => kernels.release(empty),
  };
}

interface Columns {
  readonly players: number;
  readonly count: number;
  readonly stride: number;
  /** Address of the word columns. */
  readonly columns: number;
}

function startRun(
  kernels: Kernels,
  { players, count, stride, columns }: Columns,
  values: Float64Array,
  train: Int32Array,
  held: Int32Array,
  options: RunOptions,
): BoostRun {
  const { maxTrees, learningRate, numLeaves, maxDepth, minDataInLeaf } = options;
  let base = 0;
  for (const row of train) base += values[row];
  base /= train.length;
  let size = 0;
  for (const row of train) size += Math.abs(values[row]);

  const nodes = 2 * numLeaves - 1;
  const { reserve } = kernels;
  const at = reserve(kernels.runBytes());
  const place = {
    train: reserve(4 * train.length),
    held: reserve(4 * held.length),
    residual: reserve(8 * count),
    rows: reserve(4 * train.length),
    heldRows: reserve(4 * held.length),
    aside: reserve(4 * Math.max(train.length, held.length)),
    packed: reserve(8 * count),
    weights: reserve(8 * train.length),
    bins: reserve(8 * BINS),
    sums: reserve(8 * (numLeaves + 1) * players),
    free: reserve(4 * (numLeaves + 1)),
    leaves: reserve(kernels.leafBytes() * numLeaves),
    treeStart: reserve(4 * (maxTrees + 1)),
    player: reserve(4 * maxTrees * nodes),
    absent: reserve(4 * maxTrees * nodes),
    value: reserve(8 * maxTrees * nodes),
    stages: reserve(8 * (maxTrees + 1)),
  };
  kernels.int32(place.train, train.length).set(train);
  kernels.int32(place.held, held.length).set(held);
  kernels.float64(place.residual, count).set(values.map((value) => value - base));
  kernels.int32(place.treeStart, 1)[0] = 0;
  // The fields of Run, in its order.
  const fields = kernels.int32(at, kernels.runBytes() / 4);
  fields.set([
    players,
    stride,
    count,
    train.length,
    held.length,
    numLeaves,
    maxDepth < 0 ? 2 ** 30 : maxDepth,
    minDataInLeaf,
  ]);
  kernels.float64(at + 32, 2).set([learningRate, CONVERGED * size]);
  fields.set(
    [
      columns,
      place.train,
      place.held,
      place.residual,
      place.rows,
      place.heldRows,
      place.aside,
      place.packed,
      place.weights,
      place.bins,
      place.sums,
      place.free,
      place.leaves,
    ],
    12,
  );
  fields.set([0, maxTrees, place.treeStart, place.player, place.absent, place.value, place.stages], 25);
  kernels.float64(place.stages, 1)[0] = kernels.heldError(at);
  const treesAt = at + 4 * 25;

  const trees = (): number => kernels.int32(treesAt, 1)[0];
  return {
    get trees() {
      return trees();
    },
    advance: (more) => kernels.advance(at, more),
    stages: () => kernels.float64(place.stages, trees() + 1).slice(),
    heldPredictions() {
      const residual = kernels.float64(place.residual, count);
      return Float64Array.from(held, (row) => values[row] - residual[row]);
    },
    ensemble(wanted = trees()) {
      const starts = kernels.int32(place.treeStart, wanted + 1).slice();
      const total = starts[wanted];
      // One copy of the forest; its trees are views of it.
      const player = kernels.int32(place.player, total).slice();
      const absent = kernels.int32(place.absent, total).slice();
      const value = kernels.float64(place.value, total).slice();
      const present = absent.map((child, node) => (player[node] < 0 ? -1 : child + 1));
      absent.forEach((_, node) => {
        if (player[node] < 0) absent[node] = -1;
      });
      const forest = Array.from({ length: wanted }, (_, t): Tree => {
        const [from, to] = [starts[t], starts[t + 1]];
        return {
          player: player.subarray(from, to),
          absent: absent.subarray(from, to),
          present: present.subarray(from, to),
          value: value.subarray(from, to),
        };
      });
      return { players, base, trees: forest };
    },
  };
}
