/** What tokens of an answer owe to players, as a table. */
import { column, type DataTable } from './data-tables.ts';
import type { Result } from './result.ts';

/** What each token of an answer owes to each player, one row a pair: output, token, player, banzhaf. Undefined where that is not known. */
export function outputsTable({ outputs, players }: Pick<Result, 'outputs' | 'players'>): DataTable | undefined {
  if (outputs === undefined) return undefined;
  const rows = outputs.tokens.flatMap(({ text, values }, k) =>
    values.map((value, player) => ({ k, text, value, name: players[player].name })),
  );
  return {
    name: 'outputs',
    columns: [
      column(
        'output',
        'INT32',
        rows.map(({ k }) => k),
      ),
      column(
        'token',
        'STRING',
        rows.map(({ text }) => text),
      ),
      column(
        'player',
        'STRING',
        rows.map(({ name }) => name),
      ),
      column(
        'banzhaf',
        'DOUBLE',
        rows.map(({ value }) => value),
      ),
    ],
  };
}
