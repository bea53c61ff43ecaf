/**
 * Nested sets of a spectrum: removal on f̂, which costs no rows, corrected by what is measured on the way.
 *
 * For most of the metric the player whose removal raises f̂ most, or lowers it least, leaves. To do as the model does, players of
 * little effect leave in rounds, each time the one that brings f̂ nearest to f(all): what helps and what hurts leave in balance. A
 * round ends with a few such sets measured; the nearest stays, and how far f̂ was off there is taken to be how far it is off next.
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
import { fail, throwIfAborted } from '../errors.ts';
import type { Ends, MeasureOptions } from '../evaluation/faithfulness.ts';
import type { Game } from '../game.ts';
import { masksFromRows } from '../masks.ts';
import { createRandom, type Random } from '../random.ts';
import { toMeasure } from '../spectrum/measure.ts';
import type { FourierSpectrum } from '../spectrum/spectrum.ts';

/** Share of the players that a round leaves. */
const LEAVE = 0.8;
/** Shares of the players that are left, those of least effect, among whom balance decides; a candidate each, then again with some of them barred. */
const WEAKEST = [1 / 3, 1 / 6, 1 / 2, 2 / 3] as const;
const BARRED = 0.3;

/** Rounds of steeredRemoval, each of which may be measured. */
export function steeringRounds(players: number): number {
  let rounds = 0;
  for (let left = players; left > 1; left = nextSize(left)) rounds++;
  return rounds;
}

/** All players, the first to be kept first, so that sets keep most of the metric by f̂. */
export function helpingOrder(given: FourierSpectrum, ends: Ends): number[] {
  const { problem, state } = everyone(given, ends);
  return Array.from({ length: problem.players }, () => {
    const player = bestFlip(problem, state, true);
    flip(problem, state, player);
    return player;
  }).reverse();
}

export interface SteeringOptions extends MeasureOptions {
  readonly ends: Ends;
  readonly seed: number;
  /** Sets that are measured in a round; 0: f̂ is believed. */
  readonly candidates: number;
}

/** All players, the first to be kept first, so that sets do as the whole model does. Masks: rounds x candidates, at most. */
export async function steeredOrder(
  game: Pick<Game, 'value'>,
  given: FourierSpectrum,
  { ends, seed, candidates, signal, onProgress }: SteeringOptions,
): Promise<number[]> {
  if (!Number.isInteger(candidates) || candidates < 0)
    throw fail('input', 'steering', `${candidates} candidates; a whole number >= 0 is needed.`);
  const random = createRandom(seed, 'steering');
  const { problem, state: full, mean, direction } = everyone(given, ends);
  const n = problem.players;
  const left: number[] = []; // who left, first to last
  let state = full;
  let off = 0; // f - f̂, of the last set that was measured
  while (state.size > 0) {
    throwIfAborted(signal, 'steering');
    onProgress?.({ stage: 'steering', done: left.length, total: n });
    const target = direction * (ends.full - off - mean);
    const wanted = nextSize(state.size);
    const tried = Array.from({ length: Math.max(1, candidates) }, (_, k) =>
      remove(problem, state, {
        wanted,
        target,
        weakest: WEAKEST[k % WEAKEST.length],
        random: k < WEAKEST.length ? undefined : random,
      }),
    );
    let best = tried[0];
    if (candidates > 0 && wanted > 0) {
      const values = await game.value(
        masksFromRows(
          tried.map((each) => each.state.kept),
          n,
        ),
        { signal },
      );
      const distances = values.map((value) => Math.abs(value - ends.full));
      const nearest = distances.indexOf(Math.min(...distances));
      best = tried[nearest];
      off = values[nearest] - (mean + direction * best.state.value);
    }
    left.push(...best.left);
    state = best.state;
  }
  onProgress?.({ stage: 'steering', done: n, total: n });
  return left.reverse();
}

function nextSize(size: number): number {
  return Math.min(size - 1, Math.floor(LEAVE * size));
}

function everyone(
  given: FourierSpectrum,
  ends: Ends,
): { readonly problem: Problem; readonly state: State; readonly mean: number; readonly direction: 1 | -1 } {
  const spectrum = toMeasure(given);
  const direction = ends.full >= ends.empty ? 1 : -1;
  const problem = createProblem(spectrum, direction);
  const state = emptyState(problem);
  for (let i = 0; i < problem.players; i++) flip(problem, state, i);
  const mean = spectrum.terms.find(({ members }) => members.length === 0)?.value ?? 0;
  return { problem, state, mean, direction };
}

interface Removal {
  /** Players that are to be left. */
  readonly wanted: number;
  /** What f̂ is to be, as State counts it. */
  readonly target: number;
  readonly weakest: number;
  /** Bars some of the weakest at every step; none where absent. */
  readonly random: Random | undefined;
}

/** Removes players of least effect, each time the one without which f̂ is nearest to the target. */
function remove(
  problem: Problem,
  from: State,
  { wanted, target, weakest, random }: Removal,
): { readonly state: State; readonly left: readonly number[] } {
  const state = copyOf(from);
  const { kept, gain } = state;
  const left: number[] = [];
  while (state.size > wanted) {
    const players = Array.from(kept.keys())
      .filter((player) => kept[player] === 1)
      .sort((a, b) => Math.abs(gain[a]) - Math.abs(gain[b]) || b - a)
      .slice(0, Math.max(1, Math.ceil(weakest * state.size)));
    const open = random === undefined ? players : players.filter(() => random.uniform() >= BARRED);
    const distance = (player: number): number => Math.abs(state.value + gain[player] - target);
    const [first, ...others] = open.length === 0 ? players : open;
    const player = others.reduce((best, other) => (distance(other) < distance(best) ? other : best), first);
    flip(problem, state, player);
    left.push(player);
  }
  return { state, left };
}
