/**
 * The first-order baselines: f̂(m) = F(∅) + Σ_i F({i}) χ_i(m), by LASSO (as LIME does) or ridge.
 *
 * What every claim about interactions is compared with, on the same masks. With uniform masks the
 * coefficients estimate Banzhaf values / -2.
 */
import type { Masks } from '../masks.ts';
import { lassoSpectrum } from '../spectrum/regression/lasso.ts';
import { ridgeSpectrum, type SpectrumFit } from '../spectrum/regression/ridge.ts';
import { mergeRepeats } from './measured.ts';

export interface FirstOrderOptions {
  /** Default 'lasso'. */
  readonly method?: 'lasso' | 'ridge' | undefined;
  /** Seed of the folds (LASSO), default 0. */
  readonly seed?: number | undefined;
  /** Default 5. */
  readonly folds?: number | undefined;
}

/**
 * The best additive spectrum: penalty by cross-validation (LASSO) or exact leave-one-out (ridge); repeated masks count once.
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
