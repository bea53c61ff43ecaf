/** The page that lists runs, and the one that asks which other run to compare one with. */
import { markup, type Child, type Markup } from '../../src/report/markup.ts';
import { page } from '../../src/report/page.ts';
import { table } from '../../src/report/tables.ts';
import { intervalText, isCircuit, percent, whole } from '../../src/report/wording.ts';
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
        ? markup`<p>There is no ${against !== undefined && 'other '}result.json or patch.json below this folder.</p>`
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
  const open = link(`/run?record=${encodeURIComponent(id)}`, id.replace(/\/?(?:result|patch)\.json$/, '') || id);
  if (record.kind === 'broken') return [id, markup`<span class="negative">${record.why}</span>`, '', '', at, ''];
  if (record.kind === 'patches') {
    const { model, metric } = record.patches[0];
    return [open, `${model}: patching ${record.patches.map(({ what }) => what).join(', ')}, ${metric}`, '', '', at, ''];
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

function link(to: string, text: string): Markup {
  return markup`<a href="${to}">${text}</a>`;
}
