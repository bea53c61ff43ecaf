/**
 * The first-order baselines: f̂(m) = F(∅) + Σ_i F({i}) χ_i(m), by LASSO (as LIME does) or ridge.
 *
 * What every claim about interactions is compared with, on the same masks. With uniform masks the
 * coefficients estimate Banzhaf values / -2. `fitAdditive` is the better of least squares and LASSO, and what `auto`
 * starts from.
 */
import type { Masks } from '../masks.ts';
import type { Keep } from '../keep.ts';
import { toMeasure } from '../spectrum/measure.ts';
import { squaredError } from '../spectrum/regression/folds.ts';
import { lassoSpectrum } from '../spectrum/regression/lasso.ts';
import { parityColumns } from '../spectrum/regression/parity-columns.ts';
import { ridge, RIDGE_ALPHAS, ridgeSpectrum, spectrumFrom, type SpectrumFit } from '../spectrum/regression/ridge.ts';
import { evaluate, type FourierSpectrum } from '../spectrum/spectrum.ts';
import { admitEndMasks, splitEnds, type Admitted, type EndMask, type EndMasks, type Split } from './end-masks.ts';
import type { Judge } from './evidence.ts';
import { mergeRepeats } from './measured.ts';

/** The penalty of an additive fit, and its folds. */
export interface FirstOrderOptions {
  /** Default 'lasso'. */
  readonly method?: 'lasso' | 'ridge' | undefined;
  /** Seed of the folds (LASSO), default 0. */
  readonly seed?: number | undefined;
  /** Default 5. */
  readonly folds?: number | undefined;
}

/**
 * The best additive spectrum: penalty by cross-validation (LASSO) or exact leave-one-out (ridge); repeated masks
 * count once.
 * @throws on values that are not finite, or fewer distinct masks than folds (LASSO) or than 2 (ridge).
 */
export function fitFirstOrder(masks: Masks, values: ArrayLike<number>, options: FirstOrderOptions = {}): SpectrumFit {
  const { method = 'lasso', seed = 0, folds = 5 } = options;
  const measured = mergeRepeats('fitFirstOrder', masks, values);
  const singletons = Array.from({ length: masks.players }, (_, i) => [i]);
  return method === 'lasso'
    ? lassoSpectrum(measured.masks, measured.values, singletons, { seed, folds })
    : ridgeSpectrum(measured.masks, measured.values, singletons);
}

/**
 * Players or masks, whichever is fewer, up to which least squares is tried: an eigendecomposition of their Gram
 * matrix.
 */
export const MOST_SINGLES = 600;
/** Players up to which LASSO is tried beside least squares: its path over 46,080 takes minutes. */
const MOST_LASSO = 8192;
/** LASSO's folds, and rows that it needs. */
const FOLDS = 5;
/** Penalties of the least squares: the least shrinks a coefficient by 1e-9 / N. */
const ALPHAS = [1e-9, ...RIDGE_ALPHAS];

/** An additive answer, and how it was chosen. */
export interface AdditiveFit {
  readonly spectrum: FourierSpectrum;
  readonly method: 'least squares' | 'lasso';
  /** Penalty, by leave-one-out (least squares) or cross-validation (LASSO). */
  readonly alpha: number;
  /** Of the masks between the ends, each by a fit without it. */
  readonly outOfSample: Float64Array;
  readonly endMasks: readonly EndMask[];
}

/** An additive fit before the end masks are let in. */
interface Additive extends Pick<AdditiveFit, 'method' | 'alpha' | 'outOfSample' | 'spectrum'> {
  readonly final: (admitted: Admitted) => FourierSpectrum;
}

/**
 * The better of least squares (ridge, its penalty from 1e-9 on) and LASSO on single players, by rows that neither
 * fitted; the end masks enter by the test of end-masks.ts. LASSO is left out where least squares leaves no more than
 * `floor`, and beyond MOST_LASSO players.
 */
export function fitAdditive(
  split: Split,
  options: {
    readonly seed?: number | undefined;
    readonly endMasks?: EndMasks | undefined;
    readonly floor?: number;
  } = {},
): AdditiveFit {
  const { sample, values } = split;
  const rmseOf = ({ outOfSample }: Additive): number => Math.sqrt(squaredError(values, outOfSample) / sample.count);
  const fits: Additive[] = [];
  if (Math.min(sample.players, sample.count) <= MOST_SINGLES && sample.count >= 2) fits.push(leastSquares(split));
  const nothingLeft = fits.length > 0 && rmseOf(fits[0]) <= (options.floor ?? 0);
  const slow = fits.length > 0 && sample.players > MOST_LASSO;
  if (!nothingLeft && !slow && sample.count >= FOLDS) fits.push(lasso(split, options.seed ?? 0));
  const best = fits.reduce((a, b) => (rmseOf(b) < rmseOf(a) ? b : a));
  const admitted = admitEndMasks(split, rmseOf(best), (mask) => evaluate(best.spectrum, mask)[0], options.endMasks);
  return {
    spectrum: admitted.masks.count === sample.count ? best.spectrum : best.final(admitted),
    method: best.method,
    alpha: best.alpha,
    outOfSample: best.outOfSample,
    endMasks: admitted.endMasks,
  };
}

/**
 * The additive fit of (masks, values); repeated masks count once. @throws on values that are not finite, or no mask.
 */
export function fitBestAdditive(masks: Masks, values: ArrayLike<number>, seed = 0): AdditiveFit {
  return fitAdditive(splitEnds(mergeRepeats('fitBestAdditive', masks, values)), { seed });
}

/** Least squares as a judge of interactions (evidence.ts), none where it would take long. */
export function additiveJudge(split: Split, keep?: Keep): Judge[] {
  const { players, count } = split.sample;
  if (Math.min(players, count) > MOST_SINGLES || count < 2) return [];
  const { spectrum, outOfSample } = leastSquares(split);
  return [{ spectrum: toMeasure(spectrum, keep), outOfSample }];
}

function singlesOf(players: number): number[][] {
  return Array.from({ length: players }, (_, i) => [i]);
}

function leastSquares({ sample, values }: Split): Additive {
  const singles = singlesOf(sample.players);
  const { looResiduals, coefficients, intercept, alpha } = ridge(parityColumns(sample, singles), values, ALPHAS);
  return {
    method: 'least squares',
    alpha,
    spectrum: spectrumFrom(sample.players, singles, coefficients, intercept),
    outOfSample: values.map((value, row) => value - looResiduals[row]),
    final: (admitted) => ridgeSpectrum(admitted.masks, admitted.values, singles, ALPHAS).spectrum,
  };
}

function lasso({ sample, values }: Split, seed: number): Additive {
  const fitOn = (masks: Masks, y: Float64Array) =>
    lassoSpectrum(masks, y, singlesOf(masks.players), { seed, folds: FOLDS });
  const { spectrum, alpha, outOfFold } = fitOn(sample, values);
  return {
    method: 'lasso',
    alpha,
    spectrum,
    outOfSample: outOfFold,
    final: (admitted) => fitOn(admitted.masks, admitted.values).spectrum,
  };
}
