/**
 * ProxySPEX on measured masks (Butler et al., arXiv 2505.17495): boosted trees tuned by cross-validation,
 * their exact Fourier spectrum, its largest terms, and a ridge refit of those.
 *
 * Deviations. Sparsifying and refitting help on sparse games and hurt on many real ones, so each is
 * accepted by the same cross-validation that chose the trees: fold models are sparsified and refitted
 * on their own fold and scored on the rows they did not see. End masks enter the fit by a test.
 */
import type { Masks } from '../masks.ts';
import { throwIfAborted } from '../errors.ts';
import { createRandom } from '../random.ts';
import type { Evidence } from '../solver.ts';
import type { Keep } from '../keep.ts';
import { exactEvidence, floatFloor } from '../spectrum/noise.ts';
import { mean, scoreR2, shuffledFolds, squaredError, type Fold } from '../spectrum/regression/folds.ts';
import { createSpectrum, type FourierSpectrum } from '../spectrum/spectrum.ts';
import { fourierFromTable, spectrumOfDense } from '../spectrum/walsh-hadamard.ts';
import { boost, type BoostOptions } from './trees/boost.ts';
import {
  candidatePredictions,
  candidatesOf,
  defaultCap,
  express,
  type Candidate,
  type CandidateOptions,
} from './candidates.ts';
import { admitEndMasks, splitEnds, type EndMask, type EndMasks, type Split } from './end-masks.ts';
import { evidenceOf, type Judge } from './evidence.ts';
import { additiveJudge } from './first-order.ts';
import { mergeRepeats, type Measured, type Noise } from './measured.ts';
import { predict } from './trees/tree.ts';
import {
  DEFAULT_GRID,
  tune,
  type Pace,
  type TreeSetting,
  type TuneGrid,
  type Tuning,
  type TuneRow,
} from './trees/tune.ts';

/** How ProxySPEX is fitted: folds and their seed, the grid of trees, threads, the measure of the masks. */
export interface ProxySpexOptions extends CandidateOptions {
  /** Seed of the folds, default 0. */
  readonly seed?: number | undefined;
  /** Default `DEFAULT_GRID`; `PAPER_GRID` is the paper's. */
  readonly grid?: TuneGrid | undefined;
  /** Default 5. */
  readonly folds?: number | undefined;
  /** Leaves of a tree, default 31. */
  readonly numLeaves?: number | undefined;
  /** Rows on each side of a split; default LightGBM's 20, scaled down for few masks. */
  readonly minDataInLeaf?: number | undefined;
  /** 'test' (default): end masks enter the fit if they fit (end-masks.ts). 'keep': always. 'drop': never. */
  readonly endMasks?: EndMasks | undefined;
  /** Worker threads of the tuning; default one, and all cores for large fits. The answer does not depend on it. */
  readonly threads?: number | undefined;
  /** Probability with which the masks keep a player, as SolveOptions.keep: the basis of the answer. */
  readonly keep?: Keep | undefined;
  /** What rounding may do to one value of the game, as SolveOptions.floor. */
  readonly floor?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?:
    | ((progress: { readonly stage: string; readonly done: number; readonly total: number }) => void)
    | undefined;
}

/** Which answer won: the trees' whole spectrum, its largest terms, their ridge refit; or no fit was needed. */
export type ProxyKind = Candidate['kind'] | 'constant' | 'complete';

/** ProxySPEX's answer, and what was tried for it. */
export interface ProxyFit {
  readonly spectrum: FourierSpectrum;
  readonly evidence: Evidence;
  readonly kind: ProxyKind;
  /** Pooled out-of-fold R² of each candidate, sparser ones first; the largest won. Empty for 'constant' and 'complete'. */
  readonly cv: readonly (Candidate & { readonly r2: number })[];
  /** Out-of-fold root mean squared error of the winner, in units of f. */
  readonly rmse: number;
  /** The trees' setting that cross-validation chose, and every setting's score. */
  readonly setting: TreeSetting | undefined;
  readonly table: readonly TuneRow[];
  /** Penalty of the refit, if that won. */
  readonly alpha: number | undefined;
  /** Share of the trees' energy that the terms kept hold (1 where none was dropped). */
  readonly energyKept: number;
  /** Distinct masks fitted. */
  readonly masks: number;
  readonly endMasks: readonly EndMask[];
  readonly noise: Noise | undefined;
}

/** Trees judged on the masks between the ends. */
export interface Judged extends Split {
  readonly folds: readonly Fold[];
  readonly tuning: Tuning;
  readonly cv: ProxyFit['cv'];
  /** The candidate with the least out-of-fold error, and its predictions. */
  readonly chosen: Candidate;
  readonly outOfFold: Float64Array;
  /** The options of the candidates, the cap filled in. */
  readonly express: CandidateOptions;
}

/** Tunes trees on everything but the end masks and finds what is best done to them. */
export async function judgeTrees(split: Split, options: ProxySpexOptions, pace: Pace): Promise<Judged> {
  const { sample, values } = split;
  const folds = shuffledFolds(sample.count, options.folds ?? 5, createRandom(options.seed ?? 0, 'proxyspex/folds'));
  const tuning = await tune(
    sample,
    values,
    folds,
    options.grid ?? DEFAULT_GRID,
    { ...treeOptions(options), threads: options.threads },
    pace,
  );
  const candidates = candidatesOf(options);
  const filled = { ...options, cap: options.cap ?? defaultCap(sample.players, sample.count) };
  const predictions = await candidatePredictions(candidates, sample, values, folds, tuning, filled, pace);
  const errors = predictions.map((predicted) => squaredError(values, predicted));
  const best = errors.indexOf(Math.min(...errors));
  const cv = candidates.map((candidate, c) => ({ ...candidate, r2: scoreR2(values, errors[c]) }));
  return {
    ...split,
    folds,
    tuning,
    cv,
    chosen: candidates[best],
    outOfFold: predictions[best],
    express: filled,
  };
}

/** Trees that have been judged, before the final fit. */
export interface ProxySpexRun {
  /** Predictions of the sample by fits without each row. */
  readonly outOfSample: Float64Array;
  /** The final fit; `judges` are others whose predictions the evidence may rest on. */
  finish(judges: readonly Judge[]): Promise<ProxyFit>;
}

/** Judges the trees and what may be done to them on rows that they did not fit. */
export async function runProxySpex(split: Split, options: ProxySpexOptions, pace: Pace): Promise<ProxySpexRun> {
  const judged = await judgeTrees(split, options, pace);
  const { tuning, chosen, cv, outOfFold, sample, values } = judged;
  const rmseOf = (predicted: Float64Array): number => Math.sqrt(squaredError(values, predicted) / sample.count);
  return {
    outOfSample: outOfFold,
    async finish(judges) {
      const admitted = admitEndMasks(
        judged,
        rmseOf(tuning.outOfFold),
        (mask) => mean(tuning.models.map((model) => predict(model, mask)[0])),
        options.endMasks,
      );
      await pace('fit', 0, 1);
      const { ensemble } = boost(admitted.masks, admitted.values, { ...treeOptions(options), ...tuning.best });
      const answer = express(ensemble, admitted.masks, admitted.values, chosen, judged.express);
      await pace('fit', 1, 1);
      const own = { spectrum: answer.spectrum, outOfSample: outOfFold };
      return {
        ...answer,
        evidence: evidenceOf(answer.spectrum, sample, values, [own, ...judges], options.floor),
        kind: chosen.kind,
        cv,
        rmse: rmseOf(outOfFold),
        setting: tuning.best,
        table: tuning.table,
        masks: admitted.masks.count,
        endMasks: admitted.endMasks,
        noise: split.measured.noise,
      };
    },
  };
}

/**
 * The sparse Fourier spectrum of (masks, values): rows in, spectrum and its provenance out.
 * Repeated masks count once, with their mean. All 2^n masks given: their exact transform. Constant values: {∅: c}.
 * @throws 'input' on values that are not finite, or fewer distinct masks than folds; 'aborted' on the signal.
 */
export async function fitProxySpex(
  masks: Masks,
  values: ArrayLike<number>,
  options: ProxySpexOptions = {},
): Promise<ProxyFit> {
  const measured = mergeRepeats('fitProxySpex', masks, values);
  const trivial = trivialFit(measured, options);
  if (trivial !== undefined) {
    return {
      ...trivial,
      cv: [],
      rmse: 0,
      setting: undefined,
      table: [],
      alpha: undefined,
      energyKept: 1,
      masks: measured.masks.count,
      endMasks: [],
      noise: measured.noise,
    };
  }
  const split = splitEnds(measured, options.endMasks);
  const run = await runProxySpex(split, options, createPace('proxyspex', options));
  return run.finish(additiveJudge(split, options.keep));
}

/** The answer where nothing needs fitting, with its evidence: see `trivialSpectrum`. */
export function trivialFit(
  measured: Measured,
  { floor = floatFloor(measured.values), keep }: Pick<ProxySpexOptions, 'floor' | 'keep'> = {},
): { kind: 'constant' | 'complete'; spectrum: FourierSpectrum; evidence: Evidence } | undefined {
  const trivial = trivialSpectrum(measured, keep);
  return trivial && { ...trivial, evidence: exactEvidence(trivial.spectrum, floor) };
}

/** The options that every fit of trees shares. */
export function treeOptions({ numLeaves, minDataInLeaf }: ProxySpexOptions): BoostOptions {
  return { numLeaves, minDataInLeaf };
}

/** The answer where nothing needs fitting: constant values, or a value for each of all 2^n masks. */
function trivialSpectrum(
  { masks, values }: Measured,
  keep: Keep | undefined,
): { kind: 'constant' | 'complete'; spectrum: FourierSpectrum } | undefined {
  if (values.every((value) => value === values[0])) {
    return {
      kind: 'constant',
      spectrum: createSpectrum('fourier', masks.players, [{ members: [], value: values[0] }], keep),
    };
  }
  if (masks.players > 20 || masks.count !== 2 ** masks.players) return undefined;
  const table = new Float64Array(masks.count);
  let scale = 0;
  for (let row = 0; row < masks.count; row++) {
    table[masks.words[row]] = values[row];
    scale = Math.max(scale, Math.abs(values[row]));
  }
  return {
    kind: 'complete',
    spectrum: spectrumOfDense('fourier', fourierFromTable(table, keep), () => 1e-12 * scale, keep),
  };
}

/** Reports, gives timers and signals a turn, and stops when asked. */
export function createPace(who: string, { signal, onProgress }: ProxySpexOptions): Pace {
  return async (stage, done, total) => {
    onProgress?.({ stage, done, total });
    await new Promise((resolve) => setTimeout(resolve, 0));
    throwIfAborted(signal, who);
  };
}
