/** A prior that foretells most of a game saves masks; one that foretells nothing is left alone. */
import { describe, expect, it } from 'vitest';
import type { Game } from '../../src/game.ts';
import { isKept, type Masks } from '../../src/masks.ts';
import { fitBest, type Candidate } from '../../src/proxy/best.ts';
import type { Prior } from '../../src/proxy/prior/prior.ts';
import { createRandom } from '../../src/random.ts';
import { withPrior } from '../../src/solve/auto.ts';
import { SOLVERS } from '../../src/solve/solve.ts';
import type { Solution, Solver } from '../../src/solver.ts';
import { r2 } from '../../src/spectrum/r2.ts';
import { createSpectrum, evaluate } from '../../src/spectrum/spectrum.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';

const n = 24;
const random = createRandom(5);
const pairs = Array.from({ length: 60 }, () => [random.integer(n), random.integer(n), random.normal()] as const);
const valuesOf = (masks: Masks, f: (kept: (i: number) => number) => number): Float64Array =>
  Float64Array.from({ length: masks.count }, (_, row) => f((i) => (isKept(masks, row, i) ? 1 : -1)));
/** Many pairs, which few masks do not tell. */
const foretold = (masks: Masks): Float64Array =>
  valuesOf(masks, (x) => pairs.reduce((sum, [i, j, weight]) => sum + weight * x(i) * x(j), 0));
const game: Game = {
  name: 'foretold and a rest',
  players: Array.from({ length: n }, (_, i) => ({ name: `p${i}` })),
  value: (masks) => {
    const rest = valuesOf(masks, (x) => 2 * x(0) - x(1) + x(2) * x(3));
    return Promise.resolve(foretold(masks).map((value, row) => 3 + 0.7 * value + rest[row]));
  },
};
const noise: Prior = {
  name: 'noise',
  columns: (masks) => [valuesOf(masks, (x) => Math.sin(1000 * (x(1) + 2 * x(5) + 4 * x(9) + 8 * x(20))))],
};

describe('a prior', () => {
  const fresh = uniformMasks(n, 500, createRandom(8));
  const score = async (solver: Solver): Promise<[number, Solution]> => {
    const solution = await solver.solve(game, { budget: 150, seed: 2 });
    return [r2(await game.value(fresh), evaluate(solution.spectrum, fresh)), solution];
  };

  it('is corrected by the proxy, and its share is found', async () => {
    const [without] = await score(SOLVERS.auto);
    const [found, { solver, details }] = await score(
      withPrior({ name: 'pairs', columns: (masks) => [foretold(masks)] }),
    );
    expect(solver).toBe('pairs');
    // The rest has a standard deviation of 2.4, the pairs one of some 8, and there are 150 masks: a standard error of .025.
    expect(Math.abs((details['coefficients'] as number[])[1] - 0.7)).toBeLessThan(0.1);
    expect(found).toBeGreaterThan(0.95);
    expect(found - without).toBeGreaterThan(0.3);
  });

  it('of one column is read once for all budgets', async () => {
    const asked: number[] = [];
    const columns = (masks: Masks): Float64Array[] => {
      asked.push(masks.count);
      return [foretold(masks)];
    };
    const solver = withPrior({ name: 'pairs', columns });
    for (const budget of [60, 90]) await solver.solve(game, { budget, seed: 2 });
    const [first, own, second] = asked;
    expect([first, second, asked.length]).toEqual([60, 90, 3]);
    expect(own).toBe(Math.round(4 * n * Math.log2(n)));
  });

  it('whose spectrum is known is read from no mask of its own', async () => {
    const sums = new Map<string, number>([['', 0]]);
    for (const [i, j, weight] of pairs) {
      const key = i === j ? '' : [Math.min(i, j), Math.max(i, j)].join();
      sums.set(key, (sums.get(key) ?? 0) + weight); // x_i x_j is the parity of both
    }
    const spectrum = createSpectrum(
      'fourier',
      n,
      Array.from(sums, ([key, value]) => ({ members: key === '' ? [] : key.split(',').map(Number), value })),
    );
    let asked = 0;
    const prior: Prior = {
      name: 'pairs',
      spectra: [spectrum],
      columns: (masks) => {
        asked += masks.count;
        return [evaluate(spectrum, masks)];
      },
    };
    expect(evaluate(spectrum, fresh)).toBeAllClose(foretold(fresh), 1e-9);
    const [found, { details }] = await score(withPrior(prior));
    expect(asked).toBe(150);
    expect(details['ownMasks']).toBe(0);
    expect(found).toBeGreaterThan(0.98);
  });

  it('that tells nothing changes nothing', async () => {
    const [without, plain] = await score(SOLVERS.auto);
    const [found, { solver }] = await score(withPrior(noise));
    expect(solver).toBe(plain.solver);
    expect(found).toBeGreaterThan(without - 0.02);
  });

  it('is taken where it leads by a standard error, and not where it leads by less', async () => {
    const masks = uniformMasks(n, 200, createRandom(3));
    const values = await game.value(masks);
    // Both miss every value: one by 1, one by .9 on a `share` of the rows and by 1.1 and .88 in turn on the others, which is half a
    // standard error less on average.
    const solverOf = async (share: number, lead?: number): Promise<string> => {
      const of = (name: string, size: (row: number) => number): Candidate => ({
        names: [name],
        passes: () => undefined,
        contend: ({ sample, values: y }) =>
          Promise.resolve([
            {
              name,
              complexity: 1,
              ...(name === 'led' ? { lead } : {}),
              outOfSample: Float64Array.from(y, (value, row) => value + size(row)),
              answer: () =>
                Promise.resolve({
                  spectrum: createSpectrum('fourier', sample.players, [{ members: [], value: 0 }]),
                  evidence: {},
                  kind: name,
                  details: {},
                }),
            },
          ]),
      });
      const plain = of('plain', () => 1);
      const led = of('led', (row) => (row < share * values.length ? 0.9 : row % 2 === 0 ? 1.1 : 0.88));
      return (await fitBest(masks, values, {}, [plain, led])).solver;
    };
    expect(await solverOf(0)).toBe('led');
    expect(await solverOf(0, 1)).toBe('plain');
    expect(await solverOf(1, 1)).toBe('led');
  });
});
