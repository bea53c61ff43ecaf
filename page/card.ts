/**
 * The card in the corner: what is under the pointer or has the focus, said in full. It stays until something else is pointed
 * at, and goes on Escape.
 */
import type { ResultInteraction } from '../src/report/result.ts';
import { joinNames, percent, readsAs, shareOf } from '../src/report/wording.ts';
import { labelOf, type Asked } from './asked.ts';
import { attentionPanels } from './attention.ts';
import { button, h, type Content } from './dom.ts';

export interface Card {
  readonly player: (data: Asked, player: number) => void;
  readonly interaction: (data: Asked, interaction: ResultInteraction) => void;
  /** What a cell says of itself. */
  readonly text: (text: string) => void;
  readonly hide: () => void;
}

const LISTED = 6;

export function createCard(): Card {
  const body = h('div', {});
  const element = h('aside', { class: 'asked', hidden: '', 'aria-label': 'What is pointed at', 'aria-live': 'polite' });
  const hide = (): void => {
    element.hidden = true;
    shown = '';
  };
  element.append(button('×', hide, { class: 'close', 'aria-label': 'Close' }), body);
  document.body.append(element);
  let shown = '';
  const show = (key: string, content: () => Content): void => {
    if (key === shown) return;
    shown = key;
    body.replaceChildren(h('div', {}, content()));
    element.hidden = false;
    element.scrollTop = 0;
  };
  return {
    hide,
    text: (text) => show(`text ${text}`, () => h('p', {}, text)),
    player: (data, player) => show(`player ${player}`, () => aboutPlayer(data, player)),
    interaction: (data, interaction) =>
      show(`interaction ${interaction.members.join()}`, () => aboutInteraction(data, interaction)),
  };
}

function aboutPlayer(data: Asked, player: number): Content {
  const { name, place } = data.players[player];
  const { banzhaf, shapley, standardError } = data.values[player];
  const inside = data.circuit?.chosen.players.includes(player) === true;
  const own = [...data.interactions, ...data.more].filter(
    ({ members, belowNoise }) => members.includes(player) && belowNoise !== true,
  );
  const panels = place?.kind === 'head' ? attentionPanels(data, place.layer, place.head) : [];
  return [
    h('p', {}, h('b', { class: 'name' }, name), inside && ' · in the circuit'),
    h(
      'p',
      {},
      `Banzhaf ${data.signed(banzhaf)}`,
      standardError !== undefined && h('span', { class: 'muted' }, ` ± ${data.half(standardError)} (95 %)`),
      ` · Shapley ${data.signed(shapley)}`,
    ),
    own.length === 0
      ? h('p', { class: 'muted' }, 'No interaction of it is known.')
      : h(
          'ul',
          {},
          own.slice(0, LISTED).map((each) => h('li', {}, ...lineOf(data, each))),
          own.length > LISTED && h('li', { class: 'muted' }, `and ${own.length - LISTED} smaller ones`),
        ),
    panels.length > 0 && h('div', { class: 'prompts' }, panels),
  ];
}

function aboutInteraction(data: Asked, interaction: ResultInteraction): Content {
  return [
    h('p', {}, ...lineOf(data, interaction)),
    h('p', { class: 'muted' }, `${percent(shareOf(interaction, data))} of the variance`),
    h(
      'ul',
      {},
      interaction.members.map((player) => h('li', {}, `alone ${labelOf(data, player)}`)),
    ),
  ];
}

function lineOf(data: Asked, interaction: ResultInteraction): Content[] {
  const { names, value, standardError } = interaction;
  return [
    h('bdi', { class: 'name' }, joinNames(names)),
    ' ',
    h('span', { class: value > 0 ? 'positive' : 'negative' }, data.signed(value)),
    standardError !== undefined && h('span', { class: 'muted' }, ` ± ${data.half(standardError)}`),
    ` ${readsAs(interaction)}`,
  ];
}
