/**
 * Held-out R² with its interval, the solver's beside the first-order baseline's, on one axis.
 */
import { markup, px, trusted, type Markup } from './markup.ts';
import { color } from './palette.ts';
import type { Result } from './result.ts';
import { intervalText, oneLine } from './wording.ts';

const WIDTH = 400;
const [LEFT, RIGHT, ROW] = [15, 15, 46];

const STYLE = `
.spex-interval text { font: 11px system-ui, sans-serif; font-variant-numeric: tabular-nums; fill: ${color('ink')}; dominant-baseline: central; }
.spex-interval .label { paint-order: stroke; stroke: ${color('paper')}; stroke-width: 4px; stroke-linejoin: round; }
.spex-interval .axis { fill: ${color('muted')}; text-anchor: middle; }
.spex-interval .grid { stroke: ${color('rule')}; }
.spex-interval .range { stroke-width: 2; }
.spex-interval .solver { stroke: ${color('ramp4')}; fill: ${color('ramp4')}; }
.spex-interval .baseline { stroke: ${color('muted')}; fill: ${color('muted')}; }
`;

/** The SVG, or undefined when no masks were held out. Axis from 0, or from the lowest end down to -1, to 1. */
export function intervalPlot(result: Result): Markup | undefined {
  const { heldOut, solver } = result;
  if (heldOut === undefined) return undefined;
  const rows = [
    { name: oneLine(solver.name, 24), kind: 'solver', value: heldOut },
    ...(heldOut.firstOrder
      ? [{ name: 'first order only (no interactions)', kind: 'baseline', value: heldOut.firstOrder }]
      : []),
  ];
  const lowest = Math.min(0, ...rows.map(({ value }) => value.low));
  const start = lowest < 0 ? Math.max(-1, Math.floor(lowest * 4) / 4) : 0;
  const x = (r2: number): number =>
    LEFT + ((WIDTH - LEFT - RIGHT) * (Math.min(1, Math.max(start, r2)) - start)) / (1 - start);
  const ticks = Array.from({ length: Math.round((1 - start) * 4) + 1 }, (_, k) => start + k / 4);
  const bottom = 6 + rows.length * ROW;
  return markup`<svg class="spex-interval" xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${bottom + 24}" viewBox="0 0 ${WIDTH} ${bottom + 24}" role="img" aria-labelledby="spex-interval-title spex-interval-desc">
<title id="spex-interval-title">R² on held-out masks</title>
<desc id="spex-interval-desc">${rows.map(({ name, value }) => `${name}: ${intervalText(value)}.`).join(' ')}</desc>
<style>${trusted(STYLE)}</style>
${ticks.map((tick) => markup`<line class="grid" x1="${px(x(tick))}" x2="${px(x(tick))}" y1="4" y2="${bottom}"/><text class="axis" x="${px(x(tick))}" y="${bottom + 12}">${tick.toFixed(2).replace('-', '−')}</text>`)}
${rows.map(({ name, kind, value }, k) => {
  const y = 6 + k * ROW + 31;
  return markup`<text class="label" x="${LEFT + 4}" y="${y - 18}">${name}</text><text class="label" x="${WIDTH - RIGHT - 4}" y="${y - 18}" text-anchor="end">${intervalText(value)}</text>
<g class="${kind}"><line class="range" x1="${px(x(value.low))}" x2="${px(x(value.high))}" y1="${y}" y2="${y}"/><line class="range" x1="${px(x(value.low))}" x2="${px(x(value.low))}" y1="${y - 4}" y2="${y + 4}"/><line class="range" x1="${px(x(value.high))}" x2="${px(x(value.high))}" y1="${y - 4}" y2="${y + 4}"/><circle cx="${px(x(value.r2))}" cy="${y}" r="3.8" stroke="none"/></g>`;
})}
</svg>`;
}
