/** Masks drawn at random, each once: what a proxy is fitted on and what an answer is scored on. */
import { fail } from './errors.ts';
import { createMaskTable, type MaskTable } from './mask-table.ts';
import { emptyMasks, type Masks } from './masks.ts';
import type { Random } from './random.ts';

/**
 * `count` distinct masks, each bit fair and independent (up to distinctness), none in `exclude`.
 * @throws when fewer than `count` distinct masks are left.
 */
export function uniformMasks(
  players: number,
  count: number,
  random: Random,
  exclude: MaskTable = createMaskTable(players),
): Masks {
  const available = players < 52 ? 2 ** players - exclude.count : Infinity;
  if (count > available) {
    throw fail(
      'budget',
      'uniformMasks',
      `${count} distinct masks of ${players} players were asked for; only ${available} are left.`,
    );
  }
  const masks = emptyMasks(players, count);
  // Dense case: draw without replacement from the list of all masks, so that the tail does not stall.
  if (players <= 20 && count > available / 4) {
    const all = Uint32Array.from({ length: 2 ** players }, (_, j) => j);
    random.shuffle(all);
    let row = 0;
    const one = emptyMasks(players, 1);
    for (let k = 0; row < count; k++) {
      one.words[0] = all[k];
      if (exclude.find(one, 0) === -1) masks.words[row++] = all[k];
    }
    return masks;
  }
  const seen = createMaskTable(players);
  const tail = players % 32;
  const lastWord = tail === 0 ? 0xffffffff : 2 ** tail - 1;
  for (let row = 0; row < count; ) {
    for (let w = 0; w < masks.stride; w++) masks.words[row * masks.stride + w] = random.bits();
    masks.words[row * masks.stride + masks.stride - 1] &= players === 0 ? 0 : lastWord;
    if (exclude.find(masks, row) !== -1 || seen.add(masks, row) < row) continue;
    row++;
  }
  return masks;
}
