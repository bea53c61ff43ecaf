/**
 * Hyper-parameters of the trees by cross-validation, one boosting run per depth, rate and fold.
 *
 * Boosting is nested, so one run to the most trees scores every count on its held-out fold; the answer is that of
 * separate fits at a third of the cost. Scores are pooled over folds (spectrum/regression/folds.ts).
 * The fold models of the chosen setting are kept: they judge what is done to the trees afterwards.
 */
import { selectRows, type Coalitions } from '../coalitions.ts';
import { fail } from '../errors.ts';
import { scoreR2, type Fold } from '../spectrum/regression/folds.ts';
import { boost, type BoostOptions } from './boost.ts';
import { predict, truncate, type Ensemble } from './tree.ts';

export interface TuneGrid {
  /** Splits on a path; -1 for no limit. */
  readonly maxDepth: readonly number[];
  /** Tree counts, all read from one run. */
  readonly numIterations: readonly number[];
  readonly learningRate: readonly number[];
}

/** The grid of the paper (arXiv 2505.17495): 18 settings, 6 runs of 5,000 trees a fold. */
export const PAPER_GRID: TuneGrid = { maxDepth: [3, 5, -1], numIterations: [500, 1000, 5000], learningRate: [0.01, 0.1] };

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
  /** Pooled out-of-fold R². */
  readonly r2: number;
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

/**
 * Scores the grid on the folds; ties go to the earlier setting (depth, then rate, then trees, in grid order).
 * @throws on an empty grid.
 */
export async function tune(masks: Coalitions, values: Float64Array, folds: readonly Fold[], grid: TuneGrid, options: BoostOptions, pace: Pace): Promise<Tuning> {
  const { maxDepth: depths, learningRate: rates, numIterations: counts } = grid;
  if (depths.length * rates.length * counts.length === 0) {
    throw fail('input', 'tune', `a grid of ${depths.length} depths x ${rates.length} rates x ${counts.length} tree counts; at least one of each is needed.`);
  }
  const most = Math.max(...counts);
  const runs = depths.length * rates.length * folds.length;
  const table: TuneRow[] = [];
  let best: { row: TuneRow; models: Ensemble[] } | undefined;
  let done = 0;
  for (const maxDepth of depths) {
    for (const learningRate of rates) {
      const errors = new Float64Array(most + 1);
      const models: Ensemble[] = [];
      for (const fold of folds) {
        await pace('tune', done++, runs);
        const run = boost(masks, values, { ...options, maxDepth, learningRate, numIterations: most }, fold);
        for (let t = 0; t <= most; t++) errors[t] += run.stages[t];
        models.push(run.ensemble);
      }
      for (const numIterations of counts) {
        const row = { maxDepth, learningRate, numIterations, r2: scoreR2(values, errors[numIterations]) };
        table.push(row);
        if (best === undefined || row.r2 > best.row.r2) best = { row, models };
      }
    }
  }
  await pace('tune', runs, runs);
  const { r2: _, ...setting } = best!.row;
  const models = best!.models.map((model) => truncate(model, setting.numIterations));
  return { best: setting, table, models, outOfFold: outOfFold(masks, folds, (f, held) => predict(models[f], held)) };
}

/** Predictions of fold f's model for its held rows, gathered over all rows. */
export function outOfFold(masks: Coalitions, folds: readonly Fold[], model: (fold: number, held: Coalitions) => Float64Array): Float64Array {
  const all = new Float64Array(masks.count);
  folds.forEach(({ held }, f) => {
    const predicted = model(f, selectRows(masks, held));
    held.forEach((row, k) => (all[row] = predicted[k]));
  });
  return all;
}
