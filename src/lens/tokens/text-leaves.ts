/** Masks of a text as work: equal rows once, a leaf of the prefix tree for each row and each reading of it. */
import type { Masks } from '../../masks.ts';
import { maskedRow, rowKey, type MaskedRow, type RowSource } from './masked-rows.ts';
import { sortLeaves, type Leaf } from './prefix-tree.ts';

export interface RowWork {
  readonly row: MaskedRow;
  /** Every mask of the request that is this row. */
  readonly masks: number[];
}

/** The rows that `masks` make, each once, in the order of the masks. */
export function distinctRows(source: RowSource, masks: Masks): RowWork[] {
  const found = new Map<string, RowWork>();
  for (let k = 0; k < masks.count; k++) {
    const row = maskedRow(source, masks, k);
    const key = rowKey(row);
    const same = found.get(key);
    if (same === undefined) found.set(key, { row, masks: [k] });
    else same.masks.push(k);
  }
  return [...found.values()];
}

/** A row to be read in one way. */
export interface TextLeaf extends Leaf {
  readonly work: RowWork;
  readonly reading: number;
}

/** A leaf for every row and reading, sorted: readings of a row are neighbours, which share all before the token that answers. */
export function leavesOf(work: readonly RowWork[], readings: number): TextLeaf[] {
  return sortLeaves(
    work.flatMap((each) => {
      const { tokens, answerAt, absent } = each.row;
      const key = Int32Array.from(tokens, (token, i) => 2 * token + (absent?.[i] ?? 0));
      return Array.from({ length: readings }, (_, reading) => ({ key, sharable: answerAt, work: each, reading }));
    }),
  );
}
