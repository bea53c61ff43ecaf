/**
 * Better sets of the same size: one player out, one in, uphill; on through the valleys (tabu search; one player forced).
 *
 * Flipping i and j changes f̂ by gain_i + gain_j + 4 Σ_{S∋i,j} c_S: the terms of both flip twice.
 * Source of the second: Glover, Tabu Search I (1989); players that just moved stay for a few steps.
 */
import { createRandom } from '../random.ts';
import { bestFlip, copyOf, flip, type Problem, type State } from './search-state.ts';

/** Steps that a moved player stays where it is: BARRED .. 2·BARRED - 1. */
const BARRED = 6;

/** Exchanges in place while that raises f̂: each kept player in turn against its best partner, until a whole turn changes nothing; `fixed` players stay. */
export function exchange(problem: Problem, state: State, fixed?: Uint8Array): void {
  const { players: n, margin } = problem;
  const find = createPartnerSearch(problem, state);
  let anyone = bestFlip(problem, state, false, fixed);
  // Every exchange raises f̂ by more than rounding, so this ends; the bound only guards the arithmetic.
  for (let turn = 0, changed = anyone >= 0; changed && turn < 4 * n; turn++) {
    changed = false;
    for (let out = 0; out < n; out++) {
      if (state.kept[out] === 0 || fixed?.[out] === 1) continue;
      const { into, rise } = find(out, anyone, fixed);
      if (rise <= margin) continue;
      flip(problem, state, out);
      flip(problem, state, into);
      anyone = bestFlip(problem, state, false, fixed);
      changed = true;
    }
  }
}

/** The best set that `steps` exchanges meet, each the best of those allowed, also where it lowers f̂; `start` itself at least. */
export function tabuSearch(problem: Problem, start: State, steps: number): State {
  const { players: n, margin } = problem;
  const random = createRandom(0, 'tabu');
  const state = copyOf(start);
  const find = createPartnerSearch(problem, state);
  let best = start;
  const until = new Int32Array(n); // the step from which a player may move again
  const barred = new Uint8Array(n);
  for (let step = 1; step <= steps; step++) {
    for (let i = 0; i < n; i++) barred[i] = until[i] > step ? 1 : 0;
    const anyone = bestFlip(problem, state, false, barred);
    if (anyone < 0) continue;
    let [out, into, most] = [-1, -1, -Infinity];
    for (let i = 0; i < n; i++) {
      if (state.kept[i] === 0 || barred[i] === 1) continue;
      const found = find(i, anyone, barred);
      if (found.into >= 0 && found.rise > most + margin) [out, into, most] = [i, found.into, found.rise];
    }
    if (out < 0) continue;
    for (const player of [out, into]) {
      flip(problem, state, player);
      until[player] = step + 1 + BARRED + random.integer(BARRED);
    }
    if (state.value > best.value + margin) best = copyOf(state);
  }
  return best;
}

/**
 * Forces each of `players` in turn to the other side, exchanges the rest around it, then lets it go: what it pays
 * to keep a player that is worth nothing without its partners. Returns the best set met, `start` itself at least.
 */
export function forceEach(problem: Problem, start: State, players: readonly number[]): State {
  const { margin } = problem;
  const fixed = new Uint8Array(problem.players);
  let best = start;
  for (const player of players) {
    const state = copyOf(best);
    const entering = state.kept[player] === 0;
    fixed[player] = 1;
    const other = bestFlip(problem, state, entering, fixed);
    if (other >= 0) {
      flip(problem, state, player);
      flip(problem, state, other);
      exchange(problem, state, fixed);
    }
    fixed[player] = 0;
    if (other < 0) continue;
    exchange(problem, state);
    if (state.value > best.value + margin) best = state;
  }
  return best;
}

interface Partner {
  /** -1 = there is none. */
  readonly into: number;
  /** What the exchange adds to f̂. */
  readonly rise: number;
}

/** Finds the ablated player that is best exchanged for `out`, not among `barred`; `anyone` is the one of these with the largest gain. */
function createPartnerSearch(
  problem: Problem,
  state: State,
): (out: number, anyone: number, barred?: Uint8Array) => Partner {
  const { players: n, sets, termsOf, margin } = problem;
  const { kept, signed, gain } = state;
  const shared = new Float64Array(n); // 4 Σ c_S over the terms with `out`
  const isShared = new Uint8Array(n);
  return (out, anyone, barred) => {
    const touched: number[] = [];
    for (const s of termsOf[out]) {
      for (const other of sets[s]) {
        if (kept[other] === 1 || barred?.[other] === 1) continue;
        if (isShared[other] === 0) touched.push(other);
        isShared[other] = 1;
        shared[other] += 4 * signed[s];
      }
    }
    // Of all players that share no term with `out`, only the one with the largest gain can be its partner.
    let into = isShared[anyone] === 0 ? anyone : bestFlip(problem, state, false, isShared, barred);
    for (const other of touched)
      if (into < 0 || gain[other] + shared[other] > gain[into] + shared[into] + margin) into = other;
    const rise = into < 0 ? -Infinity : gain[out] + gain[into] + shared[into];
    for (const other of touched) {
      shared[other] = 0;
      isShared[other] = 0;
    }
    return { into, rise };
  };
}
