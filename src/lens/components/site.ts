/**
 * A hook point where players are ablated: which cells they hold, and what of that a pass over some positions needs.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { HookName } from '../../model/hook-points.ts';
import type { Cells } from './mask-factors.ts';
import type { MaskBlock } from './mask-order.ts';

export interface Site {
  readonly hook: HookName;
  /** The players that are ablated here. */
  readonly players: readonly number[];
  /**
   * For every (position, element) cell, [P·E], the column of the matrix of `players` and a last column that is always 1;
   * undefined when that is the matrix itself, without its last column.
   */
  readonly index: tf.Tensor1D | undefined;
  /** P: 1 when no player here is tied to a position. */
  readonly positions: number;
  /** The positions that the pass has here. */
  readonly visible: readonly number[];
  readonly elements: number;
  /** The player of every cell, [P·E]. */
  readonly cells: Cells;
  readonly baseline: tf.Tensor | undefined;
  /** Where a backend takes masks as they are: which of their words the players here have, and the bit of every cell. */
  readonly packed: PackedSite | undefined;
  /** The player that holds each head, whole; undefined where heads are kept. Only of heads. */
  readonly heads: readonly (number | undefined)[] | undefined;
}

export interface PackedSite {
  /** The first word of a mask that has a player of this site, and by word from there which bits are its players'. */
  readonly from: number;
  readonly players: Uint32Array;
  /** int32 [P, E]: the player's bit, counted from the first word; -1 for what nobody holds. */
  readonly cells: tf.Tensor2D;
}

/** What the last layer has at every position, also where only some are scored. */
export const READ_EVERYWHERE = /\.(hook_resid_pre|attn\.hook_[kv])$/;

/** [B, H, queries, keys] <-> [B, queries, H, keys] */
export function byQuery(pattern: tf.Tensor): tf.Tensor {
  return tf.transpose(pattern, [0, 2, 1, 3]);
}

/** Runs `edit` on an activation whose axis 1 is positions and whose next is elements. */
export function atQueries(name: HookName, activation: tf.Tensor, edit: (x: tf.Tensor) => tf.Tensor): tf.Tensor {
  return name.endsWith('.hook_pattern') ? byQuery(edit(byQuery(activation))) : edit(activation);
}

/** How many of a site's cells are at positions before `first`: none where no player is tied to a position. */
export function cellsBefore({ positions, visible, elements }: Site, first: number): number {
  return positions > 1 ? elements * visible.filter((position) => position < first).length : 0;
}

/** What of a site depends on positions, from position `first` on. Inside tf.tidy. */
export function siteFrom(
  site: Site,
  first: number,
): () => Pick<Site, 'index' | 'baseline' | 'positions'> & {
  readonly cells: tf.Tensor2D | undefined;
  /** Cells before. */
  readonly skipped: number;
} {
  const { index, baseline, positions, visible, elements, packed } = site;
  const before = visible.filter((position) => position < first).length;
  const skipped = cellsBefore(site, first);
  return () => ({
    positions: positions - skipped / elements,
    skipped,
    index: index === undefined || skipped === 0 ? index : tf.slice(index, [skipped]),
    cells: packed === undefined || skipped === 0 ? packed?.cells : tf.slice(packed.cells, [skipped / elements, 0]),
    baseline:
      baseline === undefined || before === 0 || baseline.shape[1] === 1
        ? baseline
        : tf.slice(baseline, [0, before, ...baseline.shape.slice(2).map(() => 0)]),
  });
}

export function packedSite(cells: Int32Array, positions: number, players: readonly number[]): PackedSite {
  const from = Math.min(...players.map((player) => player >>> 5));
  const bits = new Uint32Array(Math.max(...players.map((player) => player >>> 5)) - from + 1);
  for (const player of players) bits[(player >>> 5) - from] |= 1 << (player & 31);
  return {
    from,
    players: bits,
    cells: tf.tensor2d(
      cells.map((player) => (player === -1 ? -1 : player - 32 * from)),
      [positions, cells.length / positions],
      'int32',
    ),
  };
}

/** The words of the masks `rows` that hold a site's players, [rows, words], and whether every mask keeps all of them. */
export function wordsOf(
  { masks }: MaskBlock,
  rows: Int32Array,
  { from, players }: PackedSite,
): { readonly words: Int32Array; readonly all: boolean } {
  const words = new Int32Array(rows.length * players.length);
  let all = true;
  rows.forEach((mask, r) => {
    const first = mask * masks.stride + from;
    for (let w = 0; w < players.length; w++) {
      const word = masks.words[first + w];
      words[r * players.length + w] = word;
      if ((word & players[w]) >>> 0 !== players[w]) all = false;
    }
  });
  return { words, all };
}
