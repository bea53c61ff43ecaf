import { describe, expect, it } from 'vitest';
import { exactSolver } from '../../src/spectrum/exact.ts';
import { floatFloor, thresholdOf } from '../../src/spectrum/noise.ts';
import { gameFromFunction } from '../../src/game.ts';
import { isKept } from '../../src/masks.ts';

describe('the threshold of a term', () => {
  // scipy 1.16: t.isf(0.005 * 2**-s / math.comb(n, s), f)
  it.each([
    [1, 10, 9, 5.290653840306442],
    [2, 16, 126, 4.422679677811361],
    [3, 512, 2046, 6.5888430207144575],
    [2, 30, 3997, 4.541611407163045],
  ])('of %i of %i players and %i degrees of freedom is the t quantile at its share of the error rate', (s, n, f, t) => {
    expect(Math.abs(thresholdOf(s, n, f) / t - 1)).toBeLessThan(0.006);
  });
});

describe('float32 games that are measured whole', () => {
  it('list no interaction of an additive game: what rounding makes is below the floor', async () => {
    const weights = [1.1, -0.7, 2.3, 0.4, -1.9, 0.6, 3.3, -0.2];
    const game = gameFromFunction('rounded', 8, (row, masks) =>
      weights.reduce((sum, w, i) => Math.fround(sum + (isKept(masks, row, i) ? Math.fround(w) : 0)), 30),
    );
    const { spectrum, evidence } = await exactSolver.solve(game, { budget: 256, seed: 0 });
    const interactions = spectrum.terms.filter(({ members }) => members.length > 1).map(({ members }) => members);
    expect(interactions.length).toBeGreaterThan(20);
    expect(evidence?.belowNoise).toEqual(expect.arrayContaining(interactions));
    expect(evidence?.belowNoise).not.toContainEqual([6]);
    expect(floatFloor([-40, 2])).toBe(40 * 2 ** -23);
  });
});
