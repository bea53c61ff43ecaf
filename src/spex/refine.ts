/**
 * Better values on the recovered support, kept only when cross-validation says so.
 *
 * Four spectra compete, all reported: 'peeled' as decoding left it; 'leastSquares' on the recovered sets
 * that stand out of the noise (all samples, in the bins); 'lasso' and 'ridge' on recovered ∪ {∅} ∪
 * singletons, as the paper does (arXiv 2502.13870, appendix). Kept is the one of fewest terms among those
 * within one standard error, sqrt(2/N) of it, of the least held-out error (Breiman's rule): LASSO at the
 * least error is known to carry dozens of terms of noise. LASSO is judged on pooled folds, ridge by exact
 * leave-one-out; the first two, whose support is not fitted again, by generalised cross-validation:
 * mean squared error · (N / (N - k))².
 * Deviation: LASSO and ridge hold masks x sets in memory, so beyond 256 players only singletons that stand
 * out of what is left are let in (the strongest of thousands by chance would fool cross-validation, which
 * does not see that they were picked), and where masks x sets pass a limit a random part of the masks is
 * fitted; the scores say how many of each. Least squares in the bins has no such limit.
 */
import { emptyMasks, isKept, keep, type Masks } from '../masks.ts';
import { SpexlensError } from '../errors.ts';
import { createRandom } from '../random.ts';
import { lassoSpectrum } from '../spectrum/regression/lasso.ts';
import { correlate, parityColumns } from '../spectrum/regression/parity-columns.ts';
import { ridgeSpectrum } from '../spectrum/regression/ridge.ts';
import { createSpectrum, evaluate, setKey, type FourierSpectrum, type Term } from '../spectrum/spectrum.ts';
import { candidateOf } from './bins.ts';
import { confidenceOf } from './confidence.ts';
import { leastSquares } from './least-squares.ts';
import { restore, type Moments } from './standardise.ts';
import type { Bins } from './transform.ts';

export type Refit = 'peeled' | 'leastSquares' | 'lasso' | 'ridge';

export interface RefitScore {
  readonly fit: Refit;
  /** Mean squared error on held-out masks, in squared units of f; undefined when the fit was not made. */
  readonly heldError: number | undefined;
  /** Nonempty sets with a value. */
  readonly terms: number;
  /** Masks it was fitted on. */
  readonly masks: number;
  /** Why there is no score. */
  readonly note?: string | undefined;
}

export interface Refinement {
  readonly spectrum: FourierSpectrum;
  readonly kept: Refit;
  readonly scores: readonly RefitScore[];
  /** Singletons offered to LASSO and ridge beyond the recovered sets. */
  readonly singletons: number;
}

/** Masks x sets of a LASSO or ridge fit: 32 MB of doubles, seconds of work. */
const MAX_ENTRIES = 4e6;
const MAX_SINGLETONS = 256;

/**
 * The best of the four spectra.
 * @param bins    standardised bins
 * @param values  f of the distinct masks, in the units of f
 * @param peeled  terms of the standardised function
 * @param level   standard errors below which a recovered set is not fitted (confidence.ts)
 */
export function refine(
  bins: Bins,
  values: Float64Array,
  moments: Moments,
  peeled: readonly Term[],
  level: number,
  seed: number,
): Refinement {
  const { masks, plan } = bins.draw;
  const raw = spectrumOf(plan.players, peeled, moments);
  const scores: RefitScore[] = [];
  const entered: { fit: Refit; spectrum: FourierSpectrum; error: number; terms: number }[] = [];
  const enter = (fit: Refit, spectrum: FourierSpectrum, error: number, rows: number): void => {
    const terms = spectrum.terms.filter(({ members }) => members.length > 0).length;
    scores.push({ fit, heldError: Number.isFinite(error) ? error : undefined, terms, masks: rows });
    entered.push({ fit, spectrum, error, terms });
  };
  enter('peeled', raw, generalisedError(raw, bins, values), masks.count);
  const squares = spectrumOf(plan.players, aboveNoise(bins, peeled, level), moments);
  enter('leastSquares', squares, generalisedError(squares, bins, values), masks.count);

  const recovered = peeled.map(({ members }) => members).filter((members) => members.length > 0);
  const singles = singletonsToTry(bins, values, squares, recovered);
  const support = [...recovered, ...singles];
  const rows = Math.min(masks.count, Math.floor(MAX_ENTRIES / Math.max(1, support.length)));
  const part = createRandom(seed, 'spex/refine').subset(masks.count, rows);
  const players = [...new Set(support.flat())].sort((a, b) => a - b);
  const fitted = restricted(masks, part, players);
  const place = new Map(players.map((player, at) => [player, at]));
  const own = support.map((members) => members.map((player) => place.get(player)!));
  const f = Float64Array.from(part, (row) => values[row]);
  const attempt = (fit: Refit, make: () => { spectrum: FourierSpectrum; heldError: number }): void => {
    try {
      const { spectrum, heldError } = make();
      const terms = spectrum.terms.map(({ members, value }) => ({ members: members.map((at) => players[at]), value }));
      enter(fit, createSpectrum('fourier', plan.players, terms), heldError, rows);
    } catch (error) {
      // Too few masks to cross-validate: that is a result, not a failure of the run.
      if (!(error instanceof SpexlensError)) throw error;
      scores.push({ fit, heldError: undefined, terms: 0, masks: rows, note: error.message });
    }
  };
  attempt('lasso', () => lassoSpectrum(fitted, f, own, { seed }));
  attempt('ridge', () => ridgeSpectrum(fitted, f, own));
  const least = Math.min(...entered.map(({ error }) => error));
  const [{ fit, spectrum }] = entered
    .filter(({ error }) => error <= least * (1 + Math.sqrt(2 / masks.count)))
    .sort((a, b) => a.terms - b.terms || a.error - b.error);
  return { spectrum, kept: fit, scores, singletons: singles.length };
}

/** Recovered terms in the units of f, ∅ always among them. */
export function spectrumOf(players: number, terms: readonly Term[], moments: Moments): FourierSpectrum {
  const own = terms.some(({ members }) => members.length === 0) ? terms : [{ members: [], value: 0 }, ...terms];
  return createSpectrum(
    'fourier',
    players,
    own.map(({ members, value }) => ({ members, value: restore(members, value, moments) })),
  );
}

/** Least squares, dropping what is below noise until nothing is; the noise falls as false terms leave. */
function aboveNoise(bins: Bins, peeled: readonly Term[], level: number): Term[] {
  let sets = [
    [],
    ...peeled.map(({ members }) => members).filter((members) => members.length > 0),
  ] as (readonly number[])[];
  for (;;) {
    const values = leastSquares(
      bins,
      sets.map((members) => candidateOf(bins, members)),
    );
    const terms = sets.map((members, a) => ({ members, value: values[a] }));
    const marked = confidenceOf(bins, terms, level);
    const next = sets.filter((members, a) => members.length === 0 || !marked[a].belowNoise);
    if (next.length === sets.length) return terms;
    sets = next;
  }
}

/** Mean squared error on the distinct masks times (N / (N - k))²; infinite when k >= N. */
function generalisedError(spectrum: FourierSpectrum, bins: Bins, values: Float64Array): number {
  const { masks } = bins.draw;
  const predicted = evaluate(spectrum, masks);
  let sum = 0;
  for (let r = 0; r < values.length; r++) sum += (values[r] - predicted[r]) ** 2;
  const free = masks.count - spectrum.terms.length;
  return free <= 0 ? Infinity : (sum / masks.count) * (masks.count / free) ** 2;
}

/**
 * The singletons outside the support: all of them up to 256 players; beyond, those whose correlation with
 * what the spectrum leaves exceeds sqrt(2 ln n) standard errors, the largest of n null scores.
 */
function singletonsToTry(
  bins: Bins,
  values: Float64Array,
  spectrum: FourierSpectrum,
  recovered: readonly (readonly number[])[],
): number[][] {
  const { masks, plan } = bins.draw;
  const known = new Set(recovered.map(setKey));
  const others = Array.from({ length: plan.players }, (_, i) => [i]).filter((set) => !known.has(setKey(set)));
  if (plan.players <= MAX_SINGLETONS) return others;
  const predicted = evaluate(spectrum, masks);
  const residual = values.map((value, r) => value - predicted[r]);
  const threshold = Math.sqrt(2 * Math.log(plan.players) * residual.reduce((sum, e) => sum + e * e, 0));
  const score = correlate(parityColumns(masks, others), residual);
  return others
    .map((set, a) => ({ set, size: Math.abs(score[a]) }))
    .filter(({ size }) => size > threshold)
    .sort((a, b) => b.size - a.size || a.set[0] - b.set[0])
    .slice(0, MAX_SINGLETONS)
    .map(({ set }) => set)
    .sort((a, b) => a[0] - b[0]);
}

/** The chosen rows over the chosen players only: a support names few of thousands. */
function restricted(masks: Masks, rows: readonly number[], players: readonly number[]): Masks {
  const part = emptyMasks(players.length, rows.length);
  rows.forEach((row, r) => players.forEach((player, at) => isKept(masks, row, player) && keep(part, r, at)));
  return part;
}
