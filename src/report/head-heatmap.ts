/**
 * The head heatmap: layers x heads, one cell per player, as one SVG.
 *
 * A cell's colour and number are the player's Banzhaf value: the mean change of the metric by keeping it, over
 * uniform masks of the others. Players of a layer that are no heads (MLP3) get columns of their own to the right.
 * Cells of the circuit are ringed. A grid that two players share, or that has no heads, is not drawn.
 */
import { markup, px, trusted, type Markup } from './markup.ts';
import { color, signedInk } from './palette.ts';
import { playerGrid } from './player-grid.ts';
import type { Result } from './result.ts';
import { largest, numberFormat, unitSuffix } from './wording.ts';

const STYLE = `
.spex-heatmap text { font: 11px system-ui, sans-serif; font-variant-numeric: tabular-nums; fill: ${color('ink')}; text-anchor: middle; dominant-baseline: central; }
.spex-heatmap .axis { fill: ${color('muted')}; }
.spex-heatmap .empty { fill: ${color('faint')}; }
.spex-heatmap .cell { fill: ${color('paper')}; stroke: ${color('rule')}; stroke-width: 0.75; }
.spex-heatmap .positive { fill: ${color('positive')}; }
.spex-heatmap .negative { fill: ${color('negative')}; }
.spex-heatmap .ring { fill: none; stroke: ${color('ink')}; }
.spex-heatmap text.on-ink { fill: ${color('ink')}; }
.spex-heatmap text.on-middle { fill: ${color('onMiddle')}; }
.spex-heatmap text.on-strong { fill: ${color('onStrong')}; }
`;
const MOST_CELLS = 80;

export interface Heatmap {
  readonly svg: Markup;
  /** Players that have a cell; the others need another place on the page. */
  readonly covered: ReadonlySet<number>;
}

/** The heatmap, or undefined when the players do not make a grid. */
export function headHeatmap(result: Result): Heatmap | undefined {
  const { players, values } = result;
  const grid = playerGrid(players);
  if (grid === undefined || grid.layers.length > MOST_CELLS || grid.slots.length > MOST_CELLS) return undefined;
  const { layers, slots, heads } = grid;
  const columns = slots.length;
  const at = new Map([...grid.cells].map(([player, { layer, slot }]) => [layer * columns + slot, player]));

  const scale = largest(values.map(({ banzhaf }) => banzhaf));
  const format = numberFormat(scale, { signed: true });
  const longest = Math.max(...values.map(({ banzhaf }) => format(banzhaf).length));
  const numbers = columns <= 16 && longest <= 8;
  const cellWidth = numbers
    ? Math.max(50, Math.min(84, 340 / columns), longest * 6.6 + 10)
    : Math.max(13, Math.min(34, 700 / columns));
  const cellHeight = numbers ? 30 : Math.max(13, Math.min(26, cellWidth));
  const [left, top, gap] = [62, 28, heads > 0 && heads < columns ? 12 : 0];
  const x = (column: number): number => left + column * cellWidth + (column >= heads ? gap : 0);
  const width = x(columns) + 8;
  const bottom = top + layers.length * cellHeight;
  const circuit = new Set(result.circuit?.chosen.players);
  const every = numbers || cellWidth >= 26 ? 1 : 4;
  const cell = (row: number, column: number): Markup => {
    const player = at.get(row * columns + column);
    const box = markup`x="${px(x(column) + 1)}" y="${px(top + row * cellHeight + 1)}" width="${px(cellWidth - 2)}" height="${px(cellHeight - 2)}" rx="2"`;
    if (player === undefined) return markup`<rect class="empty" ${box}/>`;
    const value = values[player].banzhaf;
    const ink = signedInk(scale === 0 ? 0 : value / scale);
    return markup`<g><title>${players[player].name}: ${format(value)}${unitSuffix(result)}${circuit.has(player) && ', in the circuit'}</title><rect class="cell" ${box}/><rect class="${ink.fill}" fill-opacity="${ink.opacity.toFixed(3)}" ${box}/>${circuit.has(player) && markup`<rect class="ring" stroke-width="${numbers ? 2 : 1.2}" ${box}/>`}${
      numbers &&
      markup`<text class="${textClass(ink.text)}" x="${px(x(column) + cellWidth / 2)}" y="${px(top + (row + 0.5) * cellHeight)}">${format(value)}</text>`
    }</g>`;
  };
  const svg = markup`<svg class="spex-heatmap" xmlns="http://www.w3.org/2000/svg" width="${px(Math.max(width, 330))}" height="${px(bottom + 46)}" viewBox="0 0 ${px(Math.max(width, 330))} ${px(bottom + 46)}" role="img" aria-labelledby="spex-heatmap-title spex-heatmap-desc">
<title id="spex-heatmap-title">Banzhaf value of every player, by layer and head</title>
<desc id="spex-heatmap-desc">${layers.length} layers by ${columns} columns; the values are in the table of players.</desc>
<style>${trusted(STYLE)}</style>
${slots.map((name, column) => column % every === 0 && markup`<text class="axis" x="${px(x(column) + cellWidth / 2)}" y="16">${name}</text>`)}
${layers.map((layer, row) => markup`<text class="axis" x="28" y="${px(top + (row + 0.5) * cellHeight)}">layer ${layer}</text>`)}
${layers.map((_, row) => slots.map((_, column) => cell(row, column)))}
${legend(left, bottom + 14, scale, format, unitSuffix(result))}
</svg>`;
  return { svg, covered: new Set(grid.cells.keys()) };
}

/** The colour scale: eleven steps from -scale to +scale. */
function legend(left: number, top: number, scale: number, format: (value: number) => string, units: string): Markup {
  const steps = 11;
  return markup`${Array.from({ length: steps }, (_, k) => {
    const relative = (2 * k) / (steps - 1) - 1;
    const ink = signedInk(relative);
    const box = markup`x="${px(left + 1 + k * 14)}" y="${px(top)}" width="14" height="8"`;
    return markup`<rect class="cell" ${box}/><rect class="${ink.fill}" fill-opacity="${ink.opacity.toFixed(2)}" ${box}/>`;
  })}<text class="axis" x="${px(left + 8)}" y="${px(top + 20)}">${format(-scale)}</text><text class="axis" x="${px(left + 78)}" y="${px(top + 20)}">0</text><text class="axis" x="${px(left + 148)}" y="${px(top + 20)}">${format(scale)}</text><text class="axis" style="text-anchor: start" x="${px(left + 168)}" y="${px(top + 4)}">${units.trim()}</text>`;
}

function textClass(name: string): string {
  return name === 'ink' ? 'on-ink' : name === 'onMiddle' ? 'on-middle' : 'on-strong';
}
