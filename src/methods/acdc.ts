/**
 * ACDC: from the output to the input, every edge whose removal does less harm than a threshold is removed.
 *
 * At each player in turn: f of what is left, without it; where harm grows by less than τ it leaves. Conmy et al., Towards Automated
 * Circuit Discovery for Mechanistic Interpretability, arXiv 2304.14997, algorithm 1, over edges; over heads and MLPs the same loop is
 * its node form. Rows are asked for ahead, as if the next ones would leave too, and wasted where one does not: every row counts.
 */
import { fail, throwIfAborted } from '../errors.ts';
import type { Game } from '../game.ts';
import { masksFromMembers } from '../masks.ts';
import type { MeasureOptions } from '../evaluation/faithfulness.ts';

/** What ACDC counts as harm, and what it may spend. */
export interface AcdcOptions extends MeasureOptions {
  /** τ: harm, in the unit of `harm`, that the removal of one player may add. */
  readonly threshold: number;
  /** The harm of a value. */
  readonly harm: (value: number) => number;
  /** Players in the order in which they are looked at; receiver-order.ts has the paper's. */
  readonly order: readonly number[];
  /** Players to begin from; default all of `order`. */
  readonly from?: readonly number[] | undefined;
  /** The value of `from`, where it is known; measured when absent. */
  readonly value?: number | undefined;
  /** Rows asked for ahead, at most, where so many are left of the budget; default 16. */
  readonly ahead?: number | undefined;
}

export interface AcdcRun {
  /** Players that stayed, increasing. */
  readonly kept: readonly number[];
  /** f of them. */
  readonly value: number;
  /** By player: the harm that its removal added, or would have; NaN of players that were not looked at. */
  readonly added: Float64Array;
}

/** One pass at one threshold. Masks: one a player of `from`, one for `from`, and what was asked for in vain. */
export async function acdc(game: Game & { readonly remaining?: number }, options: AcdcOptions): Promise<AcdcRun> {
  const { threshold, harm, order, from = order, ahead = 16, signal, onProgress } = options;
  if (!(threshold >= 0)) throw fail('input', 'acdc', `threshold ${threshold}; a number >= 0 is needed.`);
  if (!Number.isInteger(ahead) || ahead < 1)
    throw fail('input', 'acdc', `ahead ${ahead}; a whole number >= 1 is needed.`);
  const stage = `acdc, threshold ${Number(threshold.toPrecision(2))}`;
  const n = game.players.length;
  const left = new Set(from);
  const queue = order.filter((player) => left.has(player));
  const added = new Float64Array(n).fill(Number.NaN);
  let value = options.value ?? (await game.value(masksFromMembers(n, [[...left]]), { signal }))[0];
  let wide = 1;
  for (let at = 0; at < queue.length; ) {
    throwIfAborted(signal, 'acdc');
    onProgress?.({ stage, done: at, total: queue.length });
    // What is wasted must not be missing at the end, where each of the others takes a row.
    const spare = (game.remaining ?? Infinity) - (queue.length - at) + 1;
    const chain = queue.slice(at, at + Math.max(1, Math.min(wide, spare)));
    const out = new Set<number>();
    const sets = chain.map((player) => {
      out.add(player);
      return [...left].filter((other) => !out.has(other));
    });
    const values = await game.value(masksFromMembers(n, sets), { signal });
    const stays = chain.findIndex((player, k) => {
      added[player] = harm(values[k]) - harm(k === 0 ? value : values[k - 1]);
      return !(added[player] < threshold);
    });
    const leave = stays === -1 ? chain.length : stays;
    for (const player of chain.slice(0, leave)) left.delete(player);
    if (leave > 0) value = values[leave - 1];
    wide = stays === -1 ? Math.min(2 * wide, ahead) : 1;
    at += stays === -1 ? leave : leave + 1;
  }
  onProgress?.({ stage, done: queue.length, total: queue.length });
  return { kept: [...left].sort((a, b) => a - b), value, added };
}

/** Where a sweep begins and ends, in shares of f(all) - f(none). */
const [LEAST, MOST] = [0.001, 0.5];

/** `count` thresholds of a sweep, each the same multiple of the one before; a single one is their geometric mean. */
export function acdcThresholds(count: number): number[] {
  if (count === 1) return [Math.sqrt(LEAST * MOST)];
  return Array.from({ length: count }, (_, k) => LEAST * (MOST / LEAST) ** (k / (count - 1)));
}

export interface AcdcSweep {
  /** By player: how many thresholds it stayed for. */
  readonly stayed: Int32Array;
  /** By player: the harm that its removal added, or would have, when it was last looked at. */
  readonly added: Float64Array;
  /** Thresholds that the budget sufficed for. */
  readonly thresholds: readonly number[];
}

/**
 * Passes at growing thresholds, each over what the one before left, so that sets are nested (the paper begins anew at each). Ends
 * where the masks that remain do not suffice for one more.
 * @throws 'budget' where they do not suffice for the first.
 */
export async function acdcSweep(
  game: Game & { readonly remaining?: number },
  { thresholds, ...options }: Omit<AcdcOptions, 'threshold' | 'from'> & { readonly thresholds: readonly number[] },
): Promise<AcdcSweep> {
  const n = game.players.length;
  const stayed = new Int32Array(n);
  const added = new Float64Array(n);
  let [from, value] = [options.order, options.value];
  const done: number[] = [];
  for (const threshold of thresholds) {
    const needed = from.length + (value === undefined ? 1 : 0);
    const left = game.remaining ?? Infinity;
    if (left < needed) {
      if (done.length > 0) break;
      throw fail('budget', 'acdc', `${left} masks are left; a pass over ${n} players takes at least ${needed}.`);
    }
    const run = await acdc(game, { ...options, threshold, from, value });
    for (const player of from) added[player] = run.added[player];
    for (const player of run.kept) stayed[player]++;
    done.push(threshold);
    ({ kept: from, value } = run);
    if (from.length === 0) break;
  }
  return { stayed, added, thresholds: done };
}
