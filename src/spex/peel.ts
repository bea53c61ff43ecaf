/**
 * Peeling: decode the bins that hold one dominant term, take those terms out everywhere, repeat.
 *
 * A round decodes every active bin, pools what the bins propose for the same set, and subtracts each set
 * from its bin in every group, which lays bare what was hidden under it. Source: SPEX (arXiv 2502.13870),
 * section 3 and algorithm 1. Two deviations, both against false terms:
 * - proposals of one round are averaged with weights 1 / residual energy, so that a clean bin outvotes
 *   a crowded one (noise free, the clean bin is exact);
 * - a set is taken out only if that makes the bins of ALL groups likelier together: with a free variance
 *   per bin the log likelihood gains -R/2 · Σ_c log(||U_c - ρ sig||² / ||U_c||²), which must be positive.
 *   A false set lowers the energy of the one bin that proposed it and raises that of the others.
 */
import { setKey } from '../spectrum/spectrum.ts';
import { candidateOf, correlation, energy, subtract, type Candidate } from './bins.ts';
import type { Decoder } from './decode.ts';
import { binOf } from './sample.ts';
import type { Bins } from './transform.ts';

export interface PeelOptions {
  /** 'soft' tries the least reliable bits both ways (Chase), 'hard' the signs as they are. Default 'soft'. */
  readonly decoding?: 'soft' | 'hard' | undefined;
  /** η: a bin is a singleton if the residual energy is below this share of its energy. Default 0.9. */
  readonly eta?: number | undefined;
  /** Default 100. */
  readonly maxRounds?: number | undefined;
  /** Rounds without a new set before giving up. Default 15. */
  readonly patience?: number | undefined;
  /** Magnitude at or below which an entry of a bin is rounding error. Default 1e-11 (for standardised bins). */
  readonly zero?: number | undefined;
}

export interface PeeledTerm {
  readonly members: readonly number[];
  readonly value: number;
  /** Distinct bins, over all groups and rounds, that proposed the set. */
  readonly seen: number;
}

export interface Peeling {
  readonly terms: readonly PeeledTerm[];
  readonly rounds: number;
  /** Bins whose energy is not zero at the end. */
  readonly unexplainedBins: number;
  /** Share of ||U||² over all bins that the terms explain. */
  readonly explained: number;
}

interface Proposal {
  readonly candidate: Candidate;
  readonly bin: number;
  readonly value: number;
  readonly residual: number;
}

/** The terms of (standardised) bins; the argument is left as it is. `onRound` hears the terms known after each round. */
export function peel(
  bins: Bins,
  decoder: Decoder,
  options: PeelOptions = {},
  onRound?: (round: number, terms: number) => void,
): Peeling {
  const { decoding = 'soft', eta = 0.9, maxRounds = 100, patience = 15, zero = 1e-11 } = options;
  const { delays } = bins;
  const rest: Bins = { ...bins, columns: bins.columns.slice() };
  const count = bins.columns.length / delays;
  const nothing = delays * zero * zero;
  const active = new Uint8Array(count).fill(1);
  const terms = new Map<string, { readonly candidate: Candidate; value: number; readonly seen: Set<number> }>();
  let rounds = 0;
  let stale = 0;
  while (rounds < maxRounds && stale < patience) {
    const proposed = new Map<string, Proposal[]>();
    for (let bin = 0; bin < count; bin++) {
      if (!active[bin]) continue;
      const proposal = propose(rest, bin, decoder, decoding, eta, nothing);
      if (proposal === undefined) {
        active[bin] = 0;
        continue;
      }
      const key = setKey(proposal.candidate.members);
      const others = proposed.get(key);
      if (others) others.push(proposal);
      else proposed.set(key, [proposal]);
    }
    rounds++;
    let peeled = 0;
    let fresh = 0;
    for (const { key, candidate, value, from } of pooled(proposed, nothing)) {
      if (likelihoodGain(rest, candidate, value, nothing) <= 0) continue;
      for (const bin of candidate.bins) {
        subtract(rest, bin, candidate.parity, value);
        active[bin] = 1;
      }
      peeled++;
      let term = terms.get(key);
      if (term === undefined) {
        terms.set(key, (term = { candidate, value: 0, seen: new Set() }));
        fresh++;
      }
      term.value += value;
      for (const bin of from) term.seen.add(bin);
    }
    stale = fresh > 0 ? 0 : stale + 1;
    onRound?.(rounds, terms.size);
    if (peeled === 0) break;
  }
  let unexplainedBins = 0;
  let left = 0;
  let total = 0;
  for (let bin = 0; bin < count; bin++) {
    const after = energy(rest, bin);
    if (after > nothing) unexplainedBins++;
    left += after;
    total += energy(bins, bin);
  }
  const found = [...terms.values()]
    .filter(({ value }) => Math.abs(value) > zero)
    .map(({ candidate, value, seen }) => ({ members: candidate.members, value, seen: seen.size }));
  return { terms: found, rounds, unexplainedBins, explained: total === 0 ? 1 : 1 - left / total };
}

/** The best set that passes the singleton test in one bin; undefined when the bin is empty or crowded. */
function propose(
  bins: Bins,
  bin: number,
  decoder: Decoder,
  decoding: 'soft' | 'hard',
  eta: number,
  nothing: number,
): Proposal | undefined {
  const { delays, columns, draw } = bins;
  const total = energy(bins, bin);
  if (total <= nothing) return undefined;
  const c = bin >>> draw.plan.b;
  const address = bin - (c << draw.plan.b);
  const column = columns.subarray(bin * delays, (bin + 1) * delays);
  let best: Proposal | undefined;
  const consider = (members: readonly number[]): void => {
    if (binOf(draw.groups[c], members) !== address) return; // no false decode passes without its bin
    const candidate = candidateOf(bins, members);
    const sum = correlation(bins, bin, candidate.parity);
    const residual = Math.max(0, total - (sum * sum) / delays);
    if (residual < eta * total && (best === undefined || residual < best.residual))
      best = { candidate, bin, value: sum / delays, residual };
  };
  const members = decoder.hard(column);
  if (members) consider(members);
  if (best === undefined && decoding === 'soft') decoder.chase(column).forEach(consider);
  return best;
}

/** One value per proposed set, largest first: the mean of its proposals weighted by 1 / residual energy. */
function pooled(
  proposed: ReadonlyMap<string, readonly Proposal[]>,
  nothing: number,
): { key: string; candidate: Candidate; value: number; from: number[] }[] {
  return [...proposed]
    .map(([key, list]) => {
      let weights = 0;
      let sum = 0;
      for (const { value, residual } of list) {
        const weight = 1 / Math.max(residual, nothing);
        weights += weight;
        sum += weight * value;
      }
      return { key, candidate: list[0].candidate, value: sum / weights, from: list.map(({ bin }) => bin) };
    })
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || (a.key < b.key ? -1 : 1));
}

/** -Σ_c log(||U_c - value·sig||² / ||U_c||²), energies floored at what counts as nothing. */
function likelihoodGain(bins: Bins, candidate: Candidate, value: number, nothing: number): number {
  const { delays } = bins;
  let gain = 0;
  for (const bin of candidate.bins) {
    const before = energy(bins, bin);
    const after = before - 2 * value * correlation(bins, bin, candidate.parity) + delays * value * value;
    gain += Math.log(Math.max(before, nothing) / Math.max(after, nothing));
  }
  return gain;
}
