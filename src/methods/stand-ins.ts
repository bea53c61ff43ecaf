/**
 * Players whose leaving alone is not seen: whether others stand in for them.
 *
 * A player that does nothing changes no value; one that others stand in for changes it once they are gone. So hidden players leave together,
 * and where the value then changes, halving finds the one at which it does: f(S) - f(S \ i) of a set S was measured, and i stays. Whoever was
 * found so then leaves first, and what is still hidden is asked again, and once more without each player whose loss is seen. Where a value is
 * so already another than the whole model's, a player is asked alone, and only what takes it further away counts: what a broken circuit does
 * is no part of the whole one.
 * The halving is that of delta debugging: Zeller, Hildebrandt, Simplifying and Isolating Failure-Inducing Input, IEEE TSE 28 (2002).
 */
import { throwIfAborted } from '../errors.ts';
import type { Ends, MeasureOptions } from '../evaluation/faithfulness.ts';
import type { Game } from '../game.ts';
import { masksFromMembers } from '../masks.ts';

/** Differences below this share of the larger end are rounding. */
const RESOLUTION = 1e-6;

export interface StandInOptions extends MeasureOptions {
  readonly ends: Ends;
  /** By player: f(all) - f(all but it). */
  readonly losses: Float64Array;
  /** By player: what else is believed of it; the least claimed leave first, so that of two that stand in for each other the larger stays. */
  readonly claims: Float64Array;
  /** Masks, but for one or two more that end a question. */
  readonly most: number;
}

/**
 * By player what it is worth, in the unit of f: the larger of what is claimed and what was seen of it while the value was the whole model's,
 * its loss or, of hidden ones, f(S) - f(S \ i). Of those that were seen in a broken circuit alone no more than half of the least of that, in
 * proportion; of the others less than could be seen, in the order of their claims, which are then noise.
 */
export async function seenScores(
  game: Pick<Game, 'value' | 'players'>,
  { ends, losses, claims, most, signal, onProgress }: StandInOptions,
): Promise<Float64Array> {
  const n = game.players.length;
  const least = RESOLUTION * Math.max(Math.abs(ends.full), Math.abs(ends.empty));
  const isHidden = (player: number): boolean => Math.abs(losses[player]) <= least;
  const everyone = Array.from(losses.keys());
  const weakest = everyone.filter(isHidden).sort((a, b) => Math.abs(claims[a]) - Math.abs(claims[b]) || b - a);
  const found = new Map<number, number>();
  const broken = new Map<number, number>();
  let spent = 0;
  const without = async (gone: readonly number[]): Promise<number> => {
    throwIfAborted(signal, 'stand-ins');
    onProgress?.({ stage: 'stand-ins', done: spent, total: most });
    spent++;
    const out = new Set(gone);
    return (await game.value(masksFromMembers(n, [everyone.filter((player) => !out.has(player))]), { signal }))[0];
  };

  /** Asks the hidden once `gone` are gone, whose value without them is `value`; those that were found while it is the whole model's. */
  const ask = async (gone: readonly number[], value: number): Promise<number[]> => {
    const here: number[] = [];
    const out = [...gone];
    const differs = (other: number): boolean => Math.abs(other - value) > least;
    let left = weakest.filter((player) => !found.has(player) && !broken.has(player) && !gone.includes(player));
    while (left.length > 0 && spent < most) {
      let changed = await without([...out, ...left]);
      let [same, other] = [0, left.length];
      if (!differs(changed)) break;
      while (other - same > 1 && spent < most) {
        const middle = (same + other) >> 1;
        const between = await without([...out, ...left.slice(0, middle)]);
        if (differs(between)) [other, changed] = [middle, between];
        else same = middle;
      }
      if (other - same > 1) break;
      const player = left[same];
      if (differs(ends.full)) {
        const alone = await without([...gone, player]);
        if (Math.abs(alone - ends.full) > Math.abs(value - ends.full) + least) broken.set(player, value - alone);
      } else {
        found.set(player, value - changed);
        here.push(player);
      }
      out.push(...left.slice(0, same));
      left = left.slice(other);
    }
    return here;
  };

  const intact: number[][] = [[]];
  for (let gone = intact.shift(); gone !== undefined && spent < most; gone = intact.shift()) {
    const value = gone.length < 2 ? ends.full : await without(gone);
    if (Math.abs(value - ends.full) > least) continue;
    for (const player of await ask(gone, ends.full)) intact.push([...gone, player]);
  }
  const seen = everyone.filter((player) => !isHidden(player)).sort((a, b) => Math.abs(losses[a]) - Math.abs(losses[b]));
  // Two that are found in no context together may cancel there: once one of them is known, the other is asked without it.
  for (let before = -1; before < broken.size && spent < most; ) {
    before = broken.size;
    for (const player of seen) {
      if (spent >= most) break;
      await ask([player], ends.full - losses[player]);
    }
  }
  onProgress?.({ stage: 'stand-ins', done: most, total: most });
  const effects = losses.map((loss, player) => (isHidden(player) ? (found.get(player) ?? 0) : loss));
  const sizes = (values: Iterable<number>): number[] => Array.from(values, Math.abs).filter((size) => size > 0);
  const proportion = (0.5 * Math.min(...sizes(effects))) / Math.max(...sizes(broken.values()));
  const unseen = everyone.filter((player) => effects[player] === 0 && !broken.has(player));
  const largest = Math.max(...sizes(unseen.map((player) => claims[player])));
  return effects.map((effect, player) => {
    if (effect !== 0) return Math.abs(claims[player]) > Math.abs(effect) ? claims[player] : effect;
    const other = broken.get(player);
    if (other !== undefined) return proportion * other;
    return claims[player] === 0 ? 0 : 0.5 * least * (claims[player] / largest);
  });
}
