/** Where heads look: a map for each, queries down, keys across. */
import type { Attention } from '../hooks/heads/attention.ts';
import { markup, type Markup } from '../report/markup.ts';
import { percent } from '../report/wording.ts';
import { heatMap } from './heat-map.ts';
import type { View } from './view.ts';

/** Maps that are drawn, and the pixels that each may take. */
const [MAPS, SIDE] = [24, 170];

export function attentionView({ tokens, heads }: Attention): View {
  const drawn = heads.slice(0, MAPS);
  const few = drawn.length <= 4;
  const cell = Math.max(3, Math.min(few ? 18 : 12, (few ? 2 * SIDE : SIDE) / tokens.length));
  const labels = cell >= 8 ? tokens : undefined;
  const maps = drawn.map(({ name, pattern }) =>
    heatMap({ title: name, values: pattern, rows: labels, columns: labels, scale: 1, cell }),
  );
  const last = tokens.length - 1;
  const lines = heads.map(({ name, pattern }) => {
    const looks = pattern[last]
      .map((share, k) => ({ share, k }))
      .sort((a, b) => b.share - a.share)
      .slice(0, 3)
      .map(({ share, k }) => `${JSON.stringify(tokens[k])} ${percent(share)}`.replaceAll('\u00a0', ' '));
    return `${name}  ${looks.join(', ')}`;
  });
  const heading = `What ${heads.length === 1 ? 'a head looks' : `${heads.length} heads look`} at from the last token`;
  const rest = heads.length > MAPS ? `; the first ${MAPS} are drawn` : '';
  return {
    text: [heading, ...lines].join('\n'),
    figures: maps.length === 0 ? [] : [sideBySide(maps)],
    above: markup`<p>Attention, queries down and keys across${rest}.</p>`,
  };
}

/** Several SVGs as one, in rows as wide as a cell of a notebook. */
function sideBySide(maps: readonly Markup[]): Markup {
  const [WIDE, GAP] = [900, 14];
  let [x, y, row, width] = [0, 0, 0, 0];
  const placed = maps.map(({ html }) => {
    const [, w, h] = (/width="([\d.]+)" height="([\d.]+)"/.exec(html) ?? []).map(Number);
    if (x > 0 && x + w > WIDE) [x, y, row] = [0, y + row + GAP, 0];
    const at = { html: html.replace('<svg ', `<svg x="${x}" y="${y}" `), kind: 'markup' as const };
    [x, row] = [x + w + GAP, Math.max(row, h)];
    width = Math.max(width, x);
    return at;
  });
  return markup`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y + row}" viewBox="0 0 ${width} ${y + row}">${placed}</svg>`;
}
