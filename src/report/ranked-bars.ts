/**
 * Players as a ranked bar chart of their Banzhaf values: what the heatmap falls back to for players that make
 * no grid (tokens, neurons, single positions).
 */
import { plotLibrary } from '../platform/charts.ts';
import { chart } from './chart.ts';
import type { Markup } from './markup.ts';
import { color } from './palette.ts';
import type { Result } from './result.ts';
import { fitText, textWidth } from './text-width.ts';
import { largest, numberFormat, unitSuffix } from './wording.ts';

export const BARS_LIMIT = 30;

/** Bars of `players`: all of them in their own order when they are few, else the largest by magnitude. */
export function rankedBars(result: Result, players: readonly number[]): Markup {
  const Plot = plotLibrary();
  const value = (player: number): number => result.values[player].banzhaf;
  const shown =
    players.length <= BARS_LIMIT
      ? [...players]
      : [...players].sort((a, b) => Math.abs(value(b)) - Math.abs(value(a)) || a - b).slice(0, BARS_LIMIT);
  const circuit = new Set(result.circuit?.chosen.players);
  const format = numberFormat(largest(shown.map(value)), { signed: true });
  const rows = shown.map((player, row) => ({
    row,
    value: value(player),
    label: fitText(result.players[player].name, 180),
    member: circuit.has(player),
  }));
  const labels = Math.max(24, ...rows.map(({ label }) => textWidth(label)));
  const low = Math.min(0, ...rows.map((row) => row.value));
  const high = Math.max(0, ...rows.map((row) => row.value));
  const inset = Math.max(...rows.map((row) => format(row.value).length)) * 7 + 8;
  const text = { x: 'value', y: 'row', text: (row: { value: number }) => format(row.value) } as const;
  return chart(
    'spex-bars',
    {
      width: 640,
      height: 34 + rows.length * 20,
      marginLeft: labels + 12,
      marginTop: 8,
      marginBottom: 26,
      marginRight: 8,
      x: {
        label: null,
        domain: low === high ? [-1, 1] : [low, high],
        insetLeft: low < 0 ? inset : 0,
        insetRight: inset,
        ticks: 5,
        tickSize: 3,
      },
      y: { label: null, domain: rows.map(({ row }) => row), tickSize: 0, tickFormat: (row: number) => rows[row].label },
      marks: [
        Plot.barX(rows, {
          x: 'value',
          y: 'row',
          fill: (row: { value: number }) => color(row.value < 0 ? 'negative' : 'positive'),
          insetTop: 2,
          insetBottom: 2,
        }),
        Plot.text(
          rows.filter((row) => row.value >= 0),
          { ...text, textAnchor: 'start', dx: 5 },
        ),
        Plot.text(
          rows.filter((row) => row.value < 0),
          { ...text, textAnchor: 'end', dx: -5 },
        ),
        Plot.ruleX([0], { stroke: color('muted') }),
      ],
    },
    'Banzhaf values of the players',
    rows
      .map((row) => `${row.label}: ${format(row.value)}${unitSuffix(result)}${row.member ? ', in the circuit' : ''}.`)
      .join(' '),
    shown,
  );
}
