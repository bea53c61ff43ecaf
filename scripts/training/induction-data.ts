/**
 * Repeated-sequence data for induction: BOS, then a period of p distinct tokens tiled to `length`.
 * p is uniform in 4..12 per row, so no fixed offset predicts the next token: only "find where this
 * token stood before and copy what followed" does. Loss and accuracy count positions whose answer is determined.
 */
import type { Random } from '../../src/random.ts';
import type { Batch } from './train.ts';

export const INDUCTION = { vocabulary: 32, length: 24, minPeriod: 4, maxPeriod: 12, bos: 0 } as const;

/** Token 0 is BOS; the letters are 1..32. */
export function inductionBatch(rows: number, random: Random): Batch {
  const { vocabulary, length, minPeriod, maxPeriod, bos } = INDUCTION;
  const tokens: number[][] = [];
  const weights: number[][] = [];
  for (let r = 0; r < rows; r++) {
    const period = minPeriod + random.integer(maxPeriod - minPeriod + 1);
    const letters = random.shuffle(Array.from({ length: vocabulary }, (_, i) => i + 1)).slice(0, period);
    tokens.push([bos, ...Array.from({ length }, (_, t) => letters[t % period])]);
    // position q holds letter q - 1 and predicts letter q, which is determined from the second period on
    weights.push(Array.from({ length }, (_, q) => (q >= period ? 1 : 0)));
  }
  return { tokens, weights };
}
