/**
 * What the metric becomes without the players that help it most, and without those that harm it most.
 */
import * as Plot from '@observablehq/plot';
import { chart } from './chart.ts';
import type { Markup } from './markup.ts';
import { color } from './palette.ts';
import type { Result } from './result.ts';
import { largest, numberFormat, unitSuffix } from './wording.ts';

/** The chart, or undefined when fewer than two sizes were measured. */
export function directedRemovalFigure(
  result: Result,
  points: NonNullable<Result['directedRemoval']>,
): Markup | undefined {
  if (points.length < 2) return undefined;
  const lines = (['helpful', 'harmful'] as const).map((who) => [
    { removed: 0, value: result.clean },
    ...points.map(({ removed, [who]: { measured } }) => ({ removed, value: measured })),
  ]);
  const ink = [color('positive'), color('negative')];
  const last = points[points.length - 1];
  const format = numberFormat(largest(lines.flat().map(({ value }) => value)));
  const unit = unitSuffix(result);
  return chart(
    'spex-directed-removal',
    {
      width: 640,
      height: 260,
      marginLeft: 60,
      marginBottom: 40,
      marginRight: 16,
      x: {
        label: `${result.task.players} removed`,
        labelArrow: 'none',
        labelAnchor: 'center',
        domain: [0, last.removed],
        ticks: Math.min(10, last.removed),
        tickFormat: (size: number) => String(size),
      },
      y: { label: null, ticks: 6, nice: true },
      marks: [
        Plot.ruleY([result.clean], { stroke: color('rule') }),
        ...lines.flatMap((line, k) => [
          Plot.lineY(line, {
            x: 'removed',
            y: 'value',
            stroke: ink[k],
            strokeWidth: 2.2,
            strokeDasharray: k === 0 ? '' : '5 3',
          }),
          Plot.dot(line, { x: 'removed', y: 'value', r: 2.6, fill: ink[k] }),
        ]),
      ],
    },
    'The metric without the most helpful and without the most harmful',
    `With all it is ${format(result.clean)}${unit}; without the ${last.removed} most helpful ${format(last.helpful.measured)}, without the ${last.removed} most harmful ${format(last.harmful.measured)}.`,
  );
}
