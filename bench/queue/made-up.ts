/** Masks and values that cost next to nothing, so that what is seen is the queue. */
import { emptyMasks, type Masks } from '../../src/masks.ts';
import { createRandom } from '../../src/random.ts';

/** What a mask is worth: its first word, and whether players 0 and 1 are kept together. */
export function madeUpOf({ words, stride }: Masks, row: number): number {
  const word = words[row * stride];
  return word / 2 ** 32 + ((word & 3) === 3 ? 1 : 0);
}

/** `count` distinct masks over n >= 32 players: the first word counts, spread over its bits; the others are random. */
export function distinctMasks(n: number, count: number): Masks {
  const masks = emptyMasks(n, count);
  const random = createRandom(n, 'bench');
  const last = n % 32 === 0 ? 0xffffffff : 2 ** (n % 32) - 1;
  for (let at = 0; at < masks.words.length; at++) {
    const word = at % masks.stride;
    masks.words[at] =
      word === 0
        ? Math.imul(at / masks.stride + 1, 0x9e3779b1)
        : random.bits() & (word === masks.stride - 1 ? last : 0xffffffff);
  }
  return masks;
}
