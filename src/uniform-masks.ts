/** Masks drawn at random, each once: what a proxy is fitted on and what an answer is scored on. */
import { fail } from './errors.ts';
import { createMaskTable, type MaskTable } from './mask-table.ts';
import { emptyMasks, keep as keepPlayer, type Masks } from './masks.ts';
import type { Random } from './random.ts';
import { checkKeep, isFair, keepOf, type Keep } from './keep.ts';

/** Draws in a row that bring no new mask before a biased draw gives up, or goes on by a list of all of so few players. */
const STALLED = 10_000;
const DENSE = 20;

/**
 * `count` distinct masks, each player kept independently with probability `keep` (default ½; one for all or one each)
 * up to distinctness, none in `exclude`. A mask is drawn once, so where likely masks run out (few players, `keep`
 * near 0 or 1) the later ones are rarer than the measure has them.
 * @throws 'budget' when fewer than `count` distinct masks are left, or they turn up too rarely; 'input' on `keep`
 * outside (0, 1).
 */
export function uniformMasks(
  players: number,
  count: number,
  random: Random,
  exclude: MaskTable = createMaskTable(players),
  keep: Keep = 0.5,
): Masks {
  checkKeep('uniformMasks', players, keep);
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
  if (players <= DENSE && count > available / 4) {
    const all = isFair(keep)
      ? random.shuffle(Uint32Array.from({ length: 2 ** players }, (_, j) => j))
      : weightedOrder(players, random, keep);
    return fillFrom(all, masks, 0, [exclude]);
  }
  const seen = createMaskTable(players);
  if (!isFair(keep)) {
    const one = emptyMasks(players, 1);
    for (let row = 0, stalled = 0; row < count; ) {
      one.words.fill(0);
      for (let i = 0; i < players; i++) if (random.uniform() < keepOf(keep, i)) keepPlayer(one, 0, i);
      const known = exclude.find(one, 0) !== -1 || seen.add(one, 0) < row;
      stalled = known ? stalled + 1 : 0;
      // The rest without replacement too, as far as all masks can be listed.
      if (stalled > STALLED && players <= DENSE)
        return fillFrom(weightedOrder(players, random, keep), masks, row, [exclude, seen]);
      if (stalled > STALLED)
        throw fail(
          'budget',
          'uniformMasks',
          `${count} distinct masks of ${players} players were asked for; after ${row} of them ${STALLED} draws brought no new one. Ask for fewer, or keep players with a probability nearer ½.`,
        );
      if (!known) masks.words.set(one.words, row++ * masks.stride);
    }
    return masks;
  }
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

/** Rows from `row` on become the first of `all` that are in none of `known`. */
function fillFrom(all: Uint32Array, masks: Masks, row: number, known: readonly MaskTable[]): Masks {
  const one = emptyMasks(masks.players, 1);
  for (let [k, next] = [0, row]; next < masks.count; k++) {
    one.words[0] = all[k];
    if (known.every((table) => table.find(one, 0) === -1)) masks.words[next++] = all[k];
  }
  return masks;
}

/**
 * All masks in the order in which draws would first bring them: keys log(u)/w, largest first (Efraimidis, Spirakis,
 * 2006).
 */
function weightedOrder(players: number, random: Random, keep: Keep): Uint32Array {
  const keys = Float64Array.from({ length: 2 ** players }, (_, j) => {
    let weight = 1;
    for (let i = 0; i < players; i++) weight *= (j >>> i) & 1 ? keepOf(keep, i) : 1 - keepOf(keep, i);
    return Math.log(1 - random.uniform()) / weight;
  });
  return Uint32Array.from(keys.keys()).sort((a, b) => keys[b] - keys[a]);
}
