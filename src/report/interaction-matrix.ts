/**
 * Interactions of players that make no picture of layers (tokens, training examples, neurons of one layer): a
 * matrix of sets, as one SVG.
 *
 * Rows are players in their order, columns are interactions by rank; dots in a column are its members, the bar at its head is its
 * share of the variance, upwards where the Banzhaf interaction is positive. Nothing can overlap, whatever the order of the sets is.
 * Source of the form: Lex et al., UpSet: Visualization of Intersecting Sets, 2014.
 */
import type { Drawn } from './drawn.ts';
import { markup, px, trusted, type Markup } from './markup.ts';
import { color } from './palette.ts';
import { fitText, textWidth } from './text-width.ts';
import { joinNames, largest, meaningWords, numberFormat, shareFormat, shareOf, unitSuffix } from './wording.ts';

const STYLE = `
.spex-matrix text { font: 11px system-ui, sans-serif; fill: ${color('ink')}; dominant-baseline: central; }
.spex-matrix .muted { fill: ${color('muted')}; font-size: 10px; }
.spex-matrix .row { fill: ${color('faint')}; }
.spex-matrix .off { fill: ${color('rule')}; }
.spex-matrix .above { fill: ${color('positive')}; stroke: ${color('positive')}; }
.spex-matrix .below { fill: ${color('negative')}; stroke: ${color('negative')}; }
.spex-matrix .join { stroke-width: 2.2; }
.spex-matrix .bar { stroke: none; }
.spex-matrix .zero { stroke: ${color('muted')}; stroke-width: 1; }
.spex-matrix .member { font-weight: 650; }
`;
const ROW = 22;
const COLUMN = 46;
const BARS = 110;
const MOST_ROWS = 30;

/** The SVG of the `limit` largest interactions. */
export function interactionMatrix(result: Drawn, limit: number): Markup {
  const shown = result.interactions.slice(0, limit);
  const active = new Set(shown.flatMap(({ members }) => members));
  const rows = result.players
    .map((_, k) => k)
    .filter((player) => result.players.length <= MOST_ROWS || active.has(player));
  const labels = rows.map((player) => fitText(result.players[player].name, 170));
  const left = Math.max(84, ...labels.map((label) => textWidth(label) * 1.06 + 16));
  const top = BARS + 46;
  const width = left + shown.length * COLUMN + 10;
  const height = top + rows.length * ROW + 26;
  const format = numberFormat(largest(shown.map(({ value }) => value)), { signed: true });
  const share = shareFormat(shown, result);
  const heights = shown.map((entry) => Math.sign(entry.value) * shareOf(entry, result));
  const circuit = new Set(result.circuit?.chosen.players);
  const lowest = Math.min(0, ...heights);
  const highest = Math.max(0, ...heights);
  const y = (value: number): number => 20 + (BARS * (highest - value)) / (highest - lowest || 1);
  const x = (k: number): number => left + (k + 0.5) * COLUMN;
  const rowY = (player: number): number => top + (rows.indexOf(player) + 0.5) * ROW;
  return markup`<svg class="spex-matrix" xmlns="http://www.w3.org/2000/svg" width="${px(width)}" height="${px(height)}" viewBox="0 0 ${px(width)} ${px(height)}" role="img" aria-labelledby="spex-matrix-title spex-matrix-desc">
<title id="spex-matrix-title">The ${shown.length} largest interactions as a matrix of sets</title>
<desc id="spex-matrix-desc">${shown.map((entry, k) => `${k + 1}: ${joinNames(entry.names)}, ${format(entry.value)}${unitSuffix(result)}, ${meaningWords(entry.meaning)}.`).join(' ')}</desc>
<style>${trusted(STYLE)}</style>
${rows.map((player, k) => [
  k % 2 === 0 && markup`<rect class="row" x="0" y="${px(top + k * ROW)}" width="${px(width)}" height="${ROW}" rx="3"/>`,
  markup`<text class="${circuit.has(player) && 'member'} player" data-player="${player}" x="${px(left - 10)}" y="${px(rowY(player))}" text-anchor="end">${labels[k]}</text>`,
])}
<text class="muted" x="${px(left - 10)}" y="${px(y(0))}" text-anchor="end">% of variance</text>
<line class="zero" x1="${px(left)}" x2="${px(width - 10)}" y1="${px(y(0))}" y2="${px(y(0))}"/>
${shown.map((entry, k) => {
  const sign = entry.value > 0 ? 'above' : 'below';
  const members = entry.members.map(rowY);
  return [
    rows
      .filter((player) => !entry.members.includes(player))
      .map((player) => markup`<circle class="off" cx="${px(x(k))}" cy="${px(rowY(player))}" r="2.2"/>`),
    markup`<g class="${sign}" data-interaction="${k}"><title>${joinNames(entry.names)}: ${format(entry.value)}${unitSuffix(result)}, ${meaningWords(entry.meaning)}</title>
<rect class="bar" x="${px(x(k) - 11)}" width="22" y="${px(Math.min(y(0), y(heights[k])))}" height="${px(Math.max(1, Math.abs(y(heights[k]) - y(0))))}"/>
<line class="join" x1="${px(x(k))}" x2="${px(x(k))}" y1="${px(Math.min(...members))}" y2="${px(Math.max(...members))}"/>
${members.map((at) => markup`<circle cx="${px(x(k))}" cy="${px(at)}" r="5"/>`)}</g>`,
    markup`<text class="muted" x="${px(x(k))}" y="${px(y(heights[k]) + (entry.value > 0 ? -8 : 9))}" text-anchor="middle">${share(entry).replace(/\s%$/, '')}</text>`,
    markup`<text class="muted" x="${px(x(k))}" y="${px(height - 12)}" text-anchor="middle">${k + 1}</text>`,
  ];
})}
</svg>`;
}
