import { describe, expect, it } from 'vitest';
import {
  allMasks,
  masksFromHex,
  masksFromMembers,
  masksFromRows,
  concatMasks,
  emptyMasks,
  isKept,
  keep,
  keptPlayers,
  maskBytes,
  maskColumns,
  maskHex,
  selectRows,
  type Masks,
} from '../src/masks.ts';
import { uniformMasks } from '../src/uniform-masks.ts';
import { createRandom } from '../src/random.ts';

/** Bits past the last player of every row; the invariant says they are 0. */
const strayBits = ({ players, count, stride, words }: Masks): number => {
  let stray = 0;
  for (let row = 0; row < count; row++) {
    for (let bit = players; bit < 32 * stride; bit++) stray += (words[row * stride + (bit >>> 5)] >>> (bit & 31)) & 1;
  }
  return stray;
};
const hexes = (masks: Masks): string[] => Array.from({ length: masks.count }, (_, row) => maskHex(masks, row));

describe('masks', () => {
  it('from rows, members and hex are the same masks', () => {
    const rows = [
      [1, 0, 1, 0, 0, 0, 0, 0, 0, 1],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    const masks = masksFromRows(rows);
    expect(masksFromMembers(10, [[0, 2, 9], []])).toEqual(masks);
    expect(masksFromHex(10, ['0502', '0000'])).toEqual(masks);
    expect(hexes(masks)).toEqual(['0502', '0000']); // byte k holds players 8k..8k+7, lowest bit first
    expect(masksFromRows([[true, false]])).toEqual(masksFromMembers(2, [[0]]));
  });

  it.each([1, 7, 8, 31, 32, 33, 64, 100, 1000])('of %i players survive hex, bytes and member lists', (n) => {
    const masks = uniformMasks(n, Math.min(2, n) * 2 - 1, createRandom(n));
    expect(masksFromHex(n, hexes(masks))).toEqual(masks);
    expect(
      masksFromMembers(
        n,
        Array.from({ length: masks.count }, (_, row) => keptPlayers(masks, row)),
      ),
    ).toEqual(masks);
    const bytes = maskBytes(masks);
    expect(
      masksFromRows(Array.from({ length: masks.count }, (_, row) => bytes.subarray(row * n, (row + 1) * n))),
    ).toEqual(masks);
    expect(strayBits(masks)).toBe(0);
  });

  it('mark one player at a time, word borders included', () => {
    const masks = emptyMasks(70, 2);
    for (const player of [0, 31, 32, 63, 64, 69]) keep(masks, 1, player);
    expect(keptPlayers(masks, 1)).toEqual([0, 31, 32, 63, 64, 69]);
    expect(keptPlayers(masks, 0)).toEqual([]);
    expect([isKept(masks, 1, 31), isKept(masks, 1, 30), isKept(masks, 0, 31)]).toEqual([true, false, false]);
  });

  it('give bytes of a range of rows', () => {
    expect(
      maskBytes(
        masksFromRows([
          [1, 0],
          [0, 1],
          [1, 1],
        ]),
        1,
        3,
      ),
    ).toEqual(Uint8Array.of(0, 1, 1, 1));
  });

  it('of no players exist: one empty row is one mask', () => {
    const masks = emptyMasks(0, 1);
    expect(maskHex(masks, 0)).toBe('');
    expect(keptPlayers(masks, 0)).toEqual([]);
    expect(allMasks(0).count).toBe(1);
  });

  it.each([
    ['rows of unequal length', () => masksFromRows([[1, 0], [1]]), 'row 1 has 1 players; row 0 has 2'],
    ['entries other than 0 and 1', () => masksFromRows([[1, 2]]), 'row 0, player 1 is 2'],
    ['NaN', () => masksFromRows([[Number.NaN]]), 'row 0, player 0 is NaN'],
    [
      'a member beyond the last player',
      () => masksFromMembers(3, [[0], [3]]),
      'mask 1 names player 3; players are 0..2',
    ],
    ['a negative member', () => masksFromMembers(3, [[-1]]), 'player -1'],
    ['hex of the wrong length', () => masksFromHex(9, ['ff']), '4 hex digits are needed'],
    ['hex that is not hex', () => masksFromHex(8, ['g0']), '"g0" is not a mask'],
    ['hex with a player beyond the last', () => masksFromHex(9, ['ff02']), 'beyond the last of 9'],
    ['half a player', () => emptyMasks(1.5, 1), '1.5 players'],
    ['2^25 masks', () => allMasks(25), '2^25 masks do not fit'],
  ])('refuse %s', (_, build, message) => {
    expect(build).toThrow(message);
  });
});

describe('all masks', () => {
  it('come in counting order, each once', () => {
    const masks = allMasks(10);
    expect(masks.count).toBe(1024);
    expect(new Set(hexes(masks)).size).toBe(1024);
    expect(keptPlayers(masks, 0b1000000101)).toEqual([0, 2, 9]);
    expect(keptPlayers(masks, 0)).toEqual([]);
    expect(keptPlayers(masks, 1023)).toHaveLength(10);
  });
});

describe('rows and columns', () => {
  it('selectRows repeats and reorders rows', () => {
    const masks = uniformMasks(50, 5, createRandom(1));
    expect(hexes(selectRows(masks, [4, 0, 4]))).toEqual([4, 0, 4].map((row) => maskHex(masks, row)));
    expect(selectRows(masks, []).count).toBe(0);
  });

  it('concatMasks joins in order and refuses other players', () => {
    const a = uniformMasks(40, 3, createRandom(1));
    const b = uniformMasks(40, 2, createRandom(2));
    expect(hexes(concatMasks([a, b]))).toEqual([...hexes(a), ...hexes(b)]);
    expect(() => concatMasks([a, emptyMasks(41, 1)])).toThrow('matrices of 40 and 41 players');
    expect(concatMasks([]).count).toBe(0);
  });

  it('maskColumns is the transpose, past 32 rows and 32 players', () => {
    const masks = uniformMasks(45, 70, createRandom(1));
    const columns = maskColumns(masks);
    expect(columns).toHaveLength(45);
    for (let row = 0; row < 70; row++) {
      for (let i = 0; i < 45; i++)
        expect((columns[i][row >>> 5] >>> (row & 31)) & 1).toBe(isKept(masks, row, i) ? 1 : 0);
    }
  });
});
