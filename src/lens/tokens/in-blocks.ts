/** Work in blocks, of which one that does not fit into memory is run again by halves. */
import { isOutOfMemory } from '../batch-size.ts';

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
