/** The tables and the picture of a benchmark's scores. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { REFERENCES } from './methods.ts';
import type { Score } from './results.ts';

/** Where a method has no answer it is worth the mean: R² 0. Below -1 an R² says nothing more. */
export const worth = ({ r2 }: Score): number => Math.max(-1, r2 ?? 0);

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean R² and CPU seconds, a row per method (and per group), a column per α; Markdown. */
export function scoreTable(
  scores: readonly Score[],
  groupOf: (score: Score) => string,
  alphas: readonly number[],
  withSeconds: boolean,
): string {
  const methods = [...new Set(scores.map(({ method }) => method))];
  const groups = [...new Set(scores.map(groupOf))];
  const head = ['group', 'method', ...alphas.map((alpha) => `α = ${alpha}`)];
  const rows = groups.flatMap((group) =>
    methods.flatMap((method) => {
      const these = scores.filter((score) => groupOf(score) === group && score.method === method);
      if (these.length === 0) return [];
      const cells = alphas.map((alpha) => {
        const cell = these.filter((score) => score.alpha === alpha);
        if (cell.length === 0) return '';
        const failed = cell.filter(({ r2 }) => r2 === null).length;
        const times = cell.flatMap(({ seconds }) => seconds ?? []);
        const time = withSeconds && times.length > 0 ? `, ${mean(times).toPrecision(2)} s` : '';
        return failed === cell.length
          ? REFERENCES.includes(method)
            ? (cell[0].error ?? 'failed').slice(0, 40)
            : 'not feasible'
          : `${mean(cell.map(worth)).toFixed(3)}${time}${failed > 0 ? ` (${failed} failed)` : ''}`;
      });
      return [[group, method, ...cells]];
    }),
  );
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** How `ours` does against `theirs` on the same cells, a line per α. */
export function duel(scores: readonly Score[], ours: string, theirs: string, alphas: readonly number[]): string[] {
  const keyOf = ({ game, alpha, seed }: Score): string => `${game} ${alpha} ${seed}`;
  const other = new Map(scores.filter(({ method }) => method === theirs).map((score) => [keyOf(score), score]));
  return alphas.flatMap((alpha) => {
    const pairs = scores
      .filter((score) => score.method === ours && score.alpha === alpha && other.has(keyOf(score)))
      .map((score) => [worth(score), worth(other.get(keyOf(score))!)] as const);
    if (pairs.length === 0) return [];
    const share = (test: (mine: number, its: number) => boolean): string =>
      `${((100 * pairs.filter(([a, b]) => test(a, b)).length) / pairs.length).toFixed(1)} %`;
    const gain = mean(pairs.map(([a, b]) => a - b));
    return [
      `${ours} against ${theirs}, α = ${alpha}: R² ${gain >= 0 ? '+' : ''}${gain.toFixed(3)} on average over ${pairs.length}; better in ${share((a, b) => a > b)}, worse by more than .1 in ${share((a, b) => a < b - 0.1)}`,
    ];
  });
}

const COLORS = ['#1b5ea8', '#ad4a0b', '#3a7d44', '#7a4fa3', '#8a8d94', '#b8860b', '#333333'];

/** Mean R² against the budget, a line per method, a panel per group; a stand-alone SVG. */
export function budgetPicture(
  scores: readonly Score[],
  groupOf: (score: Score) => string,
  methods: readonly string[],
  label: string,
): string {
  const groups = [...new Set(scores.map(groupOf))];
  const points = groups.flatMap((group) =>
    methods.flatMap((method) => {
      // What a baseline cannot fit is no point; a reference that fails is worth the mean.
      const these = scores.filter(
        (score) =>
          groupOf(score) === group && score.method === method && (score.r2 !== null || REFERENCES.includes(method)),
      );
      return [...new Set(these.map(({ alpha }) => alpha))].map((alpha) => ({
        group,
        method,
        alpha,
        r2: mean(these.filter((score) => score.alpha === alpha).map(worth)),
      }));
    }),
  );
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const svg = Plot.plot({
    document,
    className: 'bench',
    width: Math.max(420, 230 * groups.length + 130),
    height: 320,
    marginLeft: 44,
    marginTop: 34,
    marginRight: 110,
    style: { background: '#ffffff', color: '#1c1d21', fontFamily: 'system-ui, sans-serif', fontSize: '12px' },
    x: { type: 'log', base: 2, label: 'α, masks / n·log2 n', ticks: [1, 2, 4, 8], tickFormat: String },
    y: {
      label: 'R² on masks not fitted',
      domain: [Math.max(-0.2, Math.min(0, ...points.map(({ r2 }) => r2))), 1],
      grid: true,
      clamp: true,
    },
    fx: { label: null, domain: groups },
    color: { domain: [...methods], range: COLORS, legend: false },
    marks: [
      Plot.line(points, { fx: 'group', x: 'alpha', y: 'r2', z: 'method', stroke: 'method', strokeWidth: 2 }),
      Plot.dot(points, { fx: 'group', x: 'alpha', y: 'r2', fill: 'method', r: 3 }),
      ...methods.map((method, k) =>
        Plot.text([method], {
          fx: () => groups[groups.length - 1],
          frameAnchor: 'top-right',
          dx: 104,
          dy: 14 * k,
          text: (name: string) => name,
          fill: COLORS[k % COLORS.length],
          textAnchor: 'end',
          fontWeight: 600,
        }),
      ),
    ],
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  return `${svg.outerHTML}\n`;
}
