/** Measured masks of which the first few have gradients too. */
import { emptyMasks, isKept, keep, selectRows, type Masks } from '../../masks.ts';

export interface Sample {
  /** N, those with gradients first. */
  readonly masks: Masks;
  readonly values: Float64Array;
  /** ∂f/∂m of the first T, [T · n]. */
  readonly gradients: Float32Array;
}

/** T. */
export function countOfGradients({ masks, gradients }: Sample): number {
  return gradients.length / masks.players;
}

/** The rows of an increasing list. */
export function rowsOf(sample: Sample, rows: ArrayLike<number>): Sample {
  const n = sample.masks.players;
  const T = countOfGradients(sample);
  const sloped = Array.from(rows).filter((row) => row < T);
  const gradients = new Float32Array(sloped.length * n);
  sloped.forEach((row, k) => gradients.set(sample.gradients.subarray(row * n, (row + 1) * n), k * n));
  return {
    masks: selectRows(sample.masks, rows),
    values: Float64Array.from(rows, (row) => sample.values[row]),
    gradients,
  };
}

/** The masks over some of their players, in the order given. */
export function overPlayers(masks: Masks, players: ArrayLike<number>): Masks {
  const some = emptyMasks(players.length, masks.count);
  for (let row = 0; row < masks.count; row++)
    for (let k = 0; k < players.length; k++) if (isKept(masks, row, players[k])) keep(some, row, k);
  return some;
}
