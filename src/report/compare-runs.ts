/**
 * Two runs side by side: what was asked and found, whether their players are worth the same, which parts both circuits have,
 * and the interactions of each. Players are the same where they have the same name.
 */
import { plotLibrary } from '../platform/charts.ts';
import { chart } from './chart.ts';
import { markup, type Child, type Markup } from './markup.ts';
import { page } from './page.ts';
import { color } from './palette.ts';
import type { Result } from './result.ts';
import { table } from './tables.ts';
import {
  intervalText,
  isCircuit,
  joinNames,
  largest,
  numberFormat,
  oneLine,
  percent,
  unitSuffix,
  whole,
} from './wording.ts';

/** Players that the plot names. */
const NAMED = 10;

/** The page that compares `a` with `b`. */
export function compareRuns(a: Result, b: Result): string {
  return page({
    title: `${a.name} beside ${b.name}`,
    subtitle: `${a.task.metric} and ${b.task.metric}; A is the first run, B the second`,
    body: [facts(a, b), worth(a, b), circuits(a, b), interactions(a, b)],
  });
}

function facts(a: Result, b: Result): Markup {
  const rows: readonly (readonly [string, (run: Result) => Child])[] = [
    ['started', ({ startedAt }) => startedAt],
    ['command', ({ run }) => markup`<code>${run.command}</code>`],
    ['first prompt', ({ task }) => oneLine(task.prompts[0]?.text ?? '', 160)],
    ['prompts', ({ task }) => whole(task.prompts.length)],
    ['metric', ({ task }) => `${task.metric}${unitSuffix({ task }) && `, in${unitSuffix({ task })}`}`],
    ['ablation', ({ task }) => task.ablation],
    ['players', ({ players, task }) => `${whole(players.length)} ${task.players}`],
    ['all kept', (run) => plain(run)(run.clean)],
    ['all ablated', (run) => plain(run)(run.ablated)],
    ['solver', ({ solver }) => `${solver.name}, ${whole(solver.masks)} masks`],
    ['R² on held-out masks', ({ heldOut, solver }) => (heldOut ? intervalText(heldOut) : solver.exact ? 'exact' : '–')],
    ['R² of first order', ({ heldOut }) => (heldOut?.firstOrder ? intervalText(heldOut.firstOrder) : '–')],
    ['variance in interactions', ({ energy }) => (energy.total > 0 ? percent(1 - energy.alone) : '–')],
    ['circuit', (run) => (found(run) ? `${whole(found(run)?.chosen.size ?? 0)} of ${whole(run.players.length)}` : '–')],
    ['faithfulness', (run) => (found(run) ? percent(found(run)?.chosen.kept.faithfulness ?? 0) : '–')],
    ['left without it', (run) => (found(run) ? percent(found(run)?.chosen.removed.faithfulness ?? 0) : '–')],
  ];
  return markup`<section><h2>What was asked and found</h2>${table(
    'The two runs',
    ['', 'A', 'B'],
    rows.map(([name, of]) => [name, of(a), of(b)]),
    [],
  )}</section>`;
}

/** Players of both runs: their numbers in A and in B. */
function shared(a: Result, b: Result): { readonly name: string; readonly inA: number; readonly inB: number }[] {
  const numbers = new Map(b.players.map(({ name }, player) => [name, player]));
  return a.players.flatMap(({ name }, inA) => {
    const inB = numbers.get(name);
    return inB === undefined ? [] : [{ name, inA, inB }];
  });
}

function worth(a: Result, b: Result): Markup {
  const Plot = plotLibrary();
  const both = shared(a, b).map(({ name, inA, inB }) => ({
    name,
    x: a.values[inA].banzhaf,
    y: b.values[inB].banzhaf,
  }));
  if (both.length < 2)
    return markup`<section><h2>What each part does alone</h2><p>The runs share ${both.length === 0 ? 'no player' : 'one player'}: there is nothing to compare.</p></section>`;
  const size = ({ x, y }: { readonly x: number; readonly y: number }): number => Math.max(Math.abs(x), Math.abs(y));
  const named = [...both].sort((p, q) => size(q) - size(p)).slice(0, NAMED);
  const ends = [Math.min(...both.flatMap(({ x, y }) => [x, y])), Math.max(...both.flatMap(({ x, y }) => [x, y]))];
  const domain = ends[0] === ends[1] ? [ends[0] - 1, ends[0] + 1] : ends;
  const r = correlation(both);
  const svg = chart(
    'spex-beside',
    {
      width: 520,
      height: 480,
      marginLeft: 56,
      marginBottom: 40,
      inset: 24,
      x: { label: `A: Banzhaf value${unitSuffix(a)}`, labelAnchor: 'center', labelArrow: 'none', domain },
      y: { label: `B: Banzhaf value${unitSuffix(b)}`, labelArrow: 'none', domain },
      marks: [
        Plot.ruleX([0], { stroke: color('rule') }),
        Plot.ruleY([0], { stroke: color('rule') }),
        Plot.line(
          [domain, domain].map((_, k) => ({ x: domain[k], y: domain[k] })),
          {
            x: 'x',
            y: 'y',
            stroke: color('muted'),
            strokeDasharray: '3 3',
          },
        ),
        Plot.dot(both, { x: 'x', y: 'y', r: 3, fill: color('positive'), fillOpacity: 0.6 }),
        Plot.text(named, {
          x: 'x',
          y: 'y',
          text: ({ name }: { name: string }) => oneLine(name, 18),
          dy: -9,
          fill: color('ink'),
        }),
      ],
    },
    'Banzhaf values in both runs',
    `${whole(both.length)} players; ${r === undefined ? 'one of the runs has the same value for all' : `correlation ${r.toFixed(3)}`}.`,
  );
  return markup`<section><h2>What each part does alone</h2>
<figure><div class="scroll" role="region" aria-label="Banzhaf values in both runs" tabindex="0">${svg}</div><figcaption>Banzhaf values of the ${whole(both.length)} players that both runs have; on the dashed line they are equal.${r !== undefined && ` Correlation ${r.toFixed(3)}.`} Named: the ${Math.min(NAMED, both.length)} largest.</figcaption></figure></section>`;
}

function circuits(a: Result, b: Result): Markup | undefined {
  const [first, second] = [found(a), found(b)];
  if (first === undefined || second === undefined) return undefined;
  const namesOf = (run: Result, players: readonly number[]): string[] =>
    players.map((player) => run.players[player].name);
  const [inA, inB] = [namesOf(a, first.chosen.players), namesOf(b, second.chosen.players)];
  const both = inA.filter((name) => inB.includes(name));
  const union = new Set([...inA, ...inB]).size;
  const list = (names: readonly string[]): Child =>
    names.length === 0 ? 'none' : names.map((name, k) => [k > 0 && ', ', markup`<bdi>${name}</bdi>`]);
  return markup`<section><h2>The circuits</h2>${table(
    `Members; ${union === 0 ? 'both are empty' : `${percent(both.length / union)} of all members are in both (Jaccard)`}`,
    ['', 'members'],
    [
      [`in both (${both.length})`, list(both)],
      [`only in A (${inA.length - both.length})`, list(inA.filter((name) => !both.includes(name)))],
      [`only in B (${inB.length - both.length})`, list(inB.filter((name) => !both.includes(name)))],
    ],
    [],
  )}</section>`;
}

function interactions(a: Result, b: Result): Markup | undefined {
  const valuesOf = (run: Result): Map<string, { readonly names: readonly string[]; readonly value: number }> =>
    new Map(run.interactions.map((each) => [JSON.stringify([...each.names].sort()), each]));
  const [inA, inB] = [valuesOf(a), valuesOf(b)];
  const keys = [...new Set([...inA.keys(), ...inB.keys()])];
  if (keys.length === 0) return undefined;
  const value = (from: typeof inA, key: string): number => from.get(key)?.value ?? 0;
  const size = (key: string): number => Math.max(Math.abs(value(inA, key)), Math.abs(value(inB, key)));
  const [formatA, formatB] = [a, b].map((run) =>
    numberFormat(largest(run.interactions.map((each) => each.value)), { signed: true }),
  );
  return markup`<section><h2>What acts together</h2>${table(
    'Interactions that a run lists, largest first',
    ['players', `A${unitSuffix(a)}`, `B${unitSuffix(b)}`],
    keys
      .sort((p, q) => size(q) - size(p))
      .map((key) => [
        markup`<bdi>${joinNames((inA.get(key) ?? inB.get(key))?.names ?? [])}</bdi>`,
        inA.has(key) ? formatA(value(inA, key)) : 'not listed',
        inB.has(key) ? formatB(value(inB, key)) : 'not listed',
      ]),
    [1, 2],
  )}</section>`;
}

function found({ circuit }: Result): NonNullable<Result['circuit']> | undefined {
  return circuit !== undefined && isCircuit(circuit) ? circuit : undefined;
}

function plain(run: Result): (value: number) => string {
  const format = numberFormat(largest([run.clean, run.ablated]));
  return (value) => `${format(value)}${unitSuffix(run)}`;
}

/** Pearson's r; undefined where one side does not vary. */
function correlation(points: readonly { readonly x: number; readonly y: number }[]): number | undefined {
  const mean = (of: (point: { readonly x: number; readonly y: number }) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [mx, my] = [mean(({ x }) => x), mean(({ y }) => y)];
  const [xx, yy, xy] = [
    mean(({ x }) => (x - mx) ** 2),
    mean(({ y }) => (y - my) ** 2),
    mean(({ x, y }) => (x - mx) * (y - my)),
  ];
  return xx === 0 || yy === 0 ? undefined : xy / Math.sqrt(xx * yy);
}
