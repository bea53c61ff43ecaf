/**
 * SPEX: the few large Fourier terms of a game among 2^n, from a few thousand structured masks.
 *
 * plan -> masks -> values -> bins -> peeling -> refinement. The masks make 2^n coefficients alias into
 * C·2^b bins with a BCH code written on the signs: a bin with one dominant term spells out which set it
 * is, up to order t, whatever n. It finds isolated high orders that greedy trees cannot see; it needs few
 * terms (about as many as bins) and masks in thousands.
 * Source: Kang et al., "SPEX: Scaling Feature Interaction Explanations for LLMs" (arXiv 2502.13870).
 */
import { allMasks, maskHex, type Masks } from '../masks.ts';
import { isFair } from '../keep.ts';
import { fail, throwIfAborted } from '../errors.ts';
import type { Game } from '../game.ts';
import type { Evidence, Solution, SolveOptions, Solver } from '../solver.ts';
import { setKey, type FourierSpectrum, type Term } from '../spectrum/spectrum.ts';
import { exactEvidence, floatFloor } from '../spectrum/noise.ts';
import { fourierFromTable, spectrumOfDense } from '../spectrum/walsh-hadamard.ts';
import { confidenceOf, explainedShare, noiseLevel } from './confidence.ts';
import { createDecoder } from './decode.ts';
import { peel, type PeelOptions } from './peel.ts';
import { MAX_B, MIN_B, planSpex, type SpexPlan } from './plan.ts';
import { refine, spectrumOf, type Refit, type RefitScore } from './refine.ts';
import { drawMasks, type SpexDraw } from './sample.ts';
import { momentsOf, standardise } from './standardise.ts';
import { collectBins, type Bins } from './transform.ts';

export interface FitOptions extends PeelOptions {
  /** D of Chase decoding, default 2t. */
  readonly depth?: number | undefined;
  /** Whether to refit the recovered support, default true. */
  readonly refinement?: boolean | undefined;
}

/** The order and the bins of SPEX; default: what the budget holds. */
export interface SpexOptions extends FitOptions {
  /** The order of the largest set to decode, default 5. */
  readonly t?: number | undefined;
  /** C, default 3. */
  readonly groups?: number | undefined;
  /** log2 of the bins per group; default: the largest that the budget holds. */
  readonly b?: number | undefined;
  /** Lower t when the budget is too small for it. Default false: a 'budget' error. */
  readonly degrade?: boolean | undefined;
}

/** A term of the answer and the evidence for it, in the units of f. */
export interface SpexTerm extends Term {
  /** Distinct bins that proposed the set while peeling; 0 for a singleton that refinement added. */
  readonly seenInBins: number;
  readonly standardError: number;
  /** Not told from noise: see confidence.ts. Marked, not hidden. */
  readonly belowNoise: boolean;
}

/** SPEX's answer, and what peeling left. */
export interface SpexFit {
  readonly spectrum: FourierSpectrum;
  /** Every recovered or fitted set; value 0 when refinement dropped it. Largest first. */
  readonly terms: readonly SpexTerm[];
  readonly rounds: number;
  /** Sets that peeling recovered. */
  readonly recovered: number;
  /** Share of the samples' variance that the spectrum explains (in sample). */
  readonly energyExplained: number;
  /** Bins that peeling left with energy, of all of them. */
  readonly unexplainedBins: number;
  readonly totalBins: number;
  readonly kept: Refit;
  readonly refits: readonly RefitScore[];
  readonly singletons: number;
  readonly warnings: readonly string[];
}

/** Below this share of the variance left, peeling was exact and there is nothing to refine. */
const EXACT = 1e-20;

/**
 * The spectrum of measured values; pure, no game is asked.
 * @param bins    of one draw, from `collectBins`
 * @param values  f of the draw's distinct masks, in order
 */
export function fitSpex(
  bins: Bins,
  values: Float64Array,
  seed: number,
  options: FitOptions = {},
  onStage?: (stage: string, done: number, total: number) => void,
): SpexFit {
  const { plan, code } = bins.draw;
  const moments = momentsOf(values);
  const totalBins = plan.groups * 2 ** plan.b;
  if (moments.deviation === 0) {
    const empty = spectrumOf(plan.players, [], moments);
    const constant = {
      rounds: 0,
      recovered: 0,
      energyExplained: 1,
      unexplainedBins: 0,
      totalBins,
      kept: 'peeled',
      refits: [],
      singletons: 0,
      warnings: [],
    } as const;
    return {
      ...constant,
      spectrum: empty,
      terms: [{ members: [], value: moments.mean, seenInBins: 0, standardError: 0, belowNoise: false }],
    };
  }
  const standard = standardise(bins, moments);
  const depth = options.depth ?? 2 * plan.t;
  // Rounding of f itself: relative to its largest value, not to its deviation.
  const zero = options.zero ?? 1e-11 * Math.max(1, moments.largest / moments.deviation / 100);
  const maxRounds = options.maxRounds ?? 100;
  const peeling = peel(standard, createDecoder(code, depth), { ...options, zero, maxRounds }, (round) =>
    onStage?.('peeling', round, maxRounds),
  );
  const level = noiseLevel(standard, depth);

  let spectrum = spectrumOf(plan.players, peeling.terms, moments);
  let kept: Refit = 'peeled';
  let refits: readonly RefitScore[] = [];
  let singletons = 0;
  if (options.refinement !== false && 1 - peeling.explained > EXACT) {
    onStage?.('refining', 0, 1);
    ({ spectrum, kept, scores: refits, singletons } = refine(standard, values, moments, peeling.terms, level, seed));
    onStage?.('refining', 1, 1);
  }

  const seen = new Map(peeling.terms.map((term) => [term.members.join(','), term]));
  const final: Term[] = spectrum.terms.map(({ members, value }) => ({
    members,
    value: (value - (members.length === 0 ? moments.mean : 0)) / moments.deviation,
  }));
  const present = new Set(spectrum.terms.map(({ members }) => members.join(',')));
  const dropped = peeling.terms
    .filter(({ members }) => !present.has(members.join(',')))
    .map(({ members }) => ({ members, value: 0 }));
  const terms = confidenceOf(standard, [...final, ...dropped], level).map(
    ({ members, value, standardError, belowNoise }) => ({
      members,
      value: value * moments.deviation + (members.length === 0 ? moments.mean : 0),
      seenInBins: seen.get(members.join(','))?.seen ?? 0,
      standardError: standardError * moments.deviation,
      belowNoise: members.length > 0 && belowNoise,
    }),
  );
  const energyExplained = explainedShare(standard, final);
  const { rounds, unexplainedBins } = peeling;
  const recovered = peeling.terms.filter(({ members }) => members.length > 0).length;
  const warnings = warningsOf(plan, recovered, energyExplained, peeling.terms);
  return {
    spectrum,
    terms,
    rounds,
    recovered,
    energyExplained,
    unexplainedBins,
    totalBins,
    kept,
    refits,
    singletons,
    warnings,
  };
}

function warningsOf(plan: SpexPlan, recovered: number, explained: number, terms: readonly Term[]): string[] {
  const warnings: string[] = [];
  const percent = (100 * explained).toFixed(1);
  if (explained < 0.5) {
    warnings.push(
      `the terms explain ${percent} % of the samples' variance: the game has more terms, or higher orders, than b = ${plan.b} and t = ${plan.t} resolve; a larger budget or another solver may do better.`,
    );
  }
  if (recovered > 2 ** plan.b)
    warnings.push(
      `${recovered} terms were recovered from ${2 ** plan.b} bins per group; a larger b would separate them better.`,
    );
  const atLimit = terms.filter(({ members }) => members.length === plan.t).length;
  if (atLimit > 0 && explained < 0.999 && plan.t < plan.players)
    warnings.push(`${atLimit} terms have the largest order that decodes, t = ${plan.t}; a larger t may find more.`);
  return warnings;
}

/** Rows asked of the game at once: bounds what wrappers hold per request, far above any model's batch. */
const CHUNK = 2048;

/** Measures a draw on a game and fills its bins as values arrive. @throws 'input' on a value that is not finite, naming the mask. */
export async function measureBins(
  game: Game,
  draw: SpexDraw,
  options: Pick<SolveOptions, 'signal' | 'onProgress'> = {},
): Promise<{ bins: Bins; values: Float64Array }> {
  const { masks } = draw;
  const collector = collectBins(draw);
  const take = (start: number, values: Float64Array): void => {
    checkFinite(game.name, masks, start, values);
    collector.accept(start, values);
    options.onProgress?.({ stage: 'sampling', done: collector.received, total: masks.count });
  };
  for (let start = 0; start < masks.count; start += CHUNK) {
    throwIfAborted(options.signal, 'spex');
    const count = Math.min(CHUNK, masks.count - start);
    const words = masks.words.subarray(start * masks.stride, (start + count) * masks.stride);
    let told = 0;
    const onValues = (_rows: ArrayLike<number>, some: Float64Array): void =>
      options.onProgress?.({ stage: 'sampling', done: start + (told += some.length), total: masks.count });
    take(start, await game.value({ ...masks, count, words }, { signal: options.signal, onValues }));
  }
  return { bins: collector.bins(), values: collector.values };
}

function checkFinite(who: string, masks: Masks, start: number, values: Float64Array): void {
  values.forEach((value, k) => {
    if (Number.isFinite(value)) return;
    throw fail(
      'input',
      who,
      `the value of mask ${maskHex(masks, start + k)} (hex, player 0 = lowest bit of the first byte) is ${value}; values must be finite numbers.`,
    );
  });
}

/** SPEX as a solver. Fewer than 3 players are enumerated: 2^n masks, exact. */
export function spex(settings: SpexOptions = {}): Solver {
  return {
    name: 'spex',
    async solve(game, options) {
      const n = game.players.length;
      if (!isFair(options.keep))
        throw fail(
          'input',
          'spex',
          `masks that keep players with probability ${String(options.keep)} were asked for; its masks come from a code and keep half of the players. Use proxyspex or stack, or leave keep at 0.5.`,
        );
      if (n < MIN_B) return enumerate(game, options);
      const plan = planFor(n, options.budget, settings);
      const draw = drawMasks(plan, options.seed);
      const { bins, values } = await measureBins(game, draw, options);
      throwIfAborted(options.signal, 'spex');
      options.onMeasured?.();
      const fit = fitSpex(bins, values, options.seed, settings, (stage, done, total) =>
        options.onProgress?.({ stage, done, total }),
      );
      const { spectrum, ...details } = fit;
      return {
        solver: 'spex',
        spectrum,
        masks: draw.masks.count,
        exact: false,
        evidence: evidenceOf(fit, options.floor ?? floatFloor(values)),
        details: { plan: { ...plan, masks: { raw: plan.masks.raw, unique: draw.masks.count } }, ...details },
      };
    },
  };
}

/** What a fit knows of its terms; none of up to `floor`, what rounding does to one value, is told from noise. */
export function evidenceOf({ spectrum, terms }: SpexFit, floor = 0): Evidence {
  const errors = new Map(terms.map(({ members, standardError }) => [setKey(members), standardError]));
  return {
    standardErrors: spectrum.terms.map(({ members }) => errors.get(setKey(members)) ?? Number.NaN),
    belowNoise: terms
      .filter((term) => term.belowNoise || (term.members.length > 0 && Math.abs(term.value) <= floor))
      .map(({ members }) => members),
  };
}

/** The plan of a budget in distinct masks; when the whole cube fits, any plan does, however many masks it repeats. */
function planFor(players: number, budget: number, { t, groups, b, degrade }: SpexOptions): SpexPlan {
  if (b !== undefined || 2 ** players > budget) return planSpex(players, { budget, b, t, groups, degrade });
  return planSpex(players, { b: Math.min(MAX_B, players, 8), t, groups });
}

async function enumerate(game: Game, { budget, signal, onProgress, floor }: SolveOptions): Promise<Solution> {
  const n = game.players.length;
  const masks = allMasks(n);
  if (masks.count > budget)
    throw fail('budget', 'spex', `${budget} masks for ${n} players; all ${masks.count} are needed.`);
  const values = await game.value(masks, { signal });
  checkFinite(game.name, masks, 0, values);
  onProgress?.({ stage: 'sampling', done: masks.count, total: masks.count });
  const table = fourierFromTable(values);
  const spectrum = spectrumOfDense('fourier', table, () => 0);
  return {
    solver: 'spex',
    spectrum,
    masks: masks.count,
    exact: true,
    evidence: exactEvidence(spectrum, floor ?? floatFloor(values)),
    details: { enumerated: masks.count, energyExplained: 1, warnings: [] },
  };
}
