/**
 * Greedy parities: a sparse spectrum grown set by set (parity-path.ts), as long as cross-validation gains, then
 * refitted by ridge.
 *
 * What trees see badly, one coefficient a set, this fits exactly: prefix staircases and all subsets of large sets.
 * The terms of fitted trees make good seeds, since weak heredity alone cannot reach a set none of whose subsets
 * matters. Every fold grows its own path (on its own seeds), so the number of terms and the out-of-fold
 * predictions are judged on unseen rows.
 */
import { selectRows, type Masks } from '../../masks.ts';
import { createRandom } from '../../random.ts';
import { scoreR2, shuffledFolds, squaredError, type Fold } from '../../spectrum/regression/folds.ts';
import { ridgeSpectrum, spectrumFrom } from '../../spectrum/regression/ridge.ts';
import { evaluate, type FourierSpectrum } from '../../spectrum/spectrum.ts';
import { mergeRepeats } from '../measured.ts';
import { parityPath, type ParityPath } from './parity-path.ts';
import { largestTerms, type SparsePolynomial } from './sparse-polynomial.ts';
import type { Pace } from '../trees/tune.ts';

type Sets = readonly (readonly number[])[];

/** Sets of fitted trees that are offered as seeds. */
export const TREE_SEEDS = 2000;
/** Terms a ridge refit takes (its eigendecomposition: about 1 s); longer paths keep their own coefficients. */
const MOST_REFITTED = 500;
/** Terms at most, and as a share of the rows. */
const MOST_TERMS = 2000;
const MOST_SHARE = 0.5;
/** The walk ends once this many times the best count (and 20 more) have brought nothing. */
const PATIENCE = 1.3;

export interface TunedParities {
  /** Terms besides ∅ with the least out-of-fold error. */
  readonly terms: number;
  /** Pooled out-of-fold R² at every count tried. */
  readonly curve: readonly { readonly terms: number; readonly r2: number }[];
  /** At the chosen count: each row predicted by the fold that did not see it, and the folds' spectra. */
  readonly outOfFold: Float64Array;
  readonly models: readonly FourierSpectrum[];
}

/** The number of terms by cross-validation, seedsOf(f) being candidates for fold f (made without its held rows). */
export async function tuneParities(
  masks: Masks,
  values: Float64Array,
  folds: readonly Fold[],
  seedsOf: (fold: number) => Sets,
  pace: Pace,
): Promise<TunedParities> {
  const parts = folds.map(({ train, held }, f) => {
    const sample = selectRows(masks, train);
    const y = Float64Array.from(train, (row) => values[row]);
    return {
      sample,
      y,
      held,
      heldMasks: selectRows(masks, held),
      heldValues: Float64Array.from(held, (row) => values[row]),
      path: parityPath(sample, y, seedsOf(f)),
    };
  });
  const most = Math.min(MOST_TERMS, Math.floor(MOST_SHARE * Math.min(...parts.map((part) => part.y.length))));
  const curve: { terms: number; r2: number }[] = [];
  let best = { terms: 0, r2: -Infinity };
  for (const terms of counts(most)) {
    if (terms > PATIENCE * best.terms + 20) break;
    await pace('parities', terms, most);
    let error = 0;
    for (const { path, heldMasks, heldValues } of parts) {
      path.advance(terms);
      error += squaredError(heldValues, evaluate(pathSpectrum(path, masks.players), heldMasks));
    }
    const point = { terms, r2: scoreR2(values, error) };
    curve.push(point);
    if (point.r2 > best.r2) best = point;
    if (parts.every(({ path }) => path.sets.length <= terms)) break;
  }
  const outOfFold = new Float64Array(masks.count);
  const models: FourierSpectrum[] = [];
  for (const [f, { sample, y, path, held, heldMasks }] of parts.entries()) {
    await pace('parities refit', f, parts.length);
    const sets = path.sets.slice(0, best.terms + 1);
    const model =
      best.terms === 0 || best.terms > MOST_REFITTED
        ? growParities(sample, y, seedsOf(f), best.terms)
        : ridgeSpectrum(sample, y, sets).spectrum;
    models.push(model);
    evaluate(model, heldMasks).forEach((value, k) => (outOfFold[held[k]] = value));
  }
  return { terms: best.terms, curve, outOfFold, models };
}

/** 0, 1, .. 16, then steps of an eighth: where a path is scored. Batches end there, so equal counts are equal paths. */
function* counts(most: number): Generator<number> {
  for (let terms = 0; terms <= most; terms += Math.max(1, Math.floor(terms / 8))) yield terms;
}

/** The spectrum of `terms` sets (a count that tuneParities tried) grown on (masks, values), refitted by ridge. */
export function growParities(masks: Masks, values: Float64Array, seeds: Sets, terms: number): FourierSpectrum {
  const path = parityPath(masks, values, seeds);
  for (const count of counts(terms)) path.advance(count);
  return refit(masks, values, path);
}

function refit(masks: Masks, values: Float64Array, path: ParityPath): FourierSpectrum {
  const terms = path.sets.length - 1;
  return terms === 0 || terms > MOST_REFITTED
    ? pathSpectrum(path, masks.players)
    : ridgeSpectrum(masks, values, path.sets).spectrum;
}

function pathSpectrum(path: ParityPath, players: number): FourierSpectrum {
  const [intercept, ...rest] = path.coefficients();
  return spectrumFrom(players, path.sets.slice(1), rest, intercept);
}

/** The sets of the largest terms of fitted trees. */
export function seedsOfTrees(polynomial: SparsePolynomial): number[][] {
  return largestTerms(polynomial, TREE_SEEDS).map((term) => [...term.members]);
}

/** Pairs and triples up to which all of them may be seeds: 26 players. */
const MOST_SMALL_SETS = 3000;

/** All pairs and triples of `players`, none where they are too many. */
export function smallSets(players: number): number[][] {
  const pairs = (players * (players - 1)) / 2;
  if (pairs + (pairs * (players - 2)) / 3 > MOST_SMALL_SETS) return [];
  const all = Array.from({ length: players }, (_, i) => i);
  return all.flatMap((i) => all.slice(i + 1).flatMap((j) => [[i, j], ...all.slice(j + 1).map((k) => [i, j, k])]));
}

/** Folds, their seed, and sets to begin with. */
export interface GreedyOptions {
  /** Seed of the folds, default 0. */
  readonly seed?: number | undefined;
  /** Default 5. */
  readonly folds?: number | undefined;
  /** Sets that are candidates from the start, besides the single players; not to be chosen on these values. */
  readonly seeds?: Sets | undefined;
}

/** Sets that were chosen one after the other, and how each helped. */
export interface GreedyFit extends Pick<TunedParities, 'terms' | 'curve'> {
  readonly spectrum: FourierSpectrum;
  /** Out-of-fold R². */
  readonly r2: number;
}

/**
 * Greedy parities alone, on all masks given; repeated masks count once.
 * @throws 'input' on values that are not finite or fewer distinct masks than folds.
 */
export async function fitGreedyParities(
  masks: Masks,
  values: ArrayLike<number>,
  { seed = 0, folds = 5, seeds = [] }: GreedyOptions = {},
): Promise<GreedyFit> {
  const measured = mergeRepeats('fitGreedyParities', masks, values);
  const parts = shuffledFolds(measured.masks.count, folds, createRandom(seed, 'parities/folds'));
  const tuned = await tuneParities(
    measured.masks,
    measured.values,
    parts,
    () => seeds,
    async () => {},
  );
  const spectrum = growParities(measured.masks, measured.values, seeds, tuned.terms);
  return {
    spectrum,
    terms: tuned.terms,
    curve: tuned.curve,
    r2: scoreR2(measured.values, squaredError(measured.values, tuned.outOfFold)),
  };
}
