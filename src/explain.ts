/**
 * What a game's record needs: solve it, score the answer on masks it was not fitted on, find the circuit and the removal curve,
 * all on one ledger.
 *
 * The driver of every lens, and of games that no lens knows: a function of words is explained by the same call.
 */
import { isPromising, judge, settleDoubts, type Doubt, type Finding } from './circuit/findings.ts';
import { keepAround, MANY, narrow, type Around, type Narrowed } from './attribution/narrow.ts';
import { spectrumOfRanking } from './attribution/rankings.ts';
import { autoSelector } from './circuit/enumeration.ts';
import { findCircuit, type Circuit } from './circuit/find-circuit.ts';
import { largestSingles } from './circuit/largest-singles.ts';
import { directedRemoval, type DirectedPoint } from './circuit/directed-removal.ts';
import { removalCurve, type RemovalCurve } from './circuit/removal.ts';
import type { Selector } from './circuit/selector.ts';
import { removalSizes } from './circuit/sizes.ts';
import { fail } from './errors.ts';
import type { Game } from './game.ts';
import { ledgerOf, type Ledger } from './ledger.ts';
import { requireRoomForMasks } from './mask-room.ts';
import { masksFromMembers } from './masks.ts';
import { showsItself } from './showing.ts';
import { mostMasks, type AdaptiveOptions } from './solve/adaptive.ts';
import { autoSolver } from './solve/auto.ts';
import { solve, type ScoredSolution } from './solve/solve.ts';
import type { Solver, SolveOptions } from './solver.ts';
import { energyInside } from './spectrum/energy.ts';
import type { FourierSpectrum } from './spectrum/spectrum.ts';

/** How a game is explained: solver, budget, held-out masks, the circuit's target, the seed. */
export interface ExplainOptions extends Pick<SolveOptions, 'signal' | 'onProgress' | 'floor'> {
  /** Default: the best of all of them, by masks that were not fitted. */
  readonly solver?: Solver | undefined;
  /** Distinct masks the solver may measure; default 1,024. */
  readonly budget?: number | undefined;
  /** Instead of a budget: masks in rounds until the lower bound of held-out R² passes `targetR2`, `maxBudget` at most. */
  readonly adaptive?: Pick<AdaptiveOptions, 'targetR2' | 'maxBudget'> | undefined;
  /** Fresh masks to score the answer on; default 512. */
  readonly heldOut?: number | undefined;
  /** Share of the metric the circuit keeps; default 0.9. */
  readonly target?: number | undefined;
  /** Who proposes the circuit's sets; default enumeration up to 20 players, greedy above. */
  readonly selector?: Selector | undefined;
  /** Probability with which masks keep a player, one for all or one each; default ½. The spectrum, its indices and R² are in that measure. */
  readonly keep?: SolveOptions['keep'];
  /**
   * Narrow first: players leave in rounds, by gradients around those that are left (attribution/narrow.ts). The circuit is
   * proposed so, or by the spectrum where that does with fewer players, the other measured beside it; and unless `keep` is given
   * the spectrum is that of masks around what was left. For games with gradients.
   */
  readonly narrow?: boolean | undefined;
  /** Other answers over the same players, by name: their sets are measured beside the circuit's and the removal curve's. */
  readonly rivals?: Readonly<Record<string, FourierSpectrum>> | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
  /** Whether more of the metric is better; undefined (default) where that has no meaning. */
  readonly moreIsBetter?: boolean | undefined;
  /** Measure too what is left without the players that help most and those that harm most; needs moreIsBetter. Default false. */
  readonly bothWays?: boolean | undefined;
  /**
   * What is known of the question before it is asked. A broken one gets no circuit, unless the answer shows that it is none; and by
   * solver auto no more than a quarter of the masks, unless their answer does.
   */
  readonly findings?: readonly Doubt[] | undefined;
  /** Whether a broken question gets all masks whatever the first quarter shows. Default false. */
  readonly insist?: boolean | undefined;
}

/** ExplainOptions with their defaults. */
export interface ExplainSettings extends Pick<ExplainOptions, 'adaptive' | 'selector'> {
  readonly solver: Solver;
  /** Distinct masks the solver may measure, in rounds or at once. */
  readonly budget: number;
  readonly heldOut: number;
  readonly target: number;
  readonly seed: number;
}

/** What is known of a game afterwards: spectrum, score, circuit, removal curve, findings, on one ledger. */
export interface Explanation extends ScoredSolution {
  readonly ledger: Ledger;
  /** As asked, but for the masks of a broken question. */
  readonly settings: ExplainSettings;
  /** f(all kept) and f(all ablated). */
  readonly clean: number;
  readonly ablated: number;
  /** Absent where the metric is the same with everything kept and everything ablated: there is no share to keep. */
  readonly circuit: Circuit | undefined;
  /** Absent where f(all) is 0 and no share of it can be lost. */
  readonly removal: RemovalCurve | undefined;
  /** Absent where it was not asked for. */
  readonly directedRemoval: readonly DirectedPoint[] | undefined;
  /** What a reader has to know before the answer, the most serious first; empty where the evidence carries it. */
  readonly findings: readonly Finding[];
  /** Why it was fitted on the caller's thread although it was to have one of its own (explain-on-thread.ts). */
  readonly fittedHere?: string | undefined;
}

/** What the additive answer is called where its choices are measured beside ours. */
export const FIRST_ORDER = 'first order';
/** The selector of a circuit that narrowing proposed. */
const NARROWING = 'narrowing';
/** Random sets of each size of the removal curve. */
const RANDOM_REMOVALS = 10;
const TOLERANCE = 1e-9;

/**
 * Explains `game`: its spectrum, how sure that is, its circuit and what its removal costs.
 * @throws SpexlensError on options that cannot be used, a budget too small, values that are not finite, or an abort.
 */
export async function explain(game: Game, options: ExplainOptions = {}): Promise<Explanation> {
  const asked = settingsOf(options, game.players.length);
  const { signal, onProgress } = options;
  const ledger = ledgerOf(game);
  const { narrowed, around } = await narrowing(ledger, options, asked);
  const keep = options.keep ?? around?.keep;
  const { settings, scored } = await solveWorth(ledger, asked, { ...options, keep });
  const [ablated, clean] = await ledger.value(endsOf(game.players.length), { signal });
  const { moreIsBetter } = options;
  const rivals = { [FIRST_ORDER]: scored.firstOrder, ...options.rivals };
  const run: Run = { ledger, scored, narrowed, rivals, settings, clean, ablated, moreIsBetter, signal, onProgress };
  const evidence = scored.solution.exact ? 'exact' : scored.heldOut;
  const doubts = settleDoubts(options.findings ?? [], evidence, settings === asked ? undefined : settings);
  const known = [...doubts, ...(around === undefined ? [] : [aroundText(around)])];
  const broken = isBroken(known);
  const circuit = broken ? undefined : await circuitOf(run);
  const removal = broken ? undefined : await removalOf(run);
  const directedRemoval = broken || options.bothWays !== true ? undefined : await directedOf(run);
  const findings = [...known, ...judge(scored, circuit)];
  const found = { ...scored, ledger, settings, clean, ablated, circuit, removal, directedRemoval, findings };
  return showsItself(found);
}

/** Share of its masks that a question called broken gets at first; and how many of each kind at least, and at most. */
const TRIAL = { share: 1 / 4, least: 64, most: 512 };

/** Solves the question; one that is called broken by a part of the masks first, and by the rest where that shows an answer. */
async function solveWorth(
  ledger: Ledger,
  asked: ExplainSettings,
  { findings = [], insist = false, keep, floor, signal, onProgress }: ExplainOptions,
): Promise<{ readonly settings: ExplainSettings; readonly scored: ScoredSolution }> {
  const solveBy = async (settings: ExplainSettings): Promise<ScoredSolution> =>
    solve(ledger, { ...settings, keep, floor, signal, onProgress });
  const part = (masks: number): number =>
    Math.min(masks, TRIAL.most, Math.max(TRIAL.least, Math.ceil(TRIAL.share * masks)));
  const trial = { ...asked, budget: part(asked.budget), heldOut: part(asked.heldOut) };
  const tried =
    !insist &&
    isBroken(findings) &&
    asked.solver === autoSolver && // which answers from any number of masks
    asked.adaptive === undefined && // which begins with few by itself
    trial.budget <= asked.budget / 2;
  if (tried) {
    const scored = await solveBy(trial);
    if (scored.heldOut !== undefined && !isPromising(findings, scored.heldOut)) return { settings: trial, scored };
  }
  return { settings: asked, scored: await solveBy(asked) };
}

function isBroken(findings: readonly Finding[]): boolean {
  return findings.some(({ kind }) => kind === 'broken question');
}

/** What is measured of MANY players: fewer sets, for every one of them costs more. */
const FEW = { maxSizes: 20, randomSets: 10 };

/** Of MANY players no sets are searched for by swaps: the largest single terms are taken. */
function selectorFor(players: number): Selector | undefined {
  return players > MANY ? largestSingles('largest singles', { optimal: false }) : undefined;
}

/** What narrowing left, and the masks around it. */
async function narrowing(
  ledger: Ledger,
  { narrow: asked, keep, signal, onProgress }: ExplainOptions,
  { target, seed }: ExplainSettings,
): Promise<{ narrowed: Narrowed | undefined; around: Around | undefined }> {
  if (asked !== true) return { narrowed: undefined, around: undefined };
  const narrowed = await narrow(ledger, { seed, signal, onProgress });
  return {
    narrowed,
    around: keep === undefined ? await keepAround(ledger, narrowed, { target, seed, signal }) : undefined,
  };
}

function aroundText({ players, inside, outside }: Around): Finding {
  return {
    kind: 'narrowed',
    text: `Everything but the circuit is in the measure around ${players.length} players that narrowing left: masks keep each of them with probability ${inside}, any other with ${outside}.`,
  };
}

type Progress = Parameters<NonNullable<SolveOptions['onProgress']>>[0];

interface Run extends Pick<ExplainOptions, 'moreIsBetter' | 'signal' | 'onProgress'> {
  readonly ledger: Ledger;
  readonly scored: ScoredSolution;
  readonly narrowed: Narrowed | undefined;
  readonly rivals: Readonly<Record<string, FourierSpectrum>>;
  readonly settings: ExplainSettings;
  readonly clean: number;
  readonly ablated: number;
}

async function circuitOf({
  ledger,
  scored,
  narrowed,
  rivals,
  settings,
  clean,
  ablated,
  moreIsBetter,
  signal,
  onProgress,
}: Run): Promise<Circuit | undefined> {
  if (Math.abs(clean - ablated) <= TOLERANCE * Math.max(Math.abs(clean), Math.abs(ablated))) return undefined;
  const { target, seed } = settings;
  const selector = settings.selector ?? selectorFor(ledger.players.length);
  const { spectrum, solver } = scored.solution;
  const common = {
    target,
    seed,
    ...(ledger.players.length > MANY ? FEW : {}),
    moreIsBetter,
    signal,
    onProgress: (progress: Progress) => onProgress?.({ ...progress, stage: `circuit: ${progress.stage}` }),
  };
  const bySpectrum = { ...common, ...(selector === undefined ? {} : { selector }) };
  if (narrowed === undefined) return findCircuit(spectrum, ledger, { ...bySpectrum, rivals });
  const ranking = spectrumOfRanking(narrowed.ranking, ablated);
  const circuit = await findCircuit(ranking, ledger, {
    ...common,
    selector: largestSingles(NARROWING, { optimal: false }),
    rivalSelector: selector ?? autoSelector(ledger.players.length),
    rivals: { [solver]: spectrum, ...rivals },
  });
  const fewer = circuit.curve.some(
    ({ size, rivals: { [solver]: theirs } }) => size < circuit.chosen.size && theirs.kept.faithfulness >= target,
  );
  if (fewer) return findCircuit(spectrum, ledger, { ...bySpectrum, rivals: { [NARROWING]: ranking, ...rivals } });
  return { ...circuit, energyInside: energyInside(spectrum, circuit.chosen.players) };
}

async function removalOf({
  ledger,
  scored,
  rivals,
  settings,
  clean,
  ablated,
  signal,
  onProgress,
}: Run): Promise<RemovalCurve | undefined> {
  if (Math.abs(clean) <= TOLERANCE * Math.abs(ablated) || clean === 0) return undefined;
  const { seed } = settings;
  const selector = settings.selector ?? selectorFor(ledger.players.length);
  const sizes = removalSizes(ledger.players.length);
  return removalCurve(scored.solution.spectrum, ledger, {
    seed,
    rivals,
    sizes,
    randomSets: ledger.players.length > MANY ? FEW.randomSets : RANDOM_REMOVALS,
    ...(selector === undefined ? {} : { selector }),
    signal,
    onProgress,
  });
}

async function directedOf(run: Run): Promise<readonly DirectedPoint[] | undefined> {
  const { ledger, scored, settings, moreIsBetter, signal, onProgress } = run;
  if (moreIsBetter === undefined) return undefined;
  const n = ledger.players.length;
  const selector = settings.selector ?? selectorFor(n);
  const sizes = removalSizes(n);
  return directedRemoval(scored.solution.spectrum, ledger, { moreIsBetter, sizes, selector, signal, onProgress });
}

/** ∅ and all. */
function endsOf(n: number): ReturnType<typeof masksFromMembers> {
  return masksFromMembers(n, [[], Array.from({ length: n }, (_, i) => i)]);
}

/** The options with defaults filled in. @throws on those that cannot be used. */
export function settingsOf(options: ExplainOptions, n: number): ExplainSettings {
  const { solver = autoSolver, budget = 1024, adaptive, heldOut = 512, target = 0.9, selector, seed = 0 } = options;
  if (!Number.isInteger(budget) || budget < 1)
    throw fail('budget', 'budget', `${budget} masks; a whole number >= 1 is needed.`);
  if (!Number.isInteger(heldOut) || heldOut < 0)
    throw fail('input', 'held-out', `${heldOut} masks; a whole number >= 0 is needed.`);
  if (!(target > 0 && target <= 1)) throw fail('input', 'target', `${target}; a share in (0, 1] is needed, e.g. 0.9.`);
  const most = adaptive === undefined ? budget : (adaptive.maxBudget ?? mostMasks(n));
  const largest = heldOut > most ? 'held-out' : adaptive === undefined ? 'budget' : 'max budget';
  requireRoomForMasks(largest, n, most + heldOut);
  return { solver, budget: most, adaptive, heldOut, target, selector, seed };
}
