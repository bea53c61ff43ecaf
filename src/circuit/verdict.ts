/**
 * Whether a set that keeps the metric deserves to be called a circuit.
 *
 * A share of the metric means nothing where all and nothing kept are alike (0/0 but for noise), where random sets of
 * the same size keep as much, or where the share is far beyond 1 or what is left falls far below 0: then the parts
 * left out work against the metric, and the set is not what computes it.
 */

export interface Verdict {
  /**
   * found: it reaches the target, random sets of its size do not.
   * no better than random: they do, or keep as much. overshoot: faithfulness far above 1, or far below 0 without it.
   * no signal: f(all) is no better than f(none), or no farther from it than random sets are from each other.
   * not reached: no set of the players that the spectrum names reaches the target. everything: only all players
   * together do.
   */
  readonly kind: 'found' | 'no better than random' | 'overshoot' | 'no signal' | 'not reached' | 'everything';
  /** One sentence with the numbers. */
  readonly why: string;
}

/** What a verdict rests on. */
export interface Findings {
  readonly players: number;
  /** Players that some term of the spectrum names. */
  readonly named: number;
  readonly target: number;
  readonly full: number;
  readonly empty: number;
  readonly moreIsBetter: boolean | undefined;
  readonly size: number;
  readonly kept: number;
  readonly removed: number;
  /** Faithfulness of other sets of the circuit's size, drawn at random. */
  readonly others: ArrayLike<number>;
  /** Deviation of the faithfulness of random sets, at the size where it is largest. */
  readonly spread: number;
}

/** Share of random sets that may be as faithful as a circuit by chance. */
const BY_CHANCE = 0.05;
/**
 * How far beyond 1 with it, and how far below 0 without it, is more than helpers of the other side explain. Without its name movers
 * a model that has negative ones prefers the wrong name, at SmolLM2's -57 %, and they still are its circuit.
 */
const OVERSHOOT = 0.5;
const UNDERSHOOT = 1;
/** Deviations of random sets that are more than f(all) - f(none): a unit that noise can make. */
const MOST_SPREAD = 2;
const TOLERANCE = 1e-9;

/** The first of these that holds: no signal, not reached, everything, no better than random, overshoot; else found. */
export function verdictOf(findings: Findings): Verdict {
  const { players, named, target, full, empty, moreIsBetter, size, kept, removed, others, spread } = findings;
  const share = (value: number): string => `${(100 * value).toFixed(Math.abs(value) < 0.1 ? 1 : 0)} %`;
  const ends = `${number(full)} with everything kept and ${number(empty)} with nothing`;
  if (moreIsBetter !== undefined && full > empty !== moreIsBetter)
    return {
      kind: 'no signal',
      why: `the metric is ${ends}, where ${moreIsBetter ? 'more' : 'less'} is better: keeping everything is worse than keeping nothing, so the model does not do this`,
    };
  if (spread > MOST_SPREAD)
    return {
      kind: 'no signal',
      why: `the metric is ${ends}, and random sets of one size differ ${spread.toFixed(1)} times as much from each other: the difference is not told from what any change does`,
    };
  if (kept < target - TOLERANCE)
    return {
      kind: 'not reached',
      why:
        named === 0
          ? `the spectrum names no player, so it proposes no set`
          : `no set of the ${named} of ${players} players that the spectrum names keeps ${share(target)} of the metric; the best keeps ${share(kept)}`,
    };
  if (size === players)
    return { kind: 'everything', why: `only all ${players} players together keep ${share(target)} of the metric` };
  const count = others.length;
  const matching = Array.from(others).filter((other) => other >= kept - TOLERANCE).length;
  const reaching = Array.from(others).filter((other) => other >= target - TOLERANCE).length;
  if (count > 0 && (matching > BY_CHANCE * count || reaching > count / 2))
    return {
      kind: 'no better than random',
      why: `of ${count} other sets of ${size} players drawn at random ${reaching} keep ${share(target)} of the metric too, and ${matching} as much as this one (${share(kept)})`,
    };
  if (kept > 1 + OVERSHOOT || removed < -UNDERSHOOT)
    return {
      kind: 'overshoot',
      why: `the set alone has ${share(kept)} of the metric and the rest without it ${share(removed)}: what was left out works against the metric, so no share of it is kept`,
    };
  return {
    kind: 'found',
    why: `the set keeps ${share(kept)} of the metric; of ${count} other sets of ${size} players drawn at random ${reaching} keep ${share(target)}`,
  };
}

/** Three significant digits. */
function number(value: number): string {
  return Number(value.toPrecision(3)).toString();
}
