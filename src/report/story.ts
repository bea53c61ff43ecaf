/**
 * The run in plain sentences: what was looked at, what acts together, how sure that is, what circuit remains.
 */
import { markup, type Markup } from './markup.ts';
import type { Result, ResultInteraction } from './result.ts';
import {
  countOf,
  duration,
  isAnswer,
  isNarrowed,
  isCircuit,
  joinNames,
  largest,
  shortCount,
  numberFormat,
  oneLine,
  percent,
  showsCircuit,
  unitSuffix,
  whole,
  withGradients,
} from './wording.ts';

/** The paragraphs under the title, in order. */
export function story(result: Result): Markup[] {
  const answer = [
    isAnswer(result) ? together(result) : undefined,
    certainty(result),
    showsCircuit(result) ? circuit(result) : undefined,
  ];
  return [setting(result), ...answer].filter((paragraph) => paragraph !== undefined);
}

function setting(result: Result): Markup {
  const { model, task, players } = result;
  const first = task.prompts[0];
  const format = numberFormat(largest([result.clean, result.ablated]));
  const about =
    model === undefined ? '' : ` (${model.family}: ${shapeOf(model)}${shortCount(model.parameters)} parameters)`;
  const data = result.examples !== undefined;
  const prompts =
    first === undefined
      ? markup`was run`
      : task.prompts.length === 1
        ? markup`${data ? 'was trained, and asked' : 'read the prompt'} <q><bdi>${oneLine(first.text, 220)}</bdi></q>`
        : markup`${data ? 'was trained, and asked' : 'read'} ${whole(task.prompts.length)} ${data ? 'test examples' : 'prompts'}, the first of them <q><bdi>${oneLine(first.text, 160)}</bdi></q>`;
  const answers =
    first?.correct === undefined
      ? markup``
      : markup` (answer <bdi class="token">${visible(first.correct)}</bdi>${first.incorrect !== undefined && markup`, not <bdi class="token">${visible(first.incorrect)}</bdi>`})`;
  const mean = task.prompts.length > 1 ? ', averaged over the prompts,' : '';
  const everyone = players.length === 1 ? 'its one player' : `all ${countOf(players.length, task.players)}`;
  const ends = markup`<b>${format(result.clean)}${unitSuffix(result)}</b> with ${everyone} kept and <b>${format(result.ablated)}</b> with ${players.length === 1 ? 'it' : 'all'} ${data ? 'left out' : 'ablated'}`;
  const how = task.ablation === '' || data ? '' : ` (${task.ablation})`;
  return markup`<p><b class="name">${result.name}</b>${about} ${prompts}${answers}. The ${task.metric}${mean} is ${ends}${how}.</p>`;
}

/** `4 layers of 4 heads, `, or nothing where a model has none. */
function shapeOf({ layers, heads }: NonNullable<Result['model']>): string {
  if (layers === 0) return '';
  return `${layers} ${layers === 1 ? 'layer' : 'layers'} of ${heads} ${heads === 1 ? 'head' : 'heads'}, `;
}

function together(result: Result): Markup {
  const [first] = result.interactions;
  if (result.energy.total === 0)
    return markup`<p>The metric is the same under every mask that was measured: there is nothing to explain.</p>`;
  if (first === undefined) return markup`<p>No interactions were found: every part acts on its own.</p>`;
  const format = numberFormat(Math.abs(first.value), { signed: true });
  const share = 1 - result.energy.alone;
  return markup`<p>What acts together: the largest interaction is <b class="name">${joinNames(first.names)}</b> (${format(first.value)}${unitSuffix(result)}), ${meaningSentence(first)}. All interactions carry <b>${percent(share)}</b> of the variance of the metric over masks; what each part does alone carries ${percent(result.energy.alone)}.</p>`;
}

/** The sign of an interaction as a clause. */
export function meaningSentence(interaction: ResultInteraction): string {
  switch (interaction.meaning) {
    case 'synergy':
      return 'a synergy: kept together they add more than the sum of what each adds without the other';
    case 'redundancy':
      return 'a redundancy: kept together they add less than the sum of what each adds without the other';
    case 'above':
      return 'which says that kept together they give more than their smaller parts add up to';
    case 'below':
      return 'which says that kept together they give less than their smaller parts add up to';
    default:
      return interaction.meaning satisfies never;
  }
}

function certainty(result: Result): Markup {
  const { heldOut, solver, masks } = result;
  const measured = `${whole(solver.masks)} masks${withGradients(result)}`;
  if (heldOut === undefined) {
    return solver.exact
      ? markup`<p>How sure: the spectrum is exact. All ${whole(2 ** result.players.length)} masks of the ${countOf(result.players.length, result.task.players)} were measured, in ${duration(masks.seconds)}; nothing is estimated.</p>`
      : markup`<p>How sure: not known. The ${solver.name} solver read ${measured}, and no masks were held out to check it.</p>`;
  }
  const { firstOrder } = heldOut;
  const range = (value: { readonly low: number; readonly high: number }): string =>
    `${fixed(value.low)} to ${fixed(value.high)}`;
  const gap = firstOrder && gapText(heldOut, firstOrder, result.interactions.length > 0);
  return markup`<p>How sure: on ${whole(heldOut.masks)} masks that were not fitted, the ${solver.name} spectrum predicts the metric with <b>R² ${fixed(heldOut.r2)}</b> (${percent(heldOut.level)} interval ${range(heldOut)})${firstOrder && markup`; a first-order model, without interactions, reaches ${fixed(firstOrder.r2)} (${range(firstOrder)}): ${gap}`}. ${solver.exact && 'The spectrum is exact. '}It was read from ${measured}; with the held-out ones and the circuit's, ${whole(masks.measured + masks.resumed)} were measured.</p>`;
}

type Bounds = Readonly<Record<'low' | 'high', number>>;

/** What the spectrum's R² beside first order's says; of an answer that names no interaction, it says nothing of interactions. */
function gapText(own: Bounds, firstOrder: Bounds, interacts: boolean): string {
  if (own.low > firstOrder.high)
    return interacts
      ? 'the interactions are needed to predict it'
      : 'no interaction is named, so the spectrum is the better one by what parts do alone';
  if (own.high < firstOrder.low)
    return interacts ? 'here the interactions make it worse' : 'here that is the better answer';
  return interacts
    ? 'the two intervals overlap: the interactions are not shown to matter'
    : 'the two intervals overlap: neither is shown to be better';
}

function circuit(result: Result): Markup | undefined {
  const found = result.circuit;
  if (found === undefined || !isCircuit(found)) return undefined;
  const { players, kept, removed, random } = found.chosen;
  const predicted = isNarrowed(found)
    ? ' It was proposed by narrowing: parts left in rounds, by gradients around those that were left.'
    : found.predictedSize === null
      ? ' The spectrum predicted no set that would reach it.'
      : found.predictedSize === players.length
        ? ''
        : ` The spectrum predicted that ${whole(found.predictedSize)} would do.`;
  const set = countOf(players.length, result.task.players);
  return markup`<p>The circuit: <b>${set} of ${whole(result.players.length)}</b>, kept alone, give <b>${percent(kept.faithfulness)}</b> of the metric's range (target ${percent(found.target)}), measured on the model${random ? `; ${whole(random.count)} random sets of the same size give ${percent(random.mean)} on average, 90 % of them between ${percent(random.low)} and ${percent(random.high)}` : ''}. With the circuit ablated and everything else kept, ${percent(removed.faithfulness)} is left.${predicted}</p>`;
}

/** A token with its spaces shown. */
export function visible(token: string): string {
  return oneLine(token.replaceAll(' ', '␣').replaceAll('\n', '↵'), 40);
}

function fixed(value: number): string {
  return `${value < 0 ? '−' : ''}${Math.abs(value).toFixed(3)}`;
}
