/**
 * A comparison of circuit finders as one offline page: the table, and faithfulness over size, all methods over each other.
 *
 * Framed as every page is (page.ts).
 */
import { MIB_SHARES } from '../evaluation/areas.ts';
import { plotLibrary } from '../platform/charts.ts';
import { chart } from './chart.ts';
import { columnsText, comparisonColumns, isBest, ranked } from './comparison-columns.ts';
import type { ComparedMethod, ComparisonRecord } from './comparison-record.ts';
import { markup, type Markup } from './markup.ts';
import { page } from './page.ts';
import { color, type ColorName } from './palette.ts';
import { table } from './tables.ts';
import { countOf, largest, numberFormat, percent, whole } from './wording.ts';

const SERIES: readonly ColorName[] = ['series1', 'series2', 'series3', 'series4', 'series5', 'series6'];
const DASHES = ['none', '6 3', '2 2', '8 3 2 3'] as const;
const BORDERS = ['solid', 'dashed', 'dotted', 'double'] as const;
/** Faithfulness outside of it is cut off, so that the lines stay readable. */
const [LOWEST, HIGHEST] = [-1, 2];

const STYLE = `
.key.method { display: inline-block; width: 22px; height: 0; border-top-width: 2.4px; vertical-align: middle; margin: 0 5px 0 0; }
${Array.from({ length: SERIES.length * BORDERS.length }, (_, k) => `.key.line${k} { border-top-style: ${BORDERS[Math.floor(k / SERIES.length)]}; border-top-color: ${color(SERIES[k % SERIES.length])}; }`).join('\n')}
.legend span { white-space: nowrap; margin-right: 14px; }
`;

/** The page. The same record gives the same text. */
export function comparisonPage(record: ComparisonRecord): string {
  const { name, task, players, refusals } = record;
  return page({
    title: `Circuits of ${name} by method`,
    subtitle: `${countOf(players.length, task.players)}, ${task.ablation} ablation, ${task.metric}`,
    style: STYLE,
    body: markup`${asked(record)}
${methodTable(record)}
${refusals.map(({ name: method, why }) => markup`<p><b>${method}</b> could not be run: ${why}</p>`)}
<section><h2>Faithfulness over size</h2>
${figure(record, 'mattering', markup`Sets that are to do as the model does, from nothing kept to everything; the distance from 100 % is what CMD adds up.`)}
${figure(record, 'helping', markup`Sets that are to keep most of the metric; the area is CPR. A method with one order has the same line in both.`)}
</section>
${repeat(record)}`,
  });
}

function asked({ task, full, empty, budget, target, truth, harm }: ComparisonRecord): Markup {
  const format = numberFormat(largest([full, empty]));
  const unit = task.unit !== '' && ` ${task.unit}`;
  const [first] = task.prompts;
  return markup`<section class="story"><p>The ${task.metric} is <b>${format(full)}</b>${unit} with everything kept and <b>${format(empty)}</b>${unit} with nothing; faithfulness is the share of the way between. Every method had ${countOf(budget, 'masks')} at most, a mask with its gradients counting three, and what it found was measured again, ${task.judged === null ? 'by the same game' : `on ${countOf(task.judged.length, 'other prompts')}`}. A circuit is the smallest set that keeps ${percent(target)}.</p>
${first !== undefined && markup`<p class="muted">${countOf(task.prompts.length, 'prompts')}, the first: <span class="token">${first}</span></p>`}
<p class="muted">Methods that remove players count the ${harm === 'metric' ? 'loss of the metric' : 'distance from the model'} as harm. ${truth !== null && `The true circuit of ${countOf(truth.length, task.players)} is known.`}</p></section>`;
}

function methodTable(record: ComparisonRecord): Markup {
  const columns = comparisonColumns(record);
  const methods = ranked(record);
  const rows = methods.map((method) => [
    markup`<span class="option">${key(record, method)}${method.name}</span>`,
    ...columns.map((column) => {
      const cell = column.cell(method);
      return isBest(column, method, methods) ? markup`<b>${cell}</b>` : cell;
    }),
  ]);
  const heads = ['method', ...columns.map(({ title }) => title)];
  const numeric = columns.map((_, k) => k + 1);
  return markup`${table('Methods, smallest CMD first', heads, rows, numeric)}<p class="muted">${columnsText(record)}</p>`;
}

/** A piece of the method's line. */
function key({ methods }: ComparisonRecord, method: ComparedMethod): Markup {
  const number = methods.indexOf(method) % (SERIES.length * BORDERS.length);
  return markup`<span class="key method line${number}"></span>`;
}

function figure(record: ComparisonRecord, side: 'helping' | 'mattering', caption: Markup): Markup {
  const legend = record.methods.map((method) => markup`<span>${key(record, method)}${method.name}</span> `);
  return markup`<figure><div class="scroll" role="region" aria-label="${side}" tabindex="0">${curves(record, side)}</div><figcaption>${caption}<br><span class="legend">${legend}</span></figcaption></figure>`;
}

/** All methods' lines; the share of players by its root, so that small sets have room. */
function curves({ methods, players, task }: ComparisonRecord, side: 'helping' | 'mattering'): Markup {
  const Plot = plotLibrary();
  const cut = (share: number): number => Math.min(HIGHEST, Math.max(LOWEST, share));
  const lines = methods.map(({ curve }) =>
    curve.map((point) => ({ share: point.size / players.length, faithfulness: cut(point[side]) })),
  );
  const all = lines.flat().map(({ faithfulness }) => faithfulness);
  const ticks = [0, ...MIB_SHARES.filter((share) => share >= 0.01)];
  return chart(
    `spex-${side}`,
    {
      width: 860,
      height: 400,
      marginLeft: 52,
      marginBottom: 40,
      marginRight: 16,
      x: {
        type: 'sqrt',
        label: `${task.players} kept`,
        labelArrow: 'none',
        labelAnchor: 'center',
        domain: [0, 1],
        ticks,
        tickFormat: (share: number) => percent(share).replace('.0', ''),
      },
      y: {
        label: null,
        domain: [Math.min(0, ...all) - 0.05, Math.max(1, ...all) + 0.05],
        ticks: 6,
        tickFormat: (share: number) => percent(share),
      },
      marks: [
        Plot.ruleY([0, 1], { stroke: color('rule') }),
        ...lines.map((line, k) =>
          Plot.lineY(line, {
            x: 'share',
            y: 'faithfulness',
            stroke: color(SERIES[k % SERIES.length]),
            strokeWidth: 2,
            strokeDasharray: DASHES[Math.floor(k / SERIES.length) % DASHES.length],
          }),
        ),
      ],
    },
    side === 'helping' ? 'Faithfulness of sets that keep most' : 'Faithfulness of sets that do as the model does',
    methods.map(({ name, cpr, cmd }) => `${name}: CPR ${cpr.toFixed(3)}, CMD ${cmd.toFixed(3)}`).join('; '),
  );
}

function repeat({ command, backend, software, seed, judged, knockOuts }: ComparisonRecord): Markup {
  return markup`<footer><p>${software}; ${backend}; seed ${seed}; ${whole(judged)} masks to judge, ${knockOuts} knock-outs a circuit.</p>${command !== undefined && markup`<p><code>${command}</code></p>`}</footer>`;
}
