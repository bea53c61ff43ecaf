/** Sorted masks and their shared prefixes, against sets of prefixes made by hand. */
import { describe, expect, it } from 'vitest';
import {
  masksFromMembers,
  masksFromRows,
  concatMasks,
  isKept,
  maskHex,
  selectRows,
  type Masks,
} from '../../../src/masks.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import {
  ancestors,
  asGiven,
  blockOf,
  maskMatrix,
  sharedStages,
  sortByStage,
} from '../../../src/lens/components/mask-order.ts';
import { createRandom } from '../../../src/random.ts';

/** What a mask says of the players of stages 0..stage. */
const prefix = (masks: Masks, row: number, stages: readonly number[], stage: number): string =>
  stages.map((s, i) => (s > stage ? '.' : isKept(masks, row, i) ? '1' : '0')).join('');
const distinct = (masks: Masks, start: number, end: number, stages: readonly number[], stage: number): number =>
  new Set(Array.from({ length: end - start }, (_, k) => prefix(masks, start + k, stages, stage))).size;

describe.each([
  ['players in the order of their stages', 12, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]],
  ['players in no order', 7, [2, 0, 1, 1, 0, 2, 0]],
  ['more players than a word holds', 70, Array.from({ length: 70 }, (_, i) => (i * 7) % 5)],
  ['one stage', 4, [0, 0, 0, 0]],
])('sorted masks: %s', (_, players, stages) => {
  const uniform = uniformMasks(players, Math.min(40, 2 ** players), createRandom(4));
  const masks = concatMasks([uniform, selectRows(uniform, [3, 3, 0])]);
  const sorted = sortByStage(masks, stages);
  const last = Math.max(...stages);

  it('hold every row once, each with its own mask', () => {
    const seen: number[] = [];
    for (let i = 0; i < sorted.masks.count; i++) {
      for (let k = sorted.from[i]; k < sorted.from[i + 1]; k++) {
        seen.push(sorted.origins[k]);
        expect(maskHex(masks, sorted.origins[k])).toBe(maskHex(sorted.masks, i));
      }
    }
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: masks.count }, (_, row) => row));
    expect(sorted.masks.count).toBe(uniform.count);
  });

  it('have as many rows at each stage as distinct prefixes, and no more in all than in any other order', () => {
    for (const [start, end] of [
      [0, sorted.masks.count],
      [1, 9],
      [5, 6],
    ]) {
      const block = blockOf(sorted, start, Math.min(end, sorted.masks.count), last + 1);
      for (let stage = 0; stage <= last; stage++)
        expect(block.rows[stage].length).toBe(distinct(sorted.masks, block.start, block.end, stages, stage));
    }
  });

  it('know where neighbours part, and which row a later one continues', () => {
    const [start, end] = [2, Math.min(12, sorted.masks.count)];
    const shared = sharedStages(sorted, start, end, last + 1);
    if (shared > 0) expect(distinct(sorted.masks, start, end, stages, shared - 1)).toBe(1);
    if (shared <= last) expect(distinct(sorted.masks, start, end, stages, shared)).toBeGreaterThan(1);
    const { rows } = blockOf(sorted, start, end, last + 1);
    for (let stage = 0; stage < last; stage++) {
      ancestors(rows[stage], rows[last]).forEach((row, k) => {
        expect(prefix(sorted.masks, rows[stage][row], stages, stage)).toBe(
          prefix(sorted.masks, rows[last][k], stages, stage),
        );
      });
    }
  });
});

describe('masks in order', () => {
  it('of a leave-one-out sweep share all that comes before the player left out', () => {
    const players = Array.from({ length: 6 }, (_, i) => i);
    const sweep = masksFromMembers(6, [players, ...players.map((out) => players.filter((i) => i !== out))]);
    const sorted = sortByStage(sweep, [0, 0, 1, 1, 2, 2]);
    expect(blockOf(sorted, 0, 7, 3).rows.map((rows) => rows.length)).toEqual([3, 5, 7]);
    expect(maskHex(sorted.masks, 0)).toBe('3f'); // everything kept comes first
  });

  it('as given share nothing and stay where they are', () => {
    const masks = masksFromRows([
      [1, 0],
      [1, 0],
      [0, 1],
    ]);
    const given = asGiven(masks);
    expect([...given.origins]).toEqual([0, 1, 2]);
    expect(blockOf(given, 1, 3, 2).rows.map((rows) => [...rows])).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it('become matrices, with a last column of ones or without', () => {
    const masks = masksFromRows([
      [1, 0, 1],
      [0, 0, 1],
    ]);
    expect([...maskMatrix(masks, [1, 0], [2, 0], 1)]).toEqual([1, 0, 1, 1, 1, 1]);
    expect([...maskMatrix(masks, [1, 0], [2, 0], 0)]).toEqual([1, 0, 1, 1]);
  });

  it('of none are none', () => {
    const none = sortByStage(masksFromMembers(3, []), [0, 1, 2]);
    expect(none.masks.count).toBe(0);
  });
});
