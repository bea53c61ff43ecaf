/**
 * Faithfulness over circuit size: the chosen sets, measured, against those of an additive fit and random ones of the same size.
 */
import { plotLibrary } from '../platform/charts.ts';
import { chart } from './chart.ts';
import type { Markup } from './markup.ts';
import { color } from './palette.ts';
import type { Result, ResultCircuit } from './result.ts';
import { percent } from './wording.ts';

/** The chart, or undefined when fewer than two sizes were measured. */
export function faithfulnessCurve(result: Result, circuit: ResultCircuit): Markup | undefined {
  const Plot = plotLibrary();
  if (circuit.curve.length < 2) return undefined;
  const points = circuit.curve.map(({ size, kept, predicted, random, rivals }) => ({
    size,
    measured: kept.faithfulness,
    predicted,
    random,
    rivals: Object.entries(rivals),
  }));
  const others = points.flatMap(({ size, rivals }) =>
    rivals.map(([name, { kept }]) => ({ size, name, faithfulness: kept.faithfulness })),
  );
  const lines = points
    .flatMap(({ measured, predicted, random }) => [measured, predicted, random?.mean ?? measured])
    .concat(others.map(({ faithfulness }) => faithfulness));
  // A random set may overshoot wildly where the range is small; the band is cut so that the lines stay readable.
  const low = Math.min(0, ...lines) - 0.15;
  const high = Math.max(1, circuit.target, ...lines) + 0.15;
  const cut = (share: number): number => Math.min(high, Math.max(low, share));
  // Of ∅ and of all there is one set: the band starts and ends on the line.
  const banded = points.map(({ size, measured, random }) => ({
    size,
    mean: random?.mean ?? measured,
    low: cut(random?.low ?? measured),
    high: cut(random?.high ?? measured),
  }));
  const [first, last] = [points[0].size, points[points.length - 1].size];
  const chosen = { size: circuit.chosen.size, measured: circuit.chosen.kept.faithfulness };
  const few = points.length <= 40;
  const random = color('muted');
  return chart(
    'spex-curve',
    {
      width: 640,
      height: 320,
      marginLeft: 52,
      marginBottom: 40,
      marginRight: 16,
      x: {
        label: `${result.task.players} kept`,
        labelArrow: 'none',
        labelAnchor: 'center',
        domain: [first, last],
        ticks: Math.min(10, last - first),
        tickFormat: (size: number) => String(size),
      },
      y: { label: null, domain: [low, high], ticks: 6, tickFormat: (share: number) => percent(share) },
      marks: [
        Plot.areaY(banded, { x: 'size', y1: 'low', y2: 'high', fill: random, fillOpacity: 0.18 }),
        Plot.ruleY([0, 1], { stroke: color('rule') }),
        Plot.ruleY([circuit.target], { stroke: color('muted'), strokeDasharray: '2 3' }),
        Plot.ruleX([chosen.size], { stroke: color('ink'), strokeOpacity: 0.55 }),
        Plot.lineY(banded, { x: 'size', y: 'mean', stroke: random, strokeWidth: 1.6 }),
        Plot.lineY(others, {
          x: 'size',
          y: 'faithfulness',
          z: 'name',
          stroke: color('negative'),
          strokeWidth: 1.5,
          strokeDasharray: '2 2',
        }),
        Plot.lineY(points, {
          x: 'size',
          y: 'predicted',
          stroke: color('ramp3'),
          strokeWidth: 1.4,
          strokeDasharray: '5 3',
        }),
        Plot.lineY(points, { x: 'size', y: 'measured', stroke: color('positive'), strokeWidth: 2.2 }),
        ...(few ? [Plot.dot(points, { x: 'size', y: 'measured', r: 2.6, fill: color('positive') })] : []),
        Plot.dot([chosen], {
          x: 'size',
          y: 'measured',
          r: 5.5,
          fill: color('paper'),
          stroke: color('positive'),
          strokeWidth: 2.4,
        }),
      ],
    },
    'Faithfulness over circuit size',
    `Measured faithfulness from ${first} to ${last} ${result.task.players}; the chosen circuit has ${chosen.size} and keeps ${percent(chosen.measured)}.`,
  );
}
