/**
 * The way through a prefix tree (prefix-tree.ts), branch by branch: what leaves share is run once and handed down, and a level's
 * beginnings are gone when its leaves are done. Blocks that do not fit into memory are run again by halves.
 */
import { isOutOfMemory } from '../batch-size.ts';
import { branchesAt, type Branch } from './prefix-tree.ts';

/** A leaf, and the beginning that it goes on from. */
export interface Grafted<L> {
  readonly leaf: L;
  readonly parent: number;
}

export interface TreeWalk<L, P extends Disposable> {
  /** Sorted, with what each shares with the one before. */
  readonly leaves: readonly L[];
  readonly shared: ArrayLike<number>;
  readonly cuts: readonly number[];
  /** What all leaves begin with. */
  readonly root: P | undefined;
  /** Beginnings of `length` tokens, by one leaf that has it; those of a level before are `from`. */
  readonly begin: (some: readonly Grafted<L>[], length: number, from: P | undefined) => Promise<P>;
  /** How many of them a block holds. */
  readonly most: (length: number, from: P | undefined) => number;
  /** Runs leaves to their ends. */
  readonly finish: (some: readonly Grafted<L>[], from: P | undefined) => Promise<void>;
  /** Hears of a block that did not fit into memory, and how large the next one may be. */
  readonly lessen: (size: number) => void;
}

/** Every leaf is finished once. What was begun is disposed here, the root is the caller's. */
export async function walkTree<L, P extends Disposable>(walk: TreeWalk<L, P>): Promise<void> {
  const { leaves, shared, cuts, root } = walk;
  const grafted = ({ from, parent }: Branch): Grafted<L> => ({ leaf: leaves[from], parent });
  const level = async (depth: number, from: P | undefined, at: readonly Branch[]): Promise<void> => {
    const cut = cuts.at(depth) ?? Infinity;
    const { branches, ends } = branchesAt(shared, at, cut);
    await walk.finish(ends.map(grafted), from);
    await inBlocks(branches, () => walk.most(cut, from), walk.lessen, {
      run: (block) => walk.begin(block.map(grafted), cut, from),
      async use(begun, block) {
        try {
          await level(depth + 1, begun, block);
        } finally {
          begun[Symbol.dispose]();
        }
      },
    });
  };
  if (leaves.length > 0) await level(0, root, [{ from: 0, to: leaves.length, parent: 0 }]);
}

/** `items` in blocks of equal size, at most what `most` says of those that are left; one that `run` has no memory for by halves. */
export async function inBlocks<T, R>(
  items: readonly T[],
  most: (left: readonly T[]) => number,
  lessen: (size: number) => void,
  { run, use }: { run: (block: readonly T[]) => Promise<R>; use: (result: R, block: readonly T[]) => Promise<void> },
): Promise<void> {
  let left = items;
  while (left.length > 0) {
    const size = Math.ceil(left.length / Math.ceil(left.length / most(left)));
    const block = left.slice(0, size);
    let result: R;
    try {
      result = await run(block);
    } catch (error) {
      if (size === 1 || !isOutOfMemory(error)) throw error;
      lessen(Math.ceil(size / 2));
      continue;
    }
    left = left.slice(size);
    await use(result, block);
  }
}
