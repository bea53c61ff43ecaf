/** A matrix of numbers as one SVG: blue above zero, orange below, the more ink the larger. */
import { markup, px, trusted, type Markup } from '../report/markup.ts';
import { color, signedInk } from '../report/palette.ts';
import { fitText, textWidth } from '../report/text-width.ts';
import { largest, numberFormat } from '../report/wording.ts';

export interface HeatMap {
  readonly title: string;
  /** Rows of equal length; NaN is drawn as nothing. */
  readonly values: readonly (readonly number[])[];
  readonly rows?: readonly string[] | undefined;
  readonly columns?: readonly string[] | undefined;
  /** The magnitude that has all ink; default the largest of the values. */
  readonly scale?: number | undefined;
  /** Side of a cell in pixels; default by the number of columns. */
  readonly cell?: number | undefined;
}

const STYLE = `
.spex-map text { font: 10px system-ui, sans-serif; fill: ${color('muted')}; dominant-baseline: central; }
.spex-map .title { font-size: 11px; fill: ${color('ink')}; }
.spex-map .row { text-anchor: end; }
.spex-map .frame { fill: ${color('faint')}; stroke: ${color('rule')}; stroke-width: 0.75; }
.spex-map .positive { fill: ${color('positive')}; }
.spex-map .negative { fill: ${color('negative')}; }
`;
/** Cells up to which each says its value: a notebook keeps all of that text. */
const SAID = 400;
/** Pixels that a label may take. */
const LABEL = 90;

/** The SVG; where there are not too many, cells say their value when pointed at. */
export function heatMap({ title, values, rows, columns, scale: given, cell: side }: HeatMap): Markup {
  const [height, width] = [values.length, values[0]?.length ?? 0];
  const finite = values.flat().filter(Number.isFinite);
  const scale = given ?? largest(finite);
  const format = numberFormat(scale, { signed: finite.some((value) => value < 0) });
  const cell = side ?? Math.max(5, Math.min(22, 420 / Math.max(width, 1)));
  const space = (labels: readonly string[] | undefined): number =>
    labels === undefined ? 0 : Math.min(LABEL, Math.max(0, ...labels.map(textWidth))) + 8;
  const [left, top] = [space(rows) + 2, 20 + space(columns)];
  const [right, bottom] = [left + width * cell, top + height * cell];
  const every = Math.max(1, Math.ceil(10 / cell));
  const name = (label: string, k: number): string => (k % every === 0 ? fitText(label, LABEL) : '');
  const outer = Math.max(right + 4, textWidth(title) + 8, space(columns) + right - cell);
  return markup`<svg class="spex-map" xmlns="http://www.w3.org/2000/svg" width="${px(outer)}" height="${px(bottom + 4)}" viewBox="0 0 ${px(outer)} ${px(bottom + 4)}" role="img" aria-label="${title}">
<style>${trusted(STYLE)}</style>
<text class="title" x="2" y="9">${title}</text>
<rect class="frame" x="${px(left)}" y="${px(top)}" width="${px(width * cell)}" height="${px(height * cell)}"/>
${columns?.map((label, c) => markup`<text transform="translate(${px(left + (c + 0.5) * cell)} ${px(top - 5)}) rotate(-60)">${name(label, c)}</text>`)}
${rows?.map((label, r) => markup`<text class="row" x="${px(left - 5)}" y="${px(top + (r + 0.5) * cell)}">${name(label, r)}</text>`)}
${values.map((row, r) =>
  row.map((value, c) => {
    const ink = signedInk(scale === 0 || !Number.isFinite(value) ? 0 : value / scale);
    if (ink.opacity < 0.005) return undefined;
    const where = `${rows?.[r] ?? `row ${r}`}, ${columns?.[c] ?? `column ${c}`}`;
    const said = height * width <= SAID && markup`<title>${where}: ${format(value)}</title>`;
    return markup`<rect class="${ink.fill}" fill-opacity="${ink.opacity.toFixed(2)}" x="${px(left + c * cell)}" y="${px(top + r * cell)}" width="${px(cell)}" height="${px(cell)}">${said}</rect>`;
  }),
)}
</svg>`;
}
