/**
 * Ridge regression on parity columns with exact leave-one-out over a grid of penalties.
 *
 * minimise Σ_r (y_r - β_∅ - Σ_S β_S χ_S(m_r))² + α Σ_{S≠∅} β_S²: ∅ is not penalised. One symmetric
 * eigendecomposition serves every α: of the centred XᵀX (k <= N) or of XXᵀ (N < k). Leave-one-out
 * residuals are e_r / (1 - h_rr), exact, h the hat matrix (with the mean refitted). Same objective
 * as scikit-learn's RidgeCV with an intercept.
 */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import type { Coalitions } from '../../coalitions.ts';
import { fail } from '../../errors.ts';
import { createSpectrum, type FourierSpectrum } from '../spectrum.ts';
import { mean } from './folds.ts';
import { applyColumns, correlate, gram, parityColumns, rowGram, type ParityColumns } from './parity-columns.ts';

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
  /** N x r left vectors, row-major. */
  readonly left: Float64Array;
  /** β = coefficients(w) for a weight per eigenvalue: Σ_j w_j u_j in row space mapped back by X_cᵀ. */
  readonly back: (weights: Float64Array) => Float64Array;
}

/**
 * The fit at the penalty of `alphas` with the least leave-one-out error (ties: the larger penalty).
 * @throws when values and rows differ in number, or no penalty is positive.
 */
export function ridge(columns: ParityColumns, y: Float64Array, alphas: readonly number[] = RIDGE_ALPHAS): RidgeFit {
  const { rows, sets } = columns;
  if (y.length !== rows) throw fail('input', 'ridge', `${y.length} values for ${rows} masks.`);
  if (rows < 2) throw fail('input', 'ridge', `${rows} masks; leave-one-out needs at least 2.`);
  if (alphas.length === 0 || alphas.some((alpha) => !(alpha > 0))) throw fail('input', 'ridge', `penalties [${alphas.join(', ')}]; positive ones are needed.`);
  const centre = mean(y);
  const yc = y.map((value) => value - centre);
  const { lambda, left, back } = spectral(columns);
  const r = lambda.length;

  const projection = new Float64Array(r); // Uᵀy
  for (let i = 0; i < rows; i++) for (let j = 0; j < r; j++) projection[j] += left[i * r + j] * yc[i];
  // What no α can reach: the residual and the slack of the leverage outside the column space.
  const outside = new Float64Array(rows);
  const slack = new Float64Array(rows);
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
  const residualsAt = (alpha: number): Float64Array => {
    const shrink = lambda.map((value) => alpha / (value + alpha));
    return Float64Array.from({ length: rows }, (_, i) => {
      let residual = outside[i];
      let complement = slack[i]; // 1 - h_ii, formed without cancellation
      for (let j = 0; j < r; j++) {
        const u = left[i * r + j];
        residual += u * projection[j] * shrink[j];
        complement += u * u * shrink[j];
      }
      return residual / complement;
    });
  };

  let best: { alpha: number; error: number; residuals: Float64Array } | undefined;
  for (const alpha of [...alphas].sort((a, b) => b - a)) {
    const residuals = residualsAt(alpha);
    let error = 0;
    for (const e of residuals) error += (e * e) / rows;
    if (best === undefined || error < best.error) best = { alpha, error, residuals };
  }
  const { alpha, error, residuals } = best!;
  const coefficients = back(projection.map((p, j) => p / (lambda[j] + alpha)));
  const predictedMean = mean(applyColumns(columns, coefficients));
  const intercept = centre - predictedMean;
  sets.forEach((set, c) => {
    if (set.length === 0) coefficients[c] = intercept;
  });
  return { coefficients, intercept, alpha, looError: error, looResiduals: residuals };
}

function spectral(columns: ParityColumns): Spectral {
  const { rows, sets } = columns;
  const k = sets.length;
  const dual = rows < k;
  const size = dual ? rows : k;
  if (k === 0) return { lambda: new Float64Array(0), left: new Float64Array(0), back: () => new Float64Array(0) };
  const product = dual ? rowGram(columns) : gram(columns);
  // Centring by columns: X_cᵀX_c = XᵀX - N x̄x̄ᵀ; by rows: double centring of XXᵀ.
  const means = correlate(columns, new Float64Array(rows).fill(1 / rows));
  if (dual) {
    const rowMeans = Float64Array.from({ length: rows }, (_, i) => mean(product.subarray(i * rows, (i + 1) * rows)));
    const grand = mean(rowMeans);
    for (let i = 0; i < rows; i++) for (let j = 0; j < rows; j++) product[i * rows + j] += grand - rowMeans[i] - rowMeans[j];
  } else {
    for (let a = 0; a < k; a++) for (let b = 0; b < k; b++) product[a * k + b] -= rows * means[a] * means[b];
  }
  const matrix = Matrix.from1DArray(size, size, product);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const largest = realEigenvalues.reduce((most, value) => Math.max(most, value), 0);
  const chosen = realEigenvalues.map((_, j) => j).filter((j) => realEigenvalues[j] > 1e-11 * largest && realEigenvalues[j] > 0);
  const r = chosen.length;
  const lambda = Float64Array.from(chosen, (j) => realEigenvalues[j]);
  const vectors = new Float64Array(size * r); // size x r
  for (let i = 0; i < size; i++) for (let j = 0; j < r; j++) vectors[i * r + j] = eigenvectorMatrix.get(i, chosen[j]);

  if (dual) {
    const back = (weights: Float64Array): Float64Array => {
      const w = new Float64Array(rows);
      for (let i = 0; i < rows; i++) for (let j = 0; j < r; j++) w[i] += vectors[i * r + j] * weights[j];
      const centre = mean(w);
      return correlate(columns, w.map((value) => value - centre));
    };
    return { lambda, left: vectors, back };
  }
  const left = new Float64Array(rows * r); // U = X_c V / √λ
  const offset = new Float64Array(r);
  for (let c = 0; c < k; c++) for (let j = 0; j < r; j++) offset[j] += means[c] * vectors[c * r + j];
  for (let i = 0; i < rows; i++) {
    const start = i * r;
    for (let j = 0; j < r; j++) left[start + j] = -offset[j];
    for (let c = 0; c < k; c++) {
      const from = c * r;
      if ((columns.words[c * columns.stride + (i >>> 5)] >>> (i & 31)) & 1) for (let j = 0; j < r; j++) left[start + j] -= vectors[from + j];
      else for (let j = 0; j < r; j++) left[start + j] += vectors[from + j];
    }
    for (let j = 0; j < r; j++) left[start + j] /= Math.sqrt(lambda[j]);
  }
  const back = (weights: Float64Array): Float64Array => {
    const beta = new Float64Array(k);
    for (let c = 0; c < k; c++) for (let j = 0; j < r; j++) beta[c] += vectors[c * r + j] * Math.sqrt(lambda[j]) * weights[j];
    return beta;
  };
  return { lambda, left, back };
}

/**
 * The ridge spectrum on `support` (∅ is added, never penalised), penalty by leave-one-out.
 * heldError is the mean squared leave-one-out residual.
 */
export function ridgeSpectrum(
  masks: Coalitions,
  values: Float64Array,
  support: readonly (readonly number[])[],
  alphas: readonly number[] = RIDGE_ALPHAS,
): SpectrumFit {
  const sets = support.filter((set) => set.length > 0);
  const fit = ridge(parityColumns(masks, sets), values, alphas);
  return { spectrum: spectrumFrom(masks.players, sets, fit.coefficients, fit.intercept), alpha: fit.alpha, heldError: fit.looError };
}

/** A Fourier spectrum from coefficients on non-empty sets and the intercept; exact zeros are left out. */
export function spectrumFrom(players: number, sets: readonly (readonly number[])[], coefficients: ArrayLike<number>, intercept: number): FourierSpectrum {
  const terms = sets.map((members, c) => ({ members, value: coefficients[c] })).filter((term) => term.value !== 0);
  return createSpectrum('fourier', players, [{ members: [], value: intercept }, ...terms]);
}
