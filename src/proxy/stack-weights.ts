/**
 * The weights of a stack: non-negative least squares on out-of-sample predictions, pulled gently to equal weights.
 */
import { mean, squaredError, type Fold } from '../spectrum/regression/folds.ts';

export interface StackWeights {
  /** One a column, none negative. */
  readonly weights: readonly number[];
  readonly intercept: number;
  /** Σ (y - ŷ)². */
  readonly error: number;
}

/**
 * minimise Σ_r (y_r - c - Σ_k w_k z_kr)² + pull · N · var(y) · Σ_k (w_k - 1/K)² over w >= 0 and c: exact, by trying
 * every set of weights that are 0 (K is small).
 */
export function stackWeights(columns: readonly Float64Array[], y: Float64Array, pull: number): StackWeights {
  const count = columns.length;
  const centre = (v: Float64Array): Float64Array => {
    const middle = mean(v);
    return v.map((value) => value - middle);
  };
  const z = columns.map(centre);
  const target = centre(y);
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, r) => sum + value * b[r], 0);
  const ridge = pull * dot(target, target);
  const gram = z.map((a, i) => z.map((b, j) => dot(a, b) + (i === j ? ridge : 0)));
  const moment = z.map((a) => dot(a, target) + ridge / count);
  const cost = (w: readonly number[]): number =>
    w.reduce((sum, wi, i) => sum + wi * (gram[i].reduce((s, g, j) => s + g * w[j], 0) - 2 * moment[i]), 0);
  let best: number[] = columns.map(() => 0);
  for (let set = 1; set < 2 ** count; set++) {
    const active = columns.map((_, k) => k).filter((k) => (set >>> k) & 1);
    const solved = solve(
      active.map((i) => active.map((j) => gram[i][j])),
      active.map((i) => moment[i]),
    );
    const weights = columns.map((_, k) => (active.includes(k) ? solved[active.indexOf(k)] : 0));
    if (weights.every((w) => w >= 0) && cost(weights) < cost(best)) best = weights;
  }
  const intercept = mean(y) - best.reduce((sum, w, k) => sum + w * mean(columns[k]), 0);
  return { weights: best, intercept, error: squaredError(y, combine(columns, best, intercept)) };
}

/** All weight on column k. */
export function onlyMember(k: number, columns: readonly Float64Array[], y: Float64Array): StackWeights {
  return {
    weights: columns.map((_, other) => (other === k ? 1 : 0)),
    intercept: 0,
    error: squaredError(y, columns[k]),
  };
}

/** Gaussian elimination on a positive definite system of a few unknowns. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]]);
  rows.forEach((pivot, i) => {
    for (const row of rows.slice(i + 1)) {
      const factor = row[i] / pivot[i];
      for (let j = i; j < row.length; j++) row[j] -= factor * pivot[j];
    }
  });
  const x = right.map(() => 0);
  for (let i = x.length - 1; i >= 0; i--)
    x[i] = (rows[i][x.length] - x.reduce((sum, value, j) => (j > i ? sum + rows[i][j] * value : sum), 0)) / rows[i][i];
  return x;
}

/** intercept + Σ_k w_k · column k. */
export function combine(columns: readonly Float64Array[], weights: readonly number[], intercept: number): Float64Array {
  return columns[0].map((_, r) => columns.reduce((sum, column, k) => sum + weights[k] * column[r], intercept));
}

/**
 * Predictions of every row by weights that its own fold had no part in: what a stack is worth, its weights included.
 */
export function crossWeighted(
  columns: readonly Float64Array[],
  y: Float64Array,
  folds: readonly Fold[],
  pull: number,
): Float64Array {
  const predicted = new Float64Array(y.length);
  for (const { train, held } of folds) {
    const rowsOf = (rows: Int32Array, column: Float64Array): Float64Array => Float64Array.from(rows, (r) => column[r]);
    const { weights, intercept } = stackWeights(
      columns.map((column) => rowsOf(train, column)),
      rowsOf(train, y),
      pull,
    );
    combine(
      columns.map((column) => rowsOf(held, column)),
      weights,
      intercept,
    ).forEach((value, k) => (predicted[held[k]] = value));
  }
  return predicted;
}
