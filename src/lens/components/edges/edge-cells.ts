/**
 * Which player holds which edge: tables of cells by receiver, and masks as factors of them; only numbers.
 *
 * A cell is one edge, or one position of it. What a receiver reads is the stream plus Σ off · (baseline - sender) over its
 * cells: off is 0 where an edge is kept, 1 where it is cut, 1 - m between.
 */
import { fail } from '../../../errors.ts';
import type { ModelConfig } from '../../../model/config.ts';
import type { ReceiverPlace } from '../../../place.ts';
import type { Masks } from '../../../masks.ts';
import type { Cells } from '../mask-factors.ts';
import { edgeSites, senderName, type ReceiverSite, type SenderSite } from './edge.ts';
import type { EdgePlayer } from './edge-players.ts';

/** A sender site with edges that somebody holds. */
export interface UsedSenders extends SenderSite {
  /** Senders of used sites before it. */
  readonly offset: number;
}

/** A receiver site with edges that somebody holds. */
export interface UsedReceivers extends Omit<ReceiverSite, 'reads'> {
  /** E: what reads there. */
  readonly elements: number;
  /** n: senders of used sites that wrote before. */
  readonly reads: number;
  /** P: 1 where no edge here is tied to a position, else the prompt's length. */
  readonly positions: number;
  /** By [P, E, n], the player that holds the edge; -1 for one that is always kept. */
  readonly cells: Cells;
}

export interface EdgeTable {
  readonly senders: readonly UsedSenders[];
  readonly receivers: readonly UsedReceivers[];
  /** By player, the first of `receivers` that it cuts something from. */
  readonly stages: readonly number[];
}

/** The tables of `players` in a prompt of `length` tokens. @throws as edgeSites, and for an edge that the model has not. */
export function edgeTable(players: readonly EdgePlayer[], config: ModelConfig, length: number): EdgeTable {
  const sites = edgeSites(config);
  const sending = new Set(players.flatMap(({ edges }) => edges.map(({ from }) => senderName(from))));
  const senders: UsedSenders[] = [];
  const columns = new Map<string, number>();
  const widths = [0]; // of the used ones among the first k sites
  for (const site of sites.senders) {
    const used = site.senders.some((sender) => sending.has(senderName(sender)));
    const offset = widths[widths.length - 1];
    if (used) {
      senders.push({ ...site, offset });
      site.senders.forEach((sender, k) => columns.set(senderName(sender), offset + k));
    }
    widths.push(offset + (used ? site.senders.length : 0));
  }
  const places = new Map<string, { readonly site: number; readonly element: number }>();
  sites.receivers.forEach(({ receivers }, site) =>
    receivers.forEach((receiver, element) => places.set(keyOf(receiver), { site, element })),
  );
  const held = sites.receivers.map((): Held[] => []);
  players.forEach(({ name, edges }, player) => {
    for (const { from, to, position } of edges) {
      const at = places.get(keyOf(to));
      const column = columns.get(senderName(from)) ?? -1;
      if (at === undefined || column < 0 || column >= widths[sites.receivers[at.site].reads])
        throw fail('input', 'edges', `"${name}" holds an edge that this model has not.`);
      held[at.site].push({ player, element: at.element, column, position });
    }
  });
  const used = sites.receivers.map((_, site) => site).filter((site) => held[site].length > 0);
  const receivers = used.map((site) => receiversOf(sites.receivers[site], widths, held[site], length));
  const stages = Array.from(players, () => receivers.length);
  used.forEach((site, stage) => {
    for (const { player } of held[site]) stages[player] = Math.min(stages[player], stage);
  });
  return { senders, receivers, stages };
}

interface Held {
  readonly player: number;
  readonly element: number;
  readonly column: number;
  readonly position: number | undefined;
}

function receiversOf(
  site: ReceiverSite,
  widths: readonly number[],
  held: readonly Held[],
  length: number,
): UsedReceivers {
  const [elements, reads] = [site.receivers.length, widths[site.reads]];
  const positions = held.some(({ position }) => position !== undefined) ? length : 1;
  const cells = new Int32Array(positions * elements * reads).fill(-1);
  for (const { player, element, column, position } of held) {
    const at = position === undefined || positions === 1 ? Array.from({ length: positions }, (_, p) => p) : [position];
    for (const p of at) cells[(p * elements + element) * reads + column] = player;
  }
  return { ...site, elements, reads, positions, cells };
}

function keyOf(place: ReceiverPlace): string {
  return place.kind === 'logits' ? place.kind : `${place.kind} ${place.layer} ${place.kind === 'mlp' ? 0 : place.head}`;
}

/** off of masks [start, end), [rows · cells]; undefined where they cut nothing here. */
export function offOfMasks(cells: Cells, masks: Masks, start: number, end: number): Float32Array | undefined {
  const { stride, words } = masks;
  const off = new Float32Array((end - start) * cells.length);
  let cuts = false;
  for (let row = start; row < end; row++) {
    const [from, at] = [row * stride, (row - start) * cells.length];
    for (let c = 0; c < cells.length; c++) {
      const player = cells[c];
      if (player === -1 || ((words[from + (player >>> 5)] >>> (player & 31)) & 1) === 1) continue;
      off[at + c] = 1;
      cuts = true;
    }
  }
  return cuts ? off : undefined;
}

/** off of m [rows · players]: 1 - m of each cell's player, [rows · cells]. */
export function offOfNumbers(cells: Cells, m: Float32Array, players: number): Float32Array {
  const rows = m.length / players;
  const off = new Float32Array(rows * cells.length);
  for (let row = 0; row < rows; row++)
    cells.forEach((player, c) => {
      if (player !== -1) off[row * cells.length + c] = 1 - m[row * players + player];
    });
  return off;
}

/** Adds to `into` [rows · players] what slopes with respect to off, [rows · cells], say of m. */
export function addCellSlopes(cells: Cells, slopes: ArrayLike<number>, players: number, into: Float64Array): void {
  const rows = into.length / players;
  for (let row = 0; row < rows; row++)
    cells.forEach((player, c) => {
      if (player !== -1) into[row * players + player] -= slopes[row * cells.length + c];
    });
}
