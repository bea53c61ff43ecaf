import { describe, expect, it } from 'vitest';
import { isKept, maskHex, type Masks } from '../../src/masks.ts';
import { gameFromFunction, type Game } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import { createRandom } from '../../src/random.ts';
import { autoSolver } from '../../src/solve/auto.ts';
import { solve, solverOf, SOLVERS } from '../../src/solve/solve.ts';
import { solverContract } from '../contracts/solver.ts';

const parity = (members: readonly number[], row: number, masks: Masks): number =>
  members.filter((i) => isKept(masks, row, i)).length % 2 === 0 ? 1 : -1;

/** Lone sets of five players: no subset of them leaves a trace, so boosted trees see nothing. */
function lonely(n: number, count: number): Game {
  const random = createRandom(4, 'lonely');
  const sets = Array.from({ length: count }, () => random.subset(n, 5));
  return gameFromFunction('lone sets', n, (row, masks) =>
    sets.reduce((sum, set, k) => sum + (1 + k / 10) * parity(set, row, masks), 0),
  );
}

/** A hierarchy of small interactions, more terms than SPEX has bins. */
function hierarchy(n: number): Game {
  const random = createRandom(9, 'hierarchy');
  const weights = Array.from({ length: n }, () => random.normal());
  return gameFromFunction('hierarchy', n, (row, masks) => {
    let sum = 0;
    for (let i = 0; i < n; i++) if (isKept(masks, row, i)) sum += weights[i];
    return Math.tanh(sum / 2) + 0.3 * Math.max(0, sum);
  });
}

describe('solver auto', () => {
  solverContract('auto', () => autoSolver, { players: 6, budget: 64, tolerance: 1e-9, carries: ['exact'] });

  it('is exact when the budget covers all masks, and says so', async () => {
    const { solution, heldOut } = await solve(openLedger(hierarchy(8)), {
      solver: SOLVERS.auto,
      budget: 256,
      seed: 0,
      heldOut: 50,
    });
    expect(solution).toMatchObject({
      solver: 'exact',
      exact: true,
      details: { auto: { why: 'the budget of 256 masks covers all 256' } },
    });
    expect(heldOut).toBeUndefined();
  });

  it('gives all masks to the proxy when half the budget buys SPEX too few bins', async () => {
    const { solution } = await solve(openLedger(hierarchy(16)), {
      solver: SOLVERS.auto,
      budget: 400,
      seed: 0,
      heldOut: 100,
    });
    expect(solution.solver).toBe('stack');
    expect(solution.details).toMatchObject({
      auto: {
        why: expect.stringMatching(
          /200 masks, buys.*; out-of-sample R²: first order 0\.\d{4}, proxyspex 0\.\d{4}, stack 0\.\d{4}/,
        ) as unknown,
      },
    });
  });

  it('takes SPEX for lone high-order sets, which the proxy cannot see, and finds them exactly', async () => {
    const { solution, heldOut } = await solve(openLedger(lonely(36, 12)), {
      solver: SOLVERS.auto,
      budget: 11_000,
      seed: 1,
      heldOut: 300,
    });
    expect(solution.solver).toBe('spex');
    const { scores } = (solution.details as { auto: { scores: Readonly<Record<string, number>> } }).auto;
    expect(scores.spex).toBeGreaterThan(1 - 1e-9);
    expect(Object.keys(scores)).toHaveLength(2);
    expect(Math.min(...Object.values(scores))).toBeLessThan(0.2);
    expect(heldOut?.r2).toBeGreaterThan(1 - 1e-9);
    expect(heldOut?.firstOrder.r2).toBeLessThan(0.05);
  }, 120_000);
});

describe('solve', () => {
  it('scores on as many masks as were asked for, none of them fitted, or on all that are left where those are fewer', async () => {
    const asked: string[] = [];
    const inner = hierarchy(14);
    const spy: Game = {
      ...inner,
      value: async (masks, options) => (
        asked.push(...Array.from({ length: masks.count }, (_, row) => maskHex(masks, row))),
        inner.value(masks, options)
      ),
    };
    const { heldOut, solution } = await solve(openLedger(spy), {
      solver: SOLVERS.proxyspex,
      budget: 300,
      seed: 3,
      heldOut: 200,
    });
    expect(solution.masks).toBe(300);
    expect(heldOut?.masks).toBe(200);
    expect(new Set(asked).size).toBe(500);
    expect(asked).toHaveLength(500);
    for (const [wanted, given] of [
      [5, 5],
      [412, 412],
      [413, 412],
      [9999, 412],
    ]) {
      const options = { solver: SOLVERS.proxyspex, budget: 100, seed: 3, heldOut: wanted };
      expect((await solve(openLedger(hierarchy(9)), options)).heldOut?.masks).toBe(given);
    }
  });

  it('refuses a solver it does not have', () => {
    expect(() => solverOf('spexx')).toThrow(
      /"spexx" is unknown; did you mean spex\? There are auto, exact, gradspex, proxyspex, stack, spex/,
    );
  });
});
