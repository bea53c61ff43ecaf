/**
 * The report's tables: interactions, circuit, players, prompts, and the lists of facts about the run.
 */
import type { Drawn } from './drawn.ts';
import { markup, type Child, type Markup } from './markup.ts';
import type { Result, ResultCircuit } from './result.ts';
import { visible } from './story.ts';
import { joinNames, largest, numberFormat, percent, readsAs, shareFormat, unitSuffix, whole } from './wording.ts';

const MOST_PLAYERS = 200;
const MOST_PROMPTS = 12;
/** Members beyond which the table is folded under a list of names. */
const MOST_MEMBERS = 30;

/** Every interaction of the record, by rank. */
export function interactionTable({
  interactions,
  task,
  energy,
}: Pick<Drawn, 'interactions' | 'task' | 'energy'>): Markup {
  const format = numberFormat(largest(interactions.map(({ value }) => value)), { signed: true });
  const share = shareFormat(interactions, { energy });
  const plain = numberFormat(largest(interactions.map(({ value }) => value)));
  const fourier = numberFormat(largest(interactions.map((entry) => entry.fourier)), { signed: true });
  return table(
    'Interactions, largest share of the variance first',
    ['#', 'players', 'share of variance', `Banzhaf interaction${unitsOf({ task })}`, 'reads as', 'F(S)'],
    interactions.map((entry, k) => [
      k + 1,
      markup`<bdi>${joinNames(entry.names)}</bdi>`,
      share(entry),
      markup`<span class="${entry.value > 0 ? 'positive' : 'negative'}">${format(entry.value)}</span>${entry.standardError !== undefined && markup` <span class="muted">±${plain(entry.standardError)}</span>`}`,
      markup`<span class="option">${readsAs(entry)}</span>`,
      fourier(entry.fourier),
    ]),
    [0, 2, 3, 5],
    (row) => markup` data-interaction="${row}"`,
  );
}

/** The members of the circuit with what each is worth. */
export function circuitTable(result: Result, circuit: ResultCircuit): Markup {
  const scale = largest(result.values.flatMap(({ banzhaf, shapley }) => [banzhaf, shapley]));
  const format = numberFormat(scale, { signed: true });
  const necessity = circuit.members.some((member) => member.necessity !== null);
  const members = table(
    'The circuit',
    [
      'player',
      'layer',
      `Banzhaf value${unitsOf(result)}`,
      `Shapley value${unitsOf(result)}`,
      ...(necessity ? ['lost when it alone leaves'] : []),
    ],
    circuit.members.map(({ player, name, necessity: lost }) => [
      markup`<bdi>${name}</bdi>`,
      result.players[player].layer ?? '–',
      format(result.values[player].banzhaf),
      format(result.values[player].shapley),
      ...(necessity ? [lost === null ? '–' : percent(lost)] : []),
    ]),
    [1, 2, 3, 4],
    (row) => markup` data-player="${circuit.members[row].player}"`,
  );
  if (circuit.members.length <= MOST_MEMBERS) return members;
  return markup`<p class="names">${circuit.members.map(({ name }, k) => [k > 0 && ', ', markup`<bdi>${name}</bdi>`])}</p><details><summary>The circuit as a table</summary>${members}</details>`;
}

/** All players, or the 200 largest by |Banzhaf value|. */
export function playerTable(result: Result): Markup {
  const { players, values } = result;
  const format = numberFormat(largest(values.flatMap(({ banzhaf, shapley }) => [banzhaf, shapley])), { signed: true });
  const members = new Set(result.circuit?.chosen.players);
  const order = players
    .map((_, k) => k)
    .sort((a, b) => Math.abs(values[b].banzhaf) - Math.abs(values[a].banzhaf) || a - b);
  const shown = order.slice(0, MOST_PLAYERS);
  const more = order.length - shown.length;
  return markup`<details><summary>The players as a table</summary>${table(
    more > 0
      ? `Players, the ${MOST_PLAYERS} largest by Banzhaf value; ${whole(more)} more are in result.json`
      : 'Players, largest Banzhaf value first',
    ['player', 'layer', `Banzhaf value${unitsOf(result)}`, `Shapley value${unitsOf(result)}`, 'in the circuit'],
    shown.map((k) => [
      markup`<bdi>${players[k].name}</bdi>`,
      players[k].layer ?? '–',
      format(values[k].banzhaf),
      format(values[k].shapley),
      members.has(k) ? 'yes' : '',
    ]),
    [1, 2, 3],
    (row) => markup` data-player="${shown[row]}"`,
  )}</details>`;
}

/** The prompts with their tokens cut apart. */
export function promptList(result: Result): Markup {
  const { prompts } = result.task;
  const shown = prompts.slice(0, MOST_PROMPTS);
  const more = prompts.length - shown.length;
  return markup`<ol class="prompts${prompts.length === 1 && ' single'}">${shown.map(
    (prompt) =>
      markup`<li><span class="tokens">${prompt.tokens.map((token) => markup`<bdi>${visible(token)}</bdi>`)}</span>${
        prompt.correct !== undefined && markup` → <bdi class="token">${visible(prompt.correct)}</bdi>`
      }${prompt.incorrect !== undefined && markup` against <bdi class="token">${visible(prompt.incorrect)}</bdi>`}${prompt.corrupted !== undefined && markup`<br><span class="muted">corrupted:</span> <bdi>${prompt.corrupted}</bdi>`}</li>`,
  )}</ol>${more > 0 && markup`<p class="muted">${whole(more)} more are in result.json.</p>`}`;
}

/** Facts as a list of terms; entries without a value are left out. */
export function facts(entries: readonly (readonly [string, Child])[]): Markup {
  return markup`<dl>${entries.filter(([, value]) => value !== undefined && value !== '').map(([term, value]) => markup`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** A table with a caption; `numeric` columns are right-aligned, `mark` gives the attributes of a row. */
export function table(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly Child[])[],
  numeric: readonly number[],
  mark: (row: number) => Markup | undefined = () => undefined,
): Markup {
  const kind = (column: number): Markup | false => numeric.includes(column) && markup` class="number"`;
  return markup`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table><caption>${caption}</caption>
<thead><tr>${head.map((title, column) => markup`<th scope="col"${kind(column)}>${title}</th>`)}</tr></thead>
<tbody>${rows.map((row, k) => markup`<tr${mark(k)}>${row.map((cell, column) => markup`<td${kind(column)}>${cell}</td>`)}</tr>\n`)}</tbody></table></div>`;
}

function unitsOf({ task }: { readonly task: Pick<Result['task'], 'units'> }): string {
  return task.units === '' ? '' : ` (${unitSuffix({ task }).trim()})`;
}
