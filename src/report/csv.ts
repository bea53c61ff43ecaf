/** The record's two tables as CSV (RFC 4180, UTF-8), which pandas and R read: one row a player, one row an interaction. */
import type { Result } from './result.ts';

/** player,start,end,banzhaf,shapley: characters of the text where the player has one piece of it, else empty. */
export function playerCsv({ players, values }: Result): string {
  const rows = players.map(({ name, place }, k) => {
    const pieces = place?.kind === 'span' ? place.pieces : [];
    const [start, end] = pieces.length === 1 ? [pieces[0].start, pieces[0].end] : ['', ''];
    return [name, start, end, values[k].banzhaf, values[k].shapley];
  });
  return csv(['player', 'start', 'end', 'banzhaf', 'shapley'], rows);
}

/** rank,order,players,fourier,value,meaning,standard_error; `players` is a JSON list of names. */
export function interactionCsv({ interactions }: Result): string {
  return csv(
    ['rank', 'order', 'players', 'fourier', 'value', 'meaning', 'standard_error'],
    interactions.map(({ members, names, fourier, value, meaning, standardError }, k) => [
      k + 1,
      members.length,
      JSON.stringify(names),
      fourier,
      value,
      meaning,
      standardError ?? '',
    ]),
  );
}

type Cell = string | number;

function csv(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [head, ...rows].map((row) => `${row.map(quoted).join(',')}\r\n`).join('');
}

function quoted(cell: Cell): string {
  const text = String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
