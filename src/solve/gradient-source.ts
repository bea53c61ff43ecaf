/**
 * Masks for the candidates of `auto` where the game has gradients: some with gradients and some without, or, where a trial shows
 * that gradients do not tell of values, only values from then on.
 */
import { gradientCost, type Game } from '../game.ts';
import { ledgerOf } from '../ledger.ts';
import { concatMasks, selectRows, type Masks } from '../masks.ts';
import { CANDIDATES, type Candidate } from '../proxy/best.ts';
import { fitBestAdditive } from '../proxy/first-order.ts';
import { createGradientCandidate } from '../proxy/gradients/gradient-candidate.ts';
import {
  drawGradients,
  measureDraw,
  planGradients,
  type GradientPlan,
  type MeasuredDraw,
} from '../proxy/gradients/gradspex.ts';
import { fitScreenedProcess } from '../proxy/gradients/screened-process.ts';
import { START } from '../proxy/gradients/tune-process.ts';
import type { SolveOptions } from '../solver.ts';
import { scoreR2, squaredError } from '../spectrum/regression/folds.ts';

export interface GradientSource {
  /** What the trial showed. */
  readonly why: string;
  /** All masks that it may come to measure. */
  readonly drawn: Masks;
  /** Everything that a budget of so many masks buys, at most the largest; a larger one has all of a smaller one. */
  measure(budget: number): Promise<{
    readonly masks: Masks;
    readonly values: Float64Array;
    readonly candidates: readonly Candidate[];
    readonly spent: GradientPlan;
  }>;
}

/** Gradients that decide whether more are measured, and values that they are to predict. */
const TRIAL = { gradients: 12, values: 36 };

/** Tries the gradients of `game`; `plan` is that of the largest budget, options.budget. */
export async function gradientSource(game: Game, plan: GradientPlan, options: SolveOptions): Promise<GradientSource> {
  const ledger = ledgerOf(game); // what the trial measured is not measured again
  const draw = drawGradients(game.players.length, plan, options);
  const trial = {
    gradients: Math.min(plan.gradients, TRIAL.gradients),
    values: Math.min(plan.values, TRIAL.values),
  };
  const drawn = concatMasks([draw.sloped, draw.plain]);
  const { helps, why } = gradientsHelp(await measureDraw(ledger, draw, trial, options), options);
  if (helps)
    return {
      why,
      drawn,
      async measure(budget) {
        const part = planGradients(game.players.length, budget, gradientCost(game)) ?? trial;
        const { masks, values, measured } = await measureDraw(ledger, draw, part, options);
        const [additive, ...others] = CANDIDATES;
        return { masks, values, candidates: [additive, createGradientCandidate(measured), ...others], spent: part };
      },
    };
  // What is left goes into values: those of the plan, and then of masks whose gradients are not wanted.
  const rows = Array.from({ length: draw.sloped.count - trial.gradients }, (_, k) => trial.gradients + k);
  const plain = concatMasks([draw.plain, selectRows(draw.sloped, rows)]);
  return {
    why,
    drawn,
    async measure(budget) {
      const left = Math.max(trial.values, budget - gradientCost(game) * trial.gradients);
      const spent = { gradients: trial.gradients, values: Math.min(plain.count, left) };
      const { masks, values } = await measureDraw(ledger, { sloped: draw.sloped, plain }, spent, options);
      return { masks, values, candidates: CANDIDATES, spent };
    },
  };
}

/** Whether gradients predict values better than these predict one another. */
function gradientsHelp(
  { masks, values, measured }: MeasuredDraw,
  { seed }: SolveOptions,
): { helps: boolean; why: string } {
  const T = measured.masks.count;
  const rows = Array.from({ length: masks.count - T - 2 }, (_, k) => T + 2 + k); // ∅ and the full mask are no typical ones
  const truth = values.subarray(T + 2);
  const unseen = selectRows(masks, rows);
  const sample = { masks: measured.masks, values: values.slice(0, T), gradients: measured.gradients };
  const scoreOf = (predicted: Float64Array): number => scoreR2(truth, squaredError(truth, predicted));
  const byGradients = scoreOf(fitScreenedProcess(sample, START).predict(unseen));
  const byValues = scoreOf(fitBestAdditive(unseen, truth, seed).outOfSample);
  const helps = byGradients > Math.max(0, byValues);
  const why = `${T} gradients predict ${truth.length} values that they did not see with R² ${byGradients.toFixed(3)}, those values one another with ${byValues.toFixed(3)}${helps ? '' : ', so no more gradients were taken'}`;
  return { helps, why };
}
