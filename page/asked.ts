/** What the page knows: its data with names put back, and the words in which it says a player's numbers. */
import type { PageData, Unnamed } from '../src/report/page-data.ts';
import type { ResultInteraction } from '../src/report/result.ts';
import { largest, numberFormat, unitSuffix } from '../src/report/wording.ts';

export interface Asked extends Omit<PageData, 'interactions' | 'more'> {
  readonly interactions: readonly ResultInteraction[];
  readonly more: readonly ResultInteraction[];
  /** A Banzhaf value or an interaction, signed, in the metric's units. */
  readonly signed: (value: number) => string;
  /** A value of the metric. */
  readonly plain: (value: number) => string;
  /** Half of a 95 % interval. */
  readonly half: (standardError: number) => string;
}

/** 97.5 % quantile of a normal distribution. */
const Z95 = 1.96;

/** The page's data; undefined where it has none. */
export function readData(): Asked | undefined {
  const text = document.getElementById('spex-data')?.textContent;
  if (text === null || text === undefined) return undefined;
  const data = JSON.parse(text) as PageData;
  const named = (list: readonly Unnamed[]): ResultInteraction[] =>
    list.map((each) => ({ ...each, names: each.members.map((player) => data.players[player].name) }));
  const [interactions, more] = [named(data.interactions), named(data.more)];
  const scale = largest([...data.values.map(({ banzhaf }) => banzhaf), ...interactions.map(({ value }) => value)]);
  const signed = numberFormat(scale, { signed: true });
  const plain = numberFormat(largest([data.clean, data.ablated]));
  const unsigned = numberFormat(scale);
  const units = unitSuffix(data);
  return {
    ...data,
    interactions,
    more,
    signed: (value) => `${signed(value)}${units}`,
    plain: (value) => `${plain(value)}${units}`,
    half: (standardError) => unsigned(Z95 * standardError),
  };
}

/** `L1H2: +0.31 logits, in the circuit`. */
export function labelOf(data: Asked, player: number): string {
  const inside = data.circuit?.chosen.players.includes(player) === true ? ', in the circuit' : '';
  return `${data.players[player].name}: ${data.signed(data.values[player].banzhaf)}${inside}`;
}
