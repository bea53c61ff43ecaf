/**
 * The parts of a compiled transformer as sparse matrices between the residual stream and their own spaces.
 *
 * A matrix is a list of entries [row, column, value]: y[column] += value · x[row]. Heads and MLPs have no biases; what would be one is read
 * from the direction `one`.
 */

export type Entry = readonly [row: number, column: number, value: number];
export type Matrix = readonly Entry[];

/** Softmax over q·k, with nothing in between. */
export interface Head {
  /** Residual -> head; columns of q and k mean the same. */
  readonly q: Matrix;
  readonly k: Matrix;
  readonly v: Matrix;
  /** Head -> residual. */
  readonly o: Matrix;
}

/** A hidden unit: relu(Σ reads) times what it writes. */
export interface Unit {
  readonly reads: readonly (readonly [dimension: number, weight: number])[];
  readonly writes: readonly (readonly [dimension: number, weight: number])[];
}

/** An MLP: relu between the two. */
export interface Mlp {
  /** Residual -> hidden. */
  readonly in: Matrix;
  /** Hidden -> residual. */
  readonly out: Matrix;
}

/** The MLP of some units. */
export function mlpOf(units: readonly Unit[]): Mlp {
  return {
    in: units.flatMap(({ reads }, unit) => reads.map(([dimension, weight]): Entry => [dimension, unit, weight])),
    out: units.flatMap(({ writes }, unit) => writes.map(([dimension, weight]): Entry => [unit, dimension, weight])),
  };
}

/** Columns that a matrix has. */
export function columnsOf(matrix: Matrix): number {
  return matrix.reduce((most, [, column]) => Math.max(most, column + 1), 0);
}
