/**
 * What a SPEX run will ask for, before anything is asked: the code, the number of bins, the mask counts.
 *
 * N = C·2^b·(p + 1) masks for C groups of 2^b bins and the p + 1 delays of the BCH code for (n, t).
 * Masks repeat (every group measures its delays, small cubes overlap), so two counts are given.
 * Source: SPEX (arXiv 2502.13870), section 3. Deviation: the reference lowers t when a budget is too
 * small for 2^3 bins; here that is an error that names the numbers, unless `degrade` asks for it.
 */
import { fail } from '../errors.ts';
import { bchSize } from './bch.ts';

/** How SPEX will measure: its code, hash groups and bins. */
export interface SpexPlan {
  /** n. */
  readonly players: number;
  /** The order of the largest set that decodes. */
  readonly t: number;
  /** log2 of the bins of a group. Rule of thumb: 2^b at least the number of terms that matter. */
  readonly b: number;
  /** C, the hash groups. */
  readonly groups: number;
  /** p, the parity bits of the code. */
  readonly parityBits: number;
  readonly masks: {
    /** C·2^b·(p + 1). */
    readonly raw: number;
    /** The most distinct masks among them, min(2^n, raw - (C - 1)(p + 1)); `drawMasks` has the exact number of a seed. */
    readonly unique: number;
  };
}

/** The budget, and what of a plan is fixed. */
export interface PlanOptions {
  /** Choose the largest b whose raw count fits. Needed unless b is given. */
  readonly budget?: number | undefined;
  /** log2 of the bins per group, 1..12 and at most n. */
  readonly b?: number | undefined;
  /** Default 5. */
  readonly t?: number | undefined;
  /** Default 3. */
  readonly groups?: number | undefined;
  /** Lower t when the budget does not reach 2^3 bins at the t asked for. Default false. */
  readonly degrade?: boolean | undefined;
}

export const MIN_B = 3;
export const MAX_B = 12;
/** Beyond this the Chase patterns no longer fit a 32-bit word. */
const MAX_T = 15;

/**
 * The plan for n >= 3 players.
 * @throws 'budget' when the budget is below the plan, naming the smallest one and the t that fits;
 *         'input' on n < 3 (2^n masks: enumerate), on n beyond the code table, and on t, b or groups out of range.
 */
export function planSpex(players: number, options: PlanOptions): SpexPlan {
  const { budget, t = 5, groups = 3, degrade = false } = options;
  const who = 'planSpex';
  if (!Number.isInteger(players) || players < MIN_B) {
    throw fail(
      'input',
      who,
      `${players} players; SPEX needs at least ${MIN_B}, and fewer have at most 4 masks: enumerate them with the exact solver.`,
    );
  }
  if (!Number.isInteger(t) || t < 1 || t > MAX_T) {
    throw fail(
      'input',
      who,
      `t = ${t}; the largest order to decode must be a whole number in 1..${MAX_T} (t = 0 would decode ∅ alone).`,
    );
  }
  if (!Number.isInteger(groups) || groups < 1)
    throw fail('input', who, `${groups} groups; a whole number >= 1 is needed, 3 is usual.`);
  if (options.b !== undefined) {
    const { b } = options;
    if (!Number.isInteger(b) || b < 1 || b > Math.min(MAX_B, players)) {
      throw fail(
        'input',
        who,
        `b = ${b}; a whole number in 1..${Math.min(MAX_B, players)} is needed (at most n = ${players}: M has rank b).`,
      );
    }
    const plan = planOf(players, t, b, groups);
    if (budget !== undefined && plan.masks.unique > budget) {
      throw fail(
        'budget',
        who,
        `b = ${b}, t = ${t} for ${players} players costs up to ${plan.masks.unique} distinct masks, the budget is ${budget}; raise it or lower b.`,
      );
    }
    return plan;
  }
  if (budget === undefined || !Number.isFinite(budget))
    throw fail('input', who, 'neither a budget nor b was given; pass one of them.');

  const fitting = (order: number): SpexPlan | undefined => {
    for (let b = Math.min(MAX_B, players); b >= MIN_B; b--) {
      const plan = planOf(players, order, b, groups);
      if (plan.masks.raw <= budget) return plan;
    }
    return undefined;
  };
  const asked = fitting(t);
  if (asked) return asked;
  let lower = t - 1;
  let reduced: SpexPlan | undefined;
  while (lower >= 1 && !(reduced = fitting(lower))) lower--;
  if (degrade && reduced) return reduced;
  const needed = planOf(players, t, MIN_B, groups).masks.raw;
  throw fail(
    'budget',
    who,
    `${budget} masks for ${players} players; t = ${t} needs at least ${needed} (${groups} groups x 2^${MIN_B} bins x ${needed / groups / 2 ** MIN_B} delays); ` +
      (reduced
        ? `raise the budget or pass t = ${lower}, which fits.`
        : `no t fits: t = 1 needs ${planOf(players, 1, MIN_B, groups).masks.raw}.`),
  );
}

function planOf(players: number, t: number, b: number, groups: number): SpexPlan {
  const { parityBits } = bchSize(players, t);
  const raw = groups * 2 ** b * (parityBits + 1);
  const unique = Math.min(2 ** players, raw - (groups - 1) * (parityBits + 1));
  return { players, t, b, groups, parityBits, masks: { raw, unique } };
}
