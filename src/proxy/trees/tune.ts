/**
 * Hyper-parameters of the trees by cross-validation: for every depth and rate the folds are boosted side by side.
 *
 * Boosting is nested, so one run to the most trees scores every count on its held-out fold; the answer is that of
 * separate fits at a third of the cost. Scores are pooled over folds (spectrum/regression/folds.ts); a run whose error
 * has stopped falling ends early (tune-pair.ts). The fold models of the chosen setting are kept: they judge what is
 * done to the trees afterwards.
 */
import type { Masks } from '../../masks.ts';
import { cores } from '../../platform/threads.ts';
import { fail } from '../../errors.ts';
import type { Fold } from '../../spectrum/regression/folds.ts';
import type { BoostOptions } from './boost.ts';
import { pairSpace, runPair, type PairInput, type PairResult, type PairTask } from './tune-pair.ts';
import { runOnThreads } from './tune-threads.ts';
import { LONGEST_PATH } from './tree-fourier.ts';
import type { Ensemble } from './tree.ts';

/** The settings of boosted trees that cross-validation chooses from. */
export interface TuneGrid {
  /** Splits on a path, LONGEST_PATH at most; -1 for DEEPEST. */
  readonly maxDepth: readonly number[];
  /** Tree counts, all read from one run. */
  readonly numIterations: readonly number[];
  readonly learningRate: readonly number[];
}

/**
 * Splits on a path of trees without a limit, whose spectrum is then read: 31 leaves make a path of 30, and the expansion is 2^30 terms. On an
 * AND of 25 of 1,000 players, 1,600 masks of .98, R² on others is .852 at 8, .873 at 10, .901 at 12, .926 at 14, in 22, 23, 21 and 49 s;
 * at 20 it does not end in minutes.
 */
export const DEEPEST = 12;

/** The grid of the paper (arXiv 2505.17495), whose third depth has no limit: 18 settings, 6 runs of 5,000 trees a fold. */
export const PAPER_GRID: TuneGrid = {
  maxDepth: [3, 5, -1],
  numIterations: [500, 1000, 5000],
  learningRate: [0.01, 0.1],
};

/** The grid of the reference implementation (PyPI spectralexplain, max_order 5). */
export const REFERENCE_GRID: TuneGrid = {
  maxDepth: [3, 5],
  numIterations: [500, 1000, 5000],
  learningRate: [0.01, 0.1],
};

/**
 * The default, a tenth of the paper's work: one rate, and small tree counts, which cost nothing to read. Against
 * REFERENCE_GRID on 7 real games (bench-proxy --only games --every 15): mean R² +.133, -.002, -.009, +.005 at
 * α = 1, 2, 4, 8, in about a third of the time.
 */
export const DEFAULT_GRID: TuneGrid = {
  maxDepth: [3, 5, -1],
  numIterations: [25, 50, 100, 200, 500],
  learningRate: [0.1],
};

export interface TreeSetting {
  readonly maxDepth: number;
  readonly learningRate: number;
  readonly numIterations: number;
}

export interface TuneRow extends TreeSetting {
  /** Trees at which it was scored: fewer than numIterations where the run ended, its error no longer falling; null beyond that. */
  readonly trees: number | null;
  /** Pooled out-of-fold R²; null where `trees` is. */
  readonly r2: number | null;
}

export interface Tuning {
  readonly best: TreeSetting;
  /** Every setting of the grid with its score; `best` has the trees that were grown. */
  readonly table: readonly TuneRow[];
  /** Of the best setting: one ensemble a fold, fitted without the fold's held rows. */
  readonly models: readonly Ensemble[];
  /** Of the best setting: each row predicted by the model that did not see it. */
  readonly outOfFold: Float64Array;
}

/** Called before every run; may wait, and may throw to stop. */
export type Pace = (stage: string, done: number, total: number) => Promise<void>;

export interface TuneOptions extends BoostOptions {
  /** Worker threads; default one, and all cores from THREADED_FROM players x masks on. */
  readonly threads?: number | undefined;
}

/** Players x masks from which starting threads (about a second) pays. */
const THREADED_FROM = 2e7;

/** Progress steps of one pair. */
const STEPS = 20;

/**
 * Scores the grid on the folds; ties go to the earlier setting (depth, then rate, then trees, in grid order). Large
 * fits run pairs of depth and rate on worker threads; the answer does not depend on how many.
 * @throws on an empty grid, or one of trees too deep to be read.
 */
export async function tune(
  masks: Masks,
  values: Float64Array,
  folds: readonly Fold[],
  grid: TuneGrid,
  { threads, ...options }: TuneOptions,
  pace: Pace,
): Promise<Tuning> {
  const { learningRate: rates, numIterations: counts } = grid;
  const depths = grid.maxDepth.map(readableDepth);
  if (depths.length * rates.length * counts.length === 0) {
    throw fail(
      'input',
      'tune',
      `a grid of ${depths.length} depths x ${rates.length} rates x ${counts.length} tree counts; at least one of each is needed.`,
    );
  }
  const increasing = [...new Set(counts)].sort((a, b) => a - b);
  const pairs = depths.flatMap((maxDepth) =>
    rates.map((learningRate): PairTask => ({ maxDepth, learningRate, counts: increasing })),
  );
  const input: PairInput = { masks, values, folds, options };
  const done = new Float64Array(pairs.length);
  const onShare = async (pair: number, share: number): Promise<void> => {
    done[pair] = share;
    await pace('tune', Math.floor(STEPS * done.reduce((sum, value) => sum + value, 0)), STEPS * pairs.length);
  };
  const workers = Math.min(pairs.length, threads ?? (masks.players * masks.count < THREADED_FROM ? 1 : cores()));
  const results =
    workers > 1 ? await runOnThreads(input, pairs, workers, onShare) : await runInTurn(input, pairs, onShare);
  await pace('tune', STEPS * pairs.length, STEPS * pairs.length);

  const table: TuneRow[] = [];
  let best: { readonly setting: TreeSetting; readonly r2: number; readonly result: PairResult } | undefined;
  results.forEach((result, k) => {
    const { maxDepth, learningRate } = pairs[k];
    for (const numIterations of counts) {
      const score = result.scores[increasing.indexOf(numIterations)];
      table.push({ maxDepth, learningRate, numIterations, trees: score?.trees ?? null, r2: score?.r2 ?? null });
    }
    const r2 = Math.max(...result.scores.map((score) => score?.r2 ?? -Infinity));
    if (best === undefined || r2 > best.r2)
      best = { setting: { maxDepth, learningRate, numIterations: result.best }, r2, result };
  });
  const { setting, result } = best!;
  return { best: setting, table, models: result.models, outOfFold: result.outOfFold };
}

/** The depth at which trees are grown whose spectrum is read. @throws 'input' beyond what can be read. */
function readableDepth(maxDepth: number): number {
  if (maxDepth <= LONGEST_PATH) return maxDepth === -1 ? DEEPEST : maxDepth;
  throw fail(
    'input',
    'tune',
    `maxDepth ${maxDepth}; at most ${LONGEST_PATH}, or -1 for ${DEEPEST}, is needed: a path of d players spreads over 2^d terms of the spectrum.`,
  );
}

async function runInTurn(
  input: PairInput,
  pairs: readonly PairTask[],
  onShare: (pair: number, share: number) => Promise<void>,
): Promise<PairResult[]> {
  const space = pairSpace(input);
  const results: PairResult[] = [];
  for (const [k, pair] of pairs.entries())
    results.push(await runPair(space, input, pair, (share) => onShare(k, share)));
  return results;
}
