/**
 * A record's numbers as tables, column by column: what CSV, Parquet and data frames are made from.
 *
 * Sets of players are JSON lists of names in one column. A number that is not known is undefined, an empty cell.
 */
import type { Entries } from '../ledger.ts';
import { keptPlayers, maskHex } from '../masks.ts';
import type { Drawn } from './drawn.ts';
import type { Result } from './result.ts';

export type Cell = string | number | boolean | undefined;

export interface Column {
  readonly name: string;
  readonly type: 'STRING' | 'INT32' | 'DOUBLE' | 'BOOLEAN';
  readonly values: readonly Cell[];
}

export interface DataTable {
  readonly name: string;
  readonly columns: readonly Column[];
}

/** Players that the table of masks has a column each for. */
export const MOST_MASK_COLUMNS = 1024;

/**
 * One row a player: player, start, end (characters of the text, where the player is one piece of it), banzhaf, shapley,
 * standard_error (of banzhaf), layer, head, in_circuit.
 */
export function playersTable({ players, values, circuit }: Pick<Drawn, 'players' | 'values' | 'circuit'>): DataTable {
  const pieces = players.map(({ place }) =>
    place?.kind === 'span' && place.pieces.length === 1 ? place.pieces[0] : undefined,
  );
  const inside = new Set(circuit?.chosen.players);
  return {
    name: 'players',
    columns: [
      column(
        'player',
        'STRING',
        players.map(({ name }) => name),
      ),
      column(
        'start',
        'INT32',
        pieces.map((piece) => piece?.start),
      ),
      column(
        'end',
        'INT32',
        pieces.map((piece) => piece?.end),
      ),
      column(
        'banzhaf',
        'DOUBLE',
        values.map(({ banzhaf }) => banzhaf),
      ),
      column(
        'shapley',
        'DOUBLE',
        values.map(({ shapley }) => shapley),
      ),
      column(
        'standard_error',
        'DOUBLE',
        values.map(({ standardError }) => standardError),
      ),
      column(
        'layer',
        'INT32',
        players.map(({ layer }) => layer),
      ),
      column(
        'head',
        'INT32',
        players.map(({ place }) => (place?.kind === 'head' ? place.head : undefined)),
      ),
      column(
        'in_circuit',
        'BOOLEAN',
        players.map((_, player) => (circuit === undefined ? undefined : inside.has(player))),
      ),
    ],
  };
}

/** One row an interaction, as ranked: rank, order, players, fourier, value, meaning, standard_error (of value). */
export function interactionsTable({ interactions }: Pick<Drawn, 'interactions'>): DataTable {
  return {
    name: 'interactions',
    columns: [
      column(
        'rank',
        'INT32',
        interactions.map((_, k) => k + 1),
      ),
      column(
        'order',
        'INT32',
        interactions.map(({ members }) => members.length),
      ),
      column(
        'players',
        'STRING',
        interactions.map(({ names }) => JSON.stringify(names)),
      ),
      column(
        'fourier',
        'DOUBLE',
        interactions.map(({ fourier }) => fourier),
      ),
      column(
        'value',
        'DOUBLE',
        interactions.map(({ value }) => value),
      ),
      column(
        'meaning',
        'STRING',
        interactions.map(({ meaning }) => meaning),
      ),
      column(
        'standard_error',
        'DOUBLE',
        interactions.map(({ standardError }) => standardError),
      ),
    ],
  };
}

/** The spectrum, one row a term, largest |fourier| first: order, players, fourier, standard_error, below_noise. */
export function termsTable({ spectrum: { terms }, players }: Pick<Result, 'spectrum' | 'players'>): DataTable {
  return {
    name: 'terms',
    columns: [
      column(
        'order',
        'INT32',
        terms.map(({ members }) => members.length),
      ),
      column(
        'players',
        'STRING',
        terms.map(({ members }) => namesOf(players, members)),
      ),
      column(
        'fourier',
        'DOUBLE',
        terms.map(({ value }) => value),
      ),
      column(
        'standard_error',
        'DOUBLE',
        terms.map(({ standardError }) => standardError),
      ),
      column(
        'below_noise',
        'BOOLEAN',
        terms.map(({ belowNoise }) => belowNoise === true),
      ),
    ],
  };
}

/**
 * The faithfulness curve, one row a size: size, players, predicted, value and faithfulness of them kept alone, value_without and
 * completeness with them ablated, random_mean, random_low, random_high (faithfulness of random sets), chosen. Undefined without a
 * circuit.
 */
export function curveTable({ circuit, players }: Pick<Result, 'circuit' | 'players'>): DataTable | undefined {
  if (circuit === undefined) return undefined;
  const { curve, chosen } = circuit;
  return {
    name: 'curve',
    columns: [
      column(
        'size',
        'INT32',
        curve.map(({ size }) => size),
      ),
      column(
        'players',
        'STRING',
        curve.map((at) => namesOf(players, at.players)),
      ),
      column(
        'predicted',
        'DOUBLE',
        curve.map(({ predicted }) => predicted),
      ),
      column(
        'value',
        'DOUBLE',
        curve.map(({ kept }) => kept.value),
      ),
      column(
        'faithfulness',
        'DOUBLE',
        curve.map(({ kept }) => kept.faithfulness),
      ),
      column(
        'value_without',
        'DOUBLE',
        curve.map(({ removed }) => removed.value),
      ),
      column(
        'completeness',
        'DOUBLE',
        curve.map(({ removed }) => removed.faithfulness),
      ),
      column(
        'random_mean',
        'DOUBLE',
        curve.map(({ random }) => random?.mean),
      ),
      column(
        'random_low',
        'DOUBLE',
        curve.map(({ random }) => random?.low),
      ),
      column(
        'random_high',
        'DOUBLE',
        curve.map(({ random }) => random?.high),
      ),
      column(
        'chosen',
        'BOOLEAN',
        curve.map(({ size }) => size === chosen.size),
      ),
    ],
  };
}

/**
 * What was measured, one row a mask: mask (hex, as in the run log), kept (how many players), value, and a column for every player,
 * whether it was kept, where they are at most MOST_MASK_COLUMNS. A mask that comes again with its gradient is listed once.
 */
export function masksTable({ players }: Pick<Result, 'players'>, entries: Iterable<Entries>): DataTable {
  const found = new Map<string, { readonly value: number; readonly kept: readonly number[] }>();
  for (const { masks, values } of entries)
    for (let row = 0; row < masks.count; row++)
      found.set(maskHex(masks, row), { value: values[row], kept: keptPlayers(masks, row) });
  const rows = [...found.values()];
  const kept = rows.map((row) => new Set(row.kept));
  const wide = players.length <= MOST_MASK_COLUMNS ? players : [];
  return {
    name: 'masks',
    columns: [
      column('mask', 'STRING', [...found.keys()]),
      column(
        'kept',
        'INT32',
        rows.map((row) => row.kept.length),
      ),
      column(
        'value',
        'DOUBLE',
        rows.map(({ value }) => value),
      ),
      ...wide.map(({ name }, player) =>
        column(
          `keeps ${name}`,
          'BOOLEAN',
          kept.map((set) => set.has(player)),
        ),
      ),
    ],
  };
}

/** A column of a table. */
export function column(name: string, type: Column['type'], values: readonly Cell[]): Column {
  return { name, type, values };
}

function namesOf(players: Result['players'], members: readonly number[]): string {
  return JSON.stringify(members.map((player) => players[player].name));
}
