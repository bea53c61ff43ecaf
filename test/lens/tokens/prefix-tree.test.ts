/** What rows share is found and stands once: on made-up rows whose tokens are counted. */
import { describe, expect, it } from 'vitest';
import { sharedLengths, sortLeaves, treeOf, type Leaf } from '../../../src/lens/tokens/prefix-tree.ts';
import { inBlocks } from '../../../src/lens/tokens/in-blocks.ts';
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
});

describe('a tree', () => {
  it.each([1, 2, 3, 4])('has every distinct beginning once, and of every row its path (seed %i)', (seed) => {
    const leaves = sortLeaves(randomLeaves(seed, 24, 7));
    const { paths, own } = treeOf(
      leaves.map(({ key }) => key.length),
      sharedLengths(leaves),
    );
    const tokens = leaves.flatMap(({ key }, k) => [...key.subarray(key.length - own[k])]);
    paths.forEach((path, k) => expect(Array.from(path, (column) => tokens[column])).toEqual([...leaves[k].key]));
    // The last token of a row stands for itself, also where another row begins with all of it.
    const beginnings = new Set(
      leaves.flatMap(({ key, sharable }) =>
        Array.from(key, (_, i) => `${key.slice(0, i + 1).join()}${i < sharable ? '' : ' .'}`),
      ),
    );
    expect(tokens.length).toBe(beginnings.size);
  });

  it('goes on from what was run before, also where later rows share less with it', () => {
    const { paths, own } = treeOf([5, 4, 5], [3, 1, 2]);
    expect(paths.map((path) => [...path])).toEqual([
      [0, 1, 2, 3, 4],
      [0, 5, 6, 7],
      [0, 5, 8, 9, 10],
    ]);
    expect(own).toEqual([2, 3, 3]);
  });
});

describe('blocks', () => {
  it('are halved where they have no room; the rest runs, and other failures are passed on', async () => {
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
