/**
 * Sets of every size on sparse terms when 2^n masks are out of reach: a beam up, a beam down, exchanges.
 *
 * One beam adds players from ∅ (it sees what few players do together), one removes them from all (it sees what
 * is redundant). The best set of each size is then improved by exchanges, one in and one out, and carried to its
 * neighbouring sizes while that betters any; forcing single players and a tabu search leave the local optima. Deterministic;
 * optimal in no stated sense, but see the tests against enumeration and the integer program.
 */
import { emptyMasks, keep, type Masks } from '../masks.ts';
import { createRandom } from '../random.ts';
import { exchange, forceEach, tabuSearch } from './exchange.ts';
import {
  bestFlip,
  copyInto,
  copyOf,
  createProblem,
  emptyState,
  flip,
  type Problem,
  type State,
} from './search-state.ts';
import type { Selector } from './selector.ts';

/** Widest beam; narrower where a pass would exceed WORK steps. */
const WIDTH = 64;
const WORK = 5e7;
/** Sweeps of exchanges over all sizes, at most. */
const SWEEPS = 10;
/** Exchanges of the tabu search from each size's best set; fewer where all sizes together would exceed WORK. */
const STEPS = 2000;
/** Rounds of exchanges that forcing one player takes, about. */
const FORCING = 10;
/** Largest terms that the search sees: a dense spectrum's tail costs time and moves no set by much. */
const MOST_TERMS = 2000;
/** Players up to which every size is worked on, whatever is asked: a set often comes from its neighbouring sizes. */
const ALL_SIZES = 256;

/** Beams and exchanges on the sparse terms: two passes of n x width x (n + terms) steps, then sweeps over the sizes. */
export const greedySelector: Selector = {
  name: 'greedy',
  optimal: false,
  select({ spectrum, sizes: wanted, direction }) {
    const n = spectrum.players;
    const sizes = n <= ALL_SIZES ? Array.from({ length: n + 1 }, (_, k) => k) : wanted;
    const problem = createProblem({ ...spectrum, terms: spectrum.terms.slice(0, MOST_TERMS) }, direction);
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
    sweepSizes(problem, sizes, best, offer);
    const improve = createImprover(problem, sizes.length);
    if (best.filter((state, row) => offer(row, improve(state))).length > 0) sweepSizes(problem, sizes, best, offer);
    const masks = emptyMasks(n, wanted.length);
    wanted.forEach((size, row) => writeRow(masks, row, best[rowOf.get(size) as number].kept));
    return masks;
  },
};

/** Leaves a local optimum: the weightiest players forced one by one, and tabu; as far as all sizes fit into WORK. */
function createImprover(problem: Problem, sizes: number): (state: State) => State {
  const { players: n, sets, termsOf, coefficients } = problem;
  const cost = n + sets.reduce((sum, set) => sum + set.length ** 2, 0); // of one round of exchanges
  const weight = termsOf.map((terms) => terms.reduce((sum, s) => sum + Math.abs(coefficients[s]), 0));
  const heaviest = weight
    .map((_, player) => player)
    .sort((a, b) => weight[b] - weight[a] || a - b)
    .slice(0, Math.floor(WORK / (FORCING * sizes * cost + 1)));
  const steps = Math.min(STEPS, Math.floor(WORK / (sizes * cost + 1)));
  return (state) => tabuSearch(problem, forceEach(problem, state, heaviest), steps);
}

/** Carries every size's best set to the next size and exchanges there, up and down the sizes until nothing gets better. */
function sweepSizes(
  problem: Problem,
  sizes: readonly number[],
  best: readonly State[],
  offer: (row: number, state: State) => boolean,
): void {
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
  let spare: State[] = []; // written over: a beam makes and drops thousands of states
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
    const next = children.map(({ parent, player, name }) => {
      const free = spare.pop();
      const state = free === undefined ? copyOf(parent) : copyInto(parent, free);
      flip(problem, state, player);
      return { state, name };
    });
    spare = [...spare, ...beam.map(({ state }) => state)];
    beam = next;
    visit(beam[0].state);
  }
}

function writeRow(masks: Masks, row: number, kept: Uint8Array): void {
  kept.forEach((bit, player) => {
    if (bit === 1) keep(masks, row, player);
  });
}
