/** Numbers that nobody can pay for are refused before anything is drawn, with what they would cost. */
import { describe, expect, it } from 'vitest';
import { explain } from '../src/explain.ts';
import { gameFromFunction } from '../src/game.ts';
import { bytesOfMasks, requireRoomForMasks } from '../src/mask-room.ts';
import { emptyMasks } from '../src/masks.ts';

const GB = 1e9;

describe('room for masks', () => {
  it('takes what fits into half of the free memory, to the mask, and refuses one more', () => {
    const bytes = bytesOfMasks(100, 1);
    expect(bytes).toBe(4 * 4 * 4 + 64);
    const most = Math.floor(GB / 2 / bytes);
    expect(() => requireRoomForMasks('budget', 100, most, GB)).not.toThrow();
    expect(() => requireRoomForMasks('budget', 100, most + 1, GB)).toThrow(
      `budget: ${(most + 1).toLocaleString('en')} masks of 100 players would take about 500 MB of memory, and 1 GB are free; at most ${most.toLocaleString('en')} have room.`,
    );
  });

  it('counts no more masks than there are', () => {
    expect(() => requireRoomForMasks('budget', 16, 2 ** 53, GB)).not.toThrow();
    expect(() => requireRoomForMasks('budget', 40, 2 ** 53, GB)).toThrow('1,099,511,627,776 masks of 40 players');
  });

  it.each([
    ['budget', { budget: 1e12 }],
    ['held-out', { heldOut: 1e12 }],
    ['max budget', { adaptive: { targetR2: 0.9, maxBudget: 2 ** 53 - 1 } }],
  ])('refuses a %s of a trillion before the game is asked for anything', async (name, options) => {
    let asked = 0;
    const game = gameFromFunction('asked', 300, () => asked++);
    await expect(explain(game, options)).rejects.toMatchObject({
      kind: 'budget',
      message: expect.stringMatching(
        new RegExp(`^${name}: [\\d,]+ masks of 300 players would take about [\\d.]+ [TPE]B`),
      ),
    });
    expect(asked).toBe(0);
  });

  it('says how many masks one array holds', () => {
    expect(() => emptyMasks(512, 1e12)).toThrow(
      'masks: 1000000000000 masks of 512 players; a whole number from 0 to 268435455 is needed, as many as one array holds.',
    );
    expect(() => emptyMasks(3, -1)).toThrow('masks: -1 masks of 3 players; a whole number from 0 to');
  });
});
