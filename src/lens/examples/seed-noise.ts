/**
 * How far one training is from another that differs by its seed alone: what no answer can predict.
 *
 * A value is the mean over r seeds, so its noise is the variance over seeds by r; held against the variance over masks it is the ceiling
 * of R² (kronfluence and datamodels average seeds for the same reason).
 */
import type { Player } from '../../game.ts';
import { createRandom } from '../../random.ts';
import { uniformMasks } from '../../uniform-masks.ts';
import type { DataGame } from './data-game.ts';

export interface SeedNoise {
  /** Standard deviation of a value over seeds, in units of f. */
  readonly sd: number;
  /** Standard deviation of values over random masks, noise included. */
  readonly spread: number;
  /** 1 - sd² / spread², at least 0. */
  readonly ceiling: number;
  /** Trainings that a value is the mean of. */
  readonly seeds: number;
  readonly trainings: number;
}

const MASKS = 16;
const SEEDS = 4;

/** What is asked, and how a game of other seeds is opened. */
export interface Seeded {
  readonly players: readonly Player[];
  readonly seeds: readonly number[];
  readonly open: (seeds: readonly number[]) => DataGame;
}

/** Measures it at 16 random masks by 4 fresh seeds. */
export async function seedNoise(
  { players, seeds, open }: Seeded,
  { seed, signal }: { readonly seed: number; readonly signal?: AbortSignal | undefined },
): Promise<SeedNoise> {
  const first = Math.max(...seeds) + 1;
  const n = players.length;
  const count = n < 5 ? 2 ** n : MASKS;
  const masks = uniformMasks(n, count, createRandom(seed, 'examples/noise'));
  const other = open(Array.from({ length: SEEDS }, (_, r) => first + r));
  try {
    const values = await other.perSeed(masks, { signal });
    const means = new Float64Array(count);
    let within = 0;
    for (let k = 0; k < count; k++) {
      const mine = values.subarray(k * SEEDS, (k + 1) * SEEDS);
      means[k] = mine.reduce((sum, x) => sum + x / SEEDS, 0);
      within += mine.reduce((sum, x) => sum + (x - means[k]) ** 2 / (SEEDS - 1), 0) / count;
    }
    const mean = means.reduce((sum, x) => sum + x / count, 0);
    const between = means.reduce((sum, x) => sum + (x - mean) ** 2 / Math.max(1, count - 1), 0);
    const noise = within / seeds.length;
    // What masks move, without the noise of the means that it was measured by, and with that of a value.
    const variance = Math.max(0, between - within / SEEDS) + noise;
    return {
      sd: Math.sqrt(noise),
      spread: Math.sqrt(variance),
      ceiling: variance > 0 ? Math.max(0, 1 - noise / variance) : 0,
      seeds: seeds.length,
      trainings: count * SEEDS,
    };
  } finally {
    other[Symbol.dispose]();
  }
}
