/** What rows share is found, cut where it pays, and run once: on made-up rows whose work is counted. */
import { describe, expect, it } from 'vitest';
import { branchesAt, chooseCuts, sharedLengths, sortLeaves, type Leaf } from '../../../src/lens/tokens/prefix-tree.ts';
import { inBlocks, walkTree } from '../../../src/lens/tokens/tree-walk.ts';
import { createRandom } from '../../../src/random.ts';

const leaf = (...key: number[]): Leaf => ({ key: Int32Array.from(key), sharable: key.length - 1 });
const keys = (leaves: readonly Leaf[]): number[][] => leaves.map(({ key }) => [...key]);

/** Rows of random tokens and lengths. */
function randomLeaves(seed: number, count: number, length: number): Leaf[] {
  const random = createRandom(seed);
  const found = new Map<string, Leaf>();
  while (found.size < count) {
    const key = Array.from({ length: 1 + Math.floor(random.uniform() * length) }, () =>
      Math.floor(random.uniform() * 2),
    );
    found.set(key.join(), leaf(...key));
  }
  return [...found.values()];
}

/** Saved tokens by the definition: every level's rows less its distinct beginnings, times its length. */
function savedBy(leaves: readonly Leaf[], cuts: readonly number[]): number {
  let [saved, before] = [0, 0];
  for (const cut of cuts) {
    const counts = new Map<string, number>();
    for (const { key, sharable } of leaves)
      if (sharable >= cut) {
        const begun = key.slice(0, cut).join();
        counts.set(begun, (counts.get(begun) ?? 0) + 1);
      }
    for (const count of counts.values()) saved += (count - 1) * (cut - before);
    before = cut;
  }
  return saved;
}

describe('leaves', () => {
  it('are sorted by their tokens, the shorter first, and share what their neighbours begin with, all but one token', () => {
    const sorted = sortLeaves([leaf(2, 1), leaf(1, 2, 3), leaf(1, 2), leaf(1, 2, 3, 4), leaf(1, 2, 3, 5)]);
    expect(keys(sorted)).toEqual([
      [1, 2],
      [1, 2, 3],
      [1, 2, 3, 4],
      [1, 2, 3, 5],
      [2, 1],
    ]);
    expect([...sharedLengths(sorted)]).toEqual([0, 1, 2, 3, 0]);
  });

  it('have the branches that their beginnings make', () => {
    const sorted = sortLeaves([leaf(1, 2, 3), leaf(1, 2, 4), leaf(1, 3, 4), leaf(2, 2, 2)]);
    const shared = sharedLengths(sorted);
    const first = branchesAt(shared, [{ from: 0, to: 4, parent: 0 }], 1);
    expect(first).toEqual({ branches: [{ from: 0, to: 3, parent: 0 }], ends: [{ from: 3, to: 4, parent: 0 }] });
    expect(branchesAt(shared, first.branches, 2)).toEqual({
      branches: [{ from: 0, to: 2, parent: 0 }],
      ends: [{ from: 2, to: 3, parent: 0 }],
    });
  });
});

describe('cuts', () => {
  it.each([1, 2, 3, 4])('save the most that any cuts save, less what levels cost (seed %i)', (seed) => {
    const leaves = sortLeaves(randomLeaves(seed, 24, 7));
    const shared = sharedLengths(leaves);
    for (const overhead of [0, 3, 8, 20]) {
      const net = (cuts: readonly number[]): number => savedBy(leaves, cuts) - overhead * cuts.length;
      let best = 0;
      for (let set = 0; set < 2 ** 6; set++)
        best = Math.max(best, net([1, 2, 3, 4, 5, 6].filter((k) => (set >> (k - 1)) & 1)));
      expect(net(chooseCuts(shared, 0, overhead))).toBe(best);
    }
  });

  it('are none where nothing is shared, or levels cost more; and begin after what is there already', () => {
    const leaves = sortLeaves([leaf(1, 1, 1, 2), leaf(1, 1, 1, 3), leaf(1, 1, 1, 4)]);
    expect(chooseCuts(new Int32Array(3), 0, 0)).toEqual([]);
    expect(chooseCuts(sharedLengths(leaves), 0, 5)).toEqual([3]);
    expect(chooseCuts(sharedLengths(leaves), 0, 7)).toEqual([]);
    expect(chooseCuts(sharedLengths(leaves), 3, 0)).toEqual([]);
    expect(chooseCuts(sharedLengths(leaves), 2, 0)).toEqual([3]);
  });
});

describe('the walk', () => {
  it('finishes every leaf once, from its own beginning, and drops what it began', async () => {
    const leaves = sortLeaves(randomLeaves(7, 60, 9));
    const shared = sharedLengths(leaves);
    let [alive, most, run] = [0, 0, 0];
    const done = new Map<Leaf, number>();
    interface Past extends Disposable {
      readonly begun: readonly number[][];
    }
    const cuts = chooseCuts(shared, 0, 2);
    expect(cuts.length).toBeGreaterThan(1);
    await walkTree<Leaf, Past>({
      leaves,
      shared,
      cuts,
      root: undefined,
      most: () => 3,
      lessen: () => undefined,
      async begin(some, length, from) {
        alive++;
        most = Math.max(most, alive);
        const before = from?.begun[0].length ?? 0;
        for (const {
          leaf: { key },
          parent,
        } of some)
          if (from !== undefined) expect(Array.from(key.subarray(0, before))).toEqual(from.begun[parent]);
        run += some.length * (length - before);
        return {
          begun: some.map(({ leaf: { key } }) => Array.from(key.subarray(0, length))),
          [Symbol.dispose]: () => void alive--,
        };
      },
      async finish(some, from) {
        for (const { leaf: each, parent } of some) {
          const begun = from?.begun[parent] ?? [];
          expect(Array.from(each.key.subarray(0, begun.length))).toEqual(begun);
          run += each.key.length - begun.length;
          done.set(each, (done.get(each) ?? 0) + 1);
        }
      },
    });
    expect([...done.values()]).toEqual(leaves.map(() => 1));
    expect(alive).toBe(0);
    expect(most).toBe(cuts.length);
    const all = leaves.reduce((sum, { key }) => sum + key.length, 0);
    expect(run).toBe(all - savedBy(leaves, cuts));
  });

  it('halves a block that has no room, runs the rest, and passes other failures on', async () => {
    let limit = 3;
    const sizes: number[] = [];
    let most = 8;
    const run = async (items: readonly number[]): Promise<void> =>
      inBlocks(
        items,
        () => most,
        (size) => void (most = size),
        {
          async run(block) {
            if (block.length > limit) throw new Error('out of memory');
            return block.length;
          },
          use: async (size) => void sizes.push(size),
        },
      );
    await run([1, 2, 3, 4, 5, 6, 7]);
    expect(sizes.reduce((a, b) => a + b)).toBe(7);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(3);
    limit = 0;
    await expect(run([1])).rejects.toThrow('out of memory');
  });
});
