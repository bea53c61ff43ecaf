/**
 * The stacked proxy: two Gaussian processes on masks and the trees, weighted by how well each predicts
 * masks it has not seen.
 *
 * Weights w >= 0 minimise Σ(y - ŷ_out)² over out-of-sample predictions (leave-one-out of the processes, out-of-fold
 * of the trees), pulled gently to equal weights. The answer is linear in the members, so its Fourier spectrum is
 * the weighted sum of theirs: exact. Up to 20 players and 1,500 masks.
 */
import type { Coalitions } from '../coalitions.ts';
import { fail } from '../errors.ts';
import type { Solver } from '../solver.ts';
import { mean, scoreR2, squaredError } from '../spectrum/regression/folds.ts';
import type { FourierSpectrum } from '../spectrum/spectrum.ts';
import { fourierFromTable, spectrumOfDense, tableOfSpectrum } from '../spectrum/walsh-hadamard.ts';
import { boost } from './boost.ts';
import { express } from './candidates.ts';
import { admitEndMasks, createPace, judgeTrees, treeOptions, trivialSpectrum, type EndMask, type ProxyFit, type ProxySpexOptions } from './fit.ts';
import { fitGp, MOST_MASKS, MOST_PLAYERS, processAt } from './gaussian-process.ts';
import { mergeRepeats, type Noise } from './measured.ts';
import { createMaskSolver } from './proxyspex.ts';
import { predict } from './tree.ts';

export interface Member {
  readonly name: 'process' | 'process with amplitude' | 'trees';
  /** Out-of-sample R² of the member alone. */
  readonly r2: number;
  readonly weight: number;
}

export interface StackFit {
  readonly spectrum: FourierSpectrum;
  /** 'trees' when the stack predicts worse than the mean; 'constant' and 'complete' as in ProxyFit. */
  readonly kind: 'stack' | 'trees' | 'constant' | 'complete';
  readonly members: readonly Member[];
  /** Out-of-sample R² of the weighted sum; the weights were chosen on the same rows, so a little high. */
  readonly r2: number;
  /** What was done to the trees, judged as in fit.ts. */
  readonly trees: Pick<ProxyFit, 'kind' | 'cv' | 'setting'> | undefined;
  readonly masks: number;
  readonly endMasks: readonly EndMask[];
  readonly noise: Noise | undefined;
}

/** Pull to equal weights, in units of the variance of y. */
const PULL = 0.02;

/**
 * Fits the stack on (masks, values); options are those of the trees.
 * @throws 'input' above 20 players or 1,500 masks, and as `fitProxySpex`.
 */
export async function fitStack(masks: Coalitions, values: ArrayLike<number>, options: ProxySpexOptions = {}): Promise<StackFit> {
  const measured = mergeRepeats('fitStack', masks, values);
  const trivial = trivialSpectrum(measured);
  const known = { masks: measured.masks.count, endMasks: [], noise: measured.noise };
  if (trivial !== undefined) return { ...trivial, ...known, members: [], r2: 1, trees: undefined };
  checkSize(masks.players, measured.masks.count);
  const pace = createPace('stack', options);
  const judged = await judgeTrees(measured, options, pace);
  const { sample, values: y, tuning, chosen } = judged;
  await pace('process', 0, 2);
  const plain = fitGp(sample, y, 'plain');
  await pace('process', 1, 2);
  const tilted = fitGp(sample, y, 'amplitude');
  await pace('process', 2, 2);

  const columns = [plain.leaveOneOut, tilted.leaveOneOut, judged.outOfFold];
  const weighed = stackWeights(columns, y, PULL);
  const stackedR2 = scoreR2(y, weighed.error);
  // The rare case in which the processes mislead: trees alone.
  const weights = stackedR2 > 0 ? weighed.weights : [0, 0, 1];
  const intercept = stackedR2 > 0 ? weighed.intercept : 0;

  const rmse = Math.sqrt((stackedR2 > 0 ? weighed.error : squaredError(y, judged.outOfFold)) / y.length);
  const tables = [plain.table(), tilted.table()];
  const predictEnd = (mask: Coalitions): number =>
    intercept + weights[0] * tables[0][mask.words[0]] + weights[1] * tables[1][mask.words[0]] + weights[2] * mean(tuning.models.map((model) => predict(model, mask)[0]));
  const admitted = admitEndMasks(judged, rmse, predictEnd, options.endMasks);

  await pace('fit', 0, 1);
  const { ensemble } = boost(admitted.masks, admitted.values, { ...treeOptions(options), ...tuning.best });
  const trees = express(ensemble, admitted.masks, admitted.values, chosen, options).spectrum;
  const finals = admitted.masks.count === sample.count ? tables : [plain, tilted].map(({ parameters }) => processAt(admitted.masks, admitted.values, parameters).table());
  const table = combine([...finals, tableOfSpectrum(trees)], weights, intercept);
  await pace('fit', 1, 1);
  const names = ['process', 'process with amplitude', 'trees'] as const;
  return {
    ...known,
    kind: stackedR2 > 0 ? 'stack' : 'trees',
    spectrum: cutSpectrum(table, options.maxTerms ?? 20_000),
    members: names.map((name, k) => ({ name, r2: scoreR2(y, squaredError(y, columns[k])), weight: weights[k] })),
    r2: scoreR2(y, squaredError(y, combine(columns, weights, intercept))),
    trees: { kind: chosen.kind, cv: judged.cv, setting: tuning.best },
    masks: admitted.masks.count,
    endMasks: admitted.endMasks,
  };
}

function checkSize(players: number, count: number): void {
  if (players <= MOST_PLAYERS && count <= MOST_MASKS) return;
  throw fail('input', 'stack', `${count} masks of ${players} players; at most ${MOST_MASKS} masks of ${MOST_PLAYERS} players. Use proxyspex, or a smaller budget.`);
}

export interface StackWeights {
  /** One a column, none negative. */
  readonly weights: readonly number[];
  readonly intercept: number;
  /** Σ (y - ŷ)². */
  readonly error: number;
}

/**
 * minimise Σ_r (y_r - c - Σ_k w_k z_kr)² + pull · N · var(y) · Σ_k (w_k - 1/K)² over w >= 0 and c: exact, by trying
 * every set of weights that are 0 (K is small).
 */
export function stackWeights(columns: readonly Float64Array[], y: Float64Array, pull: number): StackWeights {
  const count = columns.length;
  const centre = (v: Float64Array): Float64Array => {
    const middle = mean(v);
    return v.map((value) => value - middle);
  };
  const z = columns.map(centre);
  const target = centre(y);
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, r) => sum + value * b[r], 0);
  const ridge = pull * dot(target, target);
  const gram = z.map((a, i) => z.map((b, j) => dot(a, b) + (i === j ? ridge : 0)));
  const moment = z.map((a) => dot(a, target) + ridge / count);
  const cost = (w: readonly number[]): number => w.reduce((sum, wi, i) => sum + wi * (gram[i].reduce((s, g, j) => s + g * w[j], 0) - 2 * moment[i]), 0);
  let best: number[] = columns.map(() => 0);
  for (let set = 1; set < 2 ** count; set++) {
    const active = columns.map((_, k) => k).filter((k) => (set >>> k) & 1);
    const solved = solve(active.map((i) => active.map((j) => gram[i][j])), active.map((i) => moment[i]));
    const weights = columns.map((_, k) => (active.includes(k) ? solved[active.indexOf(k)] : 0));
    if (weights.every((w) => w >= 0) && cost(weights) < cost(best)) best = weights;
  }
  const intercept = mean(y) - best.reduce((sum, w, k) => sum + w * mean(columns[k]), 0);
  return { weights: best, intercept, error: squaredError(y, combine(columns, best, intercept)) };
}

/** Gaussian elimination on a positive definite system of a few unknowns. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]]);
  rows.forEach((pivot, i) => {
    for (const row of rows.slice(i + 1)) {
      const factor = row[i] / pivot[i];
      for (let j = i; j < row.length; j++) row[j] -= factor * pivot[j];
    }
  });
  const x = right.map(() => 0);
  for (let i = x.length - 1; i >= 0; i--) x[i] = (rows[i][x.length] - x.reduce((sum, value, j) => (j > i ? sum + rows[i][j] * value : sum), 0)) / rows[i][i];
  return x;
}

function combine(columns: readonly Float64Array[], weights: readonly number[], intercept: number): Float64Array {
  return columns[0].map((_, r) => columns.reduce((sum, column, k) => sum + weights[k] * column[r], intercept));
}

/** The `count` largest terms of a table's transform, and ∅. */
function cutSpectrum(table: Float64Array, count: number): FourierSpectrum {
  const dense = fourierFromTable(table);
  const sizes = dense.subarray(1).map(Math.abs).sort();
  const floor = count < sizes.length ? sizes[sizes.length - 1 - count] : 0;
  return spectrumOfDense('fourier', dense, () => floor);
}

/** The stack as a solver, with other than the default options. */
export function createStackSolver(options: Omit<ProxySpexOptions, 'seed' | 'signal' | 'onProgress'> = {}): Solver {
  return createMaskSolver('stack', options.folds, async (masks, values, run) => {
    const { spectrum, kind, ...details } = await fitStack(masks, values, { ...options, ...run });
    return { spectrum, kind, details };
  }, checkSize);
}

export const stackSolver: Solver = createStackSolver();
