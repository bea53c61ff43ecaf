/**
 * ALiBi (Press et al. 2021): no positions are embedded; each head's scores fall by its slope with every token of distance.
 *
 * A softmax sees only differences, so transformers adds slope · position of the key; here, as in TransformerLens, the
 * distance itself is taken, and hook_attn_scores shows it.
 */
import * as tf from '@tensorflow/tfjs-core';

/** One slope a head: 2^(-8i/n) for a power of two n; other counts take every second slope of the next power for the rest. */
export function alibiSlopes(heads: number): number[] {
  const whole = 2 ** Math.floor(Math.log2(heads));
  const slopes = (count: number): number[] => Array.from({ length: count }, (_, i) => 2 ** ((-8 * (i + 1)) / count));
  return [...slopes(whole), ...slopes(2 * whole).filter((_, i) => i % 2 === 0)].slice(0, heads);
}

/**
 * What is added to scores, [1 or B, H, |queries|, keys]: -slope · (position of the query - position of the key).
 * @param positions of all tokens, past and present, [1 or B][keys]. @param queries their columns.
 */
export function alibiPenalties(
  heads: number,
  positions: readonly (readonly number[])[],
  queries: readonly number[],
): tf.Tensor {
  const slopes = alibiSlopes(heads);
  const values = positions.flatMap((row) =>
    slopes.flatMap((slope) => queries.flatMap((query) => row.map((position) => slope * (position - row[query])))),
  );
  return tf.tensor(Float32Array.from(values), [positions.length, heads, queries.length, positions[0].length]);
}
