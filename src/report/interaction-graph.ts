/**
 * The interaction graph drawn over the layers, as one SVG.
 *
 * Colour and dash carry the sign of the Banzhaf interaction, width carries |F(S)| (the square root of its share
 * of the variance), the badge its rank in the table. A solid badge is the joint of three players or more.
 * Pills are tinted by their player's own Banzhaf value and ringed when they belong to the circuit.
 */
import type { Drawn } from './drawn.ts';
import { layoutGraph } from './graph-layout.ts';
import { BADGE_RADIUS, type Curve } from './graph-routing.ts';
import { markup, px, trusted, type Markup } from './markup.ts';
import { color, signedInk } from './palette.ts';
import { signedScale } from './signed-scale.ts';
import { joinNames, largest, meaningWords, numberFormat, unitSuffix } from './wording.ts';

export const GRAPH_LIMIT = 12;

const STYLE = `
.spex-graph text { font: 11px system-ui, sans-serif; fill: ${color('ink')}; text-anchor: middle; dominant-baseline: central; }
.spex-graph .lane { fill: ${color('faint')}; }
.spex-graph .axis { fill: ${color('muted')}; font-size: 10.5px; }
.spex-graph .dot { fill: ${color('rule')}; }
.spex-graph .link { fill: none; stroke-linecap: round; stroke-opacity: 0.82; }
.spex-graph .above { stroke: ${color('positive')}; }
.spex-graph .below { stroke: ${color('negative')}; }
.spex-graph .below.link { stroke-dasharray: 7 4.5; stroke-linecap: butt; }
.spex-graph .badge { fill: ${color('paper')}; stroke-width: 1.4; }
.spex-graph .badge.joint.above { fill: ${color('positive')}; }
.spex-graph .badge.joint.below { fill: ${color('negative')}; }
.spex-graph .rank { font-size: 10px; font-weight: 600; }
.spex-graph .rank.joint { fill: ${color('onStrong')}; }
.spex-graph .pill { fill: ${color('paper')}; stroke: ${color('muted')}; stroke-width: 0.8; }
.spex-graph .pill.member { stroke: ${color('ink')}; stroke-width: 2; }
.spex-graph .tint { stroke: none; }
.spex-graph .tint.positive { fill: ${color('positive')}; }
.spex-graph .tint.negative { fill: ${color('negative')}; }
.spex-graph .name.member { font-weight: 650; }
`;

/** The SVG of the first `limit` interactions, about `room` px wide, or undefined where `layoutGraph` has none. */
export function interactionGraph(
  result: Drawn,
  { limit = GRAPH_LIMIT, room }: { readonly limit?: number; readonly room?: number } = {},
): Markup | undefined {
  const layout = layoutGraph(result, limit, room);
  if (layout === undefined) return undefined;
  const { width, height, lanes, rows, pills, dots, links } = layout;
  const most = largest(links.map(({ interaction }) => interaction.fourier));
  const format = numberFormat(largest(links.map(({ interaction }) => interaction.value)), { signed: true });
  const scale = signedScale(result.values.map(({ banzhaf }) => banzhaf));
  const circuit = new Set(result.circuit?.chosen.players);
  const sign = (value: number): string => (value > 0 ? 'above' : 'below');
  return markup`<svg class="spex-graph" xmlns="http://www.w3.org/2000/svg" width="${px(width)}" height="${px(height)}" viewBox="0 0 ${px(width)} ${px(height)}" role="img" aria-labelledby="spex-graph-title spex-graph-desc">
<title id="spex-graph-title">The ${links.length} largest interactions, drawn over the layers</title>
<desc id="spex-graph-desc">${links.map(({ rank, interaction }) => `${rank}: ${joinNames(interaction.names)}, ${format(interaction.value)}${unitSuffix(result)}, ${meaningWords(interaction.meaning)}.`).join(' ')}</desc>
<style>${trusted(STYLE)}</style>
${lanes.map((lane, k) => [
  k % 2 === 0 &&
    markup`<rect class="lane" x="${px(lane.x)}" y="4" width="${px(lane.width)}" height="${px(height - 8)}" rx="4"/>`,
  markup`<text class="axis" x="${px(lane.x + lane.width / 2)}" y="18">${lane.label}</text>`,
])}
${rows.map((row) => markup`<text class="axis" x="20" y="${px(row.y)}">${row.label}</text>`)}
${dots.map((dot) => markup`<circle class="dot player" data-player="${dot.player}" cx="${px(dot.x)}" cy="${px(dot.y)}" r="2.6"><title>${result.players[dot.player].name}</title></circle>`)}
${links.map(({ rank, interaction, curves }) => {
  const stroke = 1.2 + 4.8 * (most === 0 ? 0 : Math.abs(interaction.fourier) / most);
  return markup`<g class="link ${sign(interaction.value)}" data-interaction="${rank - 1}" stroke-width="${px(stroke)}"><title>${joinNames(interaction.names)}: ${format(interaction.value)}${unitSuffix(result)}, ${meaningWords(interaction.meaning)}</title>${curves.map((curve) => markup`<path d="${path(curve)}"/>`)}</g>`;
})}
${pills.map((pill) => {
  const ink = signedInk(scale.at(result.values[pill.player].banzhaf));
  const member = circuit.has(pill.player) && 'member';
  const box = markup`x="${px(pill.x - pill.width / 2)}" y="${px(pill.y - pill.height / 2)}" width="${px(pill.width)}" height="${px(pill.height)}" rx="${px(pill.height / 2)}"`;
  return markup`<g class="player" data-player="${pill.player}"><title>${result.players[pill.player].name}</title><rect class="pill" ${box}/><rect class="tint ${ink.fill}" fill-opacity="${(ink.opacity * 0.3).toFixed(2)}" ${box}/><rect class="pill ${member}" fill-opacity="0" ${box}/><text class="name ${member}" x="${px(pill.x)}" y="${px(pill.y)}">${pill.label}</text></g>`;
})}
${links.map(({ rank, interaction, badge }) => {
  const joint = interaction.members.length > 2 && 'joint';
  return markup`<g data-interaction="${rank - 1}"><circle class="badge ${sign(interaction.value)} ${joint}" cx="${px(badge.x)}" cy="${px(badge.y)}" r="${BADGE_RADIUS}"/><text class="rank ${joint}" x="${px(badge.x)}" y="${px(badge.y)}">${rank}</text></g>`;
})}
</svg>`;
}

function path({ from, bend, to }: Curve): string {
  return `M${px(from.x)},${px(from.y)}Q${px(bend.x)},${px(bend.y)} ${px(to.x)},${px(to.y)}`;
}
