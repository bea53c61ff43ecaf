/**
 * Which terms of a spectrum to keep: the energy rule and top-k of ProxySPEX.
 *
 * Kept: ∅ and the smallest set of largest terms that holds a share of the energy Σ_{S≠∅} F(S)², at
 * most `cap` of them. Ties are cut in canonical order, so the answer is one. No energy: ∅ alone.
 */
import { fail } from '../errors.ts';
import { setKey, type Term } from '../spectrum/spectrum.ts';
import { energyOf, largestTerms, type SparsePolynomial } from './parities/sparse-polynomial.ts';

export interface SparsifyOptions {
  /** Share of the energy to hold, default 0.95, as in the paper; 1 keeps the `cap` largest. */
  readonly energy?: number | undefined;
  /** Terms besides ∅ at most, default 200 (the paper: about 200 suffice). */
  readonly cap?: number | undefined;
}

/** The terms kept, ∅ first, then largest first. @throws on an energy outside (0, 1] or a cap below 0. */
export function sparsify(polynomial: SparsePolynomial, options: SparsifyOptions = {}): Term[] {
  const { energy = 0.95, cap = 200 } = options;
  if (!(energy > 0 && energy <= 1))
    throw fail('input', 'sparsify', `an energy share of ${energy}; a number in (0, 1] is needed.`);
  if (!Number.isInteger(cap) || cap < 0)
    throw fail('input', 'sparsify', `a cap of ${cap} terms; a whole number >= 0 is needed.`);
  const largest = largestTerms(polynomial, Math.min(cap, polynomial.size));
  const kept = energyPrefix(
    largest.map((term) => term.value),
    energyOf(polynomial),
    energy,
  );
  return [{ members: [], value: polynomial.values[0] }, ...largest.slice(0, kept)];
}

/** Sets that a closure may have: a set of d players has 2^d subsets. */
const MOST_CLOSED = 5000;

/**
 * The terms and, for every subset of their sets that is missing, a term of it with its value in the polynomial (0 where
 * it has none): a hierarchy without gaps, as interaction indices like to have it. The given terms come first, then the
 * added ones, smaller sets first.
 * @throws 'input' when that makes more than MOST_CLOSED terms.
 */
export function closeDownwards(terms: readonly Term[], polynomial: SparsePolynomial): Term[] {
  const missing = missingSubsets(terms);
  if (missing === undefined)
    throw fail(
      'input',
      'closure',
      `${terms.length} terms have more than ${MOST_CLOSED} subsets; lower the cap or maxDepth, or leave the hierarchy open.`,
    );
  return withTerms(terms, missing, polynomial);
}

/** The same of as many of the leading terms as have no more than MOST_CLOSED subsets: all, or a half, or a quarter of them, and so on. */
export function closeLargest(terms: readonly Term[], polynomial: SparsePolynomial): Term[] {
  for (let count = terms.length; ; count >>= 1) {
    const largest = terms.slice(0, count);
    const missing = missingSubsets(largest);
    if (missing !== undefined) return withTerms(largest, missing, polynomial);
  }
}

/** The subsets of the sets of `terms` that are not among them; undefined where there are more than MOST_CLOSED in all. */
function missingSubsets(terms: readonly Term[]): number[][] | undefined {
  const known = new Set(terms.map(({ members }) => setKey(members)));
  const added: number[][] = [];
  const queue = terms.map(({ members }) => members);
  for (let at = 0; at < queue.length; at++) {
    for (const player of queue[at]) {
      const smaller = queue[at].filter((other) => other !== player);
      const key = setKey(smaller);
      if (known.has(key)) continue;
      known.add(key);
      added.push(smaller);
      queue.push(smaller);
      if (queue.length > MOST_CLOSED) return undefined;
    }
  }
  return added;
}

function withTerms(terms: readonly Term[], added: number[][], polynomial: SparsePolynomial): Term[] {
  if (added.length === 0) return [...terms];
  const wanted = new Set(added.map(setKey));
  const values = new Map<string, number>();
  for (let term = 0; term < polynomial.size; term++) {
    const key = setKey(polynomial.members(term));
    if (wanted.has(key)) values.set(key, polynomial.values[term]);
  }
  return [
    ...terms,
    ...added
      .sort((a, b) => a.length - b.length)
      .map((members) => ({ members, value: values.get(setKey(members)) ?? 0 })),
  ];
}

/**
 * How many of the leading values (largest magnitude first) hold `share` of `total` energy; all of them if none do.
 * A shortfall within rounding (1e-12 of the total) counts as reached.
 */
export function energyPrefix(values: readonly number[], total: number, share: number): number {
  const wanted = share * total - 1e-12 * total;
  let held = 0;
  for (let k = 0; k < values.length; k++) {
    if (held >= wanted) return k;
    held += values[k] ** 2;
  }
  return values.length;
}
