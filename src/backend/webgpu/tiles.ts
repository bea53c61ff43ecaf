/**
 * Which tile a product is cut by: the one that a simple estimate finds quickest.
 *
 * A large tile reads less memory for each multiplication; a small one wastes less where it does not divide the result, and
 * keeps more processors busy where the result is small. Rates and least workgroups are those of an NVIDIA H200
 * (docs/gpu.md); larger or smaller cards move the borders, not the order. Products that no tile fits (dimensions that are
 * not multiples of 4, few rows) stay with tfjs-backend-webgpu.
 */
import { sharedBytesOf, type Tile } from './tiled-product.ts';

interface Choice {
  readonly tile: Tile;
  /** TFLOP/s where there are workgroups enough. */
  readonly rate: number;
  /** Workgroups from which it has that rate; fewer have as much less. */
  readonly enough: number;
}

const CHOICES: readonly Choice[] = [
  { tile: { rows: 128, columns: 128, depth: 16, threadRows: 8, threadColumns: 8, stages: 1 }, rate: 44, enough: 640 },
  { tile: { rows: 128, columns: 128, depth: 32, threadRows: 8, threadColumns: 8, stages: 1 }, rate: 42.5, enough: 300 },
  { tile: { rows: 64, columns: 64, depth: 16, threadRows: 8, threadColumns: 8, stages: 1 }, rate: 41, enough: 1000 },
  { tile: { rows: 32, columns: 64, depth: 32, threadRows: 4, threadColumns: 8, stages: 1 }, rate: 32, enough: 500 },
];
/** Smaller products are left to the backend: there, launching one takes longer than computing it, whoever does it. */
const LEAST = { rows: 64, width: 16, multiplications: 2 ** 22 };

/** All that a product may get. */
export const TILES: readonly Tile[] = CHOICES.map(({ tile }) => tile);

/**
 * [rows, inner] · [inner, width] on a device whose workgroups may share `sharedBytes`; undefined where the backend's own
 * product is to be taken.
 */
export function tileFor(rows: number, inner: number, width: number, sharedBytes: number): Tile | undefined {
  if (inner % 4 !== 0 || width % 4 !== 0) return undefined;
  if (rows < LEAST.rows || width < LEAST.width || rows * inner * width < LEAST.multiplications) return undefined;
  let best: { readonly tile: Tile; readonly speed: number } | undefined;
  for (const { tile, rate, enough } of CHOICES) {
    if (sharedBytesOf(tile) > sharedBytes) continue;
    const [down, across] = [Math.ceil(rows / tile.rows), Math.ceil(width / tile.columns)];
    const useful = (rows * width) / (down * tile.rows * across * tile.columns);
    const speed = rate * useful * Math.min(1, ((down * across) / enough) ** SHORTAGE);
    if (best === undefined || speed > best.speed) best = { tile, speed };
  }
  return best?.tile;
}

/** Half the workgroups that are enough have more than half the rate: two on one processor get in each other's way. */
const SHORTAGE = 0.6;
