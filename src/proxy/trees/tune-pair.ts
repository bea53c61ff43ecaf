/**
 * One depth and rate of the grid: the folds boosted side by side, scored at every count of trees.
 *
 * A run ends early once the pooled error has stopped falling: what later counts could still gain is below STALLED.
 * Plain data in and out, so that it runs on any thread.
 */
import type { Masks } from '../../masks.ts';
import { scoreR2, type Fold } from '../../spectrum/regression/folds.ts';
import { startBoosting, type BoostOptions } from './boost.ts';
import { createTrainingSpace, type BoostRun, type TrainingSpace } from './trainer.ts';
import type { Ensemble } from './tree.ts';

export interface PairTask {
  readonly maxDepth: number;
  readonly learningRate: number;
  /** Tree counts of the grid, increasing. */
  readonly counts: readonly number[];
}

export interface PairResult {
  /** Pooled out-of-fold R² by count, and the trees it was read at: fewer than the count where the run ended before, its error no longer falling. Null beyond. */
  readonly scores: readonly ({ readonly trees: number; readonly r2: number } | null)[];
  /** Trees of the first best score. */
  readonly best: number;
  /** At that many: one ensemble a fold, and each row predicted by the one that did not see it. */
  readonly models: readonly Ensemble[];
  readonly outOfFold: Float64Array;
}

/** What all pairs share. */
export interface PairInput {
  readonly masks: Masks;
  readonly values: Float64Array;
  readonly folds: readonly Fold[];
  readonly options: BoostOptions;
}

/** A run has stalled when the last third of its trees lowered the pooled error by less than this share. */
const STALLED = 1e-3;
/** Trees at least between the two errors compared, in units of 1 / rate. */
const WINDOW = 10;

/** Runs the pair in `space`, made of the same masks; `pace` hears of the share done. */
export async function runPair(
  space: TrainingSpace,
  { masks, values, folds, options }: PairInput,
  { maxDepth, learningRate, counts }: PairTask,
  pace: (share: number) => Promise<void>,
): Promise<PairResult> {
  const most = counts[counts.length - 1];
  const runs = folds.map(({ train, held }) =>
    startBoosting(space, values, { ...options, maxDepth, learningRate, numIterations: most }, train, held),
  );
  const snapshots = new Map<number, Float64Array>(); // out-of-fold predictions by trees
  const trees: (number | null)[] = counts.map(() => null);
  let reached = 0;
  for (const [k, count] of counts.entries()) {
    const before = reached;
    const { at, ended } = await advanceTogether(runs, before, count, learningRate, counts[0], (done) =>
      pace(done / most),
    );
    reached = at;
    trees[k] = at;
    snapshots.set(at, gather(masks.count, folds, runs));
    if (ended) break;
  }
  const errors = pooledErrors(runs, reached);
  const scores = trees.map((at) => (at === null ? null : { trees: at, r2: scoreR2(values, errors[at]) }));
  let best: { readonly trees: number; readonly r2: number } | undefined;
  for (const score of scores) if (score !== null && (best === undefined || score.r2 > best.r2)) best = score;
  const chosen = best!.trees;
  const result = {
    scores,
    best: chosen,
    models: runs.map((run) => run.ensemble(Math.min(chosen, run.trees))),
    outOfFold: snapshots.get(chosen)!,
  };
  space.clear();
  return result;
}

/** A space for any number of pairs over the same masks. */
export function pairSpace({ masks }: PairInput): TrainingSpace {
  return createTrainingSpace(masks);
}

/** Grows every run from `from` trees to `to`, or until none can split any more or the pooled error has stalled (at `least` trees or more). */
async function advanceTogether(
  runs: readonly BoostRun[],
  from: number,
  to: number,
  rate: number,
  least: number,
  pace: (trees: number) => Promise<void>,
): Promise<{ at: number; ended: boolean }> {
  const block = Math.max(1, Math.ceil(WINDOW / rate / 2));
  let trees = from;
  while (trees < to) {
    await pace(trees);
    const more = Math.min(block, to - trees);
    let grown = 0;
    for (const run of runs) grown += run.advance(more);
    trees += more;
    if (grown === 0 || (trees >= least && trees < to && hasStalled(pooledErrors(runs, trees), rate)))
      return { at: trees, ended: true };
  }
  return { at: trees, ended: false };
}

function hasStalled(errors: Float64Array, rate: number): boolean {
  const trees = errors.length - 1;
  const before = trees - Math.max(Math.ceil(WINDOW / rate), Math.floor(trees / 3));
  if (before < 1) return false;
  let [early, late] = [Infinity, Infinity];
  for (let t = 0; t <= trees; t++) {
    if (t <= before) early = Math.min(early, errors[t]);
    else late = Math.min(late, errors[t]);
  }
  return late > (1 - STALLED) * early;
}

/** Σ over the runs of the held-out squared errors after 0 .. `trees` trees; a run that converged keeps its last. */
function pooledErrors(runs: readonly BoostRun[], trees: number): Float64Array {
  const errors = new Float64Array(trees + 1);
  for (const run of runs) {
    const stages = run.stages();
    for (let t = 0; t <= trees; t++) errors[t] += stages[Math.min(t, stages.length - 1)];
  }
  return errors;
}

function gather(count: number, folds: readonly Fold[], runs: readonly BoostRun[]): Float64Array {
  const all = new Float64Array(count);
  folds.forEach(({ held }, f) => {
    const predicted = runs[f].heldPredictions();
    held.forEach((row, k) => (all[row] = predicted[k]));
  });
  return all;
}
