/**
 * Where the variance over masks sits, as two bars: by place (alone, within a layer, across layers) and by order.
 */
import { markup, px, trusted, type Markup } from './markup.ts';
import { color, type ColorName } from './palette.ts';
import type { Result } from './result.ts';
import { ordersUpTo, percent, placesOfEnergy } from './wording.ts';

const WIDTH = 400;
const BAR = 26;
const LINE = 18;
const RAMP = ['ramp1', 'ramp2', 'ramp3', 'ramp4', 'ramp5'] as const;
const PLACES = { alone: 0, within: 1, across: 3, none: 2 } as const;

const STYLE = `
.spex-energy text { font: 11px system-ui, sans-serif; font-variant-numeric: tabular-nums; fill: ${color('ink')}; dominant-baseline: central; }
.spex-energy .head { fill: ${color('muted')}; }
${RAMP.map((name) => `.spex-energy .${name} { fill: ${color(name)}; }`).join('\n')}
.spex-energy text.on0 { fill: ${color('ink')}; }
.spex-energy text.on1 { fill: ${color('onRamp2')}; }
.spex-energy text.on2, .spex-energy text.on3, .spex-energy text.on4 { fill: ${color('onRamp3')}; }
`;

interface Part {
  readonly label: string;
  readonly share: number;
  readonly shade: number;
}

/** The SVG, or undefined for a constant game. */
export function energyBars(result: Result): Markup | undefined {
  if (!(result.energy.total > 0)) return undefined;
  const places = placesOfEnergy(result).map(({ key, label, share }) => ({ label, share, shade: PLACES[key] }));
  const orders = ordersUpTo(result, 4).map(({ label, order, share }) => ({ label, share, shade: order - 1 }));
  const second = 22 + BAR + places.length * LINE + 26;
  const height = second + 14 + BAR + orders.length * LINE + 14;
  const described = [...places, ...orders].map(({ label, share }) => `${label} ${percent(share)}`).join(', ');
  return markup`<svg class="spex-energy" xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${px(height)}" viewBox="0 0 ${WIDTH} ${px(height)}" role="img" aria-labelledby="spex-energy-title spex-energy-desc">
<title id="spex-energy-title">Share of the variance, by place and by order</title>
<desc id="spex-energy-desc">${described}.</desc>
<style>${trusted(STYLE)}</style>
${bar('by place', places, 8)}
${bar('by order', orders, second)}
</svg>`;
}

function bar(title: string, parts: readonly Part[], top: number): Markup {
  const total = parts.reduce((sum, { share }) => sum + share, 0) || 1;
  const shade = (part: Part): ColorName => RAMP[part.shade];
  let x = 0;
  const segments = parts.map((part) => {
    const width = (WIDTH * part.share) / total;
    const left = x;
    x += width;
    return markup`<rect class="${shade(part)}" x="${px(left)}" y="${px(top + 10)}" width="${px(Math.max(0, width - 1))}" height="${BAR}"/>${
      width > 46 &&
      markup`<text class="on${part.shade}" text-anchor="middle" x="${px(left + width / 2)}" y="${px(top + 10 + BAR / 2)}">${percent(part.share)}</text>`
    }`;
  });
  const legend = parts.map((part, k) => {
    const y = top + 10 + BAR + 14 + k * LINE;
    return markup`<rect class="${shade(part)}" x="0" y="${px(y - 5)}" width="10" height="10"/><text x="17" y="${px(y)}">${part.label}</text><text x="${WIDTH - 2}" y="${px(y)}" text-anchor="end">${percent(part.share)}</text>`;
  });
  return markup`<text class="head" x="0" y="${px(top)}">${title}</text>${segments}${legend}`;
}
