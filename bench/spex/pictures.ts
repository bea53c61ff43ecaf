/**
 * The pictures of docs/spex.md: the bins before and after peeling, and recall and R² as curves.
 *
 * Plain SVG by Observable Plot in Node; colours are fixed, the files stand alone.
 */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { createRandom } from '../../src/random.ts';
import { candidateOf, energy } from '../../src/spex/bins.ts';
import { createDecoder } from '../../src/spex/decode.ts';
import { residualBins } from '../../src/spex/least-squares.ts';
import { peel } from '../../src/spex/peel.ts';
import { planSpex } from '../../src/spex/plan.ts';
import { drawMasks } from '../../src/spex/sample.ts';
import { collectBins } from '../../src/spex/transform.ts';
import { evaluate } from '../../src/spectrum/spectrum.ts';
import { randomSpectrum } from '../../test/spex/truth.ts';

export interface Curve {
  readonly axis: 'noise / deviation of f' | 'terms';
  readonly at: number;
  readonly measure: 'recall' | 'R²';
  /** One per seed. */
  readonly values: readonly number[];
}

const INK = '#1c1d21';
const BLUE = '#1b5ea8';
const ORANGE = '#ad4a0b';

function svgOf(options: Plot.PlotOptions, label: string): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const svg = Plot.plot({
    ...options,
    document,
    className: 'spex',
    style: { background: '#ffffff', color: INK, fontFamily: 'system-ui, sans-serif', fontSize: '12px' },
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  return `${svg.outerHTML}\n`;
}

const SHOWN_TERMS = 14;

/**
 * Energy of every bin of three groups, by round of peeling: 14 terms of 20 players in 3 x 16 bins. Hard decoding
 * and a strict singleton test, so that only clean bins speak and the rounds are seen; the defaults need one or two.
 */
export function binsPicture(): string {
  const draw = drawMasks(planSpex(20, { b: 4 }), 3);
  const truth = randomSpectrum(20, SHOWN_TERMS, 4, createRandom(5));
  const collector = collectBins(draw);
  collector.accept(0, evaluate(truth, draw.masks));
  const bins = collector.bins();
  const load = new Int32Array(48);
  for (const { members } of truth.terms) for (const bin of candidateOf(bins, members).bins) load[bin]++;
  const cells: { round: string; group: string; bin: number; energy: number; terms: string }[] = [];
  for (const maxRounds of [0, 1, 2]) {
    const { terms } =
      maxRounds === 0
        ? { terms: [] }
        : peel(bins, createDecoder(draw.code), { maxRounds, decoding: 'hard', eta: 1e-6 });
    const candidates = terms.map(({ members }) => candidateOf(bins, members));
    const rest = residualBins(
      bins,
      candidates,
      terms.map(({ value }) => value),
    );
    const left = load.slice();
    for (const candidate of candidates) for (const bin of candidate.bins) left[bin]--;
    for (let bin = 0; bin < 48; bin++) {
      cells.push({
        round:
          maxRounds === 0
            ? `measured: ${SHOWN_TERMS} terms`
            : `after round ${maxRounds}: ${SHOWN_TERMS - terms.length} left`,
        group: `group ${(bin >> 4) + 1}`,
        bin: bin & 15,
        energy: Math.sqrt(energy(rest, bin) / bins.delays),
        terms: left[bin] > 0 ? String(left[bin]) : '',
      });
    }
  }
  return svgOf(
    {
      width: 760,
      height: 300,
      marginLeft: 60,
      marginRight: 150,
      padding: 0.08,
      x: { label: 'bin', tickSize: 0 },
      y: { label: null, tickSize: 0 },
      fy: { label: null, tickSize: 0, domain: [...new Set(cells.map(({ round }) => round))] },
      color: { type: 'linear', domain: [0, 1.5], range: ['#f0f1f4', BLUE], clamp: true },
      marks: [
        Plot.cell(cells, { fy: 'round', x: 'bin', y: 'group', fill: 'energy' }),
        Plot.text(cells, {
          fy: 'round',
          x: 'bin',
          y: 'group',
          text: 'terms',
          fill: (cell: { energy: number }) => (cell.energy > 0.8 ? '#ffffff' : INK),
        }),
      ],
    },
    'Energy of the bins of three groups as peeling proceeds; numbers count the terms in a bin. A bin with one term names it; taking it out of the other groups leaves new bins with one term.',
  );
}

/** Median (line) and every seed (dots) of recall and R². */
export function curvesPicture(curves: readonly Curve[]): string {
  const dots = curves.flatMap(({ axis, at, measure, values }) => values.map((value) => ({ axis, at, measure, value })));
  const panel = (axis: Curve['axis'], x: Plot.ScaleOptions, width: number): string =>
    svgOf(
      {
        width,
        height: 260,
        marginLeft: 48,
        x: { ...x, label: axis, grid: false },
        y: { label: null, domain: [-0.2, 1], grid: true },
        color: { domain: ['recall', 'R²'], range: [BLUE, ORANGE] },
        marks: [
          Plot.dot(
            dots.filter((dot) => dot.axis === axis),
            { x: 'at', y: 'value', fill: 'measure', r: 2, fillOpacity: 0.5 },
          ),
          Plot.line(
            dots.filter((dot) => dot.axis === axis),
            Plot.groupX({ y: 'median' }, { x: 'at', y: 'value', stroke: 'measure', strokeWidth: 2 }),
          ),
          Plot.text(
            [
              { at: curves.filter((curve) => curve.axis === axis)[0].at, value: 0.1, text: 'recall' },
              { at: curves.filter((curve) => curve.axis === axis)[0].at, value: -0.02, text: 'R² on fresh masks' },
            ],
            {
              x: 'at',
              y: 'value',
              text: 'text',
              textAnchor: 'start',
              fill: (label: { text: string }) => (label.text === 'recall' ? BLUE : ORANGE),
              fontWeight: 600,
            },
          ),
        ],
      },
      `Recall and R² against ${axis}`,
    );
  const left = panel(
    'noise / deviation of f',
    { type: 'log', ticks: [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4], tickFormat: String },
    380,
  );
  const right = panel('terms', { type: 'linear' }, 380);
  const inner = (svg: string, x: number): string => svg.replace('<svg ', `<svg x="${x}" `).trim();
  return `<svg xmlns="http://www.w3.org/2000/svg" width="780" height="260" viewBox="0 0 780 260" role="img" aria-label="Recall and R² of SPEX against noise and number of terms, n = 64, t = 5, 3 x 64 bins">\n${inner(left, 0)}\n${inner(right, 395)}\n</svg>\n`;
}
