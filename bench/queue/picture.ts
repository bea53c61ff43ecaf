/** The scaling curve: masks per second over workers, beside what that many would do without a queue; a stand-alone SVG. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

export interface Point {
  readonly workers: number;
  readonly rate: number;
  readonly ideal: number;
}

export function scalingPicture(points: readonly Point[]): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const svg = Plot.plot({
    document,
    className: 'queue',
    width: 560,
    height: 320,
    marginLeft: 64,
    marginRight: 48,
    style: { background: '#ffffff', color: '#1c1d21', fontFamily: 'system-ui, sans-serif', fontSize: '12px' },
    x: { type: 'log', label: 'workers', ticks: points.map(({ workers }) => workers), tickFormat: 'd' },
    y: { type: 'log', label: 'masks per second', grid: true, tickFormat: 's' },
    marks: [
      Plot.line(points, { x: 'workers', y: 'ideal', stroke: '#b9bcc4', strokeDasharray: '4 3' }),
      Plot.line(points, { x: 'workers', y: 'rate', stroke: '#1b5ea8', strokeWidth: 2 }),
      Plot.dot(points, { x: 'workers', y: 'rate', fill: '#1b5ea8', r: 4 }),
      Plot.text(points, {
        x: 'workers',
        y: 'rate',
        text: ({ rate, ideal }: Point) => `${((100 * rate) / ideal).toFixed(0)} %`,
        dy: 16,
        dx: 12,
        fill: '#1b5ea8',
      }),
    ],
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', 'Masks per second by workers on one queue, beside that many without one (log scales)');
  return `${svg.outerHTML}\n`;
}
