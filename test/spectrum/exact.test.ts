import { describe, expect, it } from 'vitest';
import { exactSolver } from '../../src/spectrum/exact.ts';
import { evaluate } from '../../src/spectrum/spectrum.ts';
import { gameFromFunction } from '../../src/game.ts';
import { allMasks, type Masks } from '../../src/masks.ts';
import { solverContract } from '../contracts/solver.ts';
import { byMask, randomTable, slowFourier } from './tables.ts';

solverContract('exact', () => exactSolver, { players: 8, budget: 256, tolerance: 1e-12 });

const fromTable = (table: Float64Array) =>
  gameFromFunction('table', Math.log2(table.length), (row: number, masks: Masks) => table[masks.words[row]]);

describe('the exact solver', () => {
  it('returns every Fourier coefficient of a random game, and says it is exact', async () => {
    const table = randomTable(8, 1);
    const solution = await exactSolver.solve(fromTable(table), { budget: 256, seed: 0 });
    expect(byMask(8, solution.spectrum.terms)).toBeAllClose(slowFourier(table), 1e-13);
    expect(solution).toMatchObject({
      solver: 'exact',
      exact: true,
      masks: 256,
      details: { terms: 256, droppedTerms: 0 },
    });
    expect(evaluate(solution.spectrum, allMasks(8))).toBeAllClose(table, 1e-12);
  });

  it('names the masks it needs when the budget is one short', async () => {
    const game = fromTable(randomTable(8, 2));
    await expect(exactSolver.solve(game, { budget: 255, seed: 0 })).rejects.toMatchObject({
      kind: 'budget',
      message: 'exact: 2^8 = 256 masks are needed and the budget is 255; raise it to 256, or use proxyspex or spex.',
    });
  });

  it('refuses 25 players whatever the budget', async () => {
    const game = gameFromFunction('wide', 25, () => 0);
    await expect(exactSolver.solve(game, { budget: 2 ** 25, seed: 0 })).rejects.toMatchObject({ kind: 'input' });
  });

  it('solves a game of no players: the empty set is its only value', async () => {
    const { spectrum } = await exactSolver.solve(
      gameFromFunction('none', 0, () => 3),
      { budget: 1, seed: 0 },
    );
    expect(spectrum.terms).toEqual([{ members: [], value: 3 }]);
  });

  it('drops rounding relative to the largest value, not absolutely', async () => {
    const tiny = gameFromFunction('tiny', 6, (row, masks) => 1e-20 * (masks.words[row] & 1));
    const { spectrum } = await exactSolver.solve(tiny, { budget: 64, seed: 0 });
    expect(spectrum.terms.map(({ members }) => members)).toEqual([[], [0]]);
  });
});
