import { describe, expect, it } from 'vitest';
import { allMasks, isKept, keptPlayers, type Masks } from '../../src/masks.ts';
import { mostChanging, removalCurve } from '../../src/circuit/removal.ts';
import { gameFromFunction, type Game } from '../../src/game.ts';
import { exactSolver } from '../../src/spectrum/exact.ts';
import { createSpectrum, evaluate, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { popcount, randomSparse } from '../spectrum/tables.ts';

const on = (masks: Masks, row: number, i: number): number => (isKept(masks, row, i) ? 1 : 0);
const exact = async (game: Game): Promise<FourierSpectrum> =>
  (await exactSolver.solve(game, { budget: 2 ** 16, seed: 0 })).spectrum;
const firstOrder = ({ players, terms }: FourierSpectrum): FourierSpectrum =>
  createSpectrum(
    'fourier',
    players,
    terms.filter(({ members }) => members.length < 2),
  );

/** Players 0 and 1 back each other up, and so do 2 and 3; player 4 alone is worth more than any other alone. */
const backups = gameFromFunction(
  'backups',
  6,
  (row, masks) =>
    4.5 * Math.max(on(masks, row, 0), on(masks, row, 1)) +
    4 * Math.max(on(masks, row, 2), on(masks, row, 3)) +
    2.5 * on(masks, row, 4) +
    0.1 * on(masks, row, 5),
);

describe('mostChanging', () => {
  it('finds, for every r, the largest change of f̂ in either direction', async () => {
    for (const seed of [1, 2, 3]) {
      const spectrum = randomSparse(9, 40, 4, seed);
      const table = evaluate(spectrum, allMasks(9));
      const sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9];
      const full = table[2 ** 9 - 1];
      const most = sizes.map((r) =>
        table.reduce((max, value, mask) => (popcount(mask) === 9 - r ? Math.max(max, Math.abs(full - value)) : max), 0),
      );
      const masks = await mostChanging(spectrum, sizes);
      expect(sizes.map((_, k) => keptPlayers(masks, k).length)).toEqual(sizes.map((r) => 9 - r));
      expect(evaluate(spectrum, masks).map((value) => Math.abs(full - value))).toBeAllClose(most, 1e-12);
    }
  });

  it('removes what holds the metric down where that changes it most', async () => {
    const spectrum = createSpectrum('fourier', 3, [
      { members: [0], value: -0.5 },
      { members: [1], value: 2 },
      { members: [2], value: -1 },
    ]);
    expect(keptPlayers(await mostChanging(spectrum, [1]), 0)).toEqual([0, 2]);
  });
});

describe('removalCurve', () => {
  it('removes a backup pair together, which first order cannot see', async () => {
    const spectrum = await exact(backups);
    const { points, full } = await removalCurve(spectrum, backups, {
      seed: 1,
      rivals: { 'first order': firstOrder(spectrum) },
    });
    expect(full).toBeCloseTo(11.1, 12);
    expect(points.map(({ ours }) => ours.players)).toEqual([
      [4],
      [0, 1],
      [0, 1, 4],
      [0, 1, 2, 3],
      [0, 1, 2, 3, 4],
      [0, 1, 2, 3, 4, 5],
    ]);
    expect(points.map(({ ours }) => ours.measured * full)).toBeAllClose([2.5, 4.5, 7, 8.5, 11, 11.1], 1e-12);
    expect(points[1].rivals['first order'].players).toContain(4);
    expect(points[1].rivals['first order'].measured * full).toBeCloseTo(2.5, 12);
  });

  it('predicts exactly what an exact spectrum measures, and is at or above every rival and random set on average', async () => {
    const spectrum = await exact(backups);
    const { points, area } = await removalCurve(spectrum, backups, {
      seed: 1,
      rivals: { 'first order': firstOrder(spectrum) },
    });
    for (const { ours, rivals, random } of points) {
      expect(ours.predicted).toBeCloseTo(ours.measured, 12);
      expect(ours.measured).toBeGreaterThanOrEqual(rivals['first order'].measured - 1e-12);
      expect(ours.measured).toBeGreaterThanOrEqual(random.high - 1e-12);
      expect(random.low).toBeLessThanOrEqual(random.mean + 1e-12);
    }
    expect(area.ours).toBeGreaterThan(area.rivals['first order']);
    expect(area.ours).toBeGreaterThan(area.random);
  });

  it('asks the game for each mask once, repeats itself by seed, and is plain JSON', async () => {
    const seen = new Map<number, number>();
    const counted = gameFromFunction('counted', 6, (row, masks) => {
      seen.set(masks.words[row], (seen.get(masks.words[row]) ?? 0) + 1);
      return 1 + popcount(masks.words[row]);
    });
    const spectrum = createSpectrum(
      'fourier',
      6,
      [0, 1, 2, 3, 4, 5].map((i) => ({ members: [i], value: -0.5 })),
    );
    const curve = await removalCurve(spectrum, counted, { seed: 3, sizes: [1, 3, 6], randomSets: 10 });
    expect([...seen.values()].every((times) => times === 1)).toBe(true);
    expect(curve.masks).toBe(seen.size);
    expect(curve.points.map(({ random }) => random.count)).toEqual([6, 10, 1]);
    expect(curve.points.map(({ ours }) => ours.measured)).toBeAllClose([1 / 7, 3 / 7, 6 / 7], 1e-12);
    expect(await removalCurve(spectrum, counted, { seed: 3, sizes: [1, 3, 6], randomSets: 10 })).toEqual(curve);
    expect(JSON.parse(JSON.stringify(curve))).toEqual(curve);
  });

  it('refuses a metric that is 0 with everything kept, sizes out of order and spectra over other players', async () => {
    const spectrum = createSpectrum('fourier', 2, [{ members: [0], value: 1 }]);
    const zero = gameFromFunction('zero', 2, (row, masks) => 1 - on(masks, row, 0));
    await expect(removalCurve(spectrum, zero, { seed: 1 })).rejects.toThrow('the metric is 0 with all 2 players kept');
    await expect(removalCurve(spectrum, zero, { seed: 1, sizes: [2, 1] })).rejects.toThrow('sizes 2, 1');
    await expect(removalCurve(spectrum, backups, { seed: 1 })).rejects.toThrow(
      'a spectrum over 2 players was given for a game of 6',
    );
  });
});
