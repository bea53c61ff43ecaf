/**
 * Players as cells of one grid: layers one way; heads, then the other kinds of player (MLP), the other way.
 *
 * The heatmap and the interaction graph share it, so that a player sits in the same row or column of both.
 */
import type { ResultPlayer } from './result.ts';

export interface PlayerGrid {
  readonly layers: readonly number[];
  /** `H0`, `H1`, ..., `MLP`: heads first. */
  readonly slots: readonly string[];
  /** How many of the slots are heads. */
  readonly heads: number;
  /** Players with a layer, by number: indices into layers and slots. */
  readonly cells: ReadonlyMap<number, { readonly layer: number; readonly slot: number }>;
}

/** The grid, or undefined when no player has a layer or two players would share a cell (neurons, heads at positions). */
export function playerGrid(players: readonly ResultPlayer[]): PlayerGrid | undefined {
  const layers = distinct(players.map(({ layer }) => layer));
  const heads = distinct(players.map(headOf));
  const kinds = [
    ...new Set(players.filter((player) => player.layer !== undefined && headOf(player) === undefined).map(kindOf)),
  ];
  const cells = new Map<number, { layer: number; slot: number }>();
  const taken = new Set<number>();
  for (const [k, player] of players.entries()) {
    if (player.layer === undefined) continue;
    const slot =
      headOf(player) !== undefined
        ? heads.indexOf(headOf(player) as number)
        : heads.length + kinds.indexOf(kindOf(player));
    const cell = { layer: layers.indexOf(player.layer), slot };
    const key = cell.layer * (heads.length + kinds.length) + slot;
    if (taken.has(key)) return undefined;
    taken.add(key);
    cells.set(k, cell);
  }
  if (cells.size === 0) return undefined;
  return { layers, slots: [...heads.map((head) => `H${head}`), ...kinds], heads: heads.length, cells };
}

/** The numbers that occur, increasing. */
export function distinct(values: readonly (number | undefined)[]): number[] {
  return [...new Set(values)].filter((value) => value !== undefined).sort((a, b) => a - b);
}

/** `MLP3` -> `MLP`. */
function kindOf(player: ResultPlayer): string {
  return player.name.replace(/[\d\s]+/g, '').slice(0, 8) || 'other';
}

/** The head that a player is, every position of it or one. */
export function headOf({ place }: ResultPlayer): number | undefined {
  return place?.kind === 'head' ? place.head : undefined;
}
