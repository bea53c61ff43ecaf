/**
 * Hyper-parameters of the trees by cross-validation: for every depth and rate the folds are boosted side by side.
 *
 * Boosting is nested, so one run to the most trees scores every count on its held-out fold; the answer is that of
 * separate fits at a third of the cost. Scores are pooled over folds (spectrum/regression/folds.ts). A run ends
 * early once the pooled error has stopped falling: what later counts could still gain is below STALLED.
 * The fold models of the chosen setting are kept: they judge what is done to the trees afterwards.
 */
import type { Coalitions } from '../coalitions.ts';
import { fail } from '../errors.ts';
import { scoreR2, type Fold } from '../spectrum/regression/folds.ts';
import { startBoosting, type BoostOptions } from './boost.ts';
import { createTrainingSpace, type BoostRun } from './trainer.ts';
import { type Ensemble } from './tree.ts';

export interface TuneGrid {
  /** Splits on a path; -1 for no limit. */
  readonly maxDepth: readonly number[];
  /** Tree counts, all read from one run. */
  readonly numIterations: readonly number[];
  readonly learningRate: readonly number[];
}

/** The grid of the paper (arXiv 2505.17495): 18 settings, 6 runs of 5,000 trees a fold. */
export const PAPER_GRID: TuneGrid = { maxDepth: [3, 5, -1], numIterations: [500, 1000, 5000], learningRate: [0.01, 0.1] };

/** The grid of the reference implementation (PyPI spectralexplain, max_order 5). */
export const REFERENCE_GRID: TuneGrid = { maxDepth: [3, 5], numIterations: [500, 1000, 5000], learningRate: [0.01, 0.1] };

/**
 * The default, a tenth of the paper's work: one rate, and small tree counts, which cost nothing to read.
 * Against {500, 1000} trees x both rates, on 13 real games (n = 14-16): mean R² +.012, -.003, -.001 at α = 1, 2, 8,
 * in about a quarter of the time.
 */
export const DEFAULT_GRID: TuneGrid = { maxDepth: [3, 5, -1], numIterations: [25, 50, 100, 200, 500], learningRate: [0.1] };

export interface TreeSetting {
  readonly maxDepth: number;
  readonly learningRate: number;
  readonly numIterations: number;
}

export interface TuneRow extends TreeSetting {
  /** Pooled out-of-fold R²; null where the run had ended before, its error no longer falling. */
  readonly r2: number | null;
}

export interface Tuning {
  readonly best: TreeSetting;
  /** Every setting of the grid with its score. */
  readonly table: readonly TuneRow[];
  /** Of the best setting: one ensemble a fold, fitted without the fold's held rows. */
  readonly models: readonly Ensemble[];
  /** Of the best setting: each row predicted by the model that did not see it. */
  readonly outOfFold: Float64Array;
}

/** Called before every run; may wait, and may throw to stop. */
export type Pace = (stage: string, done: number, total: number) => Promise<void>;

/** A run has stalled when the last third of its trees lowered the pooled error by less than this share. */
const STALLED = 1e-3;
/** Trees at least between the two errors compared, in units of 1 / rate. */
const WINDOW = 10;
/** Blocks of trees in which the folds advance together, at least this many to the largest count. */
const BLOCKS = 20;

/**
 * Scores the grid on the folds; ties go to the earlier setting (depth, then rate, then trees, in grid order).
 * @throws on an empty grid.
 */
export async function tune(masks: Coalitions, values: Float64Array, folds: readonly Fold[], grid: TuneGrid, options: BoostOptions, pace: Pace): Promise<Tuning> {
  const { maxDepth: depths, learningRate: rates, numIterations: counts } = grid;
  if (depths.length * rates.length * counts.length === 0) {
    throw fail('input', 'tune', `a grid of ${depths.length} depths x ${rates.length} rates x ${counts.length} tree counts; at least one of each is needed.`);
  }
  const increasing = [...new Set(counts)].sort((a, b) => a - b);
  const most = increasing[increasing.length - 1];
  const total = depths.length * rates.length * BLOCKS;
  const space = createTrainingSpace(masks);
  const table: TuneRow[] = [];
  let best: { row: TuneRow & { r2: number }; models: Ensemble[]; outOfFold: Float64Array } | undefined;
  let pair = 0;
  for (const maxDepth of depths) {
    for (const learningRate of rates) {
      const runs = folds.map(({ train, held }) => startBoosting(space, values, { ...options, maxDepth, learningRate, numIterations: most }, train, held));
      const snapshots = new Map<number, Float64Array>(); // out-of-fold predictions by count
      let reached = 0;
      for (const count of increasing) {
        const ended = await advanceTogether(runs, reached, count, learningRate, increasing[0], async (trees) => pace('tune', Math.floor((pair + trees / most) * BLOCKS), total));
        if (ended && count > increasing[0]) break;
        snapshots.set(count, gather(masks.count, folds, runs));
        reached = count;
        if (ended) break;
      }
      const errors = pooledErrors(runs, reached);
      const rows = counts.map((numIterations): TuneRow => ({ maxDepth, learningRate, numIterations, r2: numIterations <= reached ? scoreR2(values, errors[numIterations]) : null }));
      table.push(...rows);
      for (const row of rows) {
        if (row.r2 === null || (best !== undefined && !(row.r2 > best.row.r2))) continue;
        best = { row: { ...row, r2: row.r2 }, models: runs.map((run) => run.ensemble(Math.min(row.numIterations, run.trees))), outOfFold: snapshots.get(row.numIterations)! };
      }
      space.clear();
      pair++;
    }
  }
  await pace('tune', total, total);
  const { row, models, outOfFold } = best!;
  const { maxDepth, learningRate, numIterations } = row;
  return { best: { maxDepth, learningRate, numIterations }, table, models, outOfFold };
}

/** Grows every run from `from` trees to `to`; true when it ended before: nothing left to split, or the pooled error has stalled at `least` trees or more. */
async function advanceTogether(runs: readonly BoostRun[], from: number, to: number, rate: number, least: number, pace: (trees: number) => Promise<void>): Promise<boolean> {
  const block = Math.max(1, Math.ceil(WINDOW / rate / 2));
  for (let trees = from; trees < to; ) {
    await pace(trees);
    const more = Math.min(block, to - trees);
    let grown = 0;
    for (const run of runs) grown += run.advance(more);
    trees += more;
    if (grown === 0 || (trees >= least && trees < to && hasStalled(pooledErrors(runs, trees), rate))) return true;
  }
  return false;
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
