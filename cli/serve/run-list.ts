/** The page that lists runs, and the one that asks which other run to compare one with. */
import { ranked } from '../../src/report/comparison-columns.ts';
import { markup, type Child, type Markup } from '../../src/report/markup.ts';
import { page } from '../../src/report/page.ts';
import { table } from '../../src/report/tables.ts';
import { countOf, intervalText, isCircuit, percent, whole } from '../../src/report/wording.ts';
import { RECORD_FILES } from '../report/records.ts';
import type { FoundRun } from './runs.ts';

/** All runs, or with `against` those that it can be compared with. */
export function runList(folder: string, runs: readonly FoundRun[], against?: FoundRun): string {
  const shown =
    against === undefined ? runs : runs.filter(({ id, record }) => id !== against.id && record.kind === 'result');
  return page({
    title: against === undefined ? 'Runs' : `Compare ${against.id} with`,
    subtitle: markup`<code>${folder}</code>`,
    body:
      shown.length === 0
        ? markup`<p>There is no ${against === undefined ? RECORD_FILES.join(' or ') : 'other result.json'} below this folder.</p>`
        : table(
            `${whole(shown.length)} runs, newest first`,
            ['run', 'what', 'R²', 'circuit', 'changed', ''],
            shown.map((run) => row(run, against)),
            [],
          ),
  });
}

function row(run: FoundRun, against: FoundRun | undefined): Child[] {
  const { id, record, changed } = run;
  const at = new Date(changed).toISOString().slice(0, 16).replace('T', ' ');
  const open = link(`/run?record=${encodeURIComponent(id)}`, nameOf(id));
  if (record.kind === 'broken') return [id, markup`<span class="negative">${record.why}</span>`, '', '', at, ''];
  if (record.kind === 'patches') {
    const { model, metric } = record.patches[0];
    return [open, `${model}: patching ${record.patches.map(({ what }) => what).join(', ')}, ${metric}`, '', '', at, ''];
  }
  if (record.kind === 'comparison') {
    const { name, methods, players, task } = record.comparison;
    const best = ranked(record.comparison).at(0);
    return [
      open,
      `${name}: ${countOf(methods.length, 'methods')} over ${countOf(players.length, task.players)}, ${task.metric}, ${task.ablation}`,
      '',
      best === undefined
        ? '–'
        : `${whole(best.circuit.players.length)} keep ${percent(best.circuit.faithfulness)} (${best.name})`,
      at,
      '',
    ];
  }
  const { result } = record;
  const { heldOut, solver, circuit, task, players } = result;
  const other = `/compare?a=${encodeURIComponent(against?.id ?? id)}${against === undefined ? '' : `&b=${encodeURIComponent(id)}`}`;
  return [
    open,
    `${result.name}: ${whole(players.length)} ${task.players}, ${task.metric}, ${task.ablation}`,
    heldOut ? intervalText(heldOut) : solver.exact ? 'exact' : '–',
    circuit !== undefined && isCircuit(circuit)
      ? `${whole(circuit.chosen.size)} keep ${percent(circuit.chosen.kept.faithfulness)}`
      : '–',
    at,
    link(other, against === undefined ? 'compare' : 'compare with this'),
  ];
}

/** The folder that a run lies in; its file where that is the folder that is served. */
function nameOf(id: string): string {
  const folder = id.replace(/\/?(?:result|patch|comparison)\.json$/, '');
  return folder === '' ? id : folder;
}

function link(to: string, text: string): Markup {
  return markup`<a href="${to}">${text}</a>`;
}
