/** A circuit by itself: its members, and what its sets keep by their size, beside random ones. */
import type { Circuit } from '../circuit/find-circuit.ts';
import { markup, px, trusted, type Markup } from '../report/markup.ts';
import { color } from '../report/palette.ts';
import { percent } from '../report/wording.ts';
import { tableOf, type View } from './view.ts';

const STYLE = `
.spex-sizes text { font: 10px system-ui, sans-serif; fill: ${color('muted')}; dominant-baseline: central; }
.spex-sizes .measured { fill: none; stroke: ${color('positive')}; stroke-width: 2; }
.spex-sizes .random { fill: none; stroke: ${color('muted')}; stroke-width: 1.4; stroke-dasharray: 4 3; }
.spex-sizes .rule { stroke: ${color('rule')}; }
.spex-sizes .target { stroke: ${color('muted')}; stroke-dasharray: 2 3; }
.spex-sizes .chosen { fill: ${color('paper')}; stroke: ${color('positive')}; stroke-width: 2.2; }
`;

export function circuitView(circuit: Circuit): View {
  const { chosen, members, playerCount, target, verdict } = circuit;
  const heading =
    verdict.kind === 'found'
      ? `${chosen.size} of ${playerCount} players keep ${percent(chosen.kept.faithfulness)} of ${circuit.game} (${percent(target)} was asked for)`
      : `no circuit of ${circuit.game}: ${verdict.kind} (${verdict.why})`;
  const rows = members.map(({ name, necessity }) => [name, necessity === null ? '' : percent(necessity)]);
  const random = chosen.random === null ? '' : `, random sets of its size ${percent(chosen.random.mean)}`;
  const width = Math.max(...rows.map(([name]) => name.length), 0);
  return {
    text: [
      heading,
      `without it ${percent(chosen.removed.faithfulness)} is left${random}`,
      ...rows.map(([name, lost]) => `  ${name.padEnd(width)}  ${lost}`),
    ]
      .join('\n')
      .replaceAll('\u00a0', ' '),
    figures: circuit.curve.length < 2 ? [] : [sizes(circuit)],
    above: [
      markup`<p><b>${heading}</b>; without it ${percent(chosen.removed.faithfulness)} is left${random}.</p>`,
      members.length <= 30 ? tableOf(['member', 'lost without it'], rows) : members.map(({ name }) => `${name} `),
    ],
  };
}

/** Faithfulness over size. */
function sizes({ curve, chosen, target }: Circuit): Markup {
  const [width, height, left, top] = [420, 190, 44, 10];
  const [right, bottom] = [width - 10, height - 30];
  const shares = curve.flatMap(({ kept, random }) => [kept.faithfulness, random?.mean ?? 0]);
  const [low, high] = [Math.min(0, ...shares), Math.max(1, ...shares)];
  const [first, last] = [curve[0].size, curve[curve.length - 1].size];
  const x = (size: number): number => left + ((right - left) * (size - first)) / (last - first);
  const y = (share: number): number => bottom - ((bottom - top) * (share - low)) / (high - low);
  const line = (points: readonly { readonly size: number; readonly share: number }[]): string =>
    points.map(({ size, share }) => `${px(x(size))},${px(y(share))}`).join(' ');
  const measured = curve.map(({ size, kept }) => ({ size, share: kept.faithfulness }));
  const random = curve.map(({ size, kept, random: sets }) => ({ size, share: sets?.mean ?? kept.faithfulness }));
  const rule = (share: number, name: string): Markup =>
    markup`<line class="${name}" x1="${left}" x2="${right}" y1="${px(y(share))}" y2="${px(y(share))}"/><text text-anchor="end" x="${left - 6}" y="${px(y(share))}">${percent(share)}</text>`;
  return markup`<svg class="spex-sizes" xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Share of the metric that sets keep, by their size; dashed: random sets">
<style>${trusted(STYLE)}</style>
${rule(0, 'rule')}${rule(1, 'rule')}
<line class="target" x1="${left}" x2="${right}" y1="${px(y(target))}" y2="${px(y(target))}"/>
<polyline class="random" points="${line(random)}"/><polyline class="measured" points="${line(measured)}"/>
<circle class="chosen" cx="${px(x(chosen.size))}" cy="${px(y(chosen.kept.faithfulness))}" r="5"/>
<text text-anchor="middle" x="${px(x(chosen.size))}" y="${bottom + 12}">${chosen.size}</text>
<text text-anchor="middle" x="${px((left + right) / 2)}" y="${bottom + 24}">players kept, ${first} to ${last}</text>
</svg>`;
}
