import { describe, expect, it } from 'vitest';
import { allMasks } from '../../../src/masks.ts';
import { GRADIENT_ROWS, valuesOnly, type Game } from '../../../src/game.ts';
import { openLedger } from '../../../src/ledger.ts';
import { createRandom } from '../../../src/random.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import { evaluate } from '../../../src/spectrum/spectrum.ts';
import { fourierFromTable } from '../../../src/spectrum/walsh-hadamard.ts';
import { r2 } from '../../../src/spectrum/r2.ts';
import { autoSolver } from '../../../src/solve/auto.ts';
import { solve } from '../../../src/solve/solve.ts';
import type { Solver } from '../../../src/solver.ts';
import { gradspexSolver, planGradients } from '../../../src/proxy/gradients/gradspex.ts';
import { bent, misled, planted, smoothGame } from './smooth-games.ts';

const unseen = (n: number, count = 800) => uniformMasks(n, count, createRandom(77, 'unseen'));
describe('gradspex', () => {
  it('spends a budget of B as B/4 gradients of three masks each and B/4 values, and no more', async () => {
    const game = bent(30, 20, 1);
    const ledger = openLedger(game);
    const account = ledger.account(300);
    const { masks, details } = await gradspexSolver.solve(account, { budget: 300, seed: 0 });
    expect(planGradients(30, 300)).toEqual({ gradients: 75, values: 75 });
    expect(game.asked).toEqual({ values: 75, gradients: 75 });
    expect(masks).toBe(150);
    expect(account.remaining).toBe(300 - 75 - GRADIENT_ROWS * 75);
    expect(details).toMatchObject({ measuredGradients: 75, measuredValues: 75, rowsPerGradient: 3 });
  });

  it('predicts better than value-only solvers at the same cost, on games that bend', { timeout: 120_000 }, async () => {
    for (const seed of [1, 2, 3]) {
      const game = bent(60, 40, seed);
      const truth = await game.value(unseen(60));
      const scoreOf = async (solver: Solver, from: Game, budget: number): Promise<number> => {
        const { spectrum } = await solver.solve(from, { budget, seed });
        return r2(truth, evaluate(spectrum, unseen(60)));
      };
      for (const budget of [240, 360]) {
        const ours = await scoreOf(gradspexSolver, game, budget);
        const values = await scoreOf(autoSolver, valuesOnly(game), budget);
        expect(ours - values).toBeGreaterThan(0.01);
        expect(ours).toBeGreaterThan(budget === 240 ? 0.84 : 0.86);
      }
    }
  });

  it('finds planted pairs and triples, and lists none that is not there', async () => {
    const terms = [
      { members: [0, 9], weight: 2 },
      { members: [4, 17], weight: -1.5 },
      { members: [3, 11, 20], weight: 3 },
      ...Array.from({ length: 24 }, (_, i) => ({ members: [i], weight: Math.sin(i) })),
    ];
    const { spectrum, evidence } = await gradspexSolver.solve(planted(24, terms), { budget: 240, seed: 4 });
    const noise = new Set(evidence?.belowNoise?.map((set) => set.join()));
    const named = spectrum.terms.filter(({ members }) => members.length > 1 && !noise.has(members.join()));
    const truly = new Set(['0,9', '4,17', '3,11', '3,20', '11,20', '3,11,20']);
    expect(named.map(({ members }) => members.join()).filter((key) => !truly.has(key))).toEqual([]);
    expect(named.length).toBe(6);
  });

  it('lists no interaction of an additive game, however its parts bend', async () => {
    const linear = planted(
      20,
      Array.from({ length: 20 }, (_, i) => ({ members: [i], weight: 1 + (i % 3) })),
    );
    const curved = smoothGame('curved', 20, (m) => ({
      value: m.reduce((sum, x, i) => sum + (i + 1) * Math.tanh(2 * x), 0),
      gradient: m.map((x, i) => (2 * (i + 1)) / Math.cosh(2 * x) ** 2),
    }));
    for (const game of [linear, curved]) {
      for (const solver of [gradspexSolver, autoSolver]) {
        const { spectrum, evidence } = await solver.solve(game, { budget: 200, seed: 2 });
        const noise = new Set(evidence?.belowNoise?.map((set) => set.join()));
        const listed = spectrum.terms.filter(({ members }) => members.length > 1 && !noise.has(members.join()));
        expect(listed).toEqual([]);
      }
    }
  });

  it('has standard errors that cover the truth: of the terms of 12 players, 9 in 10 lie within two', async () => {
    let [within, count] = [0, 0];
    for (const seed of [1, 2, 3]) {
      const game = bent(12, 10, seed);
      const truth = fourierFromTable(await game.value(allMasks(12)));
      const { spectrum, evidence } = await gradspexSolver.solve(game, { budget: 240, seed });
      spectrum.terms.slice(0, 100).forEach(({ members, value }, k) => {
        if (members.length === 0) return;
        const at = members.reduce((sum, i) => sum + 2 ** i, 0);
        count++;
        if (Math.abs(value - truth[at]) <= 2 * (evidence?.standardErrors?.[k] ?? NaN)) within++;
      });
    }
    expect(within / count).toBeGreaterThan(0.9);
  });

  it('answers in the measure it is asked for', async () => {
    const game = bent(16, 12, 6);
    const { spectrum } = await gradspexSolver.solve(game, { budget: 300, seed: 1, keep: 0.8 });
    expect(spectrum.keep).toBe(0.8);
    const masks = uniformMasks(16, 500, createRandom(8, 'kept'), undefined, 0.8);
    expect(r2(await game.value(masks), evaluate(spectrum, masks))).toBeGreaterThan(0.95);
  });

  it('measures every mask where the budget covers them, and is exact', async () => {
    const game = bent(7, 5, 1);
    const { solver, exact, masks } = await gradspexSolver.solve(game, { budget: 128, seed: 0 });
    expect({ solver, exact, masks }).toEqual({ solver: 'gradspex', exact: true, masks: 128 });
    expect(game.asked.gradients).toBe(0);
  });

  it('says what it cannot do', async () => {
    const game = bent(10, 4, 1);
    await expect(gradspexSolver.solve(valuesOnly(game), { budget: 200, seed: 0 })).rejects.toThrow(/needs gradients/);
    await expect(gradspexSolver.solve(game, { budget: 12, seed: 0 })).rejects.toThrow(
      /a budget of 12 masks for 10 players; at least 24 are needed/,
    );
    const least = await gradspexSolver.solve(game, { budget: 24, seed: 0 });
    expect(least.details).toMatchObject({ measuredGradients: 6, measuredValues: 6 });
    const stopped = AbortSignal.abort();
    await expect(gradspexSolver.solve(openLedger(game), { budget: 200, seed: 0, signal: stopped })).rejects.toThrow(
      /stopped on request/,
    );
  });

  it('gives the same answer for the same seed', async () => {
    const [a, b] = await Promise.all(
      [1, 1].map((seed) => gradspexSolver.solve(bent(20, 12, 5), { budget: 150, seed })),
    );
    expect(a.spectrum).toEqual(b.spectrum);
  });
});

describe('auto on a game with gradients', () => {
  it('takes them where they win', async () => {
    const game = bent(50, 30, 2);
    const { solver, details, masks } = await autoSolver.solve(openLedger(game).account(400), { budget: 400, seed: 0 });
    expect(solver).toBe('gradspex');
    expect(details).toMatchObject({ measuredGradients: 100, measuredValues: 100 });
    expect(masks).toBe(200);
  });

  it.each([
    ['of the other sign', (g: number) => -g],
    ['that are noise', (_g: number, i: number, row: number) => Math.sin(977 * i + 31 * row)],
    ['of a saturated unit', () => 0],
  ] as const)('is within .01 of value-only with gradients %s', { timeout: 120_000 }, async (_name, change) => {
    for (const seed of [1, 2]) {
      const game = misled(bent(24, 14, seed), change);
      const truth = await game.value(unseen(24));
      game.asked.gradients = 0;
      const options = { budget: 600, seed };
      const ours = await autoSolver.solve(openLedger(game).account(600), options);
      const values = await autoSolver.solve(valuesOnly(game), options);
      const [mine, theirs] = [ours, values].map(({ spectrum }) => r2(truth, evaluate(spectrum, unseen(24))));
      expect(game.asked.gradients).toBeLessThanOrEqual(12);
      expect(mine).toBeGreaterThan(theirs - 0.01);
    }
  });

  it('goes on in rounds until it is good enough, every gradient three masks of them', async () => {
    const game = bent(40, 30, 4);
    const { solution, heldOut } = await solve(game, {
      solver: autoSolver,
      budget: 1,
      adaptive: { targetR2: 0.9, maxBudget: 2000 },
      heldOut: 200,
      seed: 0,
    });
    const adaptive = solution.evidence?.adaptive;
    expect(adaptive?.outcome).toBe('reached');
    expect(heldOut?.low).toBeGreaterThan(0.9);
    const [spent] = (adaptive?.rounds ?? []).slice(-1);
    expect(game.asked.gradients * 3 + game.asked.values - 200).toBe(spent.fitted);
    expect(solution.solver).toBe('gradspex');
  });

  it('is scored like any other', async () => {
    const { heldOut, solution } = await solve(bent(40, 30, 3), {
      solver: autoSolver,
      budget: 400,
      heldOut: 300,
      seed: 0,
    });
    expect(solution.solver).toBe('gradspex');
    expect(heldOut?.r2).toBeGreaterThan(heldOut?.firstOrder.high ?? 1);
  });
});
