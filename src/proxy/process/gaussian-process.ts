/**
 * A Gaussian process on masks, its parameters by maximum posterior likelihood.
 *
 * y is standardised; K = k + s²I (hypercube-kernel.ts). Priors: log B_i ~ N(μ, .5²) with μ fitted, g_i ~ N(0, .1²),
 * wide log-normal ones on a, s² and e^μ. L-BFGS, first on a part of the masks, then on all: N³/2 a step, so
 * N up to about 1,500. Leave-one-out residuals are exact: e_j = α_j / (K⁻¹)_jj, α = K⁻¹y.
 */
import { selectRows, type Masks } from '../../masks.ts';
import { fail } from '../../errors.ts';
import { mean, squaredError, type Fold } from '../../spectrum/regression/folds.ts';
import { createPairs, kernelBytes, kernelTable, type KernelParameters, type Pairs } from './hypercube-kernel.ts';
import { minimise, type Point } from './lbfgs.ts';
import { plainAnswer, type PlainAnswer } from './plain-answer.ts';

export interface GpParameters extends KernelParameters {
  /** s², in units of the variance of y. */
  readonly noise: number;
}

export interface GaussianProcess {
  readonly parameters: GpParameters;
  /** Predictions of each mask by the process without it, in units of f. */
  readonly leaveOneOut: Float64Array;
  /** f̂ of all 2^n masks in counting order, up to MOST_PLAYERS players. */
  table(): Float64Array;
  /** What it predicts and its expansion by a beam, at any number of players; of the plain kind alone. */
  answer(): PlainAnswer;
}

const SPREAD = 0.5; // τ of log B_i
const TILT = 0.1;
const WIDE = 2;
const START = { coupling: 0.15, amplitude: 0.5, noise: 0.1 };
/** s² at least: a noiseless game of low order would drive it to 0 and K to singular. Costs no R² above .999. */
const NOISE_FLOOR = 1e-4;
/** Masks of the first, cheap search, and steps of each. */
const PART = 256;
const STEPS = { part: 30, all: 10 };
/** The same where a fold's parameters are found anew. */
const CROSS_STEPS = { part: 20, all: 2 };
/** Beyond this the N³ is minutes. */
export const MOST_MASKS = 1500;
/** 2^n tables, and processes of both kinds. */
export const MOST_PLAYERS = 20;
/** Players whose couplings are searched for in a plain process without tables. */
export const MOST_COUPLINGS = 128;
/** Of their search, N³ times the steps on all masks stays below this, about 2 s; at least one step is taken. */
const MOST_WORK = 2e9;

/**
 * Fits a process, plain or with amplitude (tilt).
 * @throws 'input' above MOST_MASKS masks, MOST_COUPLINGS players, or with amplitude MOST_PLAYERS.
 */
export function fitGp(masks: Masks, values: Float64Array, kind: 'plain' | 'amplitude'): GaussianProcess {
  const most = kind === 'plain' ? MOST_COUPLINGS : MOST_PLAYERS;
  if (masks.count > MOST_MASKS || masks.players > most) {
    throw fail(
      'input',
      'fitGp',
      `${masks.count} masks of ${masks.players} players; at most ${MOST_MASKS} masks and ${most} players are practical. Use proxyspex.`,
    );
  }
  return processAt(masks, values, searchParameters(masks, values, kind, STEPS));
}

/**
 * Predictions of each mask by the process without it, its parameters found without the mask's fold: what the
 * leave-one-out error would be had the parameters not seen the rows. Costs about as much as the fit.
 */
export function crossFittedGp(
  masks: Masks,
  values: Float64Array,
  kind: 'plain' | 'amplitude',
  folds: readonly Fold[],
): Float64Array {
  const predicted = new Float64Array(masks.count);
  for (const { train, held } of folds) {
    const own = Float64Array.from(train, (row) => values[row]);
    const parameters = searchParameters(selectRows(masks, train), own, kind, CROSS_STEPS);
    const { leaveOneOut } = processAt(masks, values, parameters);
    held.forEach((row) => (predicted[row] = leaveOneOut[row]));
  }
  return predicted;
}

function searchParameters(
  masks: Masks,
  values: Float64Array,
  kind: 'plain' | 'amplitude',
  steps: { readonly part: number; readonly all: number },
): GpParameters {
  const n = masks.players;
  const y = standardiser(values).standardise(values);
  const start = new Float64Array(2 * n + 3);
  start.fill(Math.log(START.coupling), 0, n);
  start.set([Math.log(START.amplitude), Math.log(START.noise), Math.log(START.coupling)], 2 * n);
  const search = (rows: Masks, target: Float64Array, from: Float64Array, most: number): Float64Array => {
    const pairs = createPairs(kernelBytes(rows));
    return minimise((at) => negativeLogPosterior(pairs, n, target, at, kind), from, most).at;
  };
  const step = Math.ceil(masks.count / PART);
  const affordable = n > MOST_PLAYERS ? Math.max(1, Math.floor(MOST_WORK / masks.count ** 3)) : Infinity;
  const part = Array.from({ length: Math.ceil(masks.count / step) }, (_, k) => k * step);
  const rough =
    step > 1
      ? search(
          selectRows(masks, part),
          Float64Array.from(part, (row) => y[row]),
          start,
          steps.part,
        )
      : start;
  const last = step > 1 ? Math.min(steps.all, affordable) : steps.part + steps.all;
  return parametersAt(search(masks, y, rough, last), n);
}

/** The process with given parameters on (masks, values): no search. */
export function processAt(masks: Masks, values: Float64Array, parameters: GpParameters): GaussianProcess {
  const unit = standardiser(values);
  const y = unit.standardise(values);
  const pairs = createPairs(kernelBytes(masks));
  pairs.fill(parameters);
  const solved = pairs.invert(parameters.noise);
  if (solved === undefined)
    throw fail(
      'input',
      'fitGp',
      `the covariance of ${masks.count} masks is not positive definite; are masks repeated?`,
    );
  const weights = times(solved.inverse, y);
  const leaveOneOut = unit.restore(y.map((value, j) => value - weights[j] / solved.inverse[j * masks.count + j]));
  const level = weights.reduce((sum, weight) => sum + weight, 0);
  return {
    parameters,
    leaveOneOut,
    table: () => unit.restore(kernelTable(masks, weights, parameters).map((value) => value + level)),
    answer: () => {
      const { coupling, amplitude, tilt } = parameters;
      if (tilt.some((g) => g !== 0))
        throw fail('input', 'fitGp', 'a process with amplitude has tables alone; ask a plain one.');
      return plainAnswer({
        masks,
        alpha: weights,
        coupling,
        amplitude,
        centre: unit.centre,
        deviation: unit.deviation,
      });
    },
  };
}

/** Mean 0, deviation 1; constant values are left at 0. */
function standardiser(values: Float64Array): {
  readonly centre: number;
  readonly deviation: number;
  standardise(v: Float64Array): Float64Array;
  restore(v: Float64Array): Float64Array;
} {
  const centre = mean(values);
  const deviation = Math.sqrt(squaredError(values, new Float64Array(values.length).fill(centre)) / values.length) || 1;
  return {
    centre,
    deviation,
    standardise: (v) => v.map((value) => (value - centre) / deviation),
    restore: (v) => v.map((value) => centre + deviation * value),
  };
}

/** The parameters in the order of the search: log B_0.., g_0.., log a, log (s² - NOISE_FLOOR), μ. */
function parametersAt(at: Float64Array, n: number): GpParameters {
  return {
    coupling: at.slice(0, n).map(Math.exp),
    tilt: at.slice(n, 2 * n),
    amplitude: Math.exp(at[2 * n]),
    noise: NOISE_FLOOR + Math.exp(at[2 * n + 1]),
  };
}

/** -log p(y, parameters) up to a constant, and its gradient. Infinite where K is not positive definite. */
export function negativeLogPosterior(
  pairs: Pairs,
  n: number,
  y: Float64Array,
  at: Float64Array,
  kind: 'plain' | 'amplitude',
): Point {
  const count = y.length;
  const parameters = parametersAt(at, n);
  pairs.fill(parameters);
  const solved = pairs.invert(parameters.noise);
  const gradient = new Float64Array(at.length);
  if (solved === undefined) return { value: Infinity, gradient };
  const weights = times(solved.inverse, y);
  let value = solved.logDeterminant / 2;
  let noiseSlope = 0;
  for (let j = 0; j < count; j++) {
    value += (y[j] * weights[j]) / 2;
    noiseSlope += weights[j] ** 2 - solved.inverse[j * count + j];
  }
  // d log p = Σ_jk ½(α_j α_k - K⁻¹_jk) dK_jk.
  const slope = pairs.slopes(weights, parameters);
  for (let i = 0; i < n; i++) {
    gradient[i] = -slope.coupling[i] * parameters.coupling[i];
    if (kind === 'amplitude') gradient[n + i] = -slope.tilt[i];
  }
  gradient[2 * n] = -slope.total;
  gradient[2 * n + 1] = (-noiseSlope * (parameters.noise - NOISE_FLOOR)) / 2;

  const level = at[2 * n + 2];
  const prior = (index: number, centre: number, width: number): void => {
    const z = (at[index] - centre) / width;
    value += (z * z) / 2;
    gradient[index] += z / width;
  };
  for (let i = 0; i < n; i++) {
    prior(i, level, SPREAD);
    gradient[2 * n + 2] -= (at[i] - level) / SPREAD ** 2;
    if (kind === 'amplitude') prior(n + i, 0, TILT);
  }
  prior(2 * n, Math.log(START.amplitude), WIDE);
  prior(2 * n + 1, Math.log(START.noise), WIDE);
  prior(2 * n + 2, Math.log(START.coupling), WIDE);
  return { value, gradient };
}

/** A symmetric matrix, of which the lower triangle is given, times a vector. */
function times(lower: Float64Array, vector: Float64Array): Float64Array {
  const n = vector.length;
  const product = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let sum = lower[i * n + i] * vector[i];
    for (let j = 0; j < i; j++) {
      sum += lower[i * n + j] * vector[j];
      product[j] += lower[i * n + j] * vector[i];
    }
    product[i] += sum;
  }
  return product;
}
