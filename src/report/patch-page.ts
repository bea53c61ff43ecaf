/**
 * Patching sweeps as one offline page: for each a heat map (layers by positions or heads; one for each position where there are
 * all three) and its largest effects as a table.
 */
import { markup, px, trusted, type Markup } from './markup.ts';
import { page } from './page.ts';
import { color, signedInk } from './palette.ts';
import { patchEffects, type PatchAxis, type PatchRecord } from './patch-record.ts';
import { patchName, strongest } from './patch-text.ts';
import { visible } from './story.ts';
import { countOf, largest, numberFormat, percent } from './wording.ts';

const STYLE = `
.spex-patch text { font: 11px system-ui, sans-serif; font-variant-numeric: tabular-nums; fill: ${color('muted')}; dominant-baseline: central; }
.spex-patch .row { text-anchor: end; }
.spex-patch .cell { fill: ${color('paper')}; stroke: ${color('rule')}; stroke-width: 0.75; }
.spex-patch .positive { fill: ${color('positive')}; }
.spex-patch .negative { fill: ${color('negative')}; }
`;
const LISTED = 20;
/** Columns of a map; wider ones are left to the table. */
const MOST_COLUMNS = 256;

/** The page. The same records give the same text. */
export function patchPage(records: readonly PatchRecord[]): string {
  return page({
    title: `Where the runs of ${records[0]?.model ?? 'a model'} part`,
    subtitle: 'Activation patching: one activation of a run at a time is that of the other run',
    body: records.map(section),
  });
}

function section(record: PatchRecord): Markup {
  const { what, direction, metric, unit, base, source, values, prompts, command } = record;
  const effects = patchEffects(record);
  const format = numberFormat(largest([base, source, ...values]));
  const [from, to] = direction === 'denoise' ? ['corrupted', 'clean'] : ['clean', 'corrupted'];
  return markup`<section><h2>${what}</h2>
<p>${countOf(values.length, 'patches')}. The ${metric} of the ${from} run is <b>${format(base)}</b>${unit !== '' && ` ${unit}`}, of the ${to} run <b>${format(source)}</b>; a patch of effect 100 % makes all of the difference.</p>
${patchMaps(record).map((svg) => markup`<figure><div class="scroll" role="region" aria-label="${what}" tabindex="0">${svg}</div></figure>`)}
<table><caption>Largest effects</caption><thead><tr><th>patched</th><th>${metric}</th><th>effect</th></tr></thead><tbody>
${strongest(effects, LISTED).map((i) => markup`<tr><td>${patchName(record, i)}</td><td>${format(values[i])}</td><td>${percent(effects[i])}</td></tr>`)}
</tbody></table>
<p class="muted">${prompts.slice(0, 3).map(({ clean, corrupted }) => markup`Clean: <span class="token">${clean}</span> corrupted: <span class="token">${corrupted}</span> `)}${prompts.length > 3 && `and ${prompts.length - 3} more`}</p>
${command !== undefined && markup`<p class="muted"><code>${command}</code></p>`}
</section>`;
}

/** The maps of a sweep as SVG: one, or one for each position; none of a sweep that has no columns or too many. */
export function patchMaps(record: PatchRecord): Markup[] {
  const [layers, second, third] = record.axes;
  const effects = patchEffects(record);
  if (second === undefined) return [];
  if (third === undefined)
    return second.labels.length > MOST_COLUMNS ? [] : [heatMap(record.what, layers, second, effects)];
  if (third.labels.length > MOST_COLUMNS) return [];
  const [rows, columns] = [layers.labels.length, third.labels.length];
  return second.labels.map((label, p) => {
    const here = Array.from({ length: rows * columns }, (_, i) => {
      const row = Math.floor(i / columns);
      return effects[(row * second.labels.length + p) * columns + (i % columns)];
    });
    return heatMap(`${record.what}, position ${p} ${visible(label)}`, layers, third, here);
  });
}

function heatMap(title: string, rows: PatchAxis, columns: PatchAxis, effects: readonly number[]): Markup {
  const scale = Math.max(1, largest(effects));
  const size = Math.max(9, Math.min(34, 720 / columns.labels.length));
  const height = Math.min(22, size);
  const words = columns.name === 'position' && columns.labels.some((label, p) => label !== String(p));
  const [left, top] = [58, words ? 84 : 26];
  const every = Math.max(1, Math.ceil(12 / size));
  const [width, bottom] = [left + columns.labels.length * size + 60, top + rows.labels.length * height + 8];
  const name = (label: string, c: number): Markup => {
    const x = px(left + (c + 0.5) * size);
    if (!words)
      return markup`<text text-anchor="middle" x="${x}" y="${top - 10}">${columns.name === 'head' ? `H${label}` : label}</text>`;
    return markup`<text transform="translate(${x} ${top - 6}) rotate(-55)">${visible(label)}</text>`;
  };
  const cell = (effect: number, i: number): Markup => {
    const [row, column] = [Math.floor(i / columns.labels.length), i % columns.labels.length];
    const ink = signedInk(effect / scale);
    const box = markup`x="${px(left + column * size)}" y="${px(top + row * height)}" width="${px(size)}" height="${px(height)}"`;
    const what = `layer ${rows.labels[row]}, ${columns.name} ${column}${words ? ` ${visible(columns.labels[column])}` : ''}`;
    return markup`<g data-read><title>${what}: ${percent(effect)}</title><rect class="cell" ${box}/><rect class="${ink.fill}" fill-opacity="${ink.opacity.toFixed(3)}" ${box}/></g>`;
  };
  return markup`<svg class="spex-patch" xmlns="http://www.w3.org/2000/svg" width="${px(width)}" height="${px(bottom)}" viewBox="0 0 ${px(width)} ${px(bottom)}" role="img" aria-label="${title}: effects by layer and ${columns.name}">
<style>${trusted(STYLE)}</style>
<title>${title}</title>
${columns.labels.map((label, c) => c % every === 0 && name(label, c))}
${rows.labels.map((label, r) => markup`<text class="row" x="${left - 8}" y="${px(top + (r + 0.5) * height)}">layer ${label}</text>`)}
${effects.map(cell)}
</svg>`;
}
