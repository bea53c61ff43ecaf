/** Tables as CSV (RFC 4180, UTF-8), which pandas, polars, DuckDB and R read. */
import { interactionsTable, playersTable, type Cell, type DataTable } from './data-tables.ts';
import type { Drawn } from './drawn.ts';

/** The table, its column names first. */
export function csvOf({ columns }: DataTable): string {
  const rows = columns[0].values.map((_, row) => columns.map(({ values }) => values[row]));
  return [columns.map(({ name }) => name), ...rows].map((row) => `${row.map(quoted).join(',')}\r\n`).join('');
}

/** One row a player; its columns are those of playersTable. */
export function playerCsv(result: Pick<Drawn, 'players' | 'values' | 'circuit'>): string {
  return csvOf(playersTable(result));
}

/** One row an interaction; its columns are those of interactionsTable. */
export function interactionCsv(result: Pick<Drawn, 'interactions'>): string {
  return csvOf(interactionsTable(result));
}

function quoted(cell: Cell): string {
  const text = cell === undefined ? '' : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
