import { describe, expect, it } from 'vitest';
import { allMasks, concatMasks, emptyMasks, maskHex, masksFromHex, selectRows, type Masks } from '../src/masks.ts';
import { createMaskTable, tableOf } from '../src/mask-table.ts';
import { createRandom } from '../src/random.ts';
import { uniformMasks } from '../src/uniform-masks.ts';

/** Masks of which about a third come again, in a drawn order. */
function withRepeats(players: number, count: number, seed: number): Masks {
  const distinct = Math.min(count, players < 12 ? 2 ** players : count);
  const masks = uniformMasks(players, distinct, createRandom(seed));
  const random = createRandom(seed, 'repeats');
  return selectRows(
    masks,
    Array.from({ length: Math.ceil(1.5 * distinct) }, () => random.integer(distinct)),
  );
}

const WIDTHS = [1, 2, 5, 8, 31, 32, 33, 63, 64, 65, 100, 257, 1000];

describe('a table of masks', () => {
  it.each(WIDTHS)('numbers masks of %i players as a map over their hex does', (players) => {
    const table = createMaskTable(players);
    const map = new Map<string, number>();
    const masks = withRepeats(players, 700, players);
    for (let row = 0; row < masks.count; row++) {
      const hex = maskHex(masks, row);
      expect(table.find(masks, row)).toBe(map.get(hex) ?? -1);
      if (!map.has(hex)) map.set(hex, map.size);
      expect(table.add(masks, row)).toBe(map.get(hex));
      expect(table.count).toBe(map.size);
    }
    expect(table.all()).toEqual(masksFromHex(players, [...map.keys()]));
  });

  it.each(WIDTHS)('finds every mask of %i players by its number after it has grown, and no other', (players) => {
    const all = players <= 8 ? allMasks(players) : uniformMasks(players, 3000, createRandom(players));
    const half = Math.floor(all.count / 2);
    const [there, absent] = [
      selectRows(
        all,
        Array.from({ length: half }, (_, k) => k),
      ),
      selectRows(
        all,
        Array.from({ length: all.count - half }, (_, k) => half + k),
      ),
    ];
    const table = tableOf(there);
    expect(table.count).toBe(half);
    for (let row = 0; row < half; row++) expect(table.find(there, row)).toBe(row);
    for (let row = 0; row < absent.count; row++) expect(table.find(absent, row)).toBe(-1);
    expect(table.count).toBe(half); // looking adds nothing
  });

  it('tells masks apart that differ in one player, in every word', () => {
    const one = emptyMasks(200, 1);
    const single = Array.from({ length: 200 }, (_, player) => {
      const masks = emptyMasks(200, 1);
      masks.words[player >>> 5] = 1 << (player & 31);
      return masks;
    });
    const table = tableOf(concatMasks([one, ...single]));
    expect(table.count).toBe(201);
    single.forEach((masks, player) => expect(table.find(masks, 0)).toBe(player + 1));
  });

  it('gives copies: what is done to them or to the masks that were added changes nothing', () => {
    const masks = allMasks(3);
    const table = tableOf(masks);
    masks.words.fill(0);
    table.all().words.fill(0);
    expect(table.all()).toEqual(allMasks(3));
  });

  it('of no players holds the one mask there is', () => {
    const table = createMaskTable(0);
    const none = emptyMasks(0, 2);
    expect([table.find(none, 0), table.add(none, 0), table.add(none, 1), table.count]).toEqual([-1, 0, 0, 1]);
  });

  it('refuses masks over other players, looking and adding', () => {
    const table = createMaskTable(3);
    const message = 'mask table: a mask over 4 players was given; these are over 3.';
    expect(() => table.find(allMasks(4), 0)).toThrow(message);
    expect(() => table.add(allMasks(4), 0)).toThrow(message);
  });
});
