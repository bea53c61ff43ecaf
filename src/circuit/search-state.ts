/**
 * Where a local search over sets of players stands: a mask, its f̂, and what every single flip would change.
 *
 * Every term's signed value is c_S = F(S) χ_S(mask), and the change of f̂ when player i flips is
 * gain_i = -2 Σ_{S∋i} c_S; a flip touches only the terms of that player.
 */
import type { FourierSpectrum } from '../spectrum/spectrum.ts';

export interface Problem {
  readonly players: number;
  readonly sets: readonly (readonly number[])[];
  /** direction · F(S). */
  readonly coefficients: Float64Array;
  /** Player -> the terms it is in. */
  readonly termsOf: readonly (readonly number[])[];
  /** Differences of f̂ below it are rounding. */
  readonly margin: number;
}

export interface State {
  /** n bytes, 1 = kept. */
  readonly kept: Uint8Array;
  readonly signed: Float64Array; // c_S
  readonly gain: Float64Array;
  size: number;
  /** direction · (f̂(mask) - F(∅)). */
  value: number;
}

/** The terms of a spectrum but ∅, and where each player is in them. */
export function createProblem({ players, terms }: FourierSpectrum, direction: 1 | -1): Problem {
  const used = terms.filter(({ members }) => members.length > 0);
  const termsOf: number[][] = Array.from({ length: players }, () => []);
  used.forEach(({ members }, s) => members.forEach((player) => termsOf[player].push(s)));
  const coefficients = Float64Array.from(used, ({ value }) => direction * value);
  const margin = 1e-12 * coefficients.reduce((sum, value) => sum + Math.abs(value), 0);
  return { players, sets: used.map(({ members }) => members), coefficients, termsOf, margin };
}

/** Everything ablated. */
export function emptyState({ players, sets, coefficients }: Problem): State {
  const gain = new Float64Array(players);
  let value = 0;
  sets.forEach((members, s) => {
    value += coefficients[s];
    for (const player of members) gain[player] -= 2 * coefficients[s];
  });
  return { kept: new Uint8Array(players), signed: coefficients.slice(), gain, size: 0, value };
}

/** A state of its own. */
export function copyOf({ kept, signed, gain, size, value }: State): State {
  return { kept: kept.slice(), signed: signed.slice(), gain: gain.slice(), size, value };
}

/** `from`, written over `to`. */
export function copyInto({ kept, signed, gain, size, value }: State, to: State): State {
  to.kept.set(kept);
  to.signed.set(signed);
  to.gain.set(gain);
  to.size = size;
  to.value = value;
  return to;
}

/** Keeps `player` where it is ablated, ablates it where it is kept; in place. */
export function flip({ sets, termsOf }: Problem, state: State, player: number): void {
  const { kept, signed, gain } = state;
  state.value += gain[player];
  kept[player] ^= 1;
  state.size += kept[player] === 1 ? 1 : -1;
  for (const s of termsOf[player]) {
    for (const other of sets[s]) gain[other] += 4 * signed[s];
    signed[s] = -signed[s];
  }
}

/** The player among the kept (or the others) whose flip raises f̂ most; not among `excluded` or `barred`; ties go to the lowest. -1 = there is none. */
export function bestFlip(
  { players, margin }: Problem,
  { kept, gain }: State,
  among: boolean,
  excluded?: Uint8Array,
  barred?: Uint8Array,
): number {
  const wanted = among ? 1 : 0;
  let player = -1;
  for (let i = 0; i < players; i++) {
    if (
      kept[i] === wanted &&
      excluded?.[i] !== 1 &&
      barred?.[i] !== 1 &&
      (player < 0 || gain[i] > gain[player] + margin)
    )
      player = i;
  }
  return player;
}
