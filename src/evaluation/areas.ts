/**
 * CPR and CMD, the two numbers of MIB's circuit track, from faithfulness at ten sizes.
 *
 * Sizes are .1, .2, .5, 1, 2, 5, 10, 20, 50 and 100 % of the players, rounded down: of few players the first ones are the empty set.
 * Areas are trapezoids over the share itself, as in their code (scripts/run_evaluation.py without its log scale), so that the step
 * from a half to all players weighs a half. Where they take edges we take whatever the players are. Their code then drops edges
 * that lead nowhere, which changes no value, and is not done here.
 * Mueller et al., MIB: A Mechanistic Interpretability Benchmark, arXiv 2504.13151, section 3.
 */
import { fail } from '../errors.ts';

/** Shares of the players at which faithfulness is measured. */
export const MIB_SHARES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1] as const;

/** Players of each of MIB_SHARES, rounded down as their code does. */
export function mibSizes(players: number): number[] {
  return MIB_SHARES.map((share) => Math.floor(share * players));
}

/**
 * Integrated circuit performance ratio: the area under faithfulness, sets chosen to keep most of the metric. Higher is better, and
 * above 1 sets do better than the model.
 * @param faithfulness At MIB_SHARES, [10].
 */
export function cpr(faithfulness: ArrayLike<number>): number {
  return areaOver(faithfulness, (share) => share);
}

/**
 * Integrated circuit-model distance: the area of |1 - faithfulness|, sets chosen to do as the model does. 0 is best.
 * @param faithfulness At MIB_SHARES, [10].
 */
export function cmd(faithfulness: ArrayLike<number>): number {
  return areaOver(faithfulness, (share) => Math.abs(1 - share));
}

function areaOver(faithfulness: ArrayLike<number>, height: (share: number) => number): number {
  if (faithfulness.length !== MIB_SHARES.length)
    throw fail(
      'input',
      'areas',
      `${faithfulness.length} numbers were given; ${MIB_SHARES.length}, one a size, are needed.`,
    );
  let area = 0;
  for (let k = 1; k < MIB_SHARES.length; k++)
    area += ((MIB_SHARES[k] - MIB_SHARES[k - 1]) * (height(faithfulness[k]) + height(faithfulness[k - 1]))) / 2;
  return area;
}
