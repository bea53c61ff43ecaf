/**
 * The laws every game keeps, as a suite: call `gameContract(name, makeGame)` in a test file.
 *
 * Written against `Game` alone. What differs between games is a setting (how far equal masks may differ by rounding), never a
 * law; what a game may leave out (telling of values, gradients) is held to its law where it is there.
 */
import { describe, expect, it } from 'vitest';
import type { Game } from '../../src/game.ts';
import { allMasks, concatMasks, emptyMasks, maskHex, selectRows, type Masks } from '../../src/masks.ts';
import { createRandom } from '../../src/random.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';

export interface GameContractSettings {
  /** Largest difference between two values of one mask that are asked for in different requests, relative to max(1, |value|). */
  readonly tolerance?: number;
}

/** `makeGame` is called for every law; a game that can be disposed is, after its law. */
export function gameContract(
  name: string,
  makeGame: () => Game | Promise<Game>,
  { tolerance = 0 }: GameContractSettings = {},
): void {
  /** A law of one fresh game. */
  const law = (what: string, test: (game: Game, masks: Masks) => Promise<void>): void =>
    it(what, async () => {
      const game = await makeGame();
      try {
        await test(game, masksFor(game.players.length));
      } finally {
        (game as Partial<Disposable>)[Symbol.dispose]?.();
      }
    });
  const expectSame = (values: ArrayLike<number>, expected: ArrayLike<number>): void => {
    if (tolerance === 0) expect(Array.from(values)).toEqual(Array.from(expected));
    else expect(values).toBeAllClose(Array.from(expected), tolerance);
  };

  describe(`${name} keeps the game contract`, () => {
    law('has a name, and players of different names', async (game) => {
      expect(game.name).not.toBe('');
      const names = game.players.map((player) => player.name);
      expect(names.length).toBeGreaterThan(0);
      expect(names).not.toContain('');
      expect(new Set(names).size).toBe(names.length);
      expect(game.rowsPerMask ?? 1).toSatisfy((rows: number) => Number.isInteger(rows) && rows >= 1);
    });

    law('gives one finite value a mask, in their order', async (game, masks) => {
      const values = await game.value(masks);
      expect(values).toBeInstanceOf(Float64Array);
      expect(values).toHaveLength(masks.count);
      expect(Array.from(values).every(Number.isFinite)).toBe(true);
      expect(new Set(values).size).toBeGreaterThan(1); // else the laws of order say nothing
      for (const row of [0, 1, masks.count - 1]) expectSame(await game.value(selectRows(masks, [row])), [values[row]]);
    });

    law('gives the same values in another order, and to a mask that comes twice', async (game, masks) => {
      const values = await game.value(masks);
      const order = createRandom(5).shuffle(Array.from({ length: masks.count }, (_, row) => row));
      const rows = [...order, ...order.slice(0, 5)];
      expectSame(
        await game.value(selectRows(masks, rows)),
        rows.map((row) => values[row]),
      );
    });

    law('gives the same values in pieces', async (game, masks) => {
      const values = await game.value(masks);
      for (let start = 0, size = 1; start < masks.count; start += size++) {
        const rows = Array.from({ length: Math.min(size, masks.count - start) }, (_, k) => start + k);
        expectSame(
          await game.value(selectRows(masks, rows)),
          rows.map((row) => values[row]),
        );
      }
    });

    law('gives the same values again, and to requests that overlap in time', async (game, masks) => {
      const values = await game.value(masks);
      expectSame(await game.value(masks), values);
      const reversed = Array.from({ length: masks.count }, (_, k) => masks.count - 1 - k);
      const [first, second] = await Promise.all([game.value(masks), game.value(selectRows(masks, reversed))]);
      expectSame(first, values);
      expectSame(
        second,
        reversed.map((row) => values[row]),
      );
    });

    law('gives no values to no masks', async (game) => {
      const told: number[] = [];
      const values = await game.value(emptyMasks(game.players.length, 0), {
        onValues: (rows) => told.push(...Array.from(rows)),
      });
      expect(values).toHaveLength(0);
      expect(told).toEqual([]);
    });

    law('leaves the masks and the values it gave as they are', async (game, masks) => {
      const copy = masks.words.slice();
      const values = await game.value(masks);
      expect(masks.words).toEqual(copy);
      const kept = values.slice();
      await game.value(selectRows(masks, [masks.count - 1, 0]));
      expect(values).toEqual(kept);
      values.fill(Number.NaN); // what was given is the caller's
      expectSame(await game.value(masks), kept);
    });

    law('refuses masks over other players, saying over how many', async (game) => {
      const n = game.players.length;
      for (const other of [n + 1, n - 1])
        await expect(game.value(emptyMasks(other, 2))).rejects.toMatchObject({
          kind: 'input',
          message: `${game.name}: masks over ${other} players were given; this game has ${n}.`,
        });
    });

    law('stops before it measures when its signal has fired, and answers afterwards', async (game, masks) => {
      await expect(game.value(masks, { signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'aborted' });
      expect(await game.value(masks)).toHaveLength(masks.count);
    });

    law('stops when its signal fires on the way, or had everything; what it told of stands', async (game, masks) => {
      const stop = new AbortController();
      const told = new Map<number, number>();
      const outcome = await game
        .value(masks, {
          signal: stop.signal,
          onValues(rows, values) {
            values.forEach((value, k) => told.set(rows[k], value));
            stop.abort();
          },
        })
        .catch((error: unknown) => error);
      if (outcome instanceof Float64Array) expect(outcome).toHaveLength(masks.count);
      else expect(outcome).toMatchObject({ kind: 'aborted' });
      const values = await game.value(masks);
      const rows = [...told.keys()];
      expectSame(
        rows.map((row) => told.get(row) as number),
        rows.map((row) => values[row]),
      );
    });

    law('tells of a mask at most once, with the value that it returns', async (game, masks) => {
      const asked = concatMasks([masks, selectRows(masks, [2, 0, 2])]);
      const told = new Map<number, number>();
      const values = await game.value(asked, {
        onValues(rows, batch) {
          expect(rows).toHaveLength(batch.length);
          batch.forEach((value, k) => {
            expect(told.has(rows[k]), `row ${rows[k]} for the second time`).toBe(false);
            told.set(rows[k], value);
          });
        },
      });
      for (const [row, value] of told) expect(value, maskHex(asked, row)).toBe(values[row]);
    });

    law('lets through what its listener throws, and answers afterwards', async (game, masks) => {
      let heard = false;
      const asked = game.value(masks, {
        onValues() {
          heard = true;
          throw new RangeError('the disk is full');
        },
      });
      const outcome = await asked.catch((error: unknown) => error);
      if (heard) expect(outcome).toEqual(new RangeError('the disk is full'));
      else expect(outcome).toHaveLength(masks.count);
      expect(await game.value(masks)).toHaveLength(masks.count);
    });

    law('has gradients, if any, of the values it gives', async (game, masks) => {
      if (game.gradients === undefined) return;
      const n = game.players.length;
      const { values, gradients } = await game.gradients(masks);
      expectSame(values, await game.value(masks));
      expect(gradients).toHaveLength(masks.count * n);
      expect(Array.from(gradients).every(Number.isFinite)).toBe(true);
      const told = new Map<number, readonly number[]>();
      const again = await game.gradients(masks, {
        onGradients(rows, batch, slopes) {
          expect([rows.length, slopes.length]).toEqual([batch.length, batch.length * n]);
          for (let k = 0; k < rows.length; k++) {
            expect(told.has(rows[k])).toBe(false);
            told.set(rows[k], [batch[k], ...slopes.subarray(k * n, (k + 1) * n)]);
          }
        },
      });
      expectSame(again.gradients, gradients);
      for (const [row, each] of told)
        expect(each).toEqual([again.values[row], ...again.gradients.subarray(row * n, (row + 1) * n)]);
      await expect(game.gradients(emptyMasks(n + 1, 1))).rejects.toMatchObject({ kind: 'input' });
      const none = await game.gradients(emptyMasks(n, 0));
      expect([none.values.length, none.gradients.length]).toEqual([0, 0]);
    });
  });
}

/** All masks of few players, else ∅, all, and some between. */
function masksFor(players: number): Masks {
  if (players <= 5) return allMasks(players);
  const ends = emptyMasks(players, 2);
  for (let i = 0; i < players; i++) ends.words[ends.stride + (i >>> 5)] |= 1 << (i & 31);
  return concatMasks([ends, uniformMasks(players, 38, createRandom(1, 'game contract'))]);
}
