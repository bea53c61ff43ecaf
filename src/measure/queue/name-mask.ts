/** A game whose failures name the mask that they happen at. */
import { fail, SpexlensError } from '../../errors.ts';
import type { Game } from '../../game.ts';
import { maskHex, selectRows, type Masks } from '../../masks.ts';

/**
 * `game`, which after a failure looks for the mask that fails by itself, by halves, and names it. Being stopped and lack of memory go
 * through as they are; so does a failure that does not come again.
 */
export function namingMask(game: Game): Game {
  const { gradients } = game;
  const named = async <T>(
    masks: Masks,
    signal: AbortSignal | undefined,
    ask: (masks: Masks) => Promise<T>,
    again: (masks: Masks) => Promise<unknown>,
  ): Promise<T> => {
    try {
      return await ask(masks);
    } catch (error) {
      if (signal?.aborted === true || isOurs(error)) throw error;
      throw (await culprit(game.name, masks, again)) ?? error;
    }
  };
  return {
    ...game,
    value: async (masks, options = {}) =>
      named(
        masks,
        options.signal,
        async (all) => game.value(all, options),
        async (some) => game.value(some, { signal: options.signal }),
      ),
    ...(gradients === undefined
      ? {}
      : {
          gradients: async (masks, options = {}) =>
            named(
              masks,
              options.signal,
              async (all) => gradients(all, options),
              async (some) => gradients(some, { signal: options.signal }),
            ),
        }),
  };
}

function isOurs(error: unknown): boolean {
  return error instanceof SpexlensError && (error.kind === 'aborted' || error.kind === 'backend');
}

/** The error of the first mask found that fails; undefined when none does. */
async function culprit(
  name: string,
  masks: Masks,
  ask: (masks: Masks) => Promise<unknown>,
): Promise<SpexlensError | undefined> {
  if (masks.count === 0) return undefined;
  try {
    await ask(masks);
    return undefined;
  } catch (error) {
    if (isOurs(error)) return error as SpexlensError;
    if (masks.count === 1) {
      const text = error instanceof Error ? error.message : String(error);
      return fail(
        'input',
        name,
        `mask ${maskHex(masks, 0)} (hex, player 0 = lowest bit of the first byte) fails: ${text}`,
      );
    }
  }
  const half = masks.count >>> 1;
  const rows = Array.from({ length: masks.count }, (_, row) => row);
  return (
    (await culprit(name, selectRows(masks, rows.slice(0, half)), ask)) ??
    culprit(name, selectRows(masks, rows.slice(half)), ask)
  );
}
