/**
 * The solvers by name, and how good an answer is on masks its solver did not see.
 *
 * Whatever the solver, the answer is scored on fresh uniform masks beside the first-order baseline fitted on
 * the very masks the solver measured.
 */
import { allCoalitions, maskHex, selectRows, uniformCoalitions, type Coalitions } from '../coalitions.ts';
import { closest, fail } from '../errors.ts';
import { meter, type Game, type MemoisedGame } from '../game.ts';
import { fitFirstOrder } from '../proxy/first-order.ts';
import { proxyspexSolver } from '../proxy/proxyspex.ts';
import { stackSolver } from '../proxy/stack.ts';
import { createRandom } from '../random.ts';
import type { Solution, SolveOptions, Solver } from '../solver.ts';
import { exactSolver } from '../spectrum/exact.ts';
import { r2Interval, type R2Interval } from '../spectrum/r2.ts';
import { createSpectrum, evaluate } from '../spectrum/spectrum.ts';
import { spex } from '../spex/spex.ts';
import { autoSolver } from './auto.ts';
import { record } from './record.ts';

export const SOLVERS = ['auto', 'exact', 'proxyspex', 'stack', 'spex'] as const;
export type SolverName = (typeof SOLVERS)[number];

export interface ScoreOptions extends SolveOptions {
  readonly solver: string;
  /** Fresh masks to score the answer on, measured beyond the budget. */
  readonly heldOut: number;
}

export interface ScoredSolution {
  readonly solution: Solution;
  /** Absent when the answer is exact: there is nothing left to predict. */
  readonly heldOut: (R2Interval & { readonly firstOrder: R2Interval }) | undefined;
}

const SOLVER: Readonly<Record<SolverName, Solver>> = { auto: autoSolver, exact: exactSolver, proxyspex: proxyspexSolver, stack: stackSolver, spex: spex() };

/** The solver of a name. @throws 'input' for an unknown one, with a suggestion. */
export function solverOf(name: string): Solver {
  if (Object.hasOwn(SOLVER, name)) return SOLVER[name as SolverName];
  throw fail('input', 'solver', `"${name}" is unknown; did you mean ${closest(name, SOLVERS)[0]}? There are ${SOLVERS.join(', ')}.`);
}

/** Solves `game` within the budget and scores the answer on held-out masks. */
export async function solve(game: MemoisedGame, options: ScoreOptions): Promise<ScoredSolution> {
  const solver = solverOf(options.solver);
  const recorded = record(meter(game, options.budget));
  const solution = await solver.solve(recorded, options);
  if (solution.exact) return { solution, heldOut: undefined };
  const { masks, values } = recorded.seen();
  return { solution, heldOut: await score(game, solution, masks, values, options) };
}

async function score(game: Game, solution: Solution, fitted: Coalitions, values: Float64Array, options: ScoreOptions): Promise<ScoredSolution['heldOut']> {
  const fresh = freshMasks(game.players.length, options.heldOut, options.seed, fitted);
  if (fresh.count < 2) return undefined;
  let done = 0;
  const truth = await game.value(fresh, {
    signal: options.signal,
    onBatch(_start, batch) {
      done += batch.length;
      options.onProgress?.({ stage: 'held out', done, total: fresh.count });
    },
  });
  const interval = (estimate: Float64Array): R2Interval => r2Interval(truth, estimate, { seed: options.seed });
  return { ...interval(evaluate(solution.spectrum, fresh)), firstOrder: interval(evaluate(firstOrder(fitted, values, options.seed), fresh)) };
}

/** LASSO of order 1 on the same masks; with too few masks for its folds, the mean. */
function firstOrder(masks: Coalitions, values: Float64Array, seed: number): ReturnType<typeof fitFirstOrder>['spectrum'] {
  if (masks.count >= 10) return fitFirstOrder(masks, values, { seed }).spectrum;
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return createSpectrum('fourier', masks.players, [{ members: [], value: mean }]);
}

/** Uniform masks that were not fitted, another seed; for n <= 12 all that are left. */
function freshMasks(players: number, count: number, seed: number, fitted: Coalitions): Coalitions {
  const exclude = new Set(Array.from({ length: fitted.count }, (_, row) => maskHex(fitted, row)));
  if (players <= 12) {
    const all = allCoalitions(players);
    return selectRows(all, Array.from({ length: all.count }, (_, row) => row).filter((row) => !exclude.has(maskHex(all, row))));
  }
  const left = players < 40 ? 2 ** players - exclude.size : Infinity;
  return uniformCoalitions(players, Math.min(count, left), createRandom(seed, 'held out'), exclude);
}
