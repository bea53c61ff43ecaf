/**
 * "What if only these were kept?": a set of players is picked, and the page says what the spectrum predicts for it and, where
 * that set was measured, what it is worth.
 */
import { maskHex, masksFromMembers } from '../src/masks.ts';
import { createSpectrum, evaluate } from '../src/spectrum/spectrum.ts';
import { percent, whole } from '../src/report/wording.ts';
import type { Asked } from './asked.ts';
import { button, h } from './dom.ts';

export interface Picks {
  readonly element: HTMLElement;
  readonly picked: () => ReadonlySet<number>;
  readonly toggle: (player: number) => void;
  readonly set: (players: readonly number[]) => void;
}

/** Names that are written out. */
const NAMED = 40;

export function createPicks(data: Asked, onChange: () => void): Picks {
  const { players, circuit } = data;
  const n = players.length;
  const spectrum = createSpectrum('fourier', n, data.spectrum.terms, data.spectrum.keep);
  const byName = new Map(players.map(({ name }, player) => [name, player]));
  let picked = new Set<number>();
  const names = h('p', { class: 'names' });
  const answer = h('p', { class: 'answer', role: 'status' });
  const typed = h('input', { type: 'text', size: '24', autocomplete: 'off', spellcheck: 'false' });
  const set = (some: Iterable<number>): void => {
    picked = new Set(some);
    show();
    onChange();
  };
  const show = (): void => {
    const list = [...picked].sort((a, b) => a - b);
    const more = list.length > NAMED ? ` and ${whole(list.length - NAMED)} more` : '';
    names.replaceChildren(
      list.length === 0
        ? 'None: everything ablated.'
        : `${whole(list.length)} of ${whole(n)}: ${list
            .slice(0, NAMED)
            .map((player) => players[player].name)
            .join(', ')}${more}`,
    );
    const masks = masksFromMembers(n, [list]);
    const predicted = evaluate(spectrum, masks)[0];
    const found = data.measured[maskHex(masks, 0)] as number | undefined;
    const range = data.clean - data.ablated;
    const share = (value: number): string => (range === 0 ? '' : ` (${percent((value - data.ablated) / range)})`);
    answer.replaceChildren(
      'Predicted ',
      h('b', {}, data.plain(predicted)),
      `${share(predicted)}, `,
      ...(found === undefined ? ['not measured.'] : ['measured ', h('b', {}, data.plain(found)), `${share(found)}.`]),
    );
  };
  const take = (): void => {
    const words = typed.value.split(/[\s,]+/).filter((word) => word !== '');
    const unknown = words.filter((word) => !byName.has(word));
    typed.setCustomValidity(unknown.length === 0 ? '' : `There is no player ${unknown[0]}.`);
    if (!typed.reportValidity() || words.length === 0) return;
    typed.value = '';
    set([...picked, ...words.map((word) => byName.get(word) as number)]);
  };
  typed.addEventListener('change', take);
  show();
  const { omitted, energyKept } = data.spectrum;
  const { metric, players: noun } = data.task;
  return {
    element: h(
      'div',
      { class: 'panel picks' },
      h('h3', {}, `What if only these ${noun} were kept?`),
      names,
      answer,
      h(
        'p',
        { class: 'controls' },
        circuit !== undefined && data.sizes.length > 0 && button('the circuit', () => set(circuit.chosen.players)),
        button('all but these', () => set(players.map((_, player) => player).filter((player) => !picked.has(player)))),
        button('none', () => set([])),
        h('label', {}, 'add ', typed),
      ),
      h(
        'p',
        { class: 'muted' },
        `Click ${noun}, or press Enter on one. The ${metric} is predicted by the spectrum${
          omitted > 0
            ? `, whose terms in this page carry ${percent(energyKept)} of its variance`
            : data.exact
              ? ', which is exact'
              : ''
        }; shares are of the range from everything ablated to everything kept.`,
      ),
    ),
    picked: () => picked,
    toggle: (player) => set(picked.has(player) ? [...picked].filter((each) => each !== player) : [...picked, player]),
    set,
  };
}
