/**
 * The head heatmap: layers x heads, one cell per player, as one SVG.
 *
 * A cell's colour and number are the player's Banzhaf value: the mean change of the metric by keeping it, over
 * uniform masks of the others. Players of a layer that are no heads (MLP3) get columns of their own to the right.
 * Where there is no room for numbers a dash marks negative cells, so that grey print loses no sign. Cells of the circuit are
 * ringed. A grid that two players share, or that has no heads, is not drawn.
 */
import type { Drawn } from './drawn.ts';
import { markup, px, trusted, type Markup } from './markup.ts';
import { color, signedInk } from './palette.ts';
import { playerGrid } from './player-grid.ts';
import { signedScale, type SignedScale } from './signed-scale.ts';
import { numberFormat, unitSuffix } from './wording.ts';

const STYLE = `
.spex-heatmap text { font: 11px system-ui, sans-serif; font-variant-numeric: tabular-nums; fill: ${color('ink')}; text-anchor: middle; dominant-baseline: central; }
.spex-heatmap .axis { fill: ${color('muted')}; }
.spex-heatmap .empty { fill: ${color('faint')}; }
.spex-heatmap .cell { fill: ${color('paper')}; stroke: ${color('rule')}; stroke-width: 0.75; }
.spex-heatmap .positive { fill: ${color('positive')}; }
.spex-heatmap .negative { fill: ${color('negative')}; }
.spex-heatmap .minus { stroke: ${color('ink')}; stroke-width: 1.4; }
.spex-heatmap .ring { fill: none; stroke: ${color('ink')}; }
.spex-heatmap text.on-ink { fill: ${color('ink')}; }
.spex-heatmap text.on-middle { fill: ${color('onMiddle')}; }
.spex-heatmap text.on-strong { fill: ${color('onStrong')}; }
`;
const MOST_CELLS = 80;
/** Ink from which a cell without a number says by a dash that it is negative. */
const MARKED = 0.15;

export interface Heatmap {
  readonly svg: Markup;
  /** Players that have a cell; the others need another place on the page. */
  readonly covered: ReadonlySet<number>;
  /** Where its colours turn from linear to logarithmic; undefined where they are linear. */
  readonly bend: number | undefined;
}

/** The heatmap, or undefined when the players do not make a grid. */
export function headHeatmap(result: Drawn): Heatmap | undefined {
  const { players, values } = result;
  const grid = playerGrid(players);
  if (grid === undefined || grid.layers.length > MOST_CELLS || grid.slots.length > MOST_CELLS) return undefined;
  const { layers, slots, heads } = grid;
  const columns = slots.length;
  const at = new Map([...grid.cells].map(([player, { layer, slot }]) => [layer * columns + slot, player]));

  const scale = signedScale(values.map(({ banzhaf }) => banzhaf));
  const format = numberFormat(scale.most, { signed: true });
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
    const ink = signedInk(scale.at(value));
    return markup`<g class="player" data-player="${player}"><title>${players[player].name}: ${format(value)}${unitSuffix(result)}${circuit.has(player) && ', in the circuit'}</title><rect class="cell" ${box}/><rect class="${ink.fill}" fill-opacity="${ink.opacity.toFixed(3)}" ${box}/>${circuit.has(player) && markup`<rect class="ring" stroke-width="${numbers ? 2 : 1.2}" ${box}/>`}${
      !numbers &&
      ink.fill === 'negative' &&
      ink.opacity >= MARKED &&
      markup`<line class="minus" x1="${px(x(column) + cellWidth / 2 - 3)}" x2="${px(x(column) + cellWidth / 2 + 3)}" y1="${px(top + (row + 0.5) * cellHeight)}" y2="${px(top + (row + 0.5) * cellHeight)}"/>`
    }${
      numbers &&
      markup`<text class="${textClass(ink.text)}" x="${px(x(column) + cellWidth / 2)}" y="${px(top + (row + 0.5) * cellHeight)}">${format(value)}</text>`
    }</g>`;
  };
  const svg = markup`<svg class="spex-heatmap" xmlns="http://www.w3.org/2000/svg" width="${px(Math.max(width, 390))}" height="${px(bottom + 46)}" viewBox="0 0 ${px(Math.max(width, 390))} ${px(bottom + 46)}" role="img" aria-labelledby="spex-heatmap-title spex-heatmap-desc">
<title id="spex-heatmap-title">Banzhaf value of every player, by layer and head</title>
<desc id="spex-heatmap-desc">${layers.length} layers by ${columns} columns; the values are in the table of players.</desc>
<style>${trusted(STYLE)}</style>
${slots.map((name, column) => column % every === 0 && markup`<text class="axis" x="${px(x(column) + cellWidth / 2)}" y="16">${name}</text>`)}
${layers.map((layer, row) => markup`<text class="axis" x="28" y="${px(top + (row + 0.5) * cellHeight)}">layer ${layer}</text>`)}
${layers.map((_, row) => slots.map((_, column) => cell(row, column)))}
${legend(left, bottom + 14, scale, format, unitSuffix(result))}
</svg>`;
  return { svg, covered: new Set(grid.cells.keys()), bend: scale.bend };
}

/** The colour scale: fifteen steps from -most to +most, and the values in its middle where it is not linear. */
function legend(
  left: number,
  top: number,
  scale: SignedScale,
  format: (value: number) => string,
  units: string,
): Markup {
  const [steps, wide] = [15, 16];
  const at = (place: number): number => left + 1 + ((place + 1) / 2) * (steps - 1) * wide + wide / 2;
  const places = scale.bend === undefined ? [-1, 0, 1] : [-1, -0.5, 0, 0.5, 1];
  return markup`${Array.from({ length: steps }, (_, k) => {
    const ink = signedInk((2 * k) / (steps - 1) - 1);
    const box = markup`x="${px(left + 1 + k * wide)}" y="${px(top)}" width="${wide}" height="8"`;
    return markup`<rect class="cell" ${box}/><rect class="${ink.fill}" fill-opacity="${ink.opacity.toFixed(2)}" ${box}/>`;
  })}${places.map((place) => markup`<text class="axis" x="${px(at(place))}" y="${px(top + 20)}">${place === 0 ? '0' : format(scale.inverse(place))}</text>`)}<text class="axis" style="text-anchor: start" x="${px(left + steps * wide + 12)}" y="${px(top + 4)}">${units.trim()}${scale.bend !== undefined && ' (symlog)'}</text>`;
}

function textClass(name: string): string {
  return name === 'ink' ? 'on-ink' : name === 'onMiddle' ? 'on-middle' : 'on-strong';
}
