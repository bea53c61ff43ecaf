import { describe, expect, it } from 'vitest';
import { maskBytes, maskHex, type Masks } from '../src/masks.ts';
import { tableOf } from '../src/mask-table.ts';
import { createRandom } from '../src/random.ts';
import { uniformMasks } from '../src/uniform-masks.ts';

/** Bits past the last player of every row; the invariant says they are 0. */
const strayBits = ({ players, count, stride, words }: Masks): number => {
  let stray = 0;
  for (let row = 0; row < count; row++) {
    for (let bit = players; bit < 32 * stride; bit++) stray += (words[row * stride + (bit >>> 5)] >>> (bit & 31)) & 1;
  }
  return stray;
};
const hexes = (masks: Masks): string[] => Array.from({ length: masks.count }, (_, row) => maskHex(masks, row));

describe('uniform masks', () => {
  it.each([
    ['sparse', 40, 2000],
    ['dense', 12, 3000],
    ['beyond one word', 100, 500],
  ])('are distinct, fair bit by bit, and the same for a seed (%s)', (_, n, count) => {
    const masks = uniformMasks(n, count, createRandom(1));
    expect(new Set(hexes(masks)).size).toBe(count);
    expect(strayBits(masks)).toBe(0);
    expect(uniformMasks(n, count, createRandom(1))).toEqual(masks);
    expect(uniformMasks(n, count, createRandom(2))).not.toEqual(masks);
    const bytes = maskBytes(masks);
    for (let i = 0; i < n; i++) {
      let kept = 0;
      for (let row = 0; row < count; row++) kept += bytes[row * n + i];
      expect(Math.abs(kept - count / 2)).toBeLessThan(4.5 * Math.sqrt(count / 4));
    }
  });

  it('leave the table of those to avoid as it was', () => {
    const exclude = tableOf(uniformMasks(30, 50, createRandom(1)));
    uniformMasks(30, 50, createRandom(2), exclude);
    expect(exclude.count).toBe(50);
  });

  it('can be all there are, and none beyond', () => {
    expect(new Set(hexes(uniformMasks(8, 256, createRandom(3)))).size).toBe(256);
    expect(() => uniformMasks(8, 257, createRandom(3))).toThrow(
      '257 distinct masks of 8 players were asked for; only 256 are left',
    );
  });

  it('go on by a list where few players are nearly always kept and likely masks run out', () => {
    const avoid = tableOf(uniformMasks(10, 3, createRandom(7), undefined, 0.98));
    const masks = uniformMasks(10, 239, createRandom(8), avoid, 0.98);
    expect(new Set(hexes(masks)).size).toBe(239);
    for (let row = 0; row < masks.count; row++) expect(avoid.find(masks, row)).toBe(-1);
    const cut = Array.from(
      { length: 239 },
      (_, row) =>
        10 -
        maskBytes(masks)
          .subarray(10 * row, 10 * row + 10)
          .reduce((a, b) => a + b),
    );
    expect(cut.filter((count) => count <= 2).length).toBeGreaterThanOrEqual(56 - 3); // all that cut two at most
    expect(() => uniformMasks(30, 1000, createRandom(8), undefined, 0.999)).toThrow('10000 draws brought no new one');
  });

  it('avoid the masks they are told to, to the last one left', () => {
    const train = uniformMasks(6, 60, createRandom(4));
    const test = uniformMasks(6, 4, createRandom(5), tableOf(train));
    expect(new Set([...hexes(train), ...hexes(test)]).size).toBe(64);
    expect(() => uniformMasks(6, 5, createRandom(5), tableOf(train))).toThrow('only 4 are left');
    // The first 100 draws of a seed are all excluded, so that the next 100 have to be others.
    const wide = uniformMasks(40, 100, createRandom(6));
    const others = uniformMasks(40, 100, createRandom(6), tableOf(wide));
    expect(new Set([...hexes(wide), ...hexes(others)]).size).toBe(200);
  });
});
