/**
 * Greedy removal: the player whose removal does least harm leaves, again and again.
 *
 * A round measures what is left without each of its players and removes those that harm least: one where the budget is n(n + 1)/2
 * masks or more, else as many as it takes to come to an end. Backward elimination; over heads Michel, Levy, Neubig, Are Sixteen Heads
 * Really Better than One?, arXiv 1905.10650, rank once, which is a round that removes all.
 */
import { fail, throwIfAborted } from '../errors.ts';
import type { Game } from '../game.ts';
import { masksFromMembers } from '../masks.ts';
import type { MeasureOptions } from '../evaluation/faithfulness.ts';

/** What counts as harm, and the masks to spend. */
export interface RemovalOptions extends MeasureOptions {
  readonly harm: (value: number) => number;
  /** Masks to spend; Infinity: one player a round. */
  readonly budget: number;
}

export interface Removed {
  /** All players, who left first first. */
  readonly order: readonly number[];
  readonly rounds: number;
}

/** Removes every player. Masks: one for each player that is left, every round. @throws 'budget' below n masks. */
export async function greedyRemoval(
  game: Game,
  { harm, budget, signal, onProgress }: RemovalOptions,
): Promise<Removed> {
  const n = game.players.length;
  if (!(budget >= n))
    throw fail('budget', 'greedy removal', `${budget} masks are left; its first round takes ${n}, one a player.`);
  const order: number[] = [];
  let left = game.players.map((_, i) => i);
  let [spent, rounds] = [0, 0];
  while (left.length > 0) {
    throwIfAborted(signal, 'greedy removal');
    onProgress?.({ stage: 'greedy removal', done: order.length, total: n });
    const leave = leaving(left.length, budget - spent);
    const sets = left.map((out) => left.filter((player) => player !== out));
    const values = await game.value(masksFromMembers(n, sets), { signal });
    spent += left.length;
    rounds++;
    const harms = new Map(left.map((player, k) => [player, harm(values[k])]));
    const byHarm = [...left].sort((a, b) => (harms.get(a) as number) - (harms.get(b) as number) || a - b);
    order.push(...byHarm.slice(0, leave));
    left = byHarm.slice(leave).sort((a, b) => a - b);
  }
  onProgress?.({ stage: 'greedy removal', done: n, total: n });
  return { order, rounds };
}

/** The fewest players to remove of `left`, so that rounds that remove the same share fit into `masks`. */
function leaving(left: number, masks: number): number {
  for (let leave = 1; leave < left; leave++) if (costOf(left, leave / left) <= masks) return leave;
  return left;
}

/** Masks of all rounds from `left` players on, each of which removes this share, one player at least. */
function costOf(left: number, share: number): number {
  let cost = 0;
  for (let rest = left; rest > 0; rest -= Math.max(1, Math.floor(share * rest))) cost += rest;
  return cost;
}
