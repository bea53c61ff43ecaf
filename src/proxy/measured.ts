/**
 * Measured masks made ready for fitting: repeats merged, end masks set apart, bad values refused.
 *
 * A mask that was measured more than once counts once, with its mean value; the spread is the noise of the game.
 * The two end masks (everything ablated, everything kept) are far from all uniform ones and can be outliers,
 * so they enter a fit only by a test.
 */
import { isKept, maskHex, selectRows, type Masks } from '../masks.ts';
import { fail } from '../errors.ts';

export interface Measured {
  /** Distinct masks, in order of first appearance. */
  readonly masks: Masks;
  /** Mean value of each. */
  readonly values: Float64Array;
  /** Undefined when no mask repeats. */
  readonly noise: Noise | undefined;
}

export interface Noise {
  /** Masks that were measured more than once. */
  readonly repeated: number;
  /** Pooled standard deviation of a single value, in units of f; 0 for a deterministic game. */
  readonly deviation: number;
}

/** Merges repeated masks. @throws when counts differ, there is no mask or no player, or a value is not finite. */
export function mergeRepeats(who: string, masks: Masks, values: ArrayLike<number>): Measured {
  if (values.length !== masks.count) throw fail('input', who, `${values.length} values for ${masks.count} masks.`);
  if (masks.count === 0) throw fail('input', who, 'no masks; at least one is needed.');
  if (masks.players === 0) throw fail('input', who, 'a game of 0 players; at least 1 is needed.');
  const groups = new Map<string, number[]>();
  for (let row = 0; row < masks.count; row++) {
    const hex = maskHex(masks, row);
    if (!Number.isFinite(values[row]))
      throw fail('input', who, `the value of mask ${row} (${hex}) is ${values[row]}; values must be finite numbers.`);
    const group = groups.get(hex);
    if (group === undefined) groups.set(hex, [row]);
    else group.push(row);
  }
  const rows = [...groups.values()];
  const means = Float64Array.from(rows, (group) =>
    group.length === 1 ? values[group[0]] : group.reduce((sum, row) => sum + values[row], 0) / group.length,
  );
  const extra = masks.count - rows.length;
  if (extra === 0) return { masks, values: means, noise: undefined };
  let squares = 0;
  rows.forEach((group, k) => group.forEach((row) => (squares += (values[row] - means[k]) ** 2)));
  return {
    masks: selectRows(
      masks,
      rows.map((group) => group[0]),
    ),
    values: means,
    noise: { repeated: rows.filter((group) => group.length > 1).length, deviation: Math.sqrt(squares / extra) },
  };
}

/** Whether mask `row` ablates everything ('empty'), keeps everything ('full'), or neither. */
export function endOf(masks: Masks, row: number): 'empty' | 'full' | undefined {
  const first = isKept(masks, row, 0);
  for (let i = 1; i < masks.players; i++) if (isKept(masks, row, i) !== first) return undefined;
  return first ? 'full' : 'empty';
}
