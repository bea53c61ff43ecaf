/** What a cache explains, and scores of heads: the logit lens, direct logit attribution, head detection. */
import type { LogitAttribution } from '../hooks/explain/logit-attribution.ts';
import type { LogitLens } from '../hooks/explain/logit-lens.ts';
import type { HeadScores } from '../hooks/heads/head-detector.ts';
import { markup } from '../report/markup.ts';
import { color } from '../report/palette.ts';
import { percent } from '../report/wording.ts';
import { bars, namedText } from './bars.ts';
import { heatMap } from './heat-map.ts';
import { tableOf, type View } from './view.ts';

/** Components of an attribution that are drawn. */
const LARGEST = 20;

/** The likeliest token of every stream and position of the first text, the bluer the surer. */
export function lensView({ labels, top }: LogitLens): View {
  const best = top.map(([positions]) => positions.map(([first]) => first));
  const shown = best.map((row) => row.map(({ id, token }) => token ?? `[${id}]`));
  const width = Math.max(...labels.map((label) => label.length));
  const columns = best[0].map((_, p) => `${p - best[0].length}`);
  const rows = shown.map((row, s) => [
    labels[s],
    ...row.map((token, p) => {
      const { probability } = best[s][p];
      const tint = `background: color-mix(in srgb, ${color('positive')} ${Math.round(60 * probability)}%, transparent)`;
      return markup`<span style="${tint}; padding: 1px 3px; white-space: pre" title="${percent(probability)}">${token}</span>`;
    }),
  ]);
  return {
    text: shown
      .map((row, s) => `${labels[s].padEnd(width)}  ${row.map((token) => JSON.stringify(token)).join(' ')}`)
      .join('\n'),
    above: tableOf(['', ...columns], rows),
  };
}

/** Components by what they add at the last position of the first text, the largest first. */
export async function attributionView({ labels, values }: LogitAttribution): Promise<View> {
  const all = (await values.array()) as number[][][];
  const named = labels
    .map((name, k) => ({ name, value: all[k][0].at(-1) as number }))
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const sum = named.reduce((total, { value }) => total + value, 0);
  const heading = `${sum.toFixed(2)} logits at the last position, by ${labels.length} components`;
  const shown = named.slice(0, LARGEST);
  return {
    text: [heading, namedText(shown)].join('\n'),
    figures: [bars('What components add to the logit', shown)],
    above: markup`<p>${heading}${named.length > LARGEST && `; the ${LARGEST} largest`}</p>`,
  };
}

/** A number for every head, layers down. */
export function scoresView({ layers, heads, values }: HeadScores): View {
  const rows = Array.from({ length: layers }, (_, l) => Array.from(values.subarray(l * heads, (l + 1) * heads)));
  const named = rows
    .flatMap((row, l) => row.map((value, h) => ({ name: `L${l}H${h}`, value })))
    .sort((a, b) => b.value - a.value);
  return {
    text: namedText(named.slice(0, LARGEST)),
    figures: [
      heatMap({
        title: 'Scores of heads',
        values: rows,
        rows: rows.map((_, l) => `layer ${l}`),
        columns: rows[0].map((_, h) => `H${h}`),
        cell: Math.max(8, Math.min(26, 500 / heads)),
      }),
    ],
  };
}
