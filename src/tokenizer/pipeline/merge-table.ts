/**
 * The merges of a BPE model by their pair of ids, half a million of them in Gemma's: a hash table on typed arrays,
 * which fills several times faster than a Map of objects and takes a fifth of its memory.
 */
export interface MergeTable {
  set(first: number, second: number, rank: number, id: number): void;
  /** Where the pair stands; -1 when it does not. */
  find(first: number, second: number): number;
  rankAt(slot: number): number;
  idAt(slot: number): number;
}

const FIELDS = 4;

/** A table with room for `count` pairs of ids >= 0. */
export function createMergeTable(count: number): MergeTable {
  let size = 16;
  while (size < 2 * count) size *= 2;
  // first + 1 (0 is empty), second, rank, id
  const cells = new Int32Array(size * FIELDS);
  const slotOf = (first: number, second: number): number => {
    let slot = (Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & (size - 1);
    for (;;) {
      const key = cells[slot * FIELDS];
      if (key === 0 || (key === first + 1 && cells[slot * FIELDS + 1] === second)) return slot;
      slot = (slot + 1) & (size - 1);
    }
  };
  return {
    set: (first, second, rank, id) => {
      const at = slotOf(first, second) * FIELDS;
      cells[at] = first + 1;
      cells[at + 1] = second;
      cells[at + 2] = rank;
      cells[at + 3] = id;
    },
    find: (first, second) => {
      const slot = slotOf(first, second);
      return cells[slot * FIELDS] === 0 ? -1 : slot;
    },
    rankAt: (slot) => cells[slot * FIELDS + 2],
    idAt: (slot) => cells[slot * FIELDS + 3],
  };
}
