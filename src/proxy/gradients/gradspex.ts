/**
 * GradSPEX: interactions from gradients.
 *
 * A forward and a backward pass at a mask give f and ∂f/∂m of all n players, n + 1 numbers for the price of some three forward
 * passes. Three quarters of a budget of B masks go into gradients, B/4 of them, the rest into values; a Gaussian process learns from both
 * (gradient-process.ts), cross-validated on values, and its Fourier expansion is read out (process-terms.ts).
 */
import { GRADIENT_ROWS, gradientCost, measureStage, type Game } from '../../game.ts';
import { concatMasks, masksFromMembers, selectRows, type Masks } from '../../masks.ts';
import { fail, throwIfAborted } from '../../errors.ts';
import { createRandom } from '../../random.ts';
import type { Solver, SolveOptions } from '../../solver.ts';
import { tableOf } from '../../mask-table.ts';
import { uniformMasks } from '../../uniform-masks.ts';
import { exactSolver } from '../../spectrum/exact.ts';
import { fitBest } from '../best.ts';
import { createGradientCandidate, LEAST_GRADIENTS, type MeasuredGradients } from './gradient-candidate.ts';

/** Share of a budget that goes into gradients, and gradients at most. */
const SHARE = 0.75;
const MOST_GRADIENTS = 512;
/** Values beside them at least, ∅ and the full mask among them. */
const LEAST_VALUES = 6;

/** How a budget is spent, in masks. */
export interface GradientPlan {
  readonly gradients: number;
  /** Masks that are only measured, ∅ and the full mask among them. */
  readonly values: number;
}

/** A budget of B masks: three quarters for gradients of `cost` masks each, values for the rest; undefined where that is too few. */
export function planGradients(players: number, budget: number, cost = GRADIENT_ROWS): GradientPlan | undefined {
  const gradients = Math.min(MOST_GRADIENTS, Math.floor((SHARE * budget) / cost));
  const values = budget - cost * gradients;
  const left = players < 50 ? 2 ** players - 2 : Infinity;
  if (gradients < LEAST_GRADIENTS || values < LEAST_VALUES || gradients + values > left) return undefined;
  return { gradients, values };
}

/** Masks in the order in which they are measured. */
export interface GradientDraw {
  readonly sloped: Masks;
  /** ∅, the full mask, and others. */
  readonly plain: Masks;
}

/** The masks of a plan, drawn as all masks are, and as many more as the budget would buy without gradients. */
export function drawGradients(players: number, plan: GradientPlan, { budget, seed, keep }: SolveOptions): GradientDraw {
  const ends = masksFromMembers(players, [[], Array.from({ length: players }, (_, i) => i)]);
  const count = Math.min(budget, players < 50 ? 2 ** players : budget) - 2;
  const drawn = uniformMasks(players, count, createRandom(seed, 'gradspex/masks'), tableOf(ends), keep);
  return {
    sloped: selectRows(drawn, range(0, plan.gradients)),
    plain: concatMasks([ends, selectRows(drawn, range(plan.gradients, count))]),
  };
}

export interface MeasuredDraw {
  readonly masks: Masks;
  readonly values: Float64Array;
  readonly measured: MeasuredGradients;
}

/** Measures the first masks of a draw, as many as the plan says. @throws 'input' for a game without gradients. */
export async function measureDraw(
  game: Game,
  draw: GradientDraw,
  plan: GradientPlan,
  { signal, onProgress }: SolveOptions,
): Promise<MeasuredDraw> {
  if (game.gradients === undefined)
    throw fail(
      'input',
      'gradspex',
      `needs gradients; the game "${game.name}" only has values. Use proxyspex, the stack or spex.`,
    );
  const sloped = selectRows(draw.sloped, range(0, plan.gradients));
  const plain = selectRows(draw.plain, range(0, plan.values));
  let done = 0;
  if (sloped.count > 0) onProgress?.({ stage: 'measure gradients', done, total: sloped.count });
  const { values: first, gradients } = await game.gradients(sloped, {
    signal,
    onGradients: (_rows, batch) =>
      onProgress?.({ stage: 'measure gradients', done: (done += batch.length), total: sloped.count }),
  });
  throwIfAborted(signal, 'gradspex');
  const second = await measureStage(game, plain, 'measure', { signal, onProgress });
  return {
    masks: concatMasks([sloped, plain]),
    values: Float64Array.from([...first, ...second]),
    measured: { masks: sloped, gradients },
  };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, k) => from + k);
}

/** GradSPEX on games with gradients; exact where the budget covers all 2^n masks. */
export const gradspexSolver: Solver = {
  name: 'gradspex',
  async solve(game, options) {
    const n = game.players.length;
    if (2 ** n <= options.budget) return { ...(await exactSolver.solve(game, options)), solver: 'gradspex' };
    const plan = planGradients(n, options.budget, gradientCost(game));
    if (plan === undefined)
      throw fail(
        'budget',
        'gradspex',
        `a budget of ${options.budget} masks for ${n} players; at least ${4 * LEAST_VALUES} are needed, a gradient counting ${gradientCost(game)}.`,
      );
    const draw = drawGradients(n, plan, options);
    const { masks, values, measured } = await measureDraw(game, draw, plan, options);
    options.onMeasured?.();
    const fit = await fitBest(masks, values, options, [createGradientCandidate(measured)]);
    const { spectrum, evidence, kind, details } = fit;
    return {
      solver: 'gradspex',
      spectrum,
      masks: masks.count,
      exact: false,
      evidence,
      details: { kind, ...costOf(plan, gradientCost(game)), ...details },
    };
  },
};

/** What a plan costs, for records. */
export function costOf({ gradients, values }: GradientPlan, cost = GRADIENT_ROWS): Readonly<Record<string, unknown>> {
  return { measuredGradients: gradients, measuredValues: values, rowsPerGradient: cost };
}
