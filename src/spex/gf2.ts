/**
 * Linear algebra over GF(2) on bit-packed rows.
 *
 * A matrix is rows x columns bits; bit (j & 31) of word (j >> 5) of a row is its column j, bits past the
 * last column are 0 (the layout of `Masks`). Addition is xor, so every operation is a few words.
 */
import { fail } from '../errors.ts';
import type { Random } from '../random.ts';

export interface Gf2Matrix {
  readonly rows: number;
  readonly columns: number;
  /** Words per row, ceil(columns / 32). */
  readonly stride: number;
  /** rows x stride words. */
  readonly words: Uint32Array;
}

/** The rows x columns zero matrix. */
export function zeroMatrix(rows: number, columns: number): Gf2Matrix {
  const stride = Math.max(1, Math.ceil(columns / 32));
  return { rows, columns, stride, words: new Uint32Array(rows * stride) };
}

/** Entry (row, column), 0 or 1. */
export function entry(matrix: Gf2Matrix, row: number, column: number): number {
  return (matrix.words[row * matrix.stride + (column >>> 5)] >>> (column & 31)) & 1;
}

/** The columns x rows transpose. */
export function transpose(matrix: Gf2Matrix): Gf2Matrix {
  const turned = zeroMatrix(matrix.columns, matrix.rows);
  for (let r = 0; r < matrix.rows; r++) {
    for (let c = 0; c < matrix.columns; c++) {
      if (entry(matrix, r, c)) turned.words[c * turned.stride + (r >>> 5)] |= 1 << (r & 31);
    }
  }
  return turned;
}

/** The dimension of the row space, by elimination on a copy: O(rows · rank · stride). */
export function rank(matrix: Gf2Matrix): number {
  const { rows, stride } = matrix;
  const basis: { readonly word: number; readonly bit: number; readonly row: Uint32Array }[] = [];
  for (let r = 0; r < rows; r++) {
    const row = matrix.words.slice(r * stride, (r + 1) * stride);
    for (const { word, bit, row: pivot } of basis) {
      if (row[word] & bit) for (let w = 0; w < stride; w++) row[w] ^= pivot[w];
    }
    const word = row.findIndex((value) => value !== 0);
    if (word >= 0) basis.push({ word, bit: row[word] & -row[word], row });
    if (basis.length === matrix.columns) break;
  }
  return basis.length;
}

/**
 * A uniform rows x columns matrix among those of rank `columns`: drawn again until the rank is full
 * (a square draw is full with probability > 0.288, so this ends).
 * @throws when columns > rows: no such matrix exists.
 */
export function randomFullRank(rows: number, columns: number, random: Random): Gf2Matrix {
  if (columns > rows)
    throw fail(
      'input',
      'randomFullRank',
      `no ${rows} x ${columns} matrix has rank ${columns}; at most ${rows} columns.`,
    );
  const matrix = zeroMatrix(rows, columns);
  const tail = columns % 32 === 0 ? 0xffffffff : 2 ** (columns % 32) - 1;
  do {
    for (let r = 0; r < rows; r++) {
      for (let w = 0; w < matrix.stride; w++) matrix.words[r * matrix.stride + w] = random.bits();
      matrix.words[(r + 1) * matrix.stride - 1] &= tail;
    }
  } while (rank(matrix) < columns);
  return matrix;
}
