/**
 * LASSO on parity columns: coordinate descent along a path of penalties, chosen by cross-validation.
 *
 * minimise 1/(2N) Σ_r (y_r - β_∅ - Σ_S β_S χ_S(m_r))² + λ Σ_{S≠∅} |β_S|, ∅ unpenalised (columns and
 * values are centred). Covariance updates (Friedman, Hastie, Tibshirani 2010): only Xᵀ(residual) is
 * kept, and a Gram column is computed by popcount when its set first becomes active. All folds walk
 * the path together, so that the walk can stop once the pooled error has turned.
 */
import { selectRows, type Masks } from '../../masks.ts';
import { fail } from '../../errors.ts';
import { createRandom } from '../../random.ts';
import { mean, shuffledFolds, squaredError } from './folds.ts';
import { applyColumns, correlate, gramColumn, parityColumns, type ParityColumns } from './parity-columns.ts';
import { spectrumFrom, type SpectrumFit } from './ridge.ts';

export interface LassoPath {
  /** The smallest λ at which every coefficient is 0. */
  readonly lambdaMax: number;
  /** Solves at `lambda`, starting from where the path stands; coefficients of each set (a live view). */
  advance(lambda: number): Float64Array;
  /** β_∅ at the present coefficients. */
  intercept(): number;
}

const MAX_SWEEPS = 1000;

/** A path over the columns; walk it with decreasing λ. Converged when no step moves the fit by more than 1e-5 of y's deviation. */
export function lassoPath(columns: ParityColumns, y: Float64Array): LassoPath {
  const { rows, sets } = columns;
  if (y.length !== rows) throw fail('input', 'lassoPath', `${y.length} values for ${rows} masks.`);
  const k = sets.length;
  const centre = mean(y);
  const means = correlate(columns, new Float64Array(rows).fill(1 / rows));
  const deviation = Math.sqrt(squaredError(y, new Float64Array(rows).fill(centre)) / rows);
  // gradient_c = x_cᵀ(y - Xβ)/N with x_c centred; the centred Gram is G/N - x̄x̄ᵀ.
  const gradient = correlate(
    columns,
    y.map((value) => (value - centre) / rows),
  );
  const scale = means.map((m) => 1 - m * m);
  const beta = new Float64Array(k);
  const cached: (Float32Array | undefined)[] = Array.from({ length: k }, () => undefined);
  const update = (c: number, delta: number): void => {
    const column = (cached[c] ??= gramColumn(columns, c));
    const shift = means[c];
    for (let b = 0; b < k; b++) gradient[b] -= delta * (column[b] / rows - shift * means[b]);
    beta[c] += delta;
  };
  const sweep = (lambda: number, onlyActive: boolean): number => {
    let largest = 0;
    for (let c = 0; c < k; c++) {
      if ((onlyActive && beta[c] === 0) || scale[c] < 1e-12) continue;
      const target = gradient[c] + scale[c] * beta[c];
      const size = Math.abs(target) - lambda;
      const next = size <= 0 ? 0 : (Math.sign(target) * size) / scale[c];
      const delta = next - beta[c];
      if (delta === 0) continue;
      update(c, delta);
      if (next === 0) beta[c] = 0;
      largest = Math.max(largest, Math.abs(delta));
    }
    return largest;
  };
  return {
    lambdaMax: gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0),
    advance(lambda) {
      const tolerance = 1e-5 * deviation;
      for (let sweeps = 0; sweeps < MAX_SWEEPS; sweeps++) {
        if (sweep(lambda, false) <= tolerance) break;
        while (sweeps++ < MAX_SWEEPS && sweep(lambda, true) > tolerance);
      }
      return beta;
    },
    intercept: () => centre - beta.reduce((sum, b, c) => sum + b * means[c], 0),
  };
}

export interface LassoOptions {
  /** Seed of the folds. */
  readonly seed: number;
  /** Default 5. */
  readonly folds?: number | undefined;
  /** Penalties on the path, default 100. */
  readonly lambdas?: number | undefined;
  /** λmin / λmax, default 1e-3. */
  readonly ratio?: number | undefined;
}

export interface LassoFit extends SpectrumFit {
  /** Every row predicted by the fold that did not see it, at that penalty. */
  readonly outOfFold: Float64Array;
}

/** Steps of the path after the best one without which the walk stops. */
const PATIENCE = 15;

/**
 * The LASSO spectrum on `support` (∅ is added, never penalised), λ by cross-validation over shuffled folds.
 * heldError is the pooled mean squared error of the held-out rows at that λ.
 * @throws with fewer masks than folds.
 */
export function lassoSpectrum(
  masks: Masks,
  values: Float64Array,
  support: readonly (readonly number[])[],
  options: LassoOptions,
): LassoFit {
  const { seed, folds: count = 5, lambdas = 100, ratio = 1e-3 } = options;
  if (values.length !== masks.count) throw fail('input', 'lasso', `${values.length} values for ${masks.count} masks.`);
  const sets = support.filter((set) => set.length > 0);
  const whole = lassoPath(parityColumns(masks, sets), values);
  const folds = shuffledFolds(masks.count, count, createRandom(seed, 'lasso/folds')).map(({ train, held }) => ({
    path: lassoPath(
      parityColumns(selectRows(masks, train), sets),
      Float64Array.from(train, (row) => values[row]),
    ),
    held,
    columns: parityColumns(selectRows(masks, held), sets),
    y: Float64Array.from(held, (row) => values[row]),
  }));
  const grid = Array.from({ length: lambdas }, (_, j) => whole.lambdaMax * ratio ** (j / Math.max(1, lambdas - 1)));
  let best = { at: 0, error: Infinity };
  let outOfFold = new Float64Array(masks.count);
  for (let j = 0; j < grid.length && j - best.at <= PATIENCE; j++) {
    let error = 0;
    const predicted = new Float64Array(masks.count);
    for (const { path, columns, y, held } of folds) {
      const beta = path.advance(grid[j]);
      const estimates = applyColumns(columns, beta, path.intercept());
      error += squaredError(y, estimates) / masks.count;
      held.forEach((row, k) => (predicted[row] = estimates[k]));
    }
    if (error < best.error) {
      best = { at: j, error };
      outOfFold = predicted;
    }
  }
  let beta = new Float64Array(sets.length);
  for (let j = 0; j <= best.at; j++) beta = whole.advance(grid[j]) as Float64Array<ArrayBuffer>;
  return {
    spectrum: spectrumFrom(masks.players, sets, beta, whole.intercept()),
    alpha: grid[best.at],
    heldError: best.error,
    outOfFold,
  };
}
