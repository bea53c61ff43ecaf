import { describe, expect, it } from 'vitest';
import { allMasks, keptPlayers } from '../../src/masks.ts';
import { hullProgram } from '../../src/circuit/interaction-hulls.ts';
import { createIntegerProgramSelector, solveBySize } from '../../src/circuit/integer-program.ts';
import { createSpectrum, evaluate, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { popcount, randomSparse } from '../spectrum/tables.ts';

/** The largest direction · f̂ of every size, by looking at all masks. */
function bruteForce(spectrum: FourierSpectrum, direction: 1 | -1): number[] {
  const best = Array.from({ length: spectrum.players + 1 }, () => -Infinity);
  evaluate(spectrum, allMasks(spectrum.players)).forEach((value, mask) => {
    best[popcount(mask)] = Math.max(best[popcount(mask)], direction * value);
  });
  return best.map((value) => direction * value);
}

describe('the integer program', () => {
  it.each([
    [10, 15, 5, 1],
    [12, 60, 4, 2],
    [16, 40, 4, 3],
  ])(
    'proves the optimum that brute force finds: %i players, %i terms of order <= %i, both directions',
    async (n, count, order, seed) => {
      const spectrum = randomSparse(n, count, order, seed);
      const sizes = [0, 1, n >> 2, n >> 1, n - 3, n];
      for (const direction of [1, -1] as const) {
        const truth = bruteForce(spectrum, direction);
        const best = await solveBySize({ spectrum, sizes, direction });
        expect(best.map(({ proven }) => proven)).toEqual(sizes.map(() => true));
        expect(best.map(({ value }) => value)).toBeAllClose(
          sizes.map((k) => truth[k]),
          1e-9,
        );
        expect(best.map(({ bound }) => bound)).toBeAllClose(
          best.map(({ value }) => value),
          0,
        );
        expect(best.map(({ players }) => players.length)).toEqual(sizes);
      }
    },
  );

  it('is never worse than greedy, and says what greedy had', async () => {
    const spectrum = randomSparse(30, 80, 3, 4);
    for (const { value, greedy, players } of await solveBySize({ spectrum, sizes: [8, 15], direction: 1 })) {
      expect(value).toBeGreaterThanOrEqual(greedy);
      expect(
        evaluate(spectrum, {
          players: 30,
          count: 1,
          stride: 1,
          words: Uint32Array.of(players.reduce((mask, i) => mask | (1 << i), 0)),
        })[0],
      ).toBeCloseTo(value, 10);
    }
  });

  it('brackets the optimum when time is up, and the selector says so instead of passing a guess off as proven', async () => {
    const spinGlass = randomSparse(48, 240, 4, 5);
    const selection = { spectrum: spinGlass, sizes: [24], direction: 1 } as const;
    const [open] = await solveBySize(selection, { secondsPerSize: 0.2 });
    expect(open.proven).toBe(false);
    expect(open.bound).toBeGreaterThan(open.value);
    expect(open.players).toHaveLength(24);
    await expect(createIntegerProgramSelector({ secondsPerSize: 0.2 }).select(selection)).rejects.toThrow(
      /^integer program: size 24 of 48 is not proven/,
    );
  });

  it('serves terms on players of which none is in an interaction', async () => {
    const spectrum = createSpectrum(
      'fourier',
      70,
      Array.from({ length: 70 }, (_, i) => ({ members: [i], value: i - 34.5 })),
    );
    const [{ players, proven }] = await solveBySize({ spectrum, sizes: [3], direction: -1 });
    expect([players, proven]).toEqual([[67, 68, 69], true]);
  });

  it('refuses a term of 13 players and seconds that are none', async () => {
    const wide = createSpectrum('fourier', 20, [{ members: Array.from({ length: 13 }, (_, i) => i), value: 1 }]);
    await expect(solveBySize({ spectrum: wide, sizes: [5], direction: 1 })).rejects.toThrow(
      'a term of 13 players has 2^13 states',
    );
    await expect(solveBySize({ spectrum: wide, sizes: [5], direction: 1 }, { secondsPerSize: 0 })).rejects.toThrow(
      '0 seconds a size',
    );
  });
});

describe('the hull program', () => {
  it('has the value of f̂, up to one constant, at every mask with the weights on the states it implies', () => {
    const spectrum = randomSparse(7, 30, 4, 6);
    const { cost, rows, players } = hullProgram(spectrum, 1);
    const masks = allMasks(7);
    const truth = evaluate(spectrum, masks);
    // Every group's rows: one sum of states = 1, then one row per player whose state bits are its column order.
    const groups = rows
      .filter(({ lower }) => lower === 1)
      .map(({ indices }) => ({ first: indices[0], states: indices.length }));
    const bits = groups.map(({ first, states }) =>
      rows
        .filter(
          ({ lower, indices }) =>
            lower === 0 &&
            indices[0] < players &&
            indices.length === 1 + states / 2 &&
            indices[1] > first - 1 &&
            indices[1] < first + states,
        )
        .map(({ indices }) => indices[0]),
    );
    const offsets = Array.from(truth, (value, row) => {
      const kept = keptPlayers(masks, row);
      let sum = kept.reduce((total, i) => total + cost[i], 0);
      groups.forEach(
        ({ first }, g) =>
          (sum += cost[first + bits[g].reduce((v, player, bit) => v | (kept.includes(player) ? 1 << bit : 0), 0)]),
      );
      return value - sum;
    });
    expect(Math.max(...offsets) - Math.min(...offsets)).toBeLessThan(1e-12);
  });

  it('counts every term once, merging the groups that share players into six at most', () => {
    const { cost, rows } = hullProgram(
      createSpectrum(
        'fourier',
        9,
        [
          [0, 1],
          [1, 2, 3],
          [3, 4, 5],
          [6, 7],
        ].map((members) => ({ members, value: 1 })),
      ),
      1,
    );
    expect(rows.filter(({ lower }) => lower === 1).map(({ indices }) => indices.length)).toEqual([64, 4]);
    expect(cost).toHaveLength(9 + 64 + 4);
  });
});
