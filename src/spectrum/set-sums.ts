/**
 * Sums over subsets of sparse sets: out(T) = Σ_{S ⊇ T} weight(|S|, |T|) · value(S), for the T that occur.
 *
 * Every index of the Shapley family, Möbius and Fourier conversions have this one shape; they differ in the
 * weight. A term S touches its subsets of size <= order and no others, so nothing loops over the players'
 * powerset; the number of touches is counted first and refused when it is too large. Sums that cancel to
 * rounding level, 1e-12 of the largest contribution to any set of that size, are left out.
 */
import { fail } from '../errors.ts';
import type { Term } from './spectrum.ts';
import { membersOf } from './walsh-hadamard.ts';

const ROUNDING = 1e-12;
/** Up to here the sums live in an array over all 2^n sets. */
const DENSE_PLAYERS = 20;
/** Subsets one conversion may touch: a few seconds, and by key a few hundred MB. */
const MAX_TOUCHES = { dense: 2 ** 30, keyed: 2 ** 22 };

export interface SubsetSumOptions {
  readonly players: number;
  /** Largest |T| wanted; Infinity for all. */
  readonly order: number;
  /** weight(s, t) for s = |S|, t = |T| <= s; called once per pair. */
  readonly weight: (s: number, t: number) => number;
}

/**
 * The sums above as terms in no particular order; ∅ is always among them.
 * Cost: Σ_S Σ_{t <= order} C(|S|, t) additions.
 * @throws 'input' when that is more than 2^22 (n <= 20: 2^30); says how many, and which order would do.
 */
export function subsetSums(who: string, terms: readonly Term[], { players, order, weight }: SubsetSumOptions): Term[] {
  const perSize: number[] = []; // perSize[s] = terms of s players
  for (const { members } of terms) perSize[members.length] = (perSize[members.length] ?? 0) + 1;
  const highest = Math.max(0, perSize.length - 1);
  const top = Math.min(order, highest);
  const limit = players <= DENSE_PLAYERS ? MAX_TOUCHES.dense : MAX_TOUCHES.keyed;
  const touches = touchesUpTo(perSize, top);
  if (touches > limit) {
    let fits = top;
    while (fits > 1 && touchesUpTo(perSize, fits) > limit) fits--;
    const advice = order === Infinity ? '' : `, or ask for order ${fits}`;
    throw fail(
      'input',
      who,
      `${terms.length} terms of up to ${highest} players touch ${touches} subsets, more than ${limit}; keep fewer or smaller terms${advice}.`,
    );
  }

  const weights = Array.from({ length: highest + 1 }, (_, s) =>
    Array.from({ length: Math.min(s, top) + 1 }, (__, t) => weight(s, t)),
  );
  const scale = Array.from({ length: top + 1 }, () => 0); // largest |contribution| by size
  for (const { members, value } of terms) {
    weights[members.length].forEach((w, t) => (scale[t] = Math.max(scale[t], Math.abs(w * value))));
  }
  const sums =
    players <= DENSE_PLAYERS ? denseSums(terms, players, top, weights) : keyedSums(terms, players, top, weights);
  return sums.filter(
    ({ members, value }) => members.length === 0 || Math.abs(value) > ROUNDING * scale[members.length],
  );
}

function touchesUpTo(perSize: readonly number[], top: number): number {
  let touches = 0;
  perSize.forEach((count, s) => {
    let choose = 1;
    for (let t = 0; t <= Math.min(s, top); t++) {
      touches += count * choose;
      choose = (choose * (s - t)) / (t + 1);
    }
  });
  return touches;
}

type Weights = readonly (readonly number[])[];

/** Sums in an array indexed by set; a touched list keeps sparse inputs cheap. */
function denseSums(terms: readonly Term[], players: number, top: number, weights: Weights): Term[] {
  const sums = new Float64Array(2 ** players);
  const seen = new Uint8Array(2 ** players);
  const touched: number[] = [0];
  seen[0] = 1;
  for (const { members, value } of terms) {
    const bits = members.map((player) => 1 << player);
    const weight = weights[members.length];
    const visit = (set: number, from: number, size: number): void => {
      sums[set] += weight[size] * value;
      if (seen[set] === 0) {
        seen[set] = 1;
        touched.push(set);
      }
      if (size < top) for (let k = from; k < bits.length; k++) visit(set | bits[k], k + 1, size + 1);
    };
    visit(0, 0, 0);
  }
  return touched.map((set) => ({ members: membersOf(set), value: sums[set] }));
}

/** Sums by key: numbers in base n + 1 while they are exact integers, else strings. */
function keyedSums(terms: readonly Term[], players: number, top: number, weights: Weights): Term[] {
  const base = players + 1;
  return base ** top <= Number.MAX_SAFE_INTEGER
    ? sumsBy<number>(terms, top, weights, 0, (key, player) => key * base + player + 1)
    : sumsBy<string>(terms, top, weights, '', (key, player) => `${key},${player}`);
}

function sumsBy<K>(
  terms: readonly Term[],
  top: number,
  weights: Weights,
  root: K,
  extend: (key: K, player: number) => K,
): Term[] {
  const sums = new Map<K, { members: readonly number[]; value: number }>([[root, { members: [], value: 0 }]]);
  for (const { members, value } of terms) {
    const weight = weights[members.length];
    const chosen: number[] = [];
    const visit = (key: K, from: number): void => {
      let sum = sums.get(key);
      if (sum === undefined) sums.set(key, (sum = { members: chosen.slice(), value: 0 }));
      sum.value += weight[chosen.length] * value;
      if (chosen.length === top) return;
      for (let k = from; k < members.length; k++) {
        chosen.push(members[k]);
        visit(extend(key, members[k]), k + 1);
        chosen.pop();
      }
    };
    visit(root, 0);
  }
  return [...sums.values()];
}
