/**
 * Which tile a product is cut by: the largest that still gives every part of a large GPU something to do.
 *
 * A larger tile reads less memory for each multiplication; too few of them leave processors idle. Products that no tile
 * fits (dimensions that are not multiples of 4, few rows) stay with tfjs-backend-webgpu.
 */
import type { Tile } from './tiled-product.ts';

/** From the largest: tile and how many workgroups it should at least come to. */
const CHOICES: readonly { readonly tile: Tile; readonly least: number }[] = [
  { tile: { rows: 128, columns: 128, depth: 16, threadRows: 8, threadColumns: 8, stages: 1 }, least: 192 },
  { tile: { rows: 64, columns: 64, depth: 16, threadRows: 8, threadColumns: 8, stages: 1 }, least: 128 },
  { tile: { rows: 32, columns: 64, depth: 32, threadRows: 4, threadColumns: 8, stages: 1 }, least: 16 },
];

/** All that a product may get, from the largest. */
export const TILES: readonly Tile[] = CHOICES.map(({ tile }) => tile);

/** [rows, inner] · [inner, width]; undefined where the backend's own product is to be taken. */
export function tileFor(rows: number, inner: number, width: number): Tile | undefined {
  if (inner % 4 !== 0 || width % 4 !== 0) return undefined;
  return CHOICES.find(({ tile, least }) => Math.ceil(rows / tile.rows) * Math.ceil(width / tile.columns) >= least)
    ?.tile;
}
