import { describe, expect, it } from 'vitest';
import { isKept, maskHex } from '../../src/masks.ts';
import { SpexlensError } from '../../src/errors.ts';
import { gameFromFunction, type Game } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import { createRandom } from '../../src/random.ts';
import { roundSizes, solveAdaptively, verdict } from '../../src/solve/adaptive.ts';
import { solve, SOLVERS } from '../../src/solve/solve.ts';
import type { Round } from '../../src/solver.ts';

const additive = (n: number): Game =>
  gameFromFunction('additive', n, (row, masks) =>
    Array.from({ length: n }, (_, i) => (isKept(masks, row, i) ? 1 + (i % 3) : 0)).reduce((a, b) => a + b, 0),
  );

/** The additive game and a noise that no proxy can learn: half of the variance. */
const noisy = (n: number): Game =>
  gameFromFunction('noisy', n, (row, masks) => {
    const signal = Array.from({ length: n }, (_, i) => (isKept(masks, row, i) ? 1 : 0)).reduce<number>(
      (a, b) => a + b,
      0,
    );
    return signal + (Math.sqrt(n) / 2) * createRandom(5, maskHex(masks, row)).normal();
  });

const round = (fitted: number, r2: number, half = 0.01): Round => ({
  fitted,
  solver: 'stack',
  r2,
  low: r2 - half,
  high: Math.min(1, r2 + half),
  level: 0.95,
  masks: 100,
});

describe('an adaptive budget', () => {
  it('stops once the lower bound passes the target, with masks to spare', async () => {
    const { solution, heldOut } = await solveAdaptively(additive(24), {
      targetR2: 0.95,
      maxBudget: 3000,
      heldOut: 200,
      seed: 1,
    });
    const { outcome, rounds } = solution.evidence!.adaptive!;
    expect(outcome).toBe('reached');
    expect(solution.masks).toBeLessThan(500);
    expect(solution.masks).toBe(rounds[rounds.length - 1].fitted);
    expect(heldOut!.low).toBeGreaterThanOrEqual(0.95);
  });

  it('gives up when even the hopeful curve falls short, before the budget is spent', async () => {
    const { solution } = await solveAdaptively(noisy(16), { targetR2: 0.95, maxBudget: 4000, heldOut: 200, seed: 1 });
    const { outcome, why } = solution.evidence!.adaptive!;
    expect(outcome).toBe('hopeless');
    expect(why).toMatch(/at 4000 masks at best, short of the target of 0.95/);
    expect(solution.masks).toBeLessThan(4000);
  });

  it('measures what it reports and no more: the rounds share one draw, held-out masks are apart', async () => {
    const memo = openLedger(additive(24));
    const { solution, held, fitted } = await solveAdaptively(memo, {
      targetR2: 0.95,
      maxBudget: 3000,
      heldOut: 200,
      seed: 1,
    });
    expect(memo.measured).toBe(solution.masks + 200);
    const own = new Set(Array.from({ length: fitted.masks.count }, (_, row) => maskHex(fitted.masks, row)));
    expect(Array.from({ length: 200 }, (_, row) => own.has(maskHex(held.masks, row)))).not.toContain(true);
  });

  it('is exact where all masks are within the budget', async () => {
    const { solution, heldOut } = await solve(openLedger(additive(6)), {
      solver: SOLVERS.auto,
      budget: 0,
      adaptive: { targetR2: 0.9 },
      heldOut: 30,
      seed: 0,
    });
    expect(solution).toMatchObject({ exact: true, solver: 'exact' });
    expect(heldOut).toBeUndefined();
  });

  it('scores the additive fit on the same held-out masks', async () => {
    const { heldOut } = await solve(openLedger(additive(24)), {
      solver: SOLVERS.auto,
      budget: 0,
      adaptive: { targetR2: 0.9, maxBudget: 600 },
      heldOut: 100,
      seed: 0,
    });
    expect(heldOut!.firstOrder.r2).toBeGreaterThan(0.999);
  });

  it('reads the verdict off the rounds', () => {
    expect(verdict([round(100, 0.97)], 0.95, 1000)?.outcome).toBe('reached');
    expect(verdict([round(100, 0.955)], 0.95, 1000)).toBeUndefined();
    expect(verdict([round(1000, 0.9)], 0.95, 1000)?.outcome).toBe('spent');
    // 1 - R² halves with every doubling: .4, .2, .1 -> .05 at 800
    const falling = [round(100, 0.6, 0), round(200, 0.8, 0), round(400, 0.9, 0)];
    expect(verdict(falling, 0.94, 800)).toBeUndefined();
    expect(verdict(falling, 0.96, 800)?.why).toContain('reaches 0.950 at 800 masks');
    expect(verdict(falling.slice(1), 0.99, 800)).toBeUndefined();
    expect(verdict([round(100, 0.8, 0), round(200, 0.79, 0), round(400, 0.8, 0)], 0.9, 800)?.outcome).toBe('hopeless');
  });

  it('grows its rounds to the budget, the last step worth taking', () => {
    const sizes = roundSizes(16, 1024);
    expect(sizes[0]).toBe(48);
    expect(sizes[sizes.length - 1]).toBe(1024);
    for (let k = 1; k < sizes.length; k++) expect(sizes[k] / sizes[k - 1]).toBeGreaterThan(1.19);
    expect(roundSizes(16, 50)).toEqual([50]);
    expect(roundSizes(16, 20)).toEqual([20]);
  });

  it.each([
    ['a target of 1', { targetR2: 1 }, /target R²: 1; a number between 0 and 1/],
    ['few held-out masks', { heldOut: 10 }, /held-out: 10 masks; a confidence bound needs at least 30/],
    ['a budget too small to fit', { maxBudget: 5 }, /max budget: 5 masks; at least 12/],
  ])('refuses %s', async (_what, wrong, message) => {
    await expect(
      solveAdaptively(additive(24), { targetR2: 0.9, maxBudget: 100, heldOut: 100, seed: 0, ...wrong }),
    ).rejects.toThrow(message);
  });

  it('goes with solver auto alone, and stops on its signal', async () => {
    await expect(
      solve(openLedger(additive(24)), {
        solver: SOLVERS.spex,
        budget: 0,
        adaptive: { targetR2: 0.9 },
        heldOut: 100,
        seed: 0,
      }),
    ).rejects.toThrow(/goes with solver auto/);
    await expect(
      solveAdaptively(additive(24), {
        targetR2: 0.9,
        maxBudget: 100,
        heldOut: 100,
        seed: 0,
        signal: AbortSignal.abort(),
      }),
    ).rejects.toBeInstanceOf(SpexlensError);
  });
});
