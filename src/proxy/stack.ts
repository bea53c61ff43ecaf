/**
 * The stacked proxy: Gaussian processes on masks, trees and greedy parities, weighted by how well each predicts
 * masks it has not seen.
 *
 * Weights w >= 0 minimise Σ(y - ŷ_out)² over out-of-sample predictions (leave-one-out of the processes, out-of-fold
 * of trees and parities, whose seeds are each fold's trees), pulled gently to equal weights. The answer is linear in
 * the members, so its Fourier spectrum is the weighted sum of theirs: exact, up to maxTerms. The two processes take
 * part up to 20 players and 1,500 masks; up to 128 players the plain one does. Beyond, a chain: trees, the parities they seed, and a
 * process whose couplings follow the parities' influences (influence-process.ts), up to 8,000 masks. Of a process of more than 20
 * players only the terms that a beam finds enter the spectrum; energyKept says what share of its variance they hold.
 */
import type { Masks } from '../masks.ts';
import type { Evidence, Solver } from '../solver.ts';
import type { Keep } from '../keep.ts';
import { toMeasure } from '../spectrum/measure.ts';
import { mean, scoreR2, squaredError } from '../spectrum/regression/folds.ts';
import type { FourierSpectrum } from '../spectrum/spectrum.ts';
import { scaled, summed } from '../spectrum/summed.ts';
import { fourierFromTable, spectrumOfDense, tableOfSpectrum } from '../spectrum/walsh-hadamard.ts';
import { boost } from './trees/boost.ts';
import { admitEndMasks, splitEnds, type Admitted, type EndMask, type Split } from './end-masks.ts';
import { evidenceOf, type Judge } from './evidence.ts';
import { additiveJudge } from './first-order.ts';
import { createPace, judgeTrees, treeOptions, trivialFit, type ProxyFit, type ProxySpexOptions } from './fit.ts';
import { MOST_PLAYERS } from './process/gaussian-process.ts';
import { mergeRepeats, type Noise } from './measured.ts';
import { createMaskSolver } from './proxyspex.ts';
import {
  firstOrderMember,
  influenceMember,
  parityMember,
  processes,
  treeMember,
  type Answer,
  type Member,
} from './stack-members.ts';
import { combine, crossWeighted, onlyMember, stackWeights } from './stack-weights.ts';
import type { Ensemble } from './trees/tree.ts';
import type { Pace } from './trees/tune.ts';

/** The stack's answer: its members, their weights, and how well their sum predicts. */
export interface StackFit {
  readonly spectrum: FourierSpectrum;
  readonly evidence: Evidence;
  /** 'trees' when the stack predicts worse than the mean, or than they do alone; 'constant' and 'complete' as in ProxyFit. */
  readonly kind: 'stack' | 'trees' | 'constant' | 'complete';
  readonly members: readonly Member[];
  /** Out-of-sample R² of the weighted sum; the weights were chosen on the same rows, so a little high. */
  readonly r2: number;
  /** What was done to the trees, judged as in fit.ts. */
  readonly trees: Pick<ProxyFit, 'kind' | 'cv' | 'setting'> | undefined;
  readonly masks: number;
  readonly endMasks: readonly EndMask[];
  readonly noise: Noise | undefined;
}

/**
 * Where there are both processes, parities join from this many times n log2 n masks on. On real games (n = 14-16) they
 * cost .006 of R² at 1 (10 games, -.04 to +.01) and bring .003 at 2 to 8 (6 fits).
 */
const PARITIES_FROM = 1.5;

/** Pull to equal weights, in units of the variance of y. */
const PULL = 0.02;
/** A member whose out-of-fold error is below this share of the stack's is the answer by itself. */
const ALONE = 0.5;

/**
 * Two answers that are judged together: the trees with what is best done to them (ProxySPEX), and the stack they are
 * in.
 */
export interface StackRun {
  /** Predictions of the sample by fits, and weights, that had no part of each row. */
  readonly trees: Float64Array;
  readonly stack: Float64Array;
  /** Whether the stack predicts unseen rows better than the trees alone and than the mean. */
  readonly stacked: boolean;
  /**
   * The stack's predictions with the processes' parameters cross-fitted too: dearer, for close calls. Undefined
   * without processes.
   */
  readonly confirm: (() => Promise<Float64Array>) | undefined;
  /** The final fit; `judges` are others whose predictions the evidence may rest on. */
  finish(kind: 'stack' | 'trees', judges: readonly Judge[]): Promise<StackFit>;
}

/** Judges trees, processes, parities and their stack on rows that they did not fit. */
export async function runStack(split: Split, options: ProxySpexOptions, pace: Pace): Promise<StackRun> {
  const judged = await judgeTrees(split, options, pace);
  const { values: y, sample, chosen } = judged;
  const players = sample.players;
  let ensemble: Ensemble | undefined;
  const grow = (admitted: Admitted): Ensemble =>
    (ensemble ??= boost(admitted.masks, admitted.values, { ...treeOptions(options), ...judged.tuning.best }).ensemble);
  const trees = treeMember(judged, grow);
  const maxTerms = options.maxTerms ?? 20_000;
  const smooth = await processes(judged, maxTerms, pace);
  const few = smooth.length > 1 && sample.count < PARITIES_FROM * players * Math.log2(players);
  const parities = few ? undefined : await parityMember(judged, grow, pace);
  const chained =
    parities === undefined || smooth.length > 0 ? undefined : await influenceMember(judged, parities, maxTerms, pace);
  const members = [
    ...smooth,
    trees,
    ...[parities, chained, firstOrderMember(judged)].filter((member) => member !== undefined),
  ];
  const columns = members.map((member) => member.outOfSample);
  const mixed = crossWeighted(columns, y, judged.folds, PULL);
  // Where the game is one member's own, the pull to equal weights costs more than the others bring: then it stands alone.
  const alone = members.findIndex(
    ({ name, outOfSample }) =>
      (name === 'parities' || name === 'trees') && squaredError(y, outOfSample) < ALONE * squaredError(y, mixed),
  );
  const weighed = alone < 0 ? stackWeights(columns, y, PULL) : onlyMember(alone, columns, y);
  const stack = alone < 0 ? mixed : columns[alone];
  // The rare case in which the others mislead, or bring nothing: trees alone.
  const stacked =
    weighed.error <
    Math.min(squaredError(y, trees.outOfSample), squaredError(y, new Float64Array(y.length).fill(mean(y))));
  return {
    trees: trees.outOfSample,
    stack,
    stacked,
    confirm:
      smooth.length === 0 || alone >= 0
        ? undefined
        : async () => {
            const strict: Float64Array[] = [];
            for (const [k, member] of members.entries()) {
              await pace('confirm', k, members.length);
              strict.push(member.confirm?.() ?? member.outOfSample);
            }
            await pace('confirm', members.length, members.length);
            return crossWeighted(strict, y, judged.folds, PULL);
          },
    async finish(kind, judges) {
      const weights = kind === 'stack' ? weighed.weights : members.map((member) => (member === trees ? 1 : 0));
      const intercept = kind === 'stack' ? weighed.intercept : 0;
      const predicted = kind === 'stack' ? combine(columns, weights, intercept) : trees.outOfSample;
      const rmse = Math.sqrt(squaredError(y, predicted) / y.length);
      const predictEnd = (mask: Masks): number =>
        members.reduce(
          (sum, member, k) => (weights[k] === 0 ? sum : sum + weights[k] * member.predict(mask)),
          intercept,
        );
      const admitted = admitEndMasks(judged, rmse, predictEnd, options.endMasks);
      const answers: { k: number; answer: Answer; weight: number }[] = [];
      for (const [k, member] of members.entries()) {
        await pace('fit', k, members.length);
        if (weights[k] > 0) answers.push({ k, answer: member.final(admitted), weight: weights[k] });
      }
      const spectrum = weightedSum(players, answers, intercept, maxTerms, options.keep);
      await pace('fit', members.length, members.length);
      return {
        kind,
        spectrum,
        evidence: evidenceOf(
          spectrum,
          sample,
          y,
          [{ spectrum, outOfSample: kind === 'stack' ? stack : predicted }, ...judges],
          options.floor,
        ),
        members: members.map(({ name, outOfSample }, k) => ({
          name,
          r2: scoreR2(y, squaredError(y, outOfSample)),
          weight: weights[k],
          ...shareOf(answers.find((each) => each.k === k)?.answer),
        })),
        r2: scoreR2(y, squaredError(y, predicted)),
        trees: { kind: chosen.kind, cv: judged.cv, setting: judged.tuning.best },
        masks: admitted.masks.count,
        endMasks: admitted.endMasks,
        noise: split.measured.noise,
      };
    },
  };
}

/**
 * Fits the stack on (masks, values); options are those of the trees.
 * @throws as `fitProxySpex`.
 */
export async function fitStack(
  masks: Masks,
  values: ArrayLike<number>,
  options: ProxySpexOptions = {},
): Promise<StackFit> {
  const measured = mergeRepeats('fitStack', masks, values);
  const trivial = trivialFit(measured, options);
  const known = { masks: measured.masks.count, endMasks: [], noise: measured.noise };
  if (trivial !== undefined) return { ...trivial, ...known, members: [], r2: 1, trees: undefined };
  const split = splitEnds(measured, options.endMasks);
  const run = await runStack(split, options, createPace('stack', options));
  return run.finish(run.stacked ? 'stack' : 'trees', additiveJudge(split, options.keep));
}

/** What a beam listed of a member, if one did. */
function shareOf(answer: Answer | undefined): Pick<Member, 'energyKept'> {
  return answer !== undefined && 'energyKept' in answer ? { energyKept: answer.energyKept } : {};
}

/** ∅ and the `count` largest terms of Σ weight · answer + intercept. */
function weightedSum(
  players: number,
  answers: readonly { answer: Answer; weight: number }[],
  intercept: number,
  count: number,
  keep: Keep | undefined,
): FourierSpectrum {
  if (players <= MOST_PLAYERS) {
    const tables = answers.map(({ answer }) => ('table' in answer ? answer.table : tableOfSpectrum(answer.spectrum)));
    return cutSpectrum(
      tables.length === 0
        ? new Float64Array(2 ** players).fill(intercept)
        : combine(
            tables,
            answers.map(({ weight }) => weight),
            intercept,
          ),
      count,
      keep,
    );
  }
  const parts = answers.flatMap(({ answer, weight }) =>
    'spectrum' in answer ? [...scaled(toMeasure(answer.spectrum, keep).terms, weight)] : [],
  );
  return summed(players, [{ members: [], value: intercept }, ...parts], count, keep);
}

/** The `count` largest terms of a table's transform, and ∅. */
function cutSpectrum(table: Float64Array, count: number, keep: Keep | undefined): FourierSpectrum {
  const dense = fourierFromTable(table, keep);
  const sizes = dense.subarray(1).map(Math.abs).sort();
  const floor = count < sizes.length ? sizes[sizes.length - 1 - count] : 0;
  return spectrumOfDense('fourier', dense, () => floor, keep);
}

/** The stack as a solver, with other than the default options. */
export function createStackSolver(options: Omit<ProxySpexOptions, 'seed' | 'signal' | 'onProgress'> = {}): Solver {
  return createMaskSolver('stack', options.folds, async (masks, values, run) => {
    const { spectrum, kind, evidence, ...details } = await fitStack(masks, values, { ...options, ...run });
    return { spectrum, kind, evidence, details };
  });
}

/** The stack of trees, processes and parities as a solver, with its defaults. */
export const stackSolver: Solver = createStackSolver();
