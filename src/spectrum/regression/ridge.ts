/**
 * Ridge regression on parity columns with exact leave-one-out over a grid of penalties.
 *
 * minimise Σ_r (y_r - β_∅ - Σ_S β_S χ_S(m_r))² + α Σ_{S≠∅} β_S²: ∅ is not penalised. One symmetric
 * eigendecomposition serves every α: of the centred XᵀX (k <= N) or of XXᵀ (N < k). Leave-one-out
 * residuals are e_r / (1 - h_rr), exact, h the hat matrix (with the mean refitted). Same objective
 * as scikit-learn's RidgeCV with an intercept.
 */
import type { Masks } from '../../masks.ts';
import { fail } from '../../errors.ts';
import { withKernels, type Kernels } from '../../kernels/kernels.ts';
import { createSpectrum, type FourierSpectrum } from '../spectrum.ts';
import { mean } from './folds.ts';
import { applyColumns, correlate, gram, parityColumns, rowGram, type ParityColumns } from './parity-columns.ts';
import { symmetricEigen } from './symmetric-eigen.ts';

/** 100 penalties, logarithmic from 1e-6 to 1e6. */
export const RIDGE_ALPHAS: readonly number[] = Array.from({ length: 100 }, (_, k) => 10 ** (-6 + (12 * k) / 99));

export interface RidgeFit {
  /** β_S of each set of the columns given; an ∅ among them gets the intercept. */
  readonly coefficients: Float64Array;
  /** β_∅. */
  readonly intercept: number;
  readonly alpha: number;
  /** Mean squared leave-one-out residual at alpha. */
  readonly looError: number;
  /** y_r minus the prediction of the fit without row r, N values. */
  readonly looResiduals: Float64Array;
}

export interface SpectrumFit {
  readonly spectrum: FourierSpectrum;
  /** The penalty chosen. */
  readonly alpha: number;
  /** Mean squared error on held-out rows: leave-one-out (ridge) or pooled folds (LASSO). */
  readonly heldError: number;
}

/** The eigenbasis of the centred design: X_c = U diag(√λ) Vᵀ. */
interface Spectral {
  /** r eigenvalues > 0. */
  readonly lambda: Float64Array;
  /** Address of the N x r left vectors, row-major. */
  readonly leftAt: number;
  /** β = coefficients(w) for a weight per eigenvalue: Σ_j w_j u_j in row space mapped back by X_cᵀ. */
  readonly back: (weights: Float64Array) => Float64Array;
}

/**
 * The fit at the penalty of `alphas` with the least leave-one-out error (ties: the larger penalty), searched coarse to fine.
 * @throws when values and rows differ in number, or no penalty is positive.
 */
export function ridge(columns: ParityColumns, y: Float64Array, alphas: readonly number[] = RIDGE_ALPHAS): RidgeFit {
  const { rows } = columns;
  if (y.length !== rows) throw fail('input', 'ridge', `${y.length} values for ${rows} masks.`);
  if (rows < 2) throw fail('input', 'ridge', `${rows} masks; leave-one-out needs at least 2.`);
  if (alphas.length === 0 || alphas.some((alpha) => !(alpha > 0)))
    throw fail('input', 'ridge', `penalties [${alphas.join(', ')}]; positive ones are needed.`);
  return withKernels((kernels) => fitInside(kernels, columns, y, alphas));
}

function fitInside(kernels: Kernels, columns: ParityColumns, y: Float64Array, alphas: readonly number[]): RidgeFit {
  const { rows, sets } = columns;
  const centre = mean(y);
  const yc = y.map((value) => value - centre);
  const { lambda, leftAt, back } = spectral(kernels, columns);
  const r = lambda.length;
  const [outsideAt, slackAt, shrinkAt, shrunkAt, residualsAt] = [rows, rows, r, r, rows].map((length) =>
    kernels.reserve(8 * length),
  );
  // No reservation from here on: these stay views of the kernels' memory.
  const left = kernels.float64(leftAt, rows * r);

  const projection = new Float64Array(r); // Uᵀy
  for (let i = 0; i < rows; i++) addScaled(projection, left, i * r, yc[i]);
  // What no α can reach: the residual and the slack of the leverage outside the column space.
  const outside = kernels.float64(outsideAt, rows).fill(0);
  const slack = kernels.float64(slackAt, rows).fill(0);
  const saturated = r >= rows - 1;
  for (let i = 0; i < rows && !saturated; i++) {
    let inside = 0;
    let leverage = 1 / rows;
    for (let j = 0; j < r; j++) {
      const u = left[i * r + j];
      inside += u * projection[j];
      leverage += u * u;
    }
    outside[i] = yc[i] - inside;
    slack[i] = Math.max(0, 1 - leverage);
  }
  const residualsOf = (alpha: number): { error: number; residuals: Float64Array } => {
    const shrink = lambda.map((value) => alpha / (value + alpha));
    kernels.float64(shrinkAt, r).set(shrink);
    kernels.float64(shrunkAt, r).set(shrink.map((factor, j) => factor * projection[j]));
    // e_i / (1 - h_ii); 1 - h_ii is summed from its parts, without cancellation.
    const error = kernels.leaveOneOut(leftAt, rows, r, shrinkAt, shrunkAt, outsideAt, slackAt, residualsAt) / rows;
    return { error, residuals: kernels.float64(residualsAt, rows) };
  };
  const alpha = bestPenalty((candidate) => residualsOf(candidate).error, alphas);
  const { error, residuals } = residualsOf(alpha);
  const coefficients = back(projection.map((p, j) => p / (lambda[j] + alpha)));
  const predictedMean = mean(applyColumns(columns, coefficients));
  const intercept = centre - predictedMean;
  sets.forEach((set, c) => {
    if (set.length === 0) coefficients[c] = intercept;
  });
  return { coefficients, intercept, alpha, looError: error, looResiduals: residuals.slice() };
}

/** Every STRIDE-th penalty is tried, then those around the best: a third of the work on the 100 of RIDGE_ALPHAS. */
const STRIDE = 4;

/** The penalty of the least error; ties go to the larger. */
function bestPenalty(errorOf: (alpha: number) => number, alphas: readonly number[]): number {
  const falling = [...alphas].sort((a, b) => b - a);
  const tried = new Map<number, number>();
  let best = -1;
  const visit = (k: number): void => {
    if (k < 0 || k >= falling.length || tried.has(k)) return;
    const error = errorOf(falling[k]);
    tried.set(k, error);
    if (best < 0 || error < tried.get(best)! || (error === tried.get(best)! && k < best)) best = k;
  };
  for (let k = 0; k < falling.length; k += STRIDE) visit(k);
  visit(falling.length - 1);
  const around = best;
  for (let k = around - STRIDE + 1; k < around + STRIDE; k++) visit(k);
  return falling[best];
}

/** sum += factor · row, the row starting at `at`. */
function addScaled(sum: Float64Array, matrix: Float64Array, at: number, factor: number): void {
  for (let j = 0; j < sum.length; j++) sum[j] += factor * matrix[at + j];
}

function spectral(kernels: Kernels, columns: ParityColumns): Spectral {
  const { rows, sets, words, stride } = columns;
  const k = sets.length;
  const dual = rows < k;
  const size = dual ? rows : k;
  if (k === 0) return { lambda: new Float64Array(0), leftAt: kernels.reserve(0), back: () => new Float64Array(0) };
  const product = dual ? rowGram(columns) : gram(columns);
  // Centring by columns: X_cᵀX_c = XᵀX - N x̄x̄ᵀ; by rows: double centring of XXᵀ.
  const means = correlate(columns, new Float64Array(rows).fill(1 / rows));
  if (dual) {
    const rowMeans = Float64Array.from({ length: rows }, (_, i) => mean(product.subarray(i * rows, (i + 1) * rows)));
    const grand = mean(rowMeans);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < rows; j++) product[i * rows + j] += grand - rowMeans[i] - rowMeans[j];
  } else {
    for (let a = 0; a < k; a++) for (let b = 0; b < k; b++) product[a * k + b] -= rows * means[a] * means[b];
  }
  const { values, vectors } = symmetricEigen(product, size);
  const largest = values.reduce((most, value) => Math.max(most, value), 0);
  const chosen = Array.from({ length: size }, (_, j) => j).filter((j) => values[j] > 1e-11 * largest && values[j] > 0);
  const r = chosen.length;
  const lambda = Float64Array.from(chosen, (j) => values[j]);
  const basis = new Float64Array(size * r); // size x r, an eigenvector a column
  for (let i = 0; i < size; i++) for (let j = 0; j < r; j++) basis[i * r + j] = vectors[chosen[j] * size + i];

  if (dual) {
    const back = (weights: Float64Array): Float64Array => {
      const w = times(basis, rows, weights);
      const centre = mean(w);
      return correlate(
        columns,
        w.map((value) => value - centre),
      );
    };
    const leftAt = kernels.reserve(8 * rows * r);
    kernels.float64(leftAt, rows * r).set(basis);
    return { lambda, leftAt, back };
  }
  // With few rows a table of 256 costs more than it saves.
  const group = rows < 512 ? 4 : 8;
  const leftAt = kernels.reserve(8 * rows * r);
  const [wordsAt, basisAt, tableAt] = [4 * words.length, 8 * basis.length, 8 * r * 2 ** group].map((bytes) =>
    kernels.reserve(bytes),
  );
  kernels.int32(wordsAt, words.length).set(words);
  kernels.float64(basisAt, basis.length).set(basis);
  kernels.signedProduct(wordsAt, stride, rows, k, basisAt, r, group, tableAt, leftAt); // X V
  const left = kernels.float64(leftAt, rows * r);
  const offset = new Float64Array(r); // x̄ᵀV
  for (let c = 0; c < k; c++) addScaled(offset, basis, c * r, means[c]);
  const roots = lambda.map(Math.sqrt);
  for (let i = 0; i < rows; i++) for (let j = 0; j < r; j++) left[i * r + j] = (left[i * r + j] - offset[j]) / roots[j];
  return {
    lambda,
    leftAt,
    back: (weights) =>
      times(
        basis,
        k,
        weights.map((weight, j) => weight * roots[j]),
      ),
  };
}

/** matrix · weights for a row-major matrix of `count` rows. */
function times(matrix: Float64Array, count: number, weights: Float64Array): Float64Array {
  const r = weights.length;
  const product = new Float64Array(count);
  for (let i = 0; i < count; i++) for (let j = 0; j < r; j++) product[i] += matrix[i * r + j] * weights[j];
  return product;
}

/**
 * The ridge spectrum on `support` (∅ is added, never penalised), penalty by leave-one-out.
 * heldError is the mean squared leave-one-out residual.
 */
export function ridgeSpectrum(
  masks: Masks,
  values: Float64Array,
  support: readonly (readonly number[])[],
  alphas: readonly number[] = RIDGE_ALPHAS,
): SpectrumFit {
  const sets = support.filter((set) => set.length > 0);
  const fit = ridge(parityColumns(masks, sets), values, alphas);
  return {
    spectrum: spectrumFrom(masks.players, sets, fit.coefficients, fit.intercept),
    alpha: fit.alpha,
    heldError: fit.looError,
  };
}

/** A Fourier spectrum from coefficients on non-empty sets and the intercept; exact zeros are left out. */
export function spectrumFrom(
  players: number,
  sets: readonly (readonly number[])[],
  coefficients: ArrayLike<number>,
  intercept: number,
): FourierSpectrum {
  const terms = sets.map((members, c) => ({ members, value: coefficients[c] })).filter((term) => term.value !== 0);
  return createSpectrum('fourier', players, [{ members: [], value: intercept }, ...terms]);
}
