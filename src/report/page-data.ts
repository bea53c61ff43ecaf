/**
 * What the script of a page works with: the part of a record that its figures are drawn from, the spectrum, the sets that were
 * measured, and what heads attend to.
 *
 * Numbers have six significant digits; result.json has them all. Bounded, so that a page of thousands of players opens at once.
 */
import type { Entries } from '../ledger.ts';
import { maskHex, masksFromMembers } from '../masks.ts';
import { createSpectrum } from '../spectrum/spectrum.ts';
import { circuitHeads } from './attention-table.ts';
import type { Drawn } from './drawn.ts';
import { listInteractions } from './interactions.ts';
import type { Result, ResultInteraction } from './result.ts';
import { isAnswer, isCircuit, showsCircuit } from './wording.ts';

/** More players than these are listed, but cannot be asked. */
export const MOST_ASKED = 4096;
/** Hex digits of measured masks. */
const MOST_DIGITS = 2 ** 18;

/** One size of the faithfulness curve. */
export interface SizePoint {
  readonly size: number;
  readonly players: readonly number[];
  readonly kept: number;
  readonly removed: number;
}

/** An interaction without its players' names, which the script knows. */
export type Unnamed = Omit<ResultInteraction, 'names'>;

export interface PageData extends Omit<Drawn, 'interactions'> {
  /** Ranked as the record lists them. */
  readonly interactions: readonly Unnamed[];
  /** The others of the spectrum, by share of the variance; those below the noise are marked. */
  readonly more: readonly Unnamed[];
  readonly spectrum: Pick<Result['spectrum'], 'terms' | 'omitted' | 'energyKept'> & {
    readonly keep?: number | readonly number[];
  };
  readonly exact: boolean;
  readonly clean: number;
  readonly ablated: number;
  /** The measured sets, by increasing size; none where no circuit is shown. */
  readonly sizes: readonly SizePoint[];
  /** Measured masks, in hex, and what they are worth. */
  readonly measured: Readonly<Record<string, number>>;
  /** Those that heads are shown on. */
  readonly prompts: readonly {
    readonly number: number;
    readonly tokens: readonly string[];
    readonly correct?: string | undefined;
    readonly incorrect?: string | undefined;
  }[];
  readonly attention: NonNullable<Result['attention']>;
  /** Names of the heads that belong to the circuit. */
  readonly circuitHeads: readonly string[];
}

/** The data of a record's page; undefined where it has too many players. `measured`: what else was measured of its game. */
export function pageData(result: Result, measured: Iterable<Entries> = []): PageData | undefined {
  const { players, spectrum, circuit, task, values } = result;
  if (players.length > MOST_ASKED) return undefined;
  const attention = result.attention ?? [];
  const shown = new Set(attention.map(({ prompt }) => prompt));
  const answer = isAnswer(result);
  return {
    task: { metric: task.metric, units: task.units, players: task.players },
    players: players.map(({ name, layer, place }) => ({
      name,
      ...(layer === undefined ? {} : { layer }),
      ...(place?.kind === 'head' || place?.kind === 'span' ? { place } : {}),
    })),
    values: values.map(({ banzhaf, shapley, standardError }) => ({
      banzhaf: short(banzhaf),
      shapley: short(shapley),
      ...(standardError === undefined ? {} : { standardError: short(standardError) }),
    })),
    interactions: answer ? result.interactions.map(shortened) : [],
    more: answer ? others(result).map(shortened) : [],
    ...(circuit === undefined ? {} : { circuit: { chosen: { players: circuit.chosen.players } } }),
    spectrum: {
      terms: answer ? spectrum.terms.map(({ members, value }) => ({ members, value: short(value) })) : [],
      omitted: spectrum.omitted,
      energyKept: spectrum.energyKept,
      ...(spectrum.keep === undefined ? {} : { keep: spectrum.keep }),
    },
    energy: { total: short(result.energy.total) },
    exact: result.solver.exact,
    clean: short(result.clean),
    ablated: short(result.ablated),
    sizes: circuit !== undefined && isCircuit(circuit) && showsCircuit(result) ? circuit.curve.map(pointOf) : [],
    measured: measuredOf(result, measured),
    prompts: task.prompts.flatMap(({ tokens, correct, incorrect }, k) =>
      shown.has(k) ? [{ number: k, tokens, correct, incorrect }] : [],
    ),
    attention,
    circuitHeads: [...circuitHeads(result)],
  };
}

function pointOf({ size, players, kept, removed }: NonNullable<Result['circuit']>['curve'][number]): SizePoint {
  return { size, players, kept: short(kept.faithfulness), removed: short(removed.faithfulness) };
}

/** The interactions of the spectrum that the record does not list by name. */
function others({ spectrum, players, values, interactions }: Result): ResultInteraction[] {
  const listed = new Set(interactions.map(({ members }) => members.join()));
  const whole = createSpectrum('fourier', players.length, spectrum.terms, spectrum.keep);
  const noise = new Set(spectrum.terms.flatMap((term) => (term.belowNoise === true ? [term.members.join()] : [])));
  const standardErrors = new Map(
    spectrum.terms.flatMap(({ members, standardError }) =>
      standardError === undefined ? [] : [[members.join(), standardError] as const],
    ),
  );
  return listInteractions(whole, players, values, { standardErrors, belowNoise: new Set() }, Infinity)
    .filter(({ members }) => !listed.has(members.join()))
    .map((each) => (noise.has(each.members.join()) ? { ...each, belowNoise: true as const } : each));
}

/** Ends and circuits of the record, then what else was measured, up to the bound. */
function measuredOf({ players, clean, ablated, circuit }: Result, entries: Iterable<Entries>): Record<string, number> {
  const n = players.length;
  const all = players.map((_, player) => player);
  const sets: (readonly [readonly number[], number])[] = [[[], ablated] as const, [all, clean] as const];
  for (const { players: set, kept, removed } of circuit?.curve ?? []) {
    const inside = new Set(set);
    sets.push([set, kept.value], [all.filter((player) => !inside.has(player)), removed.value]);
  }
  const found: Record<string, number> = {};
  let digits = 0;
  const add = (mask: string, value: number): boolean => {
    if (digits + mask.length > MOST_DIGITS) return false;
    if (!(mask in found)) digits += mask.length;
    found[mask] = short(value);
    return true;
  };
  const masks = masksFromMembers(
    n,
    sets.map(([set]) => set),
  );
  sets.forEach(([, value], row) => add(maskHex(masks, row), value));
  for (const { masks: more, values } of entries)
    for (let row = 0; row < more.count; row++) if (!add(maskHex(more, row), values[row])) return found;
  return found;
}

function shortened(interaction: ResultInteraction): Unnamed {
  const { members, meaning, belowNoise, fourier, value, standardError } = interaction;
  return {
    members,
    meaning,
    ...(belowNoise === undefined ? {} : { belowNoise }),
    fourier: short(fourier),
    value: short(value),
    ...(standardError === undefined ? {} : { standardError: short(standardError) }),
  };
}

function short(value: number): number {
  return Number(value.toPrecision(6));
}
