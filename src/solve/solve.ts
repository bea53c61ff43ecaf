/**
 * The solvers by name, and how good an answer is on masks its solver did not see.
 *
 * Whatever the solver, the answer is scored on fresh uniform masks beside the first-order baseline fitted on
 * the very masks the solver measured.
 */
import { allMasks, selectRows, type Masks } from '../masks.ts';
import { tableOf } from '../mask-table.ts';
import { uniformMasks } from '../uniform-masks.ts';
import { closest, fail } from '../errors.ts';
import { measureStage, type Game } from '../game.ts';
import { ledgerOf, type Ledger } from '../ledger.ts';
import { fitBestAdditive } from '../proxy/first-order.ts';
import { gradspexSolver } from '../proxy/gradients/gradspex.ts';
import { proxyspexSolver } from '../proxy/proxyspex.ts';
import { stackSolver } from '../proxy/stack.ts';
import { createRandom } from '../random.ts';
import { showsItself } from '../showing.ts';
import type { Solution, SolveOptions, Solver } from '../solver.ts';
import { exactSolver } from '../spectrum/exact.ts';
import { isFair, type Keep } from '../keep.ts';
import { toMeasure } from '../spectrum/measure.ts';
import { r2Gain, r2Interval, type R2Interval } from '../spectrum/r2.ts';
import { createSpectrum, evaluate, type FourierSpectrum } from '../spectrum/spectrum.ts';
import { spex } from '../spex/spex.ts';
import { solveAdaptively, type AdaptiveOptions } from './adaptive.ts';
import { autoSolver } from './auto.ts';

/** The names of SOLVERS. */
export type SolverName = 'auto' | 'exact' | 'gradspex' | 'proxyspex' | 'stack' | 'spex';

/** The solvers by name. */
export const SOLVERS: Readonly<Record<SolverName, Solver>> = {
  auto: autoSolver,
  exact: exactSolver,
  gradspex: gradspexSolver,
  proxyspex: proxyspexSolver,
  stack: stackSolver,
  spex: spex(),
};

export interface ScoreOptions extends SolveOptions {
  readonly solver: Solver;
  /** Fresh masks to score the answer on, measured beyond the budget. */
  readonly heldOut: number;
  /** Instead of the budget: masks in rounds until this R² is passed (adaptive.ts); for `auto` alone. */
  readonly adaptive?: Pick<AdaptiveOptions, 'targetR2' | 'maxBudget'> | undefined;
}

/** An answer with its score on masks that were not fitted, beside the best additive one. */
export interface ScoredSolution {
  readonly solution: Solution;
  /** Absent when the answer is exact: there is nothing left to predict. */
  readonly heldOut:
    | (R2Interval & { readonly firstOrder: R2Interval; readonly gain: ReturnType<typeof r2Gain> })
    | undefined;
  /** The best additive answer from the same masks: least squares or LASSO, or the first order of an exact spectrum. */
  readonly firstOrder: FourierSpectrum;
}

/** The solver of a name. @throws 'input' for an unknown one, with a suggestion. */
export function solverOf(name: string): Solver {
  if (Object.hasOwn(SOLVERS, name)) return SOLVERS[name as SolverName];
  const names = Object.keys(SOLVERS);
  throw fail(
    'input',
    'solver',
    `"${name}" is unknown; did you mean ${closest(name, names)[0]}? There are ${names.join(', ')}.`,
  );
}

/** Solves `game` within the budget and scores the answer on held-out masks. */
export async function solve(game: Game, options: ScoreOptions): Promise<ScoredSolution> {
  return showsItself(await solveAndScore(game, options));
}

async function solveAndScore(game: Game, options: ScoreOptions): Promise<ScoredSolution> {
  if (options.adaptive !== undefined) return solveToTarget(ledgerOf(game), options, options.adaptive);
  const ledger = ledgerOf(game);
  const account = ledger.account(options.budget);
  let early: Promise<Held> | undefined;
  let measuring = false;
  const solving = options.solver.solve(account, {
    ...options,
    onMeasured() {
      if (ledger.concurrent !== true) return;
      measuring = true;
      early = measureHeldOut(ledger, account.seen().masks, options).finally(() => (measuring = false));
      early.catch(() => undefined); // who waits for its values hears of it
    },
    // Of two things that go on at once the one that is measured is told of.
    onProgress: (progress) => (measuring ? undefined : options.onProgress?.(progress)),
  });
  const solution = await solving.catch(async (error: unknown) => {
    await early?.catch(() => undefined); // nothing is measured any more once this has thrown
    throw error;
  });
  if (solution.exact) return { solution, heldOut: undefined, firstOrder: additivePart(solution.spectrum) };
  const { masks, values } = account.seen();
  const additive = firstOrder(masks, values, options);
  const held = await (early ?? measureHeldOut(ledger, masks, options));
  return { solution, heldOut: scoreOn(held, solution, additive, options), firstOrder: additive };
}

async function solveToTarget(
  game: Ledger,
  options: ScoreOptions,
  adaptive: NonNullable<ScoreOptions['adaptive']>,
): Promise<ScoredSolution> {
  if (options.solver !== autoSolver)
    throw fail(
      'input',
      'target R²',
      `goes with solver auto, which fits anew after every round; "${options.solver.name}" takes a budget.`,
    );
  const { heldOut, seed, signal, onProgress, floor, keep } = options;
  const {
    solution,
    heldOut: interval,
    fitted,
    held,
  } = await solveAdaptively(game, { ...adaptive, heldOut, seed, signal, onProgress, floor, keep });
  if (interval === undefined) return { solution, heldOut: undefined, firstOrder: additivePart(solution.spectrum) };
  const additive = firstOrder(fitted.masks, fitted.values, options);
  return {
    solution,
    heldOut: { ...interval, ...comparisonOf(held.values, solution.spectrum, additive, held.masks, seed) },
    firstOrder: additive,
  };
}

/** Single players and ∅ alone: of an exact spectrum the best additive fit over uniform masks. */
function additivePart(spectrum: FourierSpectrum): FourierSpectrum {
  return createSpectrum(
    'fourier',
    spectrum.players,
    spectrum.terms.filter(({ members }) => members.length < 2),
    spectrum.keep,
  );
}

/** Masks that no solver saw, with their values. */
interface Held {
  readonly masks: Masks;
  readonly values: Float64Array;
}

/** They depend on no answer: a game that measures while a solver fits is asked for them meanwhile. */
async function measureHeldOut(game: Game, fitted: Masks, options: ScoreOptions): Promise<Held> {
  const masks = freshMasks(game.players.length, options, fitted);
  return { masks, values: masks.count < 2 ? new Float64Array() : await measureStage(game, masks, 'held out', options) };
}

function scoreOn(
  { masks, values }: Held,
  { spectrum }: Solution,
  additive: FourierSpectrum,
  { seed }: ScoreOptions,
): ScoredSolution['heldOut'] {
  if (masks.count < 2) return undefined;
  return {
    ...r2Interval(values, evaluate(spectrum, masks), { seed }),
    ...comparisonOf(values, spectrum, additive, masks, seed),
  };
}

/** How the additive answer does on the same masks, and how much better ours is. */
function comparisonOf(
  truth: Float64Array,
  spectrum: FourierSpectrum,
  additive: FourierSpectrum,
  masks: Masks,
  seed: number,
): Pick<NonNullable<ScoredSolution['heldOut']>, 'firstOrder' | 'gain'> {
  const theirs = evaluate(additive, masks);
  return {
    firstOrder: r2Interval(truth, theirs, { seed }),
    gain: r2Gain(truth, evaluate(spectrum, masks), theirs, { seed }),
  };
}

/** The additive answer that auto starts from, on the same masks; with too few masks for folds, the mean. */
function firstOrder(
  masks: Masks,
  values: Float64Array,
  { seed, keep }: { readonly seed: number; readonly keep?: Keep | undefined },
): FourierSpectrum {
  if (masks.count >= 10) return toMeasure(fitBestAdditive(masks, values, seed).spectrum, keep);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return createSpectrum('fourier', masks.players, [{ members: [], value: mean }], keep);
}

/** Masks drawn as those fitted, none of them, another seed; all that are left where those are no more than asked for. */
function freshMasks(
  players: number,
  { heldOut: count, seed, keep = 0.5 }: Pick<ScoreOptions, 'heldOut' | 'seed' | 'keep'>,
  fitted: Masks,
): Masks {
  const exclude = tableOf(fitted);
  const left = players < 40 ? 2 ** players - exclude.count : Infinity;
  if (left <= count && players <= 20 && isFair(keep)) {
    const all = allMasks(players);
    return selectRows(
      all,
      Array.from({ length: all.count }, (_, row) => row).filter((row) => exclude.find(all, row) === -1),
    );
  }
  return uniformMasks(players, Math.min(count, left), createRandom(seed, 'held out'), exclude, keep);
}
