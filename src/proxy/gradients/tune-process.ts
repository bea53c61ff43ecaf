/** The setting of a gradient process that predicts masks it did not see best. */
import { selectRows } from '../../masks.ts';
import { createRandom } from '../../random.ts';
import { scoreR2, shuffledFolds, squaredError } from '../../spectrum/regression/folds.ts';
import type { Pace } from '../trees/tune.ts';
import type { Setting } from './gradient-prior.ts';
import { countOfGradients, rowsOf, type Sample } from './sample.ts';
import { fitScreenedProcess } from './screened-process.ts';

/** Where the search starts. */
export const START: Setting = { slopeNoise: 1, valueNoise: 0.01, exponent: 1 };
/** The largest noise of slopes leaves gradients out. */
const GRID: { readonly [Key in keyof Setting]: readonly number[] } = {
  slopeNoise: [0.3, 1, 3, 10, 100],
  valueNoise: [0.001, 0.003, 0.01, 0.03, 0.1],
  exponent: [0.7, 1],
};
const FOLDS = 3;
/** Gradients and other masks that a trial is fitted on at most; it is scored on all others. */
const TRIAL_GRADIENTS = 96;
const TRIAL_VALUES = 128;
/** Another setting has to leave so much less error. */
const BETTER = 0.98;

export interface Tuned {
  readonly setting: Setting;
  /** Every setting that was tried, and its R² on masks it did not see. */
  readonly trials: readonly (Setting & { readonly r2: number })[];
}

/** Walks the grid along one number after the other while that helps. */
export async function tuneProcess(sample: Sample, seed: number, pace: Pace): Promise<Tuned> {
  const T = countOfGradients(sample);
  const N = sample.masks.count;
  // The rows that trials are fitted on: some with gradients, some without.
  const fitted = Array.from({ length: N }, (_, row) => row).filter((row) =>
    row < T ? row < TRIAL_GRADIENTS : row - T < TRIAL_VALUES,
  );
  const used = new Set(fitted);
  const beyond = Array.from({ length: N }, (_, row) => row).filter((row) => !used.has(row));
  const rows = fitted.length;
  const folds = shuffledFolds(rows, Math.min(FOLDS, rows), createRandom(seed, 'gradspex/tune'));
  const errors = new Map<string, number>();
  const trials: Tuned['trials'][number][] = [];
  const errorOf = async (setting: Setting): Promise<number> => {
    const key = JSON.stringify(setting);
    const known = errors.get(key);
    if (known !== undefined) return known;
    const predicted = new Float64Array(N);
    for (const { train, held } of folds) {
      await pace('gradspex', trials.length, GRID.slopeNoise.length + GRID.valueNoise.length);
      const trained = Array.from(train, (k) => fitted[k]);
      const process = fitScreenedProcess(rowsOf(sample, trained), setting);
      const others = [...Array.from(held, (k) => fitted[k]), ...beyond];
      const values = process.predict(selectRows(sample.masks, others));
      others.forEach((row, k) => (predicted[row] += values[k] / (used.has(row) ? 1 : folds.length)));
    }
    const error = squaredError(sample.values, predicted);
    errors.set(key, error);
    trials.push({ ...setting, r2: scoreR2(sample.values, error) });
    return error;
  };
  let setting = START;
  let least = await errorOf(setting);
  for (const key of ['slopeNoise', 'valueNoise', 'exponent', 'slopeNoise'] as const) {
    const grid = GRID[key];
    for (const step of [1, -1]) {
      for (let at = grid.indexOf(setting[key]) + step; at >= 0 && at < grid.length; at += step) {
        const next = { ...setting, [key]: grid[at] };
        const error = await errorOf(next);
        if (error >= BETTER * least) break;
        [setting, least] = [next, error];
      }
    }
  }
  return { setting, trials };
}
