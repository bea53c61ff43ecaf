/**
 * The stacked proxy: Gaussian processes on masks, trees and greedy parities, weighted by how well each predicts
 * masks it has not seen.
 *
 * Weights w >= 0 minimise Σ(y - ŷ_out)² over out-of-sample predictions (leave-one-out of the processes, out-of-fold
 * of trees and parities, whose seeds are each fold's trees), pulled gently to equal weights. The answer is linear in
 * the members, so its Fourier spectrum is the weighted sum of theirs: exact, up to maxTerms. The two processes take
 * part up to 20 players and 1,500 masks. Beyond, a chain: trees, the parities they seed, and a process whose couplings
 * follow the parities' influences (influence-process.ts), up to 8,000 masks; of that one only the terms that a beam
 * finds enter the spectrum.
 */
import { selectRows, type Coalitions } from '../coalitions.ts';
import type { Solver } from '../solver.ts';
import { mean, scoreR2, squaredError } from '../spectrum/regression/folds.ts';
import { parityColumns } from '../spectrum/regression/parity-columns.ts';
import { ridge, ridgeSpectrum, spectrumFrom } from '../spectrum/regression/ridge.ts';
import { compareTerms, createSpectrum, evaluate, setKey, type FourierSpectrum, type Term } from '../spectrum/spectrum.ts';
import { fourierFromTable, spectrumOfDense, tableOfSpectrum } from '../spectrum/walsh-hadamard.ts';
import { boost } from './boost.ts';
import { express } from './candidates.ts';
import { admitEndMasks, createPace, fitProxySpex, judgeTrees, treeOptions, trivialSpectrum, type Admitted, type EndMask, type Judged, type ProxyFit, type ProxySpexOptions } from './fit.ts';
import { fitGp, MOST_MASKS, MOST_PLAYERS, processAt } from './gaussian-process.ts';
import { growParities, seedsOfTrees, tuneParities } from './greedy-parities.ts';
import { chooseScalars, fitInfluenceProcess, MOST_INFLUENCE_MASKS, type InfluenceProcess } from './influence-process.ts';
import { mergeRepeats, type Noise } from './measured.ts';
import { createMaskSolver } from './proxyspex.ts';
import { combine, stackWeights } from './stack-weights.ts';
import { treeFourier } from './tree-fourier.ts';
import { predict, type Ensemble } from './tree.ts';
import type { Pace } from './tune.ts';

export interface Member {
  readonly name: 'process' | 'process with amplitude' | 'influence process' | 'trees' | 'parities' | 'first order';
  /** Out-of-sample R² of the member alone. */
  readonly r2: number;
  readonly weight: number;
}

export interface StackFit {
  readonly spectrum: FourierSpectrum;
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

/** A spectrum, or (up to 20 players) its values on all masks in counting order. */
type Answer = { readonly table: Float64Array } | { readonly spectrum: FourierSpectrum };

/** What the stack needs of a member. */
interface Fitted {
  readonly name: Member['name'];
  /** Of the rows of the sample, each by a fit without it. */
  readonly outOfSample: Float64Array;
  /** Of one mask that is not in the sample. */
  readonly predict: (mask: Coalitions) => number;
  /** Fitted on the sample and the end masks let in. */
  readonly final: (admitted: Admitted) => Answer;
}

/**
 * Where there are processes, parities join from this many times n log2 n masks on. On real games (n = 14-16) they
 * cost .006 of R² at 1 (10 games, -.04 to +.01) and bring .003 at 2 to 8 (6 fits).
 */
const PARITIES_FROM = 1.5;

/** Players up to which single players alone are a member: an eigendecomposition of their Gram matrix. */
const MOST_SINGLES = 600;

/** Pull to equal weights, in units of the variance of y. */
const PULL = 0.02;

/**
 * Fits the stack on (masks, values); options are those of the trees.
 * @throws as `fitProxySpex`.
 */
export async function fitStack(masks: Coalitions, values: ArrayLike<number>, options: ProxySpexOptions = {}): Promise<StackFit> {
  const measured = mergeRepeats('fitStack', masks, values);
  const trivial = trivialSpectrum(measured);
  const known = { masks: measured.masks.count, endMasks: [], noise: measured.noise };
  if (trivial !== undefined) return { ...trivial, ...known, members: [], r2: 1, trees: undefined };
  const pace = createPace('stack', options);
  const judged = await judgeTrees(measured, options, pace);
  const { values: y, chosen } = judged;
  let ensemble: Ensemble | undefined;
  const grow = (admitted: Admitted): Ensemble => (ensemble ??= boost(admitted.masks, admitted.values, { ...treeOptions(options), ...judged.tuning.best }).ensemble);
  const trees = treeMember(judged, grow);
  const smooth = await processes(judged, pace);
  const few = smooth.length > 0 && judged.sample.count < PARITIES_FROM * masks.players * Math.log2(masks.players);
  const maxTerms = options.maxTerms ?? 20_000;
  const parities = few ? undefined : await parityMember(judged, grow, pace);
  const chained = parities === undefined || smooth.length > 0 ? undefined : await influenceMember(judged, parities, maxTerms, pace);
  const additive = masks.players > MOST_SINGLES ? undefined : firstOrderMember(judged);
  const members = [...smooth, trees, ...[parities, chained, additive].filter((member) => member !== undefined)];
  const columns = members.map((member) => member.outOfSample);
  const weighed = stackWeights(columns, y, PULL);
  // The rare case in which the others mislead, or bring nothing: trees alone.
  const stacked = weighed.error < Math.min(squaredError(y, trees.outOfSample), squaredError(y, new Float64Array(y.length).fill(mean(y))));
  const weights = stacked ? weighed.weights : members.map((member) => (member === trees ? 1 : 0));
  const intercept = stacked ? weighed.intercept : 0;
  const predicted = combine(columns, weights, intercept);

  const rmse = Math.sqrt(squaredError(y, predicted) / y.length);
  const predictEnd = (mask: Coalitions): number => members.reduce((sum, member, k) => (weights[k] === 0 ? sum : sum + weights[k] * member.predict(mask)), intercept);
  const admitted = admitEndMasks(judged, rmse, predictEnd, options.endMasks);
  const answers: { answer: Answer; weight: number }[] = [];
  for (const [k, member] of members.entries()) {
    await pace('fit', k, members.length);
    if (weights[k] > 0) answers.push({ answer: member.final(admitted), weight: weights[k] });
  }
  const spectrum = weightedSum(masks.players, answers, intercept, maxTerms);
  await pace('fit', members.length, members.length);
  return {
    ...known,
    kind: stacked ? 'stack' : 'trees',
    spectrum,
    members: members.map(({ name, outOfSample }, k) => ({ name, r2: scoreR2(y, squaredError(y, outOfSample)), weight: weights[k] })),
    r2: scoreR2(y, squaredError(y, predicted)),
    trees: { kind: chosen.kind, cv: judged.cv, setting: judged.tuning.best },
    masks: admitted.masks.count,
    endMasks: admitted.endMasks,
  };
}

async function processes({ sample, values }: Judged, pace: Pace): Promise<Fitted[]> {
  if (sample.players > MOST_PLAYERS || sample.count > MOST_MASKS) return [];
  const members: Fitted[] = [];
  for (const [k, kind] of (['plain', 'amplitude'] as const).entries()) {
    await pace('process', k, 2);
    const process = fitGp(sample, values, kind);
    const table = process.table();
    members.push({
      name: kind === 'plain' ? 'process' : 'process with amplitude',
      outOfSample: process.leaveOneOut,
      predict: (mask) => table[mask.words[0]],
      final: (admitted) => ({ table: admitted.masks.count === sample.count ? table : processAt(admitted.masks, admitted.values, process.parameters).table() }),
    });
  }
  await pace('process', 2, 2);
  return members;
}

function treeMember({ tuning, chosen, outOfFold, express: options }: Judged, grow: (admitted: Admitted) => Ensemble): Fitted {
  return {
    name: 'trees',
    outOfSample: outOfFold,
    predict: (mask) => mean(tuning.models.map((model) => predict(model, mask)[0])),
    final: (admitted) => ({ spectrum: express(grow(admitted), admitted.masks, admitted.values, chosen, options).spectrum }),
  };
}

/** The parities, with what the chain goes on from. */
interface ParityMember extends Fitted {
  /** Of every fold, fitted without its held rows. */
  readonly models: readonly FourierSpectrum[];
  readonly final: (admitted: Admitted) => { readonly spectrum: FourierSpectrum };
}

async function parityMember({ sample, values: y, folds, tuning }: Judged, grow: (admitted: Admitted) => Ensemble, pace: Pace): Promise<ParityMember> {
  const { terms, outOfFold, models } = await tuneParities(sample, y, folds, (f) => seedsOfTrees(treeFourier(tuning.models[f])), pace);
  let known: { admitted: Admitted; spectrum: FourierSpectrum } | undefined;
  return {
    name: 'parities',
    models,
    outOfSample: outOfFold,
    predict: (mask) => mean(models.map((model) => evaluate(model, mask)[0])),
    final(admitted) {
      if (known?.admitted !== admitted) known = { admitted, spectrum: growParities(admitted.masks, admitted.values, seedsOfTrees(treeFourier(grow(admitted))), terms) };
      return known;
    },
  };
}

/** Single players alone, by ridge: where nothing interacts, nothing beats it. */
function firstOrderMember({ sample, values }: Judged): Fitted {
  const singles = Array.from({ length: sample.players }, (_, i) => [i]);
  const { looResiduals, coefficients, intercept } = ridge(parityColumns(sample, singles), values);
  const spectrum = spectrumFrom(sample.players, singles, coefficients, intercept);
  return {
    name: 'first order',
    outOfSample: values.map((value, row) => value - looResiduals[row]),
    predict: (mask) => evaluate(spectrum, mask)[0],
    final: (admitted) => ({ spectrum: admitted.masks.count === sample.count ? spectrum : ridgeSpectrum(admitted.masks, admitted.values, singles).spectrum }),
  };
}

/** A process whose couplings follow the parities' influences; each fold's follow those of the fold. */
async function influenceMember({ sample, values, folds }: Judged, parities: ParityMember, maxTerms: number, pace: Pace): Promise<Fitted | undefined> {
  if (sample.count > MOST_INFLUENCE_MASKS) return undefined;
  await pace('influence process', 0, folds.length + 1);
  const scalars = chooseScalars(sample, values, parities.models[0]);
  const outOfSample = new Float64Array(sample.count);
  const processes: InfluenceProcess[] = [];
  for (const [f, { train, held }] of folds.entries()) {
    await pace('influence process', f + 1, folds.length + 1);
    const process = fitInfluenceProcess(selectRows(sample, train), Float64Array.from(train, (row) => values[row]), parities.models[f], scalars);
    process.predict(selectRows(sample, held)).forEach((value, k) => (outOfSample[held[k]] = value));
    processes.push(process);
  }
  return {
    name: 'influence process',
    outOfSample,
    predict: (mask) => mean(processes.map((process) => process.predict(mask)[0])),
    final: (admitted) => ({ spectrum: fitInfluenceProcess(admitted.masks, admitted.values, parities.final(admitted).spectrum, scalars).spectrum(maxTerms) }),
  };
}

/** ∅ and the `count` largest terms of Σ weight · answer + intercept. */
function weightedSum(players: number, answers: readonly { answer: Answer; weight: number }[], intercept: number, count: number): FourierSpectrum {
  if (players <= MOST_PLAYERS) {
    const tables = answers.map(({ answer }) => ('table' in answer ? answer.table : tableOfSpectrum(answer.spectrum)));
    return cutSpectrum(tables.length === 0 ? new Float64Array(2 ** players).fill(intercept) : combine(tables, answers.map(({ weight }) => weight), intercept), count);
  }
  const sums = new Map<string, Term>([['', { members: [], value: intercept }]]);
  for (const { answer, weight } of answers) {
    if (!('spectrum' in answer)) continue;
    for (const { members, value } of answer.spectrum.terms) {
      const key = setKey(members);
      sums.set(key, { members, value: (sums.get(key)?.value ?? 0) + weight * value });
    }
  }
  const empty = sums.get('')!;
  sums.delete('');
  return createSpectrum('fourier', players, [empty, ...[...sums.values()].sort(compareTerms).slice(0, count)]);
}

/** The `count` largest terms of a table's transform, and ∅. */
function cutSpectrum(table: Float64Array, count: number): FourierSpectrum {
  const dense = fourierFromTable(table);
  const sizes = dense.subarray(1).map(Math.abs).sort();
  const floor = count < sizes.length ? sizes[sizes.length - 1 - count] : 0;
  return spectrumOfDense('fourier', dense, () => floor);
}

/** Players x masks of a stack beyond its processes: above, growing parities takes minutes. */
const MOST_CELLS = 2e6;

export interface BestFit {
  /** 'stack', or 'proxyspex' where that is no worse or a stack would take too long. */
  readonly solver: 'stack' | 'proxyspex';
  readonly spectrum: FourierSpectrum;
  readonly kind: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** The out-of-sample scores that decided. */
  readonly why: string;
}

/** The better of the stack and ProxySPEX by their errors on rows that were not fitted. @throws as `fitProxySpex`. */
export async function fitBest(masks: Coalitions, values: ArrayLike<number>, options: ProxySpexOptions = {}): Promise<BestFit> {
  const small = masks.players <= MOST_PLAYERS && masks.count <= MOST_MASKS;
  if (!small && (masks.players * masks.count > MOST_CELLS || masks.count > MOST_INFLUENCE_MASKS)) {
    const { spectrum, kind, ...details } = await fitProxySpex(masks, values, options);
    return { solver: 'proxyspex', spectrum, kind, details, why: `a stack of ${masks.players} players x ${masks.count} masks would take minutes` };
  }
  const { spectrum, kind, ...details } = await fitStack(masks, values, options);
  const trees = details.members.find(({ name }) => name === 'trees');
  if (trees === undefined) return { solver: 'proxyspex', spectrum, kind, details, why: 'no fit was needed' };
  const why = `out-of-sample R² of the stack ${details.r2.toFixed(4)}, of proxyspex ${trees.r2.toFixed(4)}`;
  return { solver: kind === 'stack' ? 'stack' : 'proxyspex', spectrum, kind, details, why };
}

/** The stack as a solver, with other than the default options. */
export function createStackSolver(options: Omit<ProxySpexOptions, 'seed' | 'signal' | 'onProgress'> = {}): Solver {
  return createMaskSolver('stack', options.folds, async (masks, values, run) => {
    const { spectrum, kind, ...details } = await fitStack(masks, values, { ...options, ...run });
    return { spectrum, kind, details };
  });
}

export const stackSolver: Solver = createStackSolver();
