/**
 * Masks numbered as they come, each once: a hash table over their packed words.
 *
 * Open addressing with linear probing; the words of the masks are kept packed, so 100,000 masks of 1,000 players are 12.8 MB
 * and a lookup costs one pass over 32 words, where a key in text would cost 250 characters.
 */
import { fail } from './errors.ts';
import { emptyMasks, type Masks } from './masks.ts';

export interface MaskTable {
  readonly players: number;
  /** How many distinct masks there are. */
  readonly count: number;
  /** The number of mask `row`, -1 where it is not there. */
  find(masks: Masks, row: number): number;
  /** The number of mask `row`, which is now there: `count` grows when it is new. */
  add(masks: Masks, row: number): number;
  /** All of them by number; a copy. */
  all(): Masks;
}

/** An empty table of masks over `players` players. */
export function createMaskTable(players: number): MaskTable {
  const { stride } = emptyMasks(players, 0);
  let words = new Uint32Array(16 * stride);
  let slots = new Int32Array(32).fill(-1);
  let count = 0;

  const slotOf = (from: Uint32Array, at: number): number => {
    let slot = hashOf(from, at, stride) & (slots.length - 1);
    for (; slots[slot] !== -1; slot = (slot + 1) & (slots.length - 1))
      if (same(words, slots[slot] * stride, from, at, stride)) break;
    return slot;
  };
  const grow = (): void => {
    const larger = new Uint32Array(2 * words.length);
    larger.set(words);
    words = larger;
    slots = new Int32Array(2 * slots.length).fill(-1);
    for (let number = 0; number < count; number++) slots[slotOf(words, number * stride)] = number;
  };
  const require = (masks: Masks): void => {
    if (masks.players !== players)
      throw fail('input', 'mask table', `a mask over ${masks.players} players was given; these are over ${players}.`);
  };
  return {
    players,
    get count() {
      return count;
    },
    find(masks, row) {
      require(masks);
      return slots[slotOf(masks.words, row * stride)];
    },
    add(masks, row) {
      require(masks);
      if ((count + 1) * stride > words.length) grow();
      const slot = slotOf(masks.words, row * stride);
      if (slots[slot] === -1) {
        words.set(masks.words.subarray(row * stride, (row + 1) * stride), count * stride);
        slots[slot] = count++;
      }
      return slots[slot];
    },
    all: () => ({ players, count, stride, words: words.slice(0, count * stride) }),
  };
}

/** The distinct masks of `masks`. */
export function tableOf(masks: Masks): MaskTable {
  const table = createMaskTable(masks.players);
  for (let row = 0; row < masks.count; row++) table.add(masks, row);
  return table;
}

/** murmur3's mixing over the words: every bit of a mask reaches the low bits. */
function hashOf(words: Uint32Array, at: number, stride: number): number {
  let hash = stride;
  for (let w = at; w < at + stride; w++) {
    let k = Math.imul(words[w], 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    hash ^= k;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function same(a: Uint32Array, at: number, b: Uint32Array, from: number, stride: number): boolean {
  for (let w = 0; w < stride; w++) if (a[at + w] !== b[from + w]) return false;
  return true;
}
