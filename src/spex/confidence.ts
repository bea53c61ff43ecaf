/**
 * How far each term can be trusted, from what the whole answer leaves in the bins.
 *
 * The C·R entries that a term touches are C·R measurements of its value (ρ = Σ sig·U / CR), each with the
 * residual left in those bins as its noise: standard error = sqrt(Σ_c ||residual_c||² / CR) / sqrt(CR).
 * A decoder that tried T words picks the luckiest of T, so a term counts as noise below
 * sqrt(2 ln T) standard errors, the size of the largest of T null scores.
 */
import { candidateOf, energy } from './bins.ts';
import { residualBins } from './least-squares.ts';
import type { Bins } from './transform.ts';

export interface TermConfidence {
  readonly members: readonly number[];
  /** In the units of the bins. */
  readonly value: number;
  readonly standardError: number;
  /** |value| is under the noise level times its standard error. */
  readonly belowNoise: boolean;
}

/** sqrt(2 ln T) for the words that decoding every bin once tries, T = C·2^b·(1 + D(D+1)/2). */
export function noiseLevel(bins: Bins, depth = 2 * bins.draw.plan.t): number {
  const words = (bins.columns.length / bins.delays) * (1 + (depth * (depth + 1)) / 2);
  return Math.sqrt(2 * Math.log(words));
}

/** Standard error and noise mark of every term, given all of them. O(k·C·R). */
export function confidenceOf(
  bins: Bins,
  terms: readonly { readonly members: readonly number[]; readonly value: number }[],
  level: number,
): TermConfidence[] {
  const candidates = terms.map(({ members }) => candidateOf(bins, members));
  const rest = residualBins(
    bins,
    candidates,
    terms.map(({ value }) => value),
  );
  const entries = bins.draw.plan.groups * bins.delays;
  return terms.map(({ members, value }, a) => {
    const left = candidates[a].bins.reduce((sum, bin) => sum + energy(rest, bin), 0);
    const standardError = Math.sqrt(left) / entries;
    return { members, value, standardError, belowNoise: Math.abs(value) < level * standardError };
  });
}

/** 1 - ||residual||²/||U||² over all bins: the share of the samples' variance that the terms explain; 1 for bins of zeros. */
export function explainedShare(
  bins: Bins,
  terms: readonly { readonly members: readonly number[]; readonly value: number }[],
): number {
  const rest = residualBins(
    bins,
    terms.map(({ members }) => candidateOf(bins, members)),
    terms.map(({ value }) => value),
  );
  let left = 0;
  let total = 0;
  for (let e = 0; e < bins.columns.length; e++) {
    left += rest.columns[e] ** 2;
    total += bins.columns[e] ** 2;
  }
  return total === 0 ? 1 : 1 - left / total;
}
