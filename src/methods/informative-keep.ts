/**
 * The probability of keeping a player at which a game has something to say.
 *
 * Where a behaviour is a chain, half of its links is no chain: of nine links random halves leave one mask in 512, and every other value is that
 * of the empty set. So masks are to keep so many players that about half of the metric is left: a behaviour that is there or not varies most
 * where it is there half of the time.
 */
import { throwIfAborted } from '../errors.ts';
import type { Ends, MeasureOptions } from '../evaluation/faithfulness.ts';
import type { Game } from '../game.ts';
import { createRandom } from '../random.ts';
import { uniformMasks } from '../uniform-masks.ts';

/** Probabilities that are tried, in turn, by so many masks each. */
const KEEPS = [0.5, 0.75, 0.9, 0.95, 0.98] as const;
export const KEEP_MASKS = 8;
/** Share of f(all) - f(∅) that has to be left at random halves, of which an additive game leaves a half, give or take; and at other masks. */
const LEFT = { half: 0.4, other: 0.5 };

/** The most masks that informativeKeep takes. */
export const MOST_KEEP_MASKS = KEEPS.length * KEEP_MASKS;

/** The least probability at which random masks leave enough of the metric; the largest that is tried where none does. */
export async function informativeKeep(
  game: Pick<Game, 'players' | 'value'>,
  { ends, seed, signal }: MeasureOptions & { readonly ends: Ends; readonly seed: number },
): Promise<number> {
  const n = game.players.length;
  const random = createRandom(seed, 'informative keep');
  for (const keep of KEEPS) {
    throwIfAborted(signal, 'spectrum');
    const count = Math.min(KEEP_MASKS, 2 ** n);
    const values = await game.value(uniformMasks(n, count, random.fork(String(keep)), undefined, keep), { signal });
    const mean = values.reduce((sum, value) => sum + value / count, 0);
    if ((mean - ends.empty) / (ends.full - ends.empty) >= (keep === 0.5 ? LEFT.half : LEFT.other)) return keep;
  }
  return KEEPS[KEEPS.length - 1];
}
