/**
 * Nested sets by removal on estimates of the game, which costs no rows, corrected by what is measured on the way.
 *
 * Players leave in rounds. An estimate, a spectrum or one score a player, proposes who is left, and what the last set was measured to
 * be off is taken off first. Every round measures what all estimates propose, and the best set stays. Towards most of the metric the
 * player whose removal raises the estimate most, or lowers it least, leaves; towards what the model does one of little effect, the one
 * that brings the estimate nearest to f(all): what helps and what hurts leave in balance.
 */
import {
  bestFlip,
  copyOf,
  createProblem,
  emptyState,
  flip,
  type Problem,
  type State,
} from '../circuit/search-state.ts';
import { throwIfAborted } from '../errors.ts';
import type { Ends, MeasureOptions } from '../evaluation/faithfulness.ts';
import type { Game } from '../game.ts';
import { masksFromRows } from '../masks.ts';
import { toMeasure } from '../spectrum/measure.ts';
import type { FourierSpectrum } from '../spectrum/spectrum.ts';
import { inBalance, leastHelpful } from './additive-removal.ts';

/** An estimate of the game; `left` are the players that are there. */
export type Estimate = (left: readonly number[]) => Promise<FourierSpectrum> | FourierSpectrum;

/** most: sets are to keep most of the metric; model: to do as the whole model does. */
export type Aim = 'most' | 'model';

/** Shares of the players that are left, those of least effect, among whom balance decides: a set each. */
const WEAKEST = [0, 1 / 3, 1] as const;

/** Sets that one estimate proposes in a round. */
export const PROPOSED: Readonly<Record<Aim, number>> = { most: 1, model: WEAKEST.length };

export interface SteeringOptions extends MeasureOptions {
  readonly ends: Ends;
  readonly aim: Aim;
  readonly estimates: readonly Estimate[];
  /** Players that a round leaves of so many, fewer of them. */
  readonly leave: (size: number) => number;
}

/** All players, the first to be kept first. Masks: of every round a set an estimate and a share of WEAKEST, and what the estimates take. */
export async function steeredOrder(
  game: Pick<Game, 'value' | 'players'>,
  { ends, aim, estimates, leave, signal, onProgress }: SteeringOptions,
): Promise<number[]> {
  const n = game.players.length;
  const direction = ends.full >= ends.empty ? 1 : -1;
  const proposers = new WeakMap<FourierSpectrum, Proposer>();
  const order: number[] = []; // who left, first to last
  let left = game.players.map((_, i) => i);
  let value = ends.full;
  while (left.length > 1) {
    throwIfAborted(signal, 'steering');
    onProgress?.({ stage: 'steering', done: order.length, total: n });
    const wanted = leave(left.length);
    const proposals: Proposal[] = [];
    for (const estimate of estimates) {
      const spectrum = await estimate(left);
      const propose = proposers.get(spectrum) ?? proposerOf(spectrum, direction);
      proposers.set(spectrum, propose);
      proposals.push(...propose(aim, { left, wanted, short: direction * (ends.full - value) }));
    }
    const values = await game.value(
      masksFromRows(
        proposals.map(({ kept }) => kept),
        n,
      ),
      { signal },
    );
    const worth = values.map((each) => (aim === 'most' ? direction * each : -Math.abs(each - ends.full)));
    const best = worth.indexOf(Math.max(...worth));
    value = values[best];
    order.push(...proposals[best].left);
    left = left.filter((player) => proposals[best].kept[player] === 1);
  }
  onProgress?.({ stage: 'steering', done: n, total: n });
  return [...order, ...left].reverse();
}

interface Proposal {
  readonly kept: Uint8Array;
  /** Who left, first to last. */
  readonly left: readonly number[];
}

interface Asked {
  readonly left: readonly number[];
  /** Players that are to stay. */
  readonly wanted: number;
  /** How far what was measured of `left` is below f(all), in the direction of the metric. */
  readonly short: number;
}

/** What an estimate proposes; made once of each, as one of other than fair masks spreads over all subsets of its terms. */
type Proposer = (aim: Aim, asked: Asked) => Proposal[];

function proposerOf(estimate: FourierSpectrum, direction: 1 | -1): Proposer {
  const spectrum = toMeasure(estimate);
  if (spectrum.terms.some(({ members }) => members.length > 1)) {
    const problem = createProblem(spectrum, direction);
    const nobody = emptyState(problem);
    return (aim, asked) => byFlips(problem, nobody, aim, asked);
  }
  const effects = new Float64Array(spectrum.players);
  for (const { members, value } of spectrum.terms)
    if (members.length === 1) effects[members[0]] = 2 * direction * value;
  return (aim, asked) => byEffects(effects, aim, asked);
}

/** The proposals of an estimate without interactions. */
function byEffects(effects: Float64Array, aim: Aim, { left, wanted, short }: Asked): Proposal[] {
  const count = left.length - wanted;
  const orders =
    aim === 'most'
      ? [leastHelpful(effects, left, count)]
      : WEAKEST.map((share) => inBalance(effects, left, { count, short, share }));
  return orders.map((gone) => {
    const kept = new Uint8Array(effects.length);
    for (const player of left) kept[player] = 1;
    for (const player of gone) kept[player] = 0;
    return { kept, left: gone };
  });
}

/** The proposals of a spectrum: what a player does changes as others leave. */
function byFlips(problem: Problem, nobody: State, aim: Aim, { left, wanted, short }: Asked): Proposal[] {
  const from = copyOf(nobody);
  for (const player of left) flip(problem, from, player);
  const target = from.value + short; // as State counts it
  return aim === 'most'
    ? [removed(problem, from, wanted, (state) => bestFlip(problem, state, true))]
    : WEAKEST.map((share) => balanced(problem, from, { wanted, target, share }));
}

function removed(problem: Problem, from: State, wanted: number, next: (state: State) => number): Proposal {
  const state = copyOf(from);
  const left: number[] = [];
  while (state.size > wanted) {
    const player = next(state);
    flip(problem, state, player);
    left.push(player);
  }
  return { kept: state.kept, left };
}

/** Removes players of least effect, each time the one without which f̂ is nearest to the target. */
function balanced(
  problem: Problem,
  from: State,
  { wanted, target, share }: { readonly wanted: number; readonly target: number; readonly share: number },
): Proposal {
  return removed(problem, from, wanted, ({ kept, gain, value, size }) => {
    const weakest = Array.from(kept.keys())
      .filter((player) => kept[player] === 1)
      .sort((a, b) => Math.abs(gain[a]) - Math.abs(gain[b]) || b - a)
      .slice(0, Math.max(1, Math.ceil(share * size)));
    const distance = (player: number): number => Math.abs(value + gain[player] - target);
    return weakest.reduce((best, player) => (distance(player) < distance(best) ? player : best));
  });
}
