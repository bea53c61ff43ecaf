/**
 * What the metric loses when players are taken away, most important first: ours, the additive answer's, random ones'.
 */
import { plotLibrary } from '../platform/charts.ts';
import { chart } from './chart.ts';
import type { Markup } from './markup.ts';
import { color } from './palette.ts';
import type { Result } from './result.ts';
import { percent } from './wording.ts';

/** Above this share of |f(all)| a change is cut off, so that the lines stay readable. */
const MOST = 2;

/** The chart, or undefined when fewer than two sizes were measured. */
export function removalFigure(result: Result, removal: NonNullable<Result['removal']>): Markup | undefined {
  const Plot = plotLibrary();
  const { points } = removal;
  if (points.length < 2) return undefined;
  const rivals = Object.keys(points[0].rivals);
  const shares = points.flatMap(({ ours, random, ...point }) => [
    ours.measured,
    random.mean,
    ...rivals.map((name) => point.rivals[name].measured),
  ]);
  const high = Math.min(MOST, Math.max(1, ...shares) + 0.1);
  const cut = (share: number): number => Math.min(high, share);
  const lines = points.flatMap(({ removed, ours, ...point }) =>
    rivals
      .map((name) => ({ removed, name, change: cut(point.rivals[name].measured) }))
      .concat({ removed, name: 'ours', change: cut(ours.measured) }),
  );
  const banded = points.map(({ removed, random }) => ({
    removed,
    mean: cut(random.mean),
    low: cut(random.low),
    high: cut(random.high),
  }));
  const [first, last] = [points[0].removed, points[points.length - 1].removed];
  return chart(
    'spex-removal',
    {
      width: 640,
      height: 280,
      marginLeft: 52,
      marginBottom: 40,
      marginRight: 16,
      x: {
        label: `${result.task.players} removed`,
        labelArrow: 'none',
        labelAnchor: 'center',
        domain: [first, last],
        ticks: Math.min(10, last - first),
        tickFormat: (size: number) => String(size),
      },
      y: { label: null, domain: [0, high], ticks: 6, tickFormat: (share: number) => percent(share) },
      marks: [
        Plot.areaY(banded, { x: 'removed', y1: 'low', y2: 'high', fill: color('muted'), fillOpacity: 0.18 }),
        Plot.ruleY([0, 1], { stroke: color('rule') }),
        Plot.lineY(banded, { x: 'removed', y: 'mean', stroke: color('muted'), strokeWidth: 1.6 }),
        Plot.lineY(
          lines.filter(({ name }) => name !== 'ours'),
          { x: 'removed', y: 'change', z: 'name', stroke: color('negative'), strokeWidth: 1.6, strokeDasharray: '5 3' },
        ),
        Plot.lineY(
          lines.filter(({ name }) => name === 'ours'),
          { x: 'removed', y: 'change', stroke: color('positive'), strokeWidth: 2.2 },
        ),
        Plot.dot(
          lines.filter(({ name }) => name === 'ours'),
          { x: 'removed', y: 'change', r: 2.6, fill: color('positive') },
        ),
      ],
    },
    'Change of the metric over players removed',
    `Mean change over the sizes: ${percent(removal.area.ours)} for the sets of the spectrum, ${rivals.map((name) => `${percent(removal.area.rivals[name])} for those of ${name}, `).join('')}${percent(removal.area.random)} for random ones.`,
  );
}
