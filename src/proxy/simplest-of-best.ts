/**
 * Which of several answers to give: the one with the least error on rows that none of them fitted, or a simpler one
 * that is no worse within half a standard error (the rule of Breiman, Friedman, Olshen, Stone, Classification and Regression Trees,
 * 1984, section 3.4.3).
 *
 * Errors are compared row by row, so what is hard for all does not hide a difference.
 */

/**
 * How far a simpler answer may fall behind, in standard errors of the mean difference of squared errors. The book's is 1, which on real
 * games cost R² and answers below first order, while 0 cost as much on noisy additive games.
 */
const WITHIN = 0.5;

export interface Rival {
  /** Of two that predict alike the smaller number wins; 0 = no interactions. */
  readonly complexity: number;
  /** Predictions of rows that it did not fit. */
  readonly predicted: ArrayLike<number>;
}

/** The number of the rival to take, the simplest `within` so many standard errors of the best; ties go to the earlier. */
export function simplestOfBest(values: ArrayLike<number>, rivals: readonly Rival[], within = WITHIN): number {
  const squares = rivals.map(({ predicted }) => Float64Array.from(values, (value, r) => (value - predicted[r]) ** 2));
  const errors = squares.map((square) => square.reduce((sum, e) => sum + e, 0));
  const best = errors.indexOf(Math.min(...errors));
  const near = rivals
    .map((_, k) => k)
    .filter((k) => {
      const { mean, error } = meanAndError(squares[k].map((square, r) => square - squares[best][r]));
      return mean <= within * error;
    });
  return near.reduce((chosen, k) => {
    const simpler = rivals[k].complexity - rivals[chosen].complexity;
    return simpler < 0 || (simpler === 0 && errors[k] < errors[chosen]) ? k : chosen;
  }, best);
}

/** Mean of the values and its standard error. */
function meanAndError(values: Float64Array): { mean: number; error: number } {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value / count, 0);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, count - 1);
  return { mean, error: Math.sqrt(variance / count) };
}
