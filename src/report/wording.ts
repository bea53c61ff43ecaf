/**
 * Numbers and phrases that the terminal story and the page share, so that both say the same thing.
 *
 * Values get three significant digits at the scale of the largest number beside them; shares are whole
 * percents, or one decimal below ten; minus is U+2212, as wide as plus.
 */
import { printable } from '../printable.ts';
import type { Result, ResultInteraction } from './result.ts';

/** A formatter for numbers whose largest magnitude is `scale`: the same decimals for all of them. */
export function numberFormat(scale: number, options: { readonly signed?: boolean } = {}): (value: number) => string {
  const magnitude = scale > 0 && Number.isFinite(scale) ? Math.floor(Math.log10(scale)) : 0;
  const decimals = Math.min(8, Math.max(0, 2 - magnitude));
  return (value) => {
    const size = Math.abs(value);
    const tiny = magnitude < -5 || magnitude > 6;
    const digits = tiny ? size.toExponential(2) : grouped(size.toFixed(decimals));
    const zero = Number(size.toFixed(decimals)) === 0 && !tiny;
    if (zero) return digits;
    return `${value < 0 ? '−' : options.signed === true ? '+' : ''}${digits}`;
  };
}

/** The largest magnitude of a list, 0 of none; no spread, so that long lists are fine. */
export function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** 0.853 -> `85 %`, 0.043 -> `4.3 %`, 0.0004 -> `<0.1 %`; the space does not break. */
export function percent(share: number): string {
  const size = Math.abs(share) * 100;
  const sign = share < 0 ? '−' : '';
  if (size === 0) return '0\u00a0%';
  if (size < 0.05) return `${share < 0 ? '>−' : '<'}0.1\u00a0%`;
  return `${sign}${size < 9.95 ? size.toFixed(1) : size.toFixed(0)}\u00a0%`;
}

/** R² to three decimals with its interval: `0.972 [0.961, 0.979]`. */
export function intervalText(interval: { readonly r2: number; readonly low: number; readonly high: number }): string {
  return `${fixed(interval.r2)} [${fixed(interval.low)}, ${fixed(interval.high)}]`;
}

/** 1234567 -> `1,234,567`. */
export function whole(value: number): string {
  return grouped(Math.round(value).toFixed(0));
}

/** 3.84 -> `3.8 s`, 95 -> `1 min 35 s`. */
export function duration(seconds: number): string {
  if (seconds < 59.95) return `${seconds < 9.95 ? seconds.toFixed(1) : seconds.toFixed(0)} s`;
  const total = Math.round(seconds);
  return `${Math.floor(total / 60)} min ${total % 60} s`;
}

/** `1 head`, `16 heads`: a count with the run's word for its players. */
export function countOf(number: number, plural: string): string {
  return `${whole(number)} ${number === 1 ? plural.replace(/s$/, '') : plural}`;
}

/** 861,312 -> `861 k`, 124,439,808 -> `124 M`; for model sizes. */
export function shortCount(parameters: number): string {
  if (parameters >= 1e9) return `${(parameters / 1e9).toPrecision(3)} B`;
  if (parameters >= 1e6) return `${(parameters / 1e6).toPrecision(3)} M`;
  return parameters >= 1e4 ? `${(parameters / 1e3).toFixed(0)} k` : whole(parameters);
}

/** `logits` -> ` logits`, '' -> ''. */
export function unitSuffix({ task }: { readonly task: Pick<Result['task'], 'units'> }): string {
  return task.units === '' ? '' : ` ${task.units}`;
}

/** An interaction's share of the variance, F(S)² / Σ F², by which it is ranked and drawn. */
export function shareOf(
  { fourier }: Pick<ResultInteraction, 'fourier'>,
  { energy }: { readonly energy: Pick<Result['energy'], 'total'> },
): number {
  return energy.total > 0 ? fourier ** 2 / energy.total : 0;
}

/** Shares of the variance of interactions that stand beside each other, with the same decimals: `1.08 %`. */
export function shareFormat(
  interactions: readonly Pick<ResultInteraction, 'fourier'>[],
  of: { readonly energy: Pick<Result['energy'], 'total'> },
): (interaction: Pick<ResultInteraction, 'fourier'>) => string {
  const format = numberFormat(100 * largest(interactions.map((each) => shareOf(each, of))));
  return (interaction) => `${format(100 * shareOf(interaction, of))}\u00a0%`;
}

/** L1H2 × L3H0. */
export function joinNames(names: readonly string[]): string {
  return names.join(' × ');
}

/** `synergy`, `redundancy`, or the neutral words where one of the players does harm or there are more than two. */
export function meaningWords(meaning: ResultInteraction['meaning']): string {
  switch (meaning) {
    case 'synergy':
      return 'synergy';
    case 'redundancy':
      return 'redundancy';
    case 'above':
      return 'above its parts';
    case 'below':
      return 'below its parts';
    default:
      return meaning satisfies never;
  }
}

/** Energy by order as [label, share], orders above `last` in one entry: order 1, order 2, ..., order 5+. */
export function ordersUpTo(
  result: Result,
  last: number,
): { readonly label: string; readonly order: number; readonly share: number }[] {
  const low = result.energy.byOrder.filter(({ order, share }) => order >= 1 && order <= last && share > 0);
  const high = result.energy.byOrder.filter(({ order, share }) => order > last && share > 0);
  const entries = low.map(({ order, share }) => ({ label: `order ${order}`, order, share }));
  if (high.length === 1) entries.push({ label: `order ${high[0].order}`, order: last + 1, share: high[0].share });
  if (high.length > 1)
    entries.push({
      label: `order ${last + 1} and up`,
      order: last + 1,
      share: high.reduce((sum, { share }) => sum + share, 0),
    });
  return entries;
}

/** The four places energy can sit, those with nothing left out. */
export function placesOfEnergy(
  result: Result,
): { readonly key: 'alone' | 'within' | 'across' | 'none'; readonly label: string; readonly share: number }[] {
  const { alone, within, across, ungrouped } = result.energy;
  const layered = result.players.some(({ layer }) => layer !== undefined);
  const places = [
    { key: 'alone', label: 'alone', share: alone },
    { key: 'within', label: 'within a layer', share: within },
    { key: 'across', label: 'across layers', share: across },
    { key: 'none', label: layered ? 'with a player outside the layers' : 'together', share: ungrouped },
  ] as const;
  return places.filter(({ key, share }) => share > 0 || key === 'alone' || (layered && key !== 'none'));
}

/** Players by name for a list of numbers. */
export function namesOf(result: Result, members: readonly number[]): string[] {
  return members.map((player) => result.players[player].name);
}

const SEGMENTER = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** The characters of a text as a reader counts them. */
export function graphemes(text: string): string[] {
  return Array.from(SEGMENTER.segment(text), ({ segment }) => segment);
}

/** The columns a text takes in a terminal or a fixed-width label: 2 for wide scripts and emoji, else 1. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const { segment } of SEGMENTER.segment(text)) columns += widthOf(segment);
  return columns;
}

/** A text on one line of at most `columns` columns; control and direction characters become spaces, the cut shows as an ellipsis. */
export function oneLine(text: string, columns: number): string {
  const flat = printable(text).trim();
  let cut = '';
  let used = 0;
  for (const { segment, index } of SEGMENTER.segment(flat)) {
    const width = widthOf(segment);
    const last = index + segment.length === flat.length;
    if (used + width > columns - (last ? 0 : 1)) return `${cut}…`;
    cut += segment;
    used += width;
  }
  return cut;
}

function widthOf(grapheme: string): number {
  return /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\uFF01-\uFF60]/u.test(
    grapheme,
  )
    ? 2
    : 1;
}

function fixed(value: number): string {
  return `${value < 0 && value.toFixed(3) !== '-0.000' ? '−' : ''}${Math.abs(value).toFixed(3)}`;
}

function grouped(digits: string): string {
  const [integer, fraction] = digits.split('.');
  const spaced = integer.replace(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? spaced : `${spaced}.${fraction}`;
}

/** What a table says of an interaction: its meaning, or that the solver could not tell it from noise. */
export function readsAs({ meaning, belowNoise }: Pick<ResultInteraction, 'meaning' | 'belowNoise'>): string {
  return belowNoise === true ? 'below noise' : meaningWords(meaning);
}

/** Whether the evidence carries an answer at all: where it does not, interactions and circuit are not shown. */
export function isAnswer({ findings }: Pick<Result, 'findings'>): boolean {
  return !findings.some(({ kind }) => kind === 'broken question' || kind === 'predicts nothing');
}

/** Whether its sets are what narrowing left, and not the spectrum's. */
export function isNarrowed({ selector }: Pick<NonNullable<Result['circuit']>, 'selector'>): boolean {
  return selector === 'narrowing';
}

/** Whether the circuit is shown: one that narrowing proposed was measured, whatever the spectrum predicts. */
export function showsCircuit(result: Pick<Result, 'findings' | 'circuit'>): boolean {
  const broken = result.findings.some(({ kind }) => kind === 'broken question');
  return isAnswer(result) || (!broken && result.circuit !== undefined && isNarrowed(result.circuit));
}

/** Whether the set is called a circuit; records without a verdict are from before there was one. */
export function isCircuit({ verdict }: NonNullable<Result['circuit']>): boolean {
  return verdict === undefined || verdict.kind === 'found';
}

/** How well the model does what the prompts ask, in one line. */
export function behaviourText({ prompts, accuracy, rank, probability }: NonNullable<Result['behaviour']>): string {
  const of = prompts === 1 ? 'the prompt' : `${whole(prompts)} prompts`;
  return `the model is right on ${percent(accuracy)} of ${of}; the right answer has rank ${whole(rank)}, probability ${probability.toPrecision(2)}`;
}

/** How many of the masks that were fitted had their gradients taken. */
export function withGradients({ solver: { details } }: Result): string {
  const { measuredGradients, rowsPerGradient } = details;
  if (typeof measuredGradients !== 'number' || measuredGradients === 0) return '';
  return ` (${whole(measuredGradients)} with gradients, ${Number(rowsPerGradient)} rows each)`;
}

/** What masks keep, where it is not half of the players. */
export function keptWith({ spectrum: { keep } }: Result): string {
  if (keep === undefined) return '';
  return typeof keep === 'number'
    ? `; a player is kept with probability ${keep}`
    : '; players are kept with probabilities of their own';
}
