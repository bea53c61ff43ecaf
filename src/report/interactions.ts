/**
 * The spectrum's part of the record: which terms are kept, and what each interaction says in words.
 *
 * The Banzhaf interaction is BII(S) = (-2)^|S| F(S); for two players it is the mean over the others of
 * f(both) - f(a) - f(b) + f(neither), for more the same alternating difference: what keeping all of S gives
 * beyond the inclusion-exclusion sum of its smaller parts. Source: Grabisch, Roubens, An axiomatic approach
 * to the concept of interaction among players in cooperative games, 1999.
 */
import type { Player } from '../game.ts';
import { banzhafInteraction } from '../spectrum/indices.ts';
import { setKey, type FourierSpectrum } from '../spectrum/spectrum.ts';
import type { Evidence } from '../solver.ts';
import type { Result, ResultInteraction } from './result.ts';

/**
 * The largest `cap` terms (∅ always among them) with what is known of them, the count of the others, and the share of variance
 * that stays.
 */
export function capSpectrum(spectrum: FourierSpectrum, cap = 1000, known?: KnownTerms): Result['spectrum'] {
  const { terms, keep } = spectrum;
  const energy = (part: typeof terms): number =>
    part.reduce((sum, { members, value }) => sum + (members.length === 0 ? 0 : value ** 2), 0);
  let kept = terms.slice(0, cap);
  const empty = terms.find(({ members }) => members.length === 0);
  if (empty && !kept.includes(empty)) kept = [...kept.slice(0, Math.max(0, cap - 1)), empty];
  const total = energy(terms);
  return {
    basis: 'fourier',
    terms: kept.map(({ members, value }) => ({ members, value, ...knownOf(members, known) })),
    omitted: terms.length - kept.length,
    ...(keep === undefined ? {} : { keep: typeof keep === 'number' ? keep : [...keep] }),
    energyKept: total === 0 ? 1 : energy(kept) / total,
  };
}

/**
 * What is known of a spectrum's terms: standard errors of F(S), and the sets that are not told from noise, by setKey.
 */
export interface KnownTerms {
  readonly standardErrors: ReadonlyMap<string, number>;
  readonly belowNoise: ReadonlySet<string>;
}

/** A solution's evidence by setKey. */
export function knownTerms({ terms }: FourierSpectrum, evidence: Evidence | undefined): KnownTerms {
  const errors = evidence?.standardErrors;
  const pairs = errors === undefined ? [] : terms.map(({ members }, k) => [setKey(members), errors[k]] as const);
  return {
    standardErrors: new Map(pairs.filter(([, error]) => Number.isFinite(error))),
    belowNoise: new Set((evidence?.belowNoise ?? []).map(setKey)),
  };
}

function knownOf(
  members: readonly number[],
  known: KnownTerms | undefined,
): Pick<Result['spectrum']['terms'][number], 'standardError' | 'belowNoise'> {
  const error = known?.standardErrors.get(setKey(members));
  return {
    ...(error === undefined ? {} : { standardError: error }),
    ...(known?.belowNoise.has(setKey(members)) === true ? { belowNoise: true } : {}),
  };
}

/** Standard errors of the Banzhaf values, by player; undefined where the solver has none. */
export function standardErrorsOf(spectrum: FourierSpectrum, known: KnownTerms): (number | undefined)[] {
  return Array.from({ length: spectrum.players }, (_, player) => {
    const error = known.standardErrors.get(setKey([player]));
    return error === undefined ? undefined : Math.abs(banzhafInteraction(spectrum, [player], 1)) * error;
  });
}

/**
 * The `count` interactions of two players or more with the largest |F(S)|, that is shares of the variance, named and read; what is
 * below the noise is not listed.
 */
export function listInteractions(
  spectrum: FourierSpectrum,
  players: readonly Player[],
  values: Result['values'],
  known?: KnownTerms,
  count = 20,
): ResultInteraction[] {
  return spectrum.terms
    .filter(
      ({ members, value }) => members.length >= 2 && value !== 0 && known?.belowNoise.has(setKey(members)) !== true,
    )
    .slice(0, count)
    .map(({ members, value: fourier }) => {
      const unit = banzhafInteraction(spectrum, members, 1);
      const value = unit * fourier;
      const error = known?.standardErrors.get(setKey(members));
      const helps = members.map((player) => values[player].banzhaf > 0);
      return {
        members,
        names: members.map((player) => players[player].name),
        fourier,
        value,
        meaning: meaningOf(value, helps),
        ...(error === undefined ? {} : { standardError: Math.abs(unit) * error }),
      };
    });
}

/**
 * What the sign of a Banzhaf interaction says. Two players that both help when kept: `synergy` (more together
 * than the sum) or `redundancy` (less). Otherwise the words would mislead, and it is only `above` or `below`
 * what the smaller parts give.
 */
export function meaningOf(value: number, helps: readonly boolean[]): ResultInteraction['meaning'] {
  if (helps.length === 2 && helps[0] && helps[1]) return value > 0 ? 'synergy' : 'redundancy';
  return value > 0 ? 'above' : 'below';
}
