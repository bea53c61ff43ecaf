/**
 * Which terms of a spectrum to keep: the energy rule and top-k of ProxySPEX.
 *
 * Kept: ∅ and the smallest set of largest terms that holds a share of the energy Σ_{S≠∅} F(S)², at
 * most `cap` of them. Ties are cut in canonical order, so the answer is one. No energy: ∅ alone.
 */
import { fail } from '../errors.ts';
import type { Term } from '../spectrum/spectrum.ts';
import { energyOf, largestTerms, type SparsePolynomial } from './sparse-polynomial.ts';

export interface SparsifyOptions {
  /** Share of the energy to hold, default 0.95, as in the paper; 1 keeps the `cap` largest. */
  readonly energy?: number | undefined;
  /** Terms besides ∅ at most, default 200 (the paper: about 200 suffice). */
  readonly cap?: number | undefined;
}

/** The terms kept, ∅ first, then largest first. @throws on an energy outside (0, 1] or a cap below 0. */
export function sparsify(polynomial: SparsePolynomial, options: SparsifyOptions = {}): Term[] {
  const { energy = 0.95, cap = 200 } = options;
  if (!(energy > 0 && energy <= 1)) throw fail('input', 'sparsify', `an energy share of ${energy}; a number in (0, 1] is needed.`);
  if (!Number.isInteger(cap) || cap < 0) throw fail('input', 'sparsify', `a cap of ${cap} terms; a whole number >= 0 is needed.`);
  const largest = largestTerms(polynomial, Math.min(cap, polynomial.size));
  const kept = energyPrefix(largest.map((term) => term.value), energyOf(polynomial), energy);
  return [{ members: [], value: polynomial.values[0] }, ...largest.slice(0, kept)];
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
