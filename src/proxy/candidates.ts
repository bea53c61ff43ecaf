/**
 * What may be done to fitted trees, and the cross-validation that decides: keep their whole spectrum,
 * keep its largest terms, or refit those by ridge.
 *
 * Each fold's model is turned into every candidate on its own rows and scored on the rows it did not see, so the
 * choice of terms is judged with the fit. The paper keeps 95 % of the energy; on a game of many small terms
 * that alone costs 5 % of R², so larger shares compete.
 */
import { selectRows, type Masks } from '../masks.ts';
import { fail } from '../errors.ts';
import { isFair, type Keep } from '../keep.ts';
import { toMeasure } from '../spectrum/measure.ts';
import type { Fold } from '../spectrum/regression/folds.ts';
import { ridgeSpectrum } from '../spectrum/regression/ridge.ts';
import { createSpectrum, evaluate, type FourierSpectrum } from '../spectrum/spectrum.ts';
import { energyOf, type SparsePolynomial } from './parities/sparse-polynomial.ts';
import { closeDownwards, closeLargest, sparsify } from './sparsify.ts';
import { polynomialSpectrum, treeFourier } from './trees/tree-fourier.ts';
import type { Ensemble } from './trees/tree.ts';
import type { Pace, Tuning } from './trees/tune.ts';

/** The trees' whole spectrum (up to maxTerms), its largest terms, or their ridge refit. */
export interface Candidate {
  readonly kind: 'trees' | 'sparse' | 'refit';
  /** Share of the energy whose terms are kept (up to the cap); 1 for the trees. */
  readonly energy: number;
}

export interface CandidateOptions {
  /**
   * 'cv' (default): the best of trees, sparse trees and refit by cross-validation. 'always': the best refit; with
   * `energy: [0.95]` what the reference implementation does. 'never': the best of trees and sparse trees.
   */
  readonly refit?: 'cv' | 'always' | 'never' | undefined;
  /** Shares of the energy that compete, default [0.95, 0.99, 1]. */
  readonly energy?: readonly number[] | undefined;
  /** Terms of a sparse answer besides ∅ at most; default 200 (the paper: about 200 suffice), more for many masks or players (defaultCap). */
  readonly cap?: number | undefined;
  /** Whether every subset of a set that is kept is kept too, beyond the cap; default false. */
  readonly closure?: boolean | undefined;
  /** The masks' probability of keeping a player, the basis in which terms are large or small; default ½. */
  readonly keep?: Keep | undefined;
  /** Terms of an answer that is not sparsified, largest first; default 20,000. */
  readonly maxTerms?: number | undefined;
}

/**
 * The default cap on terms. Against 200 everywhere (bench-proxy --only made --short-grid): f_SCH, 320 terms of 100
 * players, α = 4: R² .888 instead of .776; order three, 1,000 players, α = 1: .685 instead of .661.
 */
export function defaultCap(players: number, masks: number): number {
  return Math.max(200, Math.min(400, Math.floor(masks / 8)), Math.min(800, players));
}

/** The candidates that the options allow, sparser ones first. @throws on no energy share. */
export function candidatesOf({ refit = 'cv', energy = [0.95, 0.99, 1] }: CandidateOptions): Candidate[] {
  if (energy.length === 0) throw fail('input', 'proxyspex', 'no energy share to try; name at least one in (0, 1].');
  const kinds =
    refit === 'cv' ? (['sparse', 'refit'] as const) : refit === 'always' ? (['refit'] as const) : (['sparse'] as const);
  const sparse = [...energy].sort((a, b) => a - b).flatMap((share) => kinds.map((kind) => ({ kind, energy: share })));
  return refit === 'always' ? sparse : [...sparse, { kind: 'trees', energy: 1 }];
}

/** Out-of-fold predictions of every candidate: each row by the fold model that did not see it. */
export async function candidatePredictions(
  candidates: readonly Candidate[],
  masks: Masks,
  values: Float64Array,
  folds: readonly Fold[],
  tuning: Tuning,
  options: CandidateOptions,
  pace: Pace,
): Promise<Float64Array[]> {
  const predictions = candidates.map(({ kind }) =>
    kind === 'trees' ? tuning.outOfFold : new Float64Array(masks.count),
  );
  for (const [f, { train, held }] of folds.entries()) {
    await pace('refine', f, folds.length);
    const polynomial = treeFourier(tuning.models[f], options.keep);
    const trainMasks = selectRows(masks, train);
    const trainValues = Float64Array.from(train, (row) => values[row]);
    const heldMasks = selectRows(masks, held);
    // Shares that the cap cuts to the same terms are fitted once.
    const known = new Map<string, Float64Array>();
    candidates.forEach(({ kind, energy }, c) => {
      if (kind === 'trees') return;
      const key = `${kind} ${sparsify(polynomial, { energy, cap: options.cap }).length}`;
      const predicted =
        known.get(key) ??
        evaluate(sparseOrRefit(polynomial, trainMasks, trainValues, kind, energy, options).spectrum, heldMasks);
      known.set(key, predicted);
      held.forEach((row, k) => (predictions[c][row] = predicted[k]));
    });
  }
  await pace('refine', folds.length, folds.length);
  return predictions;
}

export interface Expressed {
  readonly spectrum: FourierSpectrum;
  /** Penalty of the refit. */
  readonly alpha: number | undefined;
  /** Share of the trees' energy in the terms kept. */
  readonly energyKept: number;
}

/** The ensemble as the candidate says; `masks` and `values` are the rows of a refit. */
export function express(
  ensemble: Ensemble,
  masks: Masks,
  values: Float64Array,
  { kind, energy }: Candidate,
  options: CandidateOptions,
): Expressed {
  const polynomial = treeFourier(ensemble, options.keep);
  if (kind !== 'trees') return sparseOrRefit(polynomial, masks, values, kind, energy, options);
  const spectrum = polynomialSpectrum(polynomial, options.maxTerms, options.keep);
  return { spectrum, alpha: undefined, energyKept: energyShare(spectrum, polynomial) };
}

function sparseOrRefit(
  polynomial: SparsePolynomial,
  masks: Masks,
  values: Float64Array,
  kind: 'sparse' | 'refit',
  energy: number,
  { cap, closure = false, keep }: CandidateOptions,
): Expressed {
  const largest = sparsify(polynomial, { energy, cap });
  const sparse = createSpectrum(
    'fourier',
    polynomial.players,
    closure ? closeDownwards(largest, polynomial) : largest,
    keep,
  );
  const energyKept = energyShare(sparse, polynomial);
  if (kind === 'sparse') return { spectrum: sparse, alpha: undefined, energyKept };
  // In another basis than ±1 parities the same functions are spanned by all subsets of the sets.
  const support = isFair(keep) ? sparse.terms : closeLargest(sparse.terms, polynomial);
  const fit = ridgeSpectrum(
    masks,
    values,
    support.map((term) => term.members),
  );
  return { spectrum: toMeasure(fit.spectrum, keep), alpha: fit.alpha, energyKept };
}

function energyShare(spectrum: FourierSpectrum, polynomial: SparsePolynomial): number {
  const total = energyOf(polynomial);
  const kept = spectrum.terms.reduce((sum, { members, value }) => sum + (members.length > 0 ? value * value : 0), 0);
  return total === 0 ? 1 : kept / total;
}
