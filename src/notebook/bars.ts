/** Named numbers as bars, one SVG: blue above zero, orange below. */
import { markup, px, trusted, type Markup } from '../report/markup.ts';
import { color } from '../report/palette.ts';
import { fitText, textWidth } from '../report/text-width.ts';
import { largest, numberFormat } from '../report/wording.ts';

const STYLE = `
.spex-named text { font: 11px system-ui, sans-serif; font-variant-numeric: tabular-nums; fill: ${color('ink')}; dominant-baseline: central; }
.spex-named .name { text-anchor: end; }
.spex-named .positive { fill: ${color('positive')}; }
.spex-named .negative { fill: ${color('negative')}; }
.spex-named .zero { stroke: ${color('muted')}; stroke-width: 0.75; }
`;
const [ROW, SPAN, NUMBER] = [19, 280, 64];

export interface Named {
  readonly name: string;
  readonly value: number;
}

/** The SVG of some named numbers, in their order. */
export function bars(title: string, named: readonly Named[]): Markup {
  const values = named.map(({ value }) => value);
  const format = numberFormat(largest(values), { signed: values.some((value) => value < 0) });
  const labels = named.map(({ name }) => fitText(name, 180));
  const left = Math.max(20, ...labels.map(textWidth)) + 10;
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const before = low < 0 ? NUMBER : 0;
  const x = (value: number): number => left + before + (SPAN * (value - low)) / (high - low || 1);
  const [width, height] = [left + before + SPAN + NUMBER, 8 + named.length * ROW];
  return markup`<svg class="spex-named" xmlns="http://www.w3.org/2000/svg" width="${px(width)}" height="${px(height)}" viewBox="0 0 ${px(width)} ${px(height)}" role="img" aria-label="${title}">
<style>${trusted(STYLE)}</style>
${named.map(({ value }, k) => {
  const y = 4 + (k + 0.5) * ROW;
  const up = value >= 0;
  return markup`<text class="name" x="${px(left - 8)}" y="${px(y)}">${labels[k]}</text><rect class="${up ? 'positive' : 'negative'}" x="${px(Math.min(x(0), x(value)))}" y="${px(y - ROW / 2 + 3)}" width="${px(Math.abs(x(value) - x(0)))}" height="${ROW - 6}"/><text text-anchor="${up ? 'start' : 'end'}" x="${px(x(value) + (up ? 5 : -5))}" y="${px(y)}">${format(value)}</text>`;
})}
<line class="zero" x1="${px(x(0))}" x2="${px(x(0))}" y1="2" y2="${px(height - 2)}"/>
</svg>`;
}

/** The same as text: a line each. */
export function namedText(named: readonly Named[]): string {
  const format = numberFormat(largest(named.map(({ value }) => value)), { signed: true });
  const width = Math.max(0, ...named.map(({ name }) => name.length));
  return named.map(({ name, value }) => `${name.padEnd(width)}  ${format(value)}`).join('\n');
}
