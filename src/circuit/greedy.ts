/**
 * Sets of every size on sparse terms when 2^n masks are out of reach: a beam up, a beam down, exchanges.
 *
 * State: a mask, every term's signed value c_S = F(S) χ_S(mask), and for every player the change of f̂ when it
 * flips, gain_i = -2 Σ_{S∋i} c_S; a flip touches only the terms of that player. One beam adds players from ∅
 * (it sees what few players do together), one removes them from all (it sees what is redundant). The best set
 * of each size is then improved by exchanges, one in and one out, and carried to its neighbouring sizes
 * while that betters any. Deterministic; optimal in no stated sense, but see the test against enumeration.
 */
import { emptyCoalitions, keep, type Coalitions } from '../coalitions.ts';
import { createRandom } from '../random.ts';
import type { FourierSpectrum } from '../spectrum/spectrum.ts';
import type { Selector } from './selector.ts';

/** Widest beam; narrower where a pass would exceed WORK steps. */
const WIDTH = 64;
const WORK = 5e7;
/** Sweeps of exchanges over all sizes, at most. */
const SWEEPS = 10;

/** Beams and exchanges on the sparse terms: two passes of n x width x (n + terms) steps, then sweeps over the wanted sizes. */
export const greedySelector: Selector = {
  name: 'greedy',
  optimal: false,
  select({ spectrum, sizes, direction }) {
    const n = spectrum.players;
    const problem = createProblem(spectrum, direction);
    const best: State[] = []; // by row
    const offer = (row: number, state: State): boolean => {
      if (best[row] !== undefined && state.value <= best[row].value + problem.margin) return false;
      best[row] = copyOf(state);
      return true;
    };
    const rowOf = new Map(sizes.map((size, row) => [size, row]));
    for (const adding of [true, false]) {
      const steps = adding ? Math.max(0, ...sizes) : n - Math.min(n, ...sizes);
      runBeam(problem, adding, steps, (state) => {
        const row = rowOf.get(state.size);
        if (row !== undefined) offer(row, state);
      });
    }
    let better = true;
    for (let sweep = 0; sweep < SWEEPS && better; sweep++) {
      better = false;
      const order = sizes.map((_, k) => (sweep % 2 === 0 ? k : sizes.length - 1 - k));
      let state = emptyState(problem);
      for (const row of order) {
        for (const start of sweep === 0 ? [state, best[row]] : [state]) {
          const next = copyOf(start);
          while (next.size !== sizes[row]) flip(problem, next, bestFlip(problem, next, next.size > sizes[row]));
          exchange(problem, next);
          if (offer(row, next)) better = true;
        }
        state = best[row];
      }
    }
    const masks = emptyCoalitions(n, sizes.length);
    best.forEach(({ kept }, row) => writeRow(masks, row, kept));
    return masks;
  },
};

interface Problem {
  readonly players: number;
  readonly sets: readonly (readonly number[])[];
  /** direction · F(S). */
  readonly coefficients: Float64Array;
  /** Player -> the terms it is in. */
  readonly termsOf: readonly (readonly number[])[];
  /** Differences of f̂ below it are rounding. */
  readonly margin: number;
}

interface State {
  /** n bytes, 1 = kept. */
  readonly kept: Uint8Array;
  readonly signed: Float64Array; // c_S
  readonly gain: Float64Array;
  size: number;
  /** direction · (f̂(mask) - F(∅)). */
  value: number;
}

function createProblem({ players, terms }: FourierSpectrum, direction: 1 | -1): Problem {
  const used = terms.filter(({ members }) => members.length > 0);
  const termsOf: number[][] = Array.from({ length: players }, () => []);
  used.forEach(({ members }, s) => members.forEach((player) => termsOf[player].push(s)));
  const coefficients = Float64Array.from(used, ({ value }) => direction * value);
  const margin = 1e-12 * coefficients.reduce((sum, value) => sum + Math.abs(value), 0);
  return { players, sets: used.map(({ members }) => members), coefficients, termsOf, margin };
}

/** Everything ablated. */
function emptyState({ players, sets, coefficients }: Problem): State {
  const gain = new Float64Array(players);
  let value = 0;
  sets.forEach((members, s) => {
    value += coefficients[s];
    for (const player of members) gain[player] -= 2 * coefficients[s];
  });
  return { kept: new Uint8Array(players), signed: coefficients.slice(), gain, size: 0, value };
}

function copyOf({ kept, signed, gain, size, value }: State): State {
  return { kept: kept.slice(), signed: signed.slice(), gain: gain.slice(), size, value };
}

function flip({ sets, termsOf }: Problem, state: State, player: number): void {
  const { kept, signed, gain } = state;
  state.value += gain[player];
  kept[player] ^= 1;
  state.size += kept[player] === 1 ? 1 : -1;
  for (const s of termsOf[player]) {
    for (const other of sets[s]) gain[other] += 4 * signed[s];
    signed[s] = -signed[s];
  }
}

/** The player among the kept (or the others) whose flip raises f̂ most; ties go to the lowest. -1 = there is none. */
function bestFlip({ players, margin }: Problem, { kept, gain }: State, among: boolean, excluded?: Uint8Array): number {
  const wanted = among ? 1 : 0;
  let player = -1;
  for (let i = 0; i < players; i++) {
    if (kept[i] === wanted && excluded?.[i] !== 1 && (player < 0 || gain[i] > gain[player] + margin)) player = i;
  }
  return player;
}

/** Visits the best state of every size on the way from ∅ up (adding) or from all down. */
function runBeam(problem: Problem, adding: boolean, steps: number, visit: (state: State) => void): void {
  const { players: n, sets } = problem;
  const width = Math.max(1, Math.min(WIDTH, Math.floor(WORK / (n * (n + sets.length) + 1))));
  const random = createRandom(0, 'set names');
  const names = Uint32Array.from({ length: n }, () => random.bits()); // a set's name: xor over its players
  const start = emptyState(problem);
  if (!adding) for (let i = 0; i < n; i++) flip(problem, start, i);
  let beam = [{ state: start, name: 0 }];
  visit(start);
  for (let step = 0; step < steps; step++) {
    // The `width` best distinct children of all states, best first.
    const children: { parent: State; player: number; value: number; name: number }[] = [];
    for (const { state, name: parentName } of beam) {
      for (let i = 0; i < n; i++) {
        if ((state.kept[i] === 1) === adding) continue;
        const value = state.value + state.gain[i];
        if (children.length === width && value <= children[width - 1].value) continue;
        const name = (parentName ^ names[i]) >>> 0;
        if (children.some((child) => child.name === name)) continue;
        let at = children.length;
        while (at > 0 && children[at - 1].value < value) at--;
        children.splice(at, 0, { parent: state, player: i, value, name });
        if (children.length > width) children.pop();
      }
    }
    beam = children.map(({ parent, player, name }) => {
      const state = copyOf(parent);
      flip(problem, state, player);
      return { state, name };
    });
    visit(beam[0].state);
  }
}

/**
 * Exchanges kept players for others while that raises f̂, in place: each kept player in turn against its best
 * partner, again and again until a whole turn changes nothing.
 * Flipping i and j changes f̂ by gain_i + gain_j + 4 Σ_{S∋i,j} c_S: the terms of both flip twice.
 */
function exchange(problem: Problem, state: State): void {
  const { players: n, sets, termsOf, margin } = problem;
  const { kept, signed, gain } = state;
  const shared = new Float64Array(n); // 4 Σ c_S over the terms with `out`
  const isShared = new Uint8Array(n);
  let anyone = bestFlip(problem, state, false);
  // Every exchange raises f̂ by more than rounding, so this ends; the bound only guards the arithmetic.
  for (let turn = 0, changed = anyone >= 0; changed && turn < 4 * n; turn++) {
    changed = false;
    for (let out = 0; out < n; out++) {
      if (kept[out] === 0) continue;
      const touched: number[] = [];
      for (const s of termsOf[out]) {
        for (const other of sets[s]) {
          if (kept[other] === 1) continue;
          if (isShared[other] === 0) touched.push(other);
          isShared[other] = 1;
          shared[other] += 4 * signed[s];
        }
      }
      // Of all players that share no term with `out`, only the one with the largest gain can be its partner.
      let into = isShared[anyone] === 0 ? anyone : bestFlip(problem, state, false, isShared);
      for (const other of touched) if (into < 0 || gain[other] + shared[other] > gain[into] + shared[into] + margin) into = other;
      const rise = gain[out] + gain[into] + shared[into];
      for (const other of touched) {
        shared[other] = 0;
        isShared[other] = 0;
      }
      if (rise <= margin) continue;
      flip(problem, state, out);
      flip(problem, state, into);
      anyone = bestFlip(problem, state, false);
      changed = true;
    }
  }
}

function writeRow(masks: Coalitions, row: number, kept: Uint8Array): void {
  kept.forEach((bit, player) => {
    if (bit === 1) keep(masks, row, player);
  });
}
