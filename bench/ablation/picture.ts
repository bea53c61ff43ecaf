/** Bars of rows per second, a group for each backend and for the twin, with the lowest and the highest round; a stand-alone SVG. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { median, speeds, type Report } from './report.ts';
import { short } from './tables.ts';

interface Bar {
  readonly group: string;
  readonly name: string;
  readonly kind: string;
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

const INK = '#1c1d21';
const COLORS: Readonly<Record<string, string>> = {
  loop: '#b9bcc4',
  'batched hooks': '#8a8d94',
  engine: '#1b5ea8',
  'without a saving': '#7fa6d1',
  PyTorch: '#ad4a0b',
};

const kindOf = (way: string): string =>
  Object.hasOwn(COLORS, way) ? way : way.endsWith(' threads') ? 'engine' : 'without a saving';

export function barsPicture(report: Report): string {
  const bar = (group: string, name: string, kind: string, values: readonly number[]): Bar => ({
    group,
    name,
    kind,
    median: median(values),
    lowest: Math.min(...values),
    highest: Math.max(...values),
  });
  const bars = [
    ...report.backends.flatMap((backend) =>
      backend.ways.map((way) => bar(backend.name, way.name, kindOf(way.name), speeds(way))),
    ),
    ...report.python.flatMap((twin) =>
      twin.ways.map((way) => bar(twin.tf32 ? 'PyTorch TF32' : 'PyTorch', way.name, 'PyTorch', way.rounds)),
    ),
  ];
  const groups = [...new Set(bars.map(({ group }) => group))];
  const least = Math.min(...bars.map(({ lowest }) => lowest));
  const most = Math.max(...bars.map(({ highest }) => highest));
  const log = most / least > 20;
  const start = log ? 10 ** Math.floor(Math.log10(least / 1.5)) : 0;
  const label = `Ablated forward passes per second, ${report.job.name}, ${report.job.tokens.length} tokens, ${report.design} masks${log ? ' (log scale)' : ''}`;
  const margins = { left: 210, right: 70, top: 44, bottom: 30 };
  const names = bars.map(({ group, name }) => `${group}\t${name}`);
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const svg = Plot.plot({
    document,
    className: 'bench',
    width: 720,
    height: margins.top + margins.bottom + 24 * bars.length,
    marginLeft: margins.left,
    marginRight: margins.right,
    marginTop: margins.top,
    marginBottom: margins.bottom,
    style: { background: '#ffffff', color: INK, fontFamily: 'system-ui, sans-serif', fontSize: '12px' },
    x: {
      type: log ? 'log' : 'linear',
      domain: [start, most * (log ? 1.2 : 1.02)],
      label: null,
      ticks: 5,
      tickFormat: (value: number) => value.toLocaleString('en'),
      grid: true,
    },
    y: { domain: names, label: null, tickSize: 0, padding: 0.25, tickFormat: (key: string) => key.replace('\t', ': ') },
    marks: [
      Plot.rect(bars, {
        x1: start,
        x2: 'median',
        y: (_: Bar, i: number) => names[i],
        fill: ({ kind }: Bar) => COLORS[kind],
      }),
      Plot.ruleY(bars, {
        x1: 'lowest',
        x2: 'highest',
        y: (_: Bar, i: number) => names[i],
        stroke: INK,
        strokeWidth: 1.5,
      }),
      Plot.text(bars, {
        x: 'highest',
        y: (_: Bar, i: number) => names[i],
        text: ({ median: value }: Bar) => short(value),
        textAnchor: 'start',
        dx: 6,
        fill: INK,
        fontWeight: 600,
      }),
      Plot.text([label], {
        frameAnchor: 'top-left',
        dx: 6 - margins.left,
        dy: -38,
        lineAnchor: 'top',
        text: (text: string) => text,
        fill: INK,
        fontWeight: 600,
      }),
    ],
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', `${label}; ${groups.join(', ')}`);
  return `${svg.outerHTML}\n`;
}
