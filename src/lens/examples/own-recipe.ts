/**
 * A recipe of somebody's own: any function that trains on examples and says what came of it.
 *
 * It is called once a mask and seed, one after the other, with the kept examples in their order; whatever it trains is its own affair.
 */
import { fail, throwIfAborted } from '../../errors.ts';
import { checkPlayers } from '../../game.ts';
import { isKept, keptPlayers, type Masks } from '../../masks.ts';
import type { DataGame } from './data-game.ts';
import type { Example } from './data-set.ts';
import { ownersOf, type ExamplePlayer } from './example-players.ts';

/** Trains on the kept examples, of which there may be none, and gives the value on the test examples: one finite number. */
export type TrainFunction = (
  kept: readonly Example[],
  test: readonly Example[],
  options: { readonly seed: number; readonly signal?: AbortSignal | undefined },
) => number | Promise<number>;

export interface OwnDataGameOptions {
  readonly name: string;
  readonly train: readonly Example[];
  readonly test: readonly Example[];
  readonly players: readonly ExamplePlayer[];
  readonly recipe: TrainFunction;
  /** Calls of a mask, whose mean is its value. */
  readonly seeds: readonly number[];
}

/** The game of a function; it owns nothing. @throws 'input' on players that share an example; later, on a value that is no finite number. */
export function createOwnDataGame({ name, train, test, players, recipe, seeds }: OwnDataGameOptions): DataGame {
  const owners = ownersOf(players, train.length);
  const each = async (masks: Masks, row: number, signal: AbortSignal | undefined): Promise<Float64Array> => {
    const kept = train.filter((_, n) => owners[n] < 0 || isKept(masks, row, owners[n]));
    const values = new Float64Array(seeds.length);
    for (const [s, seed] of seeds.entries()) {
      throwIfAborted(signal, name);
      const value: unknown = await recipe(kept, test, { seed, signal });
      if (typeof value !== 'number' || !Number.isFinite(value)) {
        const names = keptPlayers(masks, row).map((i) => players[i].name);
        throw fail(
          'input',
          name,
          `gave ${String(value)} for ${names.length === 0 ? 'no player' : names.slice(0, 6).join(', ')} (seed ${seed}); one finite number is needed.`,
        );
      }
      values[s] = value;
    }
    return values;
  };
  return {
    name,
    players,
    rowsPerMask: seeds.length,
    async value(masks, { signal, onValues } = {}) {
      checkPlayers(name, players.length, masks);
      const all = new Float64Array(masks.count);
      for (let row = 0; row < masks.count; row++) {
        all[row] = (await each(masks, row, signal)).reduce((sum, x) => sum + x / seeds.length, 0);
        onValues?.([row], all.subarray(row, row + 1));
      }
      return all;
    },
    async perSeed(masks, { signal } = {}) {
      checkPlayers(name, players.length, masks);
      const all = new Float64Array(masks.count * seeds.length);
      for (let row = 0; row < masks.count; row++) all.set(await each(masks, row, signal), row * seeds.length);
      return all;
    },
    [Symbol.dispose]: () => undefined,
  };
}
