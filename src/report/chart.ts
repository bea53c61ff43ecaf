/**
 * Observable Plot: one place that gives it a document and takes markup back.
 *
 * Plot scopes its style sheet by class; every chart gets a class of its own, as all inline SVGs of a page share
 * one cascade. Plot's numbered ids would differ from call to call, so charts here use no clip and no legend.
 */
import type { PlotOptions } from '@observablehq/plot';
import { fail } from '../errors.ts';
import { newDocument, plotLibrary } from '../platform/charts.ts';
import { escapeText, trusted, visible, type Markup } from './markup.ts';
import { color } from './palette.ts';

/**
 * The chart as one `<svg class="name">` with `title` and `description` for readers that cannot see it. Linear scales stand in its
 * data-x and data-y (range, then domain), and `players` at its bars in their order, for the page's script.
 */
export function chart(
  name: string,
  options: PlotOptions,
  title: string,
  description: string,
  players: readonly number[] = [],
): Markup {
  const svg = plotLibrary().plot({
    ...options,
    className: name,
    document: newDocument(),
    style: {
      color: color('ink'),
      background: 'none',
      fontSize: '11px',
      fontFamily: 'system-ui, sans-serif',
      overflow: 'visible',
    },
  });
  if (svg.tagName.toLowerCase() !== 'svg')
    throw fail('input', 'chart', `${name} became a <${svg.tagName}>; a chart without legend and caption is needed.`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-labelledby', `${name}-title ${name}-desc`);
  svg.removeAttribute('aria-label');
  for (const axis of ['x', 'y'] as const) {
    const scale = svg.scale(axis);
    if (scale?.type === 'linear' && scale.range !== undefined && scale.domain !== undefined)
      svg.setAttribute(`data-${axis}`, [...scale.range, ...scale.domain].join(' '));
  }
  const bars = [...svg.querySelectorAll('[aria-label="bar"] rect')];
  players.forEach((player, k) => {
    bars[k].setAttribute('data-player', String(player));
    bars[k].setAttribute('class', 'player');
  });
  const labels = `<title id="${name}-title">${escapeText(title)}</title><desc id="${name}-desc">${escapeText(description)}</desc>`;
  return trusted(visible(svg.outerHTML).replace(/>/, `>${labels}`));
}
