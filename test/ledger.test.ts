/** One record of what was measured: every mask once, from whoever asks, in memory and in a log. */
import { describe, expect, it } from 'vitest';
import { gameFromFunction, type Game, type MaskGradients } from '../src/game.ts';
import { openLedger, ledgerOf, type Entries, type ValueLog } from '../src/ledger.ts';
import {
  allMasks,
  concatMasks,
  isKept,
  maskBytes,
  maskHex,
  masksFromHex,
  masksFromMembers,
  type Masks,
} from '../src/masks.ts';

const index = (row: number, masks: Masks): number => masks.words[row];
const hexesOf = (masks: Masks): string[] => Array.from({ length: masks.count }, (_, row) => maskHex(masks, row));
const ZERO_TO_15 = Float64Array.from({ length: 16 }, (_, j) => j);

/** A game over 4 players whose value is the mask's index, told of in batches, with the masks it was asked for. */
function batched(size: number): { game: Game; asked: number[]; readonly stopAfter: (batches: number) => void } {
  const asked: number[] = [];
  let left = Infinity;
  const game: Game = {
    name: 'batched',
    players: Array.from({ length: 4 }, (_, i) => ({ name: `x${i}` })),
    async value(masks, options = {}) {
      const values = new Float64Array(masks.count);
      for (let start = 0; start < masks.count; start += size) {
        if (left-- <= 0) throw new Error('the machine died');
        const end = Math.min(masks.count, start + size);
        for (let row = start; row < end; row++) asked.push((values[row] = index(row, masks)));
        options.onValues?.(
          Array.from({ length: end - start }, (_, k) => start + k),
          values.subarray(start, end),
        );
      }
      return values;
    },
  };
  return { game, asked, stopAfter: (batches) => (left = batches) };
}

/** f(m) = 1 + 2 m0 + 3 m0 m1 over 2 players, with its derivatives, and how often each was asked for. */
function differentiable(): { game: Game; asked: { values: number; gradients: number } } {
  const asked = { values: 0, gradients: 0 };
  const f = (row: number, masks: Masks): number =>
    1 + (isKept(masks, row, 0) ? 2 + (isKept(masks, row, 1) ? 3 : 0) : 0);
  const game: Game = {
    ...gameFromFunction('smooth', 2, (row, masks) => ((asked.values += 1), f(row, masks))),
    async gradients(masks, { onGradients } = {}): Promise<MaskGradients> {
      asked.gradients += masks.count;
      const values = Float64Array.from({ length: masks.count }, (_, row) => f(row, masks));
      const bits = maskBytes(masks);
      const gradients = Float32Array.from(bits, (_, at) => (at % 2 === 0 ? 2 + 3 * bits[at + 1] : 3 * bits[at - 1]));
      for (let row = 0; row < masks.count; row++)
        onGradients?.([row], values.subarray(row, row + 1), gradients.subarray(2 * row, 2 * row + 2));
      return { values, gradients };
    },
  };
  return { game, asked };
}

function memoryLog(entries: Entries[] = []): ValueLog & { readonly hexes: () => string[] } {
  return {
    hexes: () => entries.flatMap(({ masks }) => hexesOf(masks)),
    entries: () => [...entries],
    append: (more) => void entries.push(more),
  };
}

describe('a ledger', () => {
  it('refuses a game with two players of one name', () => {
    const twins = gameFromFunction('twins', [{ name: 'a' }, { name: 'b' }, { name: 'a' }], () => 0);
    expect(() => openLedger(twins)).toThrow(/twins: two players are called "a"; names must be distinct/);
  });

  it('asks for every distinct mask once, within a call and across calls', async () => {
    const { game, asked } = batched(3);
    const ledger = openLedger(game);
    const masks = masksFromMembers(4, [[1], [0], [1], [], [0]]);
    expect(await ledger.value(masks)).toEqual(Float64Array.of(2, 1, 2, 0, 1));
    expect(asked).toEqual([2, 1, 0]);
    expect(await ledger.value(allMasks(4))).toEqual(ZERO_TO_15);
    expect(asked).toHaveLength(16);
    expect(ledger.measured).toBe(16);
    expect(ledger.milliseconds).toBeGreaterThan(0);
  });

  it('tells of every mask once, whatever was known and however the batches fall', async () => {
    const ledger = openLedger(batched(2).game);
    await ledger.value(masksFromMembers(4, [[1], [3]]));
    const masks = masksFromMembers(4, [[1], [0], [0], [3], [2], [0, 1], [2]]);
    const told: number[] = [];
    const values = await ledger.value(masks, {
      onValues(rows, batch) {
        expect(rows).toHaveLength(batch.length);
        batch.forEach((value, k) => {
          expect(told[rows[k]]).toBeUndefined();
          told[rows[k]] = value;
        });
      },
    });
    expect(told).toEqual([...values]);
    expect(told).toEqual([2, 1, 1, 8, 4, 3, 4]);
  });

  it('tells of values as they come, before the last one is there', async () => {
    const { game, stopAfter } = batched(4);
    stopAfter(2);
    let told = 0;
    const asked = openLedger(game).value(allMasks(4), { onValues: (rows) => (told += rows.length) });
    await expect(asked).rejects.toThrow('the machine died');
    expect(told).toBe(8);
  });

  it('takes values that come in any order, some of them told of twice', async () => {
    const game: Game = {
      ...gameFromFunction('backwards', 4, index),
      async value(masks, { onValues } = {}) {
        const values = Float64Array.from({ length: masks.count }, (_, row) => index(row, masks));
        for (let row = masks.count - 1; row >= 0; row--) onValues?.([row], Float64Array.of(values[row]));
        onValues?.([3, 1], Float64Array.of(values[3], values[1]));
        return values;
      },
    };
    const log = memoryLog();
    const ledger = openLedger(game, log);
    const rows: number[] = [];
    expect(await ledger.value(allMasks(4), { onValues: (some) => rows.push(...Array.from(some)) })).toEqual(ZERO_TO_15);
    expect(rows).toEqual(Array.from({ length: 16 }, (_, k) => 15 - k));
    expect([ledger.measured, log.hexes().length]).toEqual([16, 16]);
  });

  it('resumes from its log without asking again, and keeps what a killed run had measured', async () => {
    const log = memoryLog();
    const first = batched(3);
    first.stopAfter(2);
    await expect(openLedger(first.game, log).value(allMasks(4))).rejects.toThrow('the machine died');
    expect(log.hexes()).toHaveLength(6);
    const second = batched(3);
    const ledger = openLedger(second.game, log);
    expect(ledger.resumed).toBe(6);
    expect(await ledger.value(allMasks(4))).toEqual(ZERO_TO_15);
    expect(second.asked).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    expect(ledger.measured).toBe(10);
    expect(new Set(log.hexes()).size).toBe(16);
    expect(log.hexes()).toHaveLength(16);
  });

  it('logs a value before anybody is told of it', async () => {
    const log = memoryLog();
    const masks = allMasks(4);
    await openLedger(batched(5).game, log).value(masks, {
      onValues(rows) {
        const logged = new Set(log.hexes());
        for (const row of Array.from(rows)) expect(logged.has(maskHex(masks, row))).toBe(true);
      },
    });
  });

  it('reads a log in pieces, the later value of a mask being the one that counts', async () => {
    const piece = (hexes: string[], values: number[]): Entries => ({
      masks: masksFromHex(4, hexes),
      values: Float64Array.from(values),
    });
    const ledger = openLedger(
      batched(3).game,
      memoryLog([piece(['01', '02'], [10, 20]), piece(['02', '03'], [21, 30])]),
    );
    expect(ledger.resumed).toBe(3);
    expect(ledger.seen()).toEqual({ masks: masksFromHex(4, ['01', '02', '03']), values: Float64Array.of(10, 21, 30) });
    expect(await ledger.value(masksFromHex(4, ['03', '02', '04']))).toEqual(Float64Array.of(30, 21, 4));
    expect(ledger.measured).toBe(1);
  });

  it.each([Number.NaN, Infinity, -Infinity])(
    'refuses the value %d by the name of its mask, and does not log it',
    async (bad) => {
      const log = memoryLog();
      const ledger = openLedger(
        gameFromFunction('broken', 4, (row, masks) => (index(row, masks) === 9 ? bad : 1)),
        log,
      );
      await expect(ledger.value(allMasks(4))).rejects.toMatchObject({
        kind: 'input',
        message: expect.stringContaining(`mask 09 (hex, player 0 = lowest bit of the first byte) is ${bad}`) as string,
      });
      expect(log.hexes()).not.toContain('09');
      expect(ledger.known(masksFromHex(4, ['09']), 0)).toBeUndefined();
    },
  );

  it.each([
    ['too few numbers', 3],
    ['too many', 5],
    ['none', 0],
  ])('refuses a game whose value() returns %s', async (_, count) => {
    const log = memoryLog();
    const game: Game = { ...gameFromFunction('short', 2, index), value: async () => new Float64Array(count) };
    await expect(openLedger(game, log).value(allMasks(2))).rejects.toMatchObject({
      kind: 'input',
      message: `short: value() returned ${count} numbers for 4 masks; one each is needed.`,
    });
    expect(log.hexes()).toEqual([]);
  });

  it('refuses masks over other players before asking for any', async () => {
    const { game, asked } = batched(2);
    await expect(openLedger(game).value(allMasks(3))).rejects.toThrow(
      'batched: masks over 3 players were given; this game has 4.',
    );
    expect(asked).toEqual([]);
  });

  it('serves no masks at all', async () => {
    expect(await openLedger(gameFromFunction('index', 2, index)).value(masksFromMembers(2, []))).toHaveLength(0);
  });

  it('knows what was measured, and that nothing else was', async () => {
    const ledger = openLedger(batched(2).game);
    await ledger.value(masksFromMembers(4, [[2], [0]]));
    expect(ledger.seen()).toEqual({ masks: masksFromHex(4, ['04', '01']), values: Float64Array.of(4, 1) });
    expect([0, 1, 4].map((row) => ledger.known(allMasks(4), row))).toEqual([undefined, 1, 4]);
  });

  it('holds more masks than its first room, wide ones too', async () => {
    const game = gameFromFunction('wide', 70, (row, masks) => masks.words[3 * row] + 2 * masks.words[3 * row + 2]);
    const masks = masksFromMembers(
      70,
      Array.from({ length: 500 }, (_, k) => [k % 70, (3 * k + 1) % 70, (k >> 3) % 70]),
    );
    const ledger = openLedger(game);
    expect(await ledger.value(masks)).toEqual(await game.value(masks));
    const distinct = [...new Set(hexesOf(masks))];
    expect(distinct.length).toBeGreaterThan(200);
    expect(ledger.measured).toBe(distinct.length);
    expect(ledger.seen().masks).toEqual(masksFromHex(70, distinct));
  });

  it('is not wrapped again', () => {
    const { game } = batched(2);
    const ledger = openLedger(game);
    expect(ledgerOf(ledger)).toBe(ledger);
    expect(ledgerOf(game)).not.toBe(game);
    expect(ledgerOf(openLedger(game).account()).measured).toBe(0);
  });

  it('has gradients and rows per mask where its game does, and only there', () => {
    const bare = openLedger(gameFromFunction('index', 2, index));
    expect(['gradients' in bare, bare.rowsPerMask]).toEqual([false, undefined]);
    expect(openLedger({ ...gameFromFunction('index', 2, index), rowsPerMask: 3 }).rowsPerMask).toBe(3);
    expect('gradients' in openLedger(differentiable().game)).toBe(true);
  });

  it('keeps the value of a mask whose gradients come later, with a value that differs in its last bits', async () => {
    const { game } = differentiable();
    const exact = game.gradients as NonNullable<Game['gradients']>;
    const rounded: Game = {
      ...game,
      async gradients(masks) {
        const { values, gradients } = await exact(masks);
        return { values: values.map((value) => value * (1 + 2 ** -40)), gradients };
      },
    };
    const logged: Entries[] = [];
    const ledger = openLedger(rounded, { entries: () => [], append: (entries) => void logged.push(entries) });
    const masks = allMasks(2);
    const values = await ledger.value(masks);
    expect((await ledger.gradients?.(masks))?.values).toEqual(values);
    expect(logged.map((entries) => entries.values)).toEqual([values, values]);
    expect(ledger.seen().values).toEqual(values);
  });

  it('keeps gradients as it keeps values: each measured once, with its value, and logged', async () => {
    const log = memoryLog();
    const { game, asked } = differentiable();
    const ledger = openLedger(game, log);
    const masks = masksFromMembers(2, [[0, 1], [], [0, 1]]);
    const expected = { values: Float64Array.of(6, 1, 6), gradients: Float32Array.of(5, 3, 2, 0, 5, 3) };
    expect(await ledger.gradients?.(masks)).toEqual(expected);
    expect(asked).toEqual({ values: 0, gradients: 2 });
    expect(await ledger.value(masks)).toEqual(expected.values); // the values came with them
    const told: number[] = [];
    await ledger.gradients?.(allMasks(2), {
      onGradients(rows, values, gradients) {
        expect(gradients).toHaveLength(2 * values.length);
        told.push(...Array.from(rows));
      },
    });
    expect(told.sort((a, b) => a - b)).toEqual([0, 1, 2, 3]);
    expect([asked.values, asked.gradients, ledger.differentiated]).toEqual([0, 4, 4]);
    const resumed = openLedger(differentiable().game, log);
    expect(await resumed.gradients?.(masks)).toEqual(expected);
    expect([resumed.differentiated, resumed.measured]).toEqual([0, 0]);
  });

  it('measures the gradient of a mask whose value alone it knows', async () => {
    const { game, asked } = differentiable();
    const ledger = openLedger(game);
    await ledger.value(allMasks(2));
    expect((await ledger.gradients?.(allMasks(2)))?.gradients).toEqual(Float32Array.of(2, 0, 2, 3, 5, 0, 5, 3));
    expect(asked).toEqual({ values: 4, gradients: 4 });
    expect(ledger.seen().masks.count).toBe(4);
  });
});

describe('an account', () => {
  it('takes what was paid for elsewhere off its budget', async () => {
    const account = openLedger(gameFromFunction('index', 4, index)).account(5);
    account.charge(3);
    await account.value(masksFromMembers(4, [[0], [1]]));
    expect([account.asked, account.remaining]).toEqual([2, 0]);
    expect(() => account.charge(1)).toThrow(
      /1 more masks' worth asked for with 0 of 5 left; raise the budget to at least 6/,
    );
    await expect(account.value(masksFromMembers(4, [[2]]))).rejects.toMatchObject({ kind: 'budget' });
  });

  it('counts distinct masks, over all calls', async () => {
    const account = openLedger(gameFromFunction('index', 4, index)).account(5);
    await account.value(masksFromMembers(4, [[0], [0], [1]]));
    await account.value(masksFromMembers(4, [[1], [2]]));
    expect([account.asked, account.remaining]).toEqual([3, 2]);
  });

  it('refuses what would pass the budget before measuring any of it', async () => {
    const { game, asked } = batched(2);
    const account = openLedger(game).account(3);
    await account.value(masksFromMembers(4, [[0], [1]]));
    const more = concatMasks([masksFromMembers(4, [[0]]), masksFromMembers(4, [[2], [3]])]);
    await expect(account.value(more)).rejects.toMatchObject({
      kind: 'budget',
      message: 'batched: 2 more masks asked for with 1 of 3 left; raise the budget to at least 4.',
    });
    expect(asked).toHaveLength(2);
    expect(account.asked).toBe(2);
    await account.value(masksFromMembers(4, [[3]]));
    expect(account.remaining).toBe(0);
  });

  it.each([0, -1, 2.5, Number.NaN])('refuses a budget of %d', (budget) => {
    expect(() => openLedger(gameFromFunction('index', 4, index)).account(budget)).toThrow(`${budget} masks`);
  });

  it('passes signal and progress through', async () => {
    const account = openLedger(gameFromFunction('index', 2, index)).account(4);
    let told = 0;
    await account.value(allMasks(2), { onValues: (_, values) => (told += values.length) });
    expect(told).toBe(4);
    const fresh = openLedger(gameFromFunction('index', 2, index)).account(4);
    await expect(fresh.value(allMasks(2), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      kind: 'aborted',
    });
  });

  it('counts what it asked for, whoever measured it before, and sees nothing else', async () => {
    const { game, asked } = batched(2);
    const ledger = openLedger(game);
    await ledger.value(allMasks(4));
    const [mine, other] = [ledger.account(2), ledger.account()];
    await mine.value(masksFromMembers(4, [[3], [0], [3]]));
    expect(asked).toHaveLength(16); // measured before
    expect([mine.asked, mine.remaining]).toEqual([2, 0]);
    expect(mine.seen()).toEqual({ masks: masksFromHex(4, ['08', '01']), values: Float64Array.of(8, 1) });
    expect([other.asked, other.remaining, other.seen().masks.count]).toEqual([0, Infinity, 0]);
    await expect(mine.value(masksFromMembers(4, [[1]]))).rejects.toMatchObject({ kind: 'budget' });
  });

  it('does not count what failed', async () => {
    const { game, stopAfter } = batched(2);
    stopAfter(1);
    const account = openLedger(game).account(8);
    await expect(account.value(masksFromMembers(4, [[0], [1], [2]]))).rejects.toThrow('the machine died');
    expect([account.asked, account.remaining]).toEqual([0, 8]);
  });

  it('counts gradients as three masks, a mask asked for both ways once', async () => {
    const account = openLedger(differentiable().game).account(6);
    await account.value(masksFromMembers(2, [[0]]));
    expect([account.asked, account.differentiated, account.remaining]).toEqual([1, 0, 5]);
    await account.gradients?.(masksFromMembers(2, [[0], [1]]));
    await account.gradients?.(masksFromMembers(2, [[1]]));
    await account.value(masksFromMembers(2, [[1]]));
    expect([account.asked, account.differentiated, account.remaining]).toEqual([2, 2, 0]);
    await expect(account.gradients?.(allMasks(2))).rejects.toMatchObject({ kind: 'budget' });
    await expect(account.value(allMasks(2))).rejects.toMatchObject({ kind: 'budget' });
    expect('gradients' in openLedger(gameFromFunction('index', 2, index)).account()).toBe(false);
  });
});
