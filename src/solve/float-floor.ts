/**
 * What a game's own arithmetic does to one value: the same masks, measured again in other company.
 *
 * A model's values depend a little on the batch that they are computed in, on threads and on the order of sums. A few
 * masks are measured together, one by one, and in pairs; how far a value strays is the floor under which no
 * interaction of the game can be read. Rounding that is the same in every batch does not show, so the floor is
 * float32's own at least.
 */
import type { Game } from '../game.ts';
import { selectRows } from '../masks.ts';
import { createRandom } from '../random.ts';
import { floatFloor } from '../spectrum/noise.ts';
import { uniformMasks } from '../uniform-masks.ts';

/** Masks measured three times. */
const MASKS = 6;

/**
 * The largest difference of a value of `game` between batches, and 2^-23 of the largest |value| at least; 10
 * requests, 18 masks. Pass it as SolveOptions.floor. `game` must be the one that measures, not a ledger, which would
 * answer from memory.
 * @throws what the game throws.
 */
export async function measureFloor(
  game: Game,
  { seed, signal }: { readonly seed: number; readonly signal?: AbortSignal | undefined },
): Promise<number> {
  const n = game.players.length;
  const count = Math.min(MASKS, n < 30 ? 2 ** n : MASKS);
  const masks = uniformMasks(n, count, createRandom(seed, 'floor'));
  const rows = Array.from({ length: count }, (_, row) => row);
  const together = await game.value(masks, { signal });
  let floor = floatFloor(together);
  for (const size of [1, 2]) {
    for (let start = 0; start < count; start += size) {
      const some = rows.slice(start, start + size);
      const again = await game.value(selectRows(masks, some), { signal });
      some.forEach((row, k) => (floor = Math.max(floor, Math.abs(again[k] - together[row]))));
    }
  }
  return floor;
}
