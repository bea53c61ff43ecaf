/**
 * Pointing at a player or an interaction, by pointer or keyboard, wherever it is drawn: it lights up everywhere, and the card
 * tells of it. A player is picked by a click, Enter or the space bar.
 */
import type { ResultInteraction } from '../src/report/result.ts';
import { labelOf, type Asked } from './asked.ts';
import type { Card } from './card.ts';
import { around } from './dom.ts';
import { rove } from './roving.ts';

const PLAYER = '[data-player]';
const INTERACTION = '[data-interaction]';
const READ = '[data-read]';
/** What has players to point at, and is one tab stop. */
const FIELDS = 'figure svg, .played, .cards';

export interface Pointed {
  /** The data as it is drawn now. */
  readonly data: () => Asked;
  /** The interactions that are drawn now, by their data-interaction. */
  readonly drawn: () => readonly ResultInteraction[];
  readonly toggle: (player: number) => void;
  readonly picked: () => ReadonlySet<number>;
}

/** Hears pointer and keys of the whole page. */
export function listen(card: Card, pointed: Pointed | undefined): void {
  const tell = (event: Event): void => {
    const player = around(event.target, PLAYER)?.getAttribute('data-player');
    const interaction = around(event.target, INTERACTION)?.getAttribute('data-interaction');
    const read = around(event.target, READ);
    if (pointed !== undefined && typeof player === 'string') {
      card.player(pointed.data(), Number(player));
      light(pointed, [Number(player)]);
    } else if (pointed !== undefined && typeof interaction === 'string') {
      const shown = pointed.drawn()[Number(interaction)] as ResultInteraction | undefined;
      if (shown === undefined) return;
      card.interaction(pointed.data(), shown);
      light(pointed, shown.members, shown);
    } else if (read !== undefined) card.text(read.getAttribute('aria-label') ?? '');
    else if (around(event.target, '.asked') === undefined) light(pointed, []);
  };
  document.addEventListener('pointerover', tell);
  document.addEventListener('focusin', tell);
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      card.hide();
      light(pointed, []);
    }
    const player = around(event.target, PLAYER);
    if ((event.key !== 'Enter' && event.key !== ' ') || player !== event.target) return;
    event.preventDefault();
    pointed?.toggle(Number(player?.getAttribute('data-player')));
  });
  document.addEventListener('click', (event) => {
    const player = around(event.target, PLAYER);
    if (player !== undefined && around(event.target, FIELDS) !== undefined)
      pointed?.toggle(Number(player.getAttribute('data-player')));
  });
}

/** What is marked now. */
let marked = '';

/** Marks players, those that share an interaction with a single one, and one interaction. */
function light(pointed: Pointed | undefined, players: readonly number[], interaction?: ResultInteraction): void {
  const key = `${players.join()} ${interaction?.members.join() ?? ''}`;
  if (key === marked) return;
  marked = key;
  const lit = new Set(players);
  const drawn = pointed?.drawn() ?? [];
  const own = (members: readonly number[]): boolean => players.length === 1 && members.includes(players[0]);
  const partners = new Set(drawn.flatMap(({ members }) => (own(members) ? members : [])));
  for (const element of document.querySelectorAll(PLAYER)) {
    const player = Number(element.getAttribute('data-player'));
    element.classList.toggle('lit', lit.has(player));
    element.classList.toggle('partner', partners.has(player) && !lit.has(player));
  }
  for (const element of document.querySelectorAll(INTERACTION)) {
    const each = drawn[Number(element.getAttribute('data-interaction'))] as ResultInteraction | undefined;
    element.classList.toggle('lit', each !== undefined && (each === interaction || own(each.members)));
  }
  document.body.classList.toggle('pointing', lit.size > 0);
}

/** Makes what is drawn in `root` one tab stop a figure, with names that are read out instead of tooltips. */
export function prepare(root: ParentNode, pointed: Pointed | undefined): void {
  for (const field of root.querySelectorAll(FIELDS)) {
    const players = pointed === undefined ? [] : elements(field, PLAYER);
    const cells = elements(field, READ);
    if (players.length > 0 && pointed !== undefined) {
      const data = pointed.data();
      field.setAttribute('role', 'listbox');
      field.setAttribute('aria-multiselectable', 'true');
      for (const player of players) {
        player.setAttribute('role', 'option');
        named(player, labelOf(data, Number(player.getAttribute('data-player'))));
      }
      rove(field, players);
    } else if (cells.length > 0) {
      field.setAttribute('role', 'group');
      for (const cell of cells) {
        cell.setAttribute('role', 'img');
        named(cell, cell.querySelector('title')?.textContent ?? '');
      }
      rove(field, cells);
    }
  }
  if (pointed !== undefined) markPicked(pointed);
}

/** Marks what is picked, everywhere. */
export function markPicked(pointed: Pointed): void {
  const picked = pointed.picked();
  for (const element of document.querySelectorAll(PLAYER)) {
    const inside = picked.has(Number(element.getAttribute('data-player')));
    element.classList.toggle('picked', inside);
    if (element.getAttribute('role') === 'option') element.setAttribute('aria-selected', String(inside));
  }
}

function elements(field: Element, selector: string): SVGElement[] {
  return [...field.querySelectorAll<SVGElement>(selector)];
}

function named(element: Element, label: string): void {
  element.setAttribute('aria-label', label);
  element.removeAttribute('title');
  element.querySelector(':scope > title')?.remove();
}
