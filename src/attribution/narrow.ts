/**
 * Narrowing: from all players to a few, by gradients taken around what is left.
 *
 * Gradients at the full model say what one player does while all others are there, and at random halves what it does in a
 * half-destroyed model. Neither is the question of a circuit, what a player does among those that stay. So players leave in rounds:
 * at a few random masks that keep most of the remaining ones, and none that left, gradients are averaged, and the players that
 * then add least go. Iterative magnitude pruning is the same loop over weights (Frankle, Carbin, The Lottery Ticket Hypothesis,
 * arXiv 1803.03635), greedy edge removal by attribution over edges (Syed, Rager, Conmy, arXiv 2310.10348).
 */
import { fail, throwIfAborted } from '../errors.ts';
import { GRADIENT_ROWS, type Game } from '../game.ts';
import { emptyMasks, keep as keepPlayer, masksFromMembers, type Masks } from '../masks.ts';
import { createRandom, type Random } from '../random.ts';
import { differentiable, type Ranking } from './rankings.ts';

/** How narrowing goes: its seed, the players to end with, and the gradients of a round. */
export interface NarrowOptions {
  readonly seed: number;
  /** Gradients of a round; default 8, of more than 4,096 players 4. */
  readonly gradients?: number | undefined;
  /** Share of the players that a round leaves; default .8, of more than 4,096 players .7. */
  readonly leave?: number | undefined;
  /** Probability with which a round's masks keep a remaining player; default .7, of more than 4,096 players .9. */
  readonly keep?: number | undefined;
  /** Players at which it ends; default 1, of more than 4,096 players one in a thousand. */
  readonly smallest?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?:
    | ((progress: { readonly stage: string; readonly done: number; readonly total: number }) => void)
    | undefined;
}

/** Players beyond which whatever takes time for each of them is done less often: rounds here, sets that are measured elsewhere. */
export const MANY = 4096;

/** What was left after a round. */
export interface NarrowedSet {
  /** Increasing. */
  readonly players: readonly number[];
  /** f with these kept alone. */
  readonly value: number;
}

/** Nested sets that narrowing left, and their order as a ranking. */
export interface Narrowed {
  /** Nested, largest first; all players are the first. */
  readonly sets: readonly NarrowedSet[];
  /**
   * Its sets as a ranking: scores have the sign of f(all) - f(none), later leavers larger ones, and those of a set that the loop
   * measured add up to the most of the metric that it or a smaller one kept, or more.
   */
  readonly ranking: Ranking;
}

/**
 * Narrows `game`. A round costs its gradients, three masks each, and one mask.
 * @throws 'input' for a game without gradients, or options that cannot be used.
 */
export async function narrow(game: Game, options: NarrowOptions): Promise<Narrowed> {
  const n = game.players.length;
  const many = n > MANY;
  const { seed, signal, onProgress } = options;
  const {
    keep = many ? 0.9 : 0.7,
    gradients: count = many ? 4 : 8,
    leave = many ? 0.7 : 0.8,
    smallest = many ? Math.ceil(n / 1000) : 1,
  } = options;
  if (!Number.isInteger(count) || count < 1) throw fail('input', 'narrow', `${count} gradients a round; at least 1.`);
  if (!(leave > 0 && leave < 1)) throw fail('input', 'narrow', `leave ${leave}; a share between 0 and 1 is needed.`);
  if (!(keep > 0 && keep <= 1)) throw fail('input', 'narrow', `keep ${keep}; a probability in (0, 1] is needed.`);
  if (!Number.isInteger(smallest) || smallest < 1 || smallest > n)
    throw fail('input', 'narrow', `down to ${smallest} of ${n} players; a whole number from 1 to ${n} is needed.`);
  const sloped = differentiable(game, 'narrow');
  const random = createRandom(seed, 'narrow');
  const everyone = Array.from({ length: n }, (_, i) => i);
  const [empty, full] = await game.value(masksFromMembers(n, [[], everyone]), { signal });
  const better = full >= empty ? 1 : -1;
  const rounds = Math.ceil(Math.log(n / smallest) / -Math.log(leave));
  const sets: NarrowedSet[] = [{ players: everyone, value: full }];
  const order: number[] = []; // who left, first to last
  let left = everyone;
  let cost = 2;
  while (left.length > smallest) {
    throwIfAborted(signal, 'narrow');
    onProgress?.({ stage: 'narrow', done: Math.min(sets.length - 1, rounds), total: rounds });
    const members = new Set(left);
    const masks = drawMasks(n, count, (i) => (members.has(i) ? keep : 0), random);
    const { gradients } = await sloped.gradients(masks, { signal });
    const scores = new Float64Array(n);
    for (let row = 0; row < count; row++) for (const i of left) scores[i] += better * gradients[row * n + i];
    const next = Math.max(smallest, Math.min(left.length - 1, Math.floor(leave * left.length)));
    const sorted = [...left].sort((a, b) => scores[b] - scores[a] || a - b);
    order.push(...sorted.slice(next).reverse());
    left = sorted.slice(0, next).sort((a, b) => a - b);
    const [value] = await game.value(masksFromMembers(n, [left]), { signal });
    sets.push({ players: left, value });
    cost += GRADIENT_ROWS * count + 1;
  }
  onProgress?.({ stage: 'narrow', done: rounds, total: rounds });
  return { sets, ranking: { name: 'narrowing', scores: scoresOf(n, sets, order, empty, better), cost } };
}

/** Masks that keep every player with a probability of its own; a mask may come twice. */
function drawMasks(n: number, count: number, probability: (player: number) => number, random: Random): Masks {
  const masks = emptyMasks(n, count);
  for (let row = 0; row < count; row++)
    for (let i = 0; i < n; i++) if (random.uniform() < probability(i)) keepPlayer(masks, row, i);
  return masks;
}

/** Shares of players that leave together: what more their set kept than any smaller one, in order of leaving. */
function scoresOf(
  n: number,
  sets: readonly NarrowedSet[],
  order: readonly number[],
  empty: number,
  better: number,
): Float64Array {
  const gains = sets.map(({ value }) => better * (value - empty));
  const scale = gains.reduce((most, gain) => Math.max(most, Math.abs(gain)), 0) || 1;
  const scores = new Float64Array(n);
  let most = 0;
  for (let k = sets.length - 1; k >= 0; k--) {
    const inner = new Set(sets[k + 1]?.players ?? []);
    const news = sets[k].players.filter((player) => !inner.has(player));
    const share = Math.max(0, gains[k] - most) / Math.max(1, news.length);
    most = Math.max(most, gains[k]);
    for (const player of news) scores[player] = share;
  }
  // Shares fall from set to set by so little that ties, and sets that kept less than smaller ones, stay in their order.
  const place = new Map(order.map((player, k) => [player, k]));
  const sorted = Array.from({ length: n }, (_, i) => i).sort((a, b) => (place.get(a) ?? n) - (place.get(b) ?? n));
  let least = 0;
  for (const player of sorted) {
    least = Math.max(scores[player], least + (1e-9 * scale) / n);
    scores[player] = least;
  }
  return scores.map((score) => better * score);
}

/** Probabilities with which a member is kept around a circuit, tried in this order; the last where none leaves enough. */
const INSIDE = [0.5, 0.7, 0.8, 0.9, 0.95] as const;
/** Probability with which any other player is. */
const OUTSIDE = 0.1;
/** Share of the metric's range that is to be left on average, and masks that show it. */
const LEFT = 0.25;
const MASKS = 12;

/** The measure around a narrowed set. */
export interface Around {
  /** Probability with which masks keep each player. */
  readonly keep: readonly number[];
  /** The set: the smallest that keeps the target. */
  readonly players: readonly number[];
  readonly inside: number;
  readonly outside: number;
}

/**
 * Masks around what narrowing left, instead of around a half-destroyed model: members of the smallest set that keeps `target` are kept
 * with probability ½, or more where that would break the model, all others with .1. Undefined where only everybody keeps that much.
 */
export async function keepAround(
  game: Game,
  { sets }: Narrowed,
  {
    target,
    seed,
    signal,
  }: { readonly target: number; readonly seed: number; readonly signal?: AbortSignal | undefined },
): Promise<Around | undefined> {
  const n = game.players.length;
  const full = sets[0].value;
  const [empty] = await game.value(masksFromMembers(n, [[]]), { signal });
  const share = (value: number): number => (full === empty ? 1 : (value - empty) / (full - empty));
  const enough = sets.filter(({ value }) => share(value) >= target);
  const { players } = enough[enough.length - 1];
  if (players.length === n) return undefined;
  const members = new Set(players);
  const random = createRandom(seed, 'around');
  const keepWith = (inside: number): number[] =>
    Array.from({ length: n }, (_, i) => (members.has(i) ? inside : OUTSIDE));
  let inside: number = INSIDE[0];
  for (inside of INSIDE) {
    const keep = keepWith(inside);
    const values = await game.value(
      drawMasks(n, MASKS, (i) => keep[i], random),
      { signal },
    );
    if (share(values.reduce((sum, value) => sum + value / MASKS, 0)) >= LEFT) break;
  }
  return { keep: keepWith(inside), players, inside, outside: OUTSIDE };
}
