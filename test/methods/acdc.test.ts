/** ACDC on games whose circuit is known. */
import { describe, expect, it } from 'vitest';
import { gameFromFunction, type Player } from '../../src/game.ts';
import { isKept, keptPlayers } from '../../src/masks.ts';
import { acdc, acdcSweep } from '../../src/methods/acdc.ts';
import { harmOf } from '../../src/methods/harm.ts';
import { meterOf } from '../../src/methods/metered-game.ts';
import { receiverOrder } from '../../src/methods/receiver-order.ts';
import { createRandom } from '../../src/random.ts';

const reversed = (n: number): number[] => Array.from({ length: n }, (_, i) => n - 1 - i);
const divergence = harmOf('divergence', { full: 1, empty: 0 });
/** 1 where all of `members` are kept. */
const path = (n: number, members: readonly number[]) =>
  gameFromFunction('path', n, (row, masks) => Number(members.every((i) => isKept(masks, row, i))));

describe('ACDC', () => {
  it('keeps the path that the metric goes through and nothing else', async () => {
    const { kept, value, added } = await acdc(path(12, [2, 5, 11]), {
      threshold: 0.1,
      harm: divergence,
      order: reversed(12),
    });
    expect(kept).toEqual([2, 5, 11]);
    expect(value).toBe(1);
    expect(Array.from(added)).toEqual([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
  });

  it('of two that do the same keeps the one that it looks at last', async () => {
    const either = gameFromFunction('either', 4, (row, masks) =>
      Number(isKept(masks, row, 1) || isKept(masks, row, 3)),
    );
    const keep = async (order: readonly number[]) =>
      (await acdc(either, { threshold: 0.1, harm: divergence, order })).kept;
    expect(await keep([3, 2, 1, 0])).toEqual([1]);
    expect(await keep([0, 1, 2, 3])).toEqual([3]);
  });

  it('counts what raises the metric as harm by divergence, and not by the metric', async () => {
    // Player 2 works against the other two.
    const game = gameFromFunction(
      'against',
      3,
      (row, masks) => Number(isKept(masks, row, 0)) + Number(isKept(masks, row, 1)) - Number(isKept(masks, row, 2)),
    );
    const ends = { full: 1, empty: 0 };
    const keep = async (harm: 'divergence' | 'metric') =>
      (await acdc(game, { threshold: 0.5, harm: harmOf(harm, ends), order: reversed(3) })).kept;
    expect(await keep('divergence')).toEqual([0, 1, 2]);
    expect(await keep('metric')).toEqual([0, 1]);
  });

  it('finds the same however far ahead it asks, and takes a row a player where it does not', async () => {
    const random = createRandom(3);
    const n = 16;
    const table = Float64Array.from({ length: n }, () => random.normal());
    const game = gameFromFunction('drawn', n, (row, masks) => {
      const kept = keptPlayers(masks, row);
      return kept.reduce((f, i) => f + table[i], 0) + (kept.includes(4) && kept.includes(9) ? 3 : 0);
    });
    const full = (await game.value({ players: n, count: 1, stride: 1, words: Uint32Array.of(2 ** n - 1) }))[0];
    const harm = harmOf('divergence', { full, empty: 0 });
    const run = async (ahead: number) => {
      const meter = meterOf(game, 1000);
      return { ...(await acdc(meter, { threshold: 0.05, harm, order: reversed(n), ahead })), spent: meter.spent };
    };
    const one = await run(1);
    const many = await run(16);
    expect(many.kept).toEqual(one.kept);
    expect(Array.from(many.added)).toEqual(Array.from(one.added));
    expect(one.spent).toBe(n + 1);
    expect(many.spent).toBeGreaterThanOrEqual(n + 1);
  });

  it('never asks for more ahead than it can spare', async () => {
    const game = path(10, [1, 3, 5, 7]);
    const meter = meterOf(game, 11);
    expect((await acdc(meter, { threshold: 0.1, harm: divergence, order: reversed(10) })).kept).toEqual([1, 3, 5, 7]);
  });

  it('sweeps thresholds into nested sets while the budget lasts', async () => {
    const weights = [0.5, 0.3, 0.15, 0.05];
    const game = gameFromFunction('sum', 4, (row, masks) =>
      weights.reduce((f, w, i) => f + (isKept(masks, row, i) ? w : 0), 0),
    );
    const options = {
      harm: harmOf('metric', { full: 1, empty: 0 }),
      order: reversed(4),
      thresholds: [0.01, 0.1, 0.2, 0.4],
    };
    const sweep = await acdcSweep(meterOf(game, 100), options);
    expect(Array.from(sweep.stayed)).toEqual([4, 3, 2, 1]);
    expect(sweep.added).toBeAllClose(weights, 1e-9);
    expect(sweep.thresholds).toEqual([0.01, 0.1, 0.2, 0.4]);
    const short = await acdcSweep(meterOf(game, 7), options);
    expect(short.thresholds.length).toBeLessThan(4);
    await expect(acdcSweep(meterOf(game, 4), options)).rejects.toThrow(/a pass over 4 players takes at least 5/);
  });

  it('looks at what reads last first', () => {
    const players: Player[] = [
      { name: 'EMBED', place: { kind: 'embed' } },
      { name: 'MLP1', place: { kind: 'mlp', layer: 1 } },
      { name: 'L0H1', place: { kind: 'head', layer: 0, head: 1 } },
      { name: 'L1H0', place: { kind: 'head', layer: 1, head: 0 } },
      { name: 'MLP0', place: { kind: 'mlp', layer: 0 } },
      { name: 'L0H0', place: { kind: 'head', layer: 0, head: 0 } },
    ];
    expect(receiverOrder(players).map((i) => players[i].name)).toEqual([
      'MLP1',
      'L1H0',
      'MLP0',
      'L0H0',
      'L0H1',
      'EMBED',
    ]);
    expect(receiverOrder([{ name: 'a' }, { name: 'b' }, { name: 'c' }])).toEqual([2, 1, 0]);
  });

  it('refuses a threshold below 0', async () => {
    await expect(acdc(path(3, [0]), { threshold: -1, harm: divergence, order: [2, 1, 0] })).rejects.toThrow(
      /threshold -1/,
    );
  });
});
