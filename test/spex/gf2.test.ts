import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/random.ts';
import { entry, randomFullRank, rank, transpose, zeroMatrix, type Gf2Matrix } from '../../src/spex/gf2.ts';

const matrixOf = (rows: readonly string[]): Gf2Matrix => {
  const matrix = zeroMatrix(rows.length, rows[0].length);
  rows.forEach((row, r) =>
    row.split('').forEach((bit, c) => {
      if (bit === '1') matrix.words[r * matrix.stride + (c >>> 5)] |= 1 << (c & 31);
    }),
  );
  return matrix;
};

describe('GF(2) matrices', () => {
  test('rank counts independent rows, whatever their order', () => {
    expect(rank(matrixOf(['110', '011', '101']))).toBe(2);
    expect(rank(matrixOf(['100', '010', '001']))).toBe(3);
    expect(rank(matrixOf(['000', '000']))).toBe(0);
    expect(rank(matrixOf(['111', '111', '001']))).toBe(2);
  });

  test('rank reaches past the first word of a row', () => {
    const rows = Array.from({ length: 70 }, (_, r) =>
      Array.from({ length: 70 }, (_, c) => (c === r ? '1' : '0')).join(''),
    );
    expect(rank(matrixOf(rows))).toBe(70);
    expect(rank(matrixOf([...rows.slice(0, 69), rows[3]]))).toBe(69);
  });

  test('rank equals the rank of the transpose on random matrices', () => {
    const random = createRandom(1);
    for (let trial = 0; trial < 50; trial++) {
      const matrix = zeroMatrix(1 + random.integer(40), 1 + random.integer(40));
      for (let r = 0; r < matrix.rows; r++) {
        for (let c = 0; c < matrix.columns; c++) {
          if (random.uniform() < 0.1) matrix.words[r * matrix.stride + (c >>> 5)] |= 1 << (c & 31);
        }
      }
      expect(rank(transpose(matrix))).toBe(rank(matrix));
    }
  });

  test('transposing twice gives the matrix back', () => {
    const matrix = randomFullRank(45, 33, createRandom(2));
    expect(transpose(transpose(matrix))).toEqual(matrix);
    expect(entry(transpose(matrix), 32, 44)).toBe(entry(matrix, 44, 32));
  });

  test('random matrices have full rank also where most draws do not (square, 3 x 3)', () => {
    for (let seed = 0; seed < 100; seed++) expect(rank(randomFullRank(3, 3, createRandom(seed)))).toBe(3);
  });

  test('more columns than rows are refused, with both numbers', () => {
    expect(() => randomFullRank(3, 4, createRandom(0))).toThrow(/3 x 4.*at most 3/);
  });
});
