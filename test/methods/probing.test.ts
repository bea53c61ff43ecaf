/** The hard concrete distribution, Adam, and masks learned of planted circuits. */
import { describe, expect, it } from 'vitest';
import { createAdam } from '../../src/methods/adam.ts';
import { hardConcrete, openProbability, settledMask } from '../../src/methods/hard-concrete.ts';
import { subnetworkProbing } from '../../src/methods/subnetwork-probing.ts';
import { createRandom } from '../../src/random.ts';
import { planted } from '../proxy/gradients/smooth-games.ts';

describe('the hard concrete distribution', () => {
  it('is open as often as its probability says', () => {
    const random = createRandom(0);
    for (const logAlpha of [-3, -0.5, 0, 1.5]) {
      const draws = 40_000;
      let open = 0;
      for (let k = 0; k < draws; k++) if (hardConcrete(logAlpha, random.uniform()).z > 0) open++;
      expect(open / draws).toBeCloseTo(openProbability(logAlpha).probability, 1.8);
    }
  });

  it('has the slopes that differences have', () => {
    const h = 1e-6;
    for (const u of [0.4, 0.5, 0.7])
      for (const logAlpha of [-1, 0, 0.8]) {
        const { z, slope } = hardConcrete(logAlpha, u);
        expect((hardConcrete(logAlpha + h, u).z - hardConcrete(logAlpha - h, u).z) / (2 * h)).toBeCloseTo(slope, 5);
        expect(z).toBeGreaterThan(0);
      }
    const rise = openProbability(0.3 + h).probability - openProbability(0.3 - h).probability;
    expect(rise / (2 * h)).toBeCloseTo(openProbability(0.3).slope, 6);
  });

  it('is closed far below and open far above, where nothing moves it', () => {
    expect(hardConcrete(-20, 0.5)).toEqual({ z: 0, slope: 0 });
    expect(hardConcrete(20, 0.5)).toEqual({ z: 1, slope: 0 });
    expect([settledMask(-20), settledMask(20)]).toEqual([0, 1]);
    expect(settledMask(0)).toBeCloseTo(0.5, 14);
  });
});

describe('Adam', () => {
  it('moves by its rate against a steady gradient, whatever its size', () => {
    const parameters = Float64Array.of(1, 1);
    const move = createAdam(2, { rate: 0.1 });
    for (let step = 0; step < 5; step++) move(parameters, Float64Array.of(1e-3, -40));
    expect(parameters).toBeAllClose([0.5, 1.5], 1e-5);
  });

  it('is torch.optim.Adam on a changing one', () => {
    // torch 2: x = torch.tensor([0.3, -1.2], dtype=torch.float64), torch.optim.Adam(lr=.05), three steps of these gradients.
    const parameters = Float64Array.of(0.3, -1.2);
    const move = createAdam(2, { rate: 0.05 });
    for (const gradient of [
      [1, -2],
      [0.5, 4],
      [-3, 1],
    ])
      move(parameters, Float64Array.from(gradient));
    expect(parameters).toBeAllClose([0.22075219440332805, -1.1890877364598205], 1e-12);
  });
});

describe('subnetwork probing', () => {
  const game = planted(12, [
    { members: [1, 4, 7], weight: 3 },
    { members: [9], weight: 1 },
  ]);
  const ends = { full: 4, empty: 0 };

  it('opens the planted players and closes the others', async () => {
    const { logAlpha, mask, losses } = await subnetworkProbing(game, { ends, seed: 0, steps: 150 });
    const order = Array.from(logAlpha.keys()).sort((a, b) => logAlpha[b] - logAlpha[a]);
    expect(order.slice(0, 4).sort((a, b) => a - b)).toEqual([1, 4, 7, 9]);
    mask.forEach((each, player) => {
      if ([1, 4, 7, 9].includes(player)) expect(each, `player ${player}`).toBeGreaterThan(0.9);
      else expect(each, `player ${player}`).toBeLessThan(0.1);
    });
    expect(losses).toHaveLength(150);
    expect(losses[losses.length - 1]).toBeLessThan(0.5);
  });

  it('is the same again from the same seed', async () => {
    const run = async (seed: number) => Array.from((await subnetworkProbing(game, { ends, seed, steps: 12 })).logAlpha);
    expect(await run(5)).toEqual(await run(5));
    expect(await run(5)).not.toEqual(await run(6));
  });

  it('closes everything where open masks cost more than they carry', async () => {
    const { mask } = await subnetworkProbing(game, { ends, seed: 0, steps: 150, lambda: 1000 });
    expect(Math.max(...mask)).toBe(0);
  });

  it('refuses what it cannot use', async () => {
    await expect(subnetworkProbing(game, { ends, seed: 0, steps: 0 })).rejects.toThrow(/steps 0; a whole number >= 1/);
    await expect(subnetworkProbing(game, { ends, seed: 0, steps: 5, lambda: -1 })).rejects.toThrow(/lambda -1/);
  });
});
