/**
 * Cross-validation folds and the one score they are read by.
 *
 * Scores are pooled: R² = 1 - Σ(y - ŷ_out)²/Σ(y - ȳ)² over all held-out rows at once, which stays
 * meaningful where a fold has few rows (a mean of per-fold R² does not).
 */
import { fail } from '../../errors.ts';
import type { Random } from '../../random.ts';

export interface Fold {
  /** Rows fitted, increasing. */
  readonly train: Int32Array;
  /** Rows held out, increasing. */
  readonly held: Int32Array;
}

/** `count` shuffled folds over rows 0..rows-1 whose sizes differ by at most one. @throws with fewer rows than folds. */
export function shuffledFolds(rows: number, count: number, random: Random): Fold[] {
  if (!Number.isInteger(count) || count < 2) throw fail('input', 'folds', `${count} folds; at least 2 are needed.`);
  if (rows < count)
    throw fail('input', 'folds', `${rows} distinct masks for ${count} folds; measure at least ${count} masks.`);
  const order = random.shuffle(Int32Array.from({ length: rows }, (_, r) => r));
  const foldOf = new Int32Array(rows);
  order.forEach((row, k) => (foldOf[row] = k % count));
  const all = Int32Array.from({ length: rows }, (_, r) => r);
  return Array.from({ length: count }, (_, f) => ({
    train: all.filter((r) => foldOf[r] !== f),
    held: all.filter((r) => foldOf[r] === f),
  }));
}

/** Σ(y - ŷ)². */
export function squaredError(y: ArrayLike<number>, predicted: ArrayLike<number>): number {
  let sum = 0;
  for (let r = 0; r < y.length; r++) sum += (y[r] - predicted[r]) ** 2;
  return sum;
}

/** Mean of the values; 0 for none. */
export function mean(y: ArrayLike<number>): number {
  let sum = 0;
  for (let r = 0; r < y.length; r++) sum += y[r];
  return y.length === 0 ? 0 : sum / y.length;
}

/** 1 - error/Σ(y - ȳ)²; for constant y, 1 when the error is 0 and 0 otherwise. */
export function scoreR2(y: ArrayLike<number>, error: number): number {
  const centre = mean(y);
  let total = 0;
  for (let r = 0; r < y.length; r++) total += (y[r] - centre) ** 2;
  if (total === 0) return error === 0 ? 1 : 0;
  return 1 - error / total;
}
