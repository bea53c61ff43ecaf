/**
 * The laws every solver keeps, as a suite: call `solverContract(name, makeSolver, settings)` in its test file.
 *
 * Written against `Solver` alone, so what differs between solvers is a setting (how many players and masks,
 * how near the answer must come), never a law.
 */
import { describe, expect, it } from 'vitest';
import { allMasks, isKept, maskHex, type Masks } from '../../src/masks.ts';
import { SpexlensError } from '../../src/errors.ts';
import { gameFromFunction, type Game } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import type { Solver } from '../../src/solver.ts';
import { compareTerms, createSpectrum, evaluate } from '../../src/spectrum/spectrum.ts';

export interface ContractSettings {
  /** n of the games, 3..16. */
  readonly players: number;
  /** Masks the solver needs for them at most. */
  readonly budget: number;
  /** Largest |f̂ - f| on any mask, in units of the spread max f - min f of the game. */
  readonly tolerance: number;
  /** Names its solutions may carry, for a solver that hands the work to others; default its own. */
  readonly carries?: readonly string[];
}

const constant = (n: number, c: number): Game => gameFromFunction('constant', n, () => c);

const additive = (n: number): Game =>
  gameFromFunction('additive', n, (row, masks) => {
    let sum = 1;
    for (let i = 0; i < n; i++) if (isKept(masks, row, i)) sum += (i + 1) * (i % 2 === 0 ? 1 : -1);
    return sum;
  });

const and = (n: number): Game =>
  gameFromFunction('and', n, (row, masks) => (isKept(masks, row, 0) && isKept(masks, row, n - 1) ? 3 : 0));

/** A game that counts every distinct mask it is asked for. */
function counted(game: Game): { game: Game; masks: Set<string> } {
  const masks = new Set<string>();
  const value: Game['value'] = async (asked, options) => {
    for (let row = 0; row < asked.count; row++) masks.add(maskHex(asked, row));
    return game.value(asked, options);
  };
  return { game: { ...game, value }, masks };
}

async function errorOf(promise: Promise<unknown>): Promise<SpexlensError> {
  const error: unknown = await promise.then(
    () => new Error('no error was thrown'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SpexlensError);
  return error as SpexlensError;
}

export function solverContract(
  name: string,
  makeSolver: () => Solver,
  { players: n, budget, tolerance, carries = [name] }: ContractSettings,
): void {
  describe(`${name} keeps the solver contract`, () => {
    const solve = (game: Game, more: object = {}) => makeSolver().solve(game, { budget, seed: 7, ...more });

    it('carries its name into the solution', async () => {
      const solution = await solve(additive(n));
      expect(makeSolver().name).toBe(name);
      expect(carries).toContain(solution.solver);
    });

    it.each([2.5, -1e-6, 0])('finds only the empty set in the constant game %d', async (c) => {
      const { spectrum } = await solve(constant(n, c));
      expect(spectrum.terms).toHaveLength(1);
      expect(spectrum.terms[0].members).toEqual([]);
      expect(spectrum.terms[0].value).toBeCloseTo(c, 12);
    });

    it.each([
      ['an additive game', additive(n)],
      ['an AND of two players', and(n)],
    ])('finds %s within its tolerance on every mask', async (_, game) => {
      const { spectrum } = await solve(game);
      const masks = allMasks(n);
      const truth = await game.value(masks);
      const found = evaluate(spectrum, masks);
      const spread = Math.max(...truth) - Math.min(...truth);
      const worst = truth.reduce((most, value, row) => Math.max(most, Math.abs(value - found[row])), 0);
      expect(worst / spread).toBeLessThanOrEqual(tolerance);
    });

    it('puts the pair of an AND among its interactions, with the sign of a product', async () => {
      const { spectrum } = await solve(and(n));
      const pair = spectrum.terms.find(({ members }) => members.length === 2);
      expect(pair?.members).toEqual([0, n - 1]);
      expect(pair?.value).toBeGreaterThan(0); // F({i,j}) = +3/4: sub-additive games have it negative
    });

    it('returns a canonical spectrum over the players of the game', async () => {
      const { spectrum } = await solve(additive(n));
      expect(spectrum.basis).toBe('fourier');
      expect(spectrum.players).toBe(n);
      expect([...spectrum.terms].sort(compareTerms)).toEqual(spectrum.terms);
      expect(createSpectrum('fourier', n, spectrum.terms)).toEqual(spectrum);
    });

    it('rejects NaN with an input error that names a mask of that value', async () => {
      const broken = new Set<string>();
      const game = gameFromFunction('broken', n, (row: number, masks: Masks) => {
        if (!isKept(masks, row, 0) || isKept(masks, row, 1)) return row;
        broken.add(maskHex(masks, row));
        return Number.NaN;
      });
      const error = await errorOf(solve(game));
      expect(error.kind).toBe('input');
      expect(error.message).toContain('NaN');
      expect([...broken].some((hex) => error.message.includes(hex))).toBe(true);
    });

    it('rejects infinity likewise', async () => {
      expect((await errorOf(solve(constant(n, Infinity)))).kind).toBe('input');
    });

    it('measures no more masks than its budget, and reports how many', async () => {
      const { game, masks } = counted(additive(n));
      const solution = await solve(openLedger(game).account(budget));
      expect(masks.size).toBeLessThanOrEqual(budget);
      expect(solution.masks).toBe(masks.size);
    });

    it('throws a budget error when one mask is all it may measure', async () => {
      const error = await errorOf(solve(openLedger(additive(n)).account(1), { budget: 1 }));
      expect(error.kind).toBe('budget');
      expect(error.message).toMatch(/\d/);
    });

    it('gives the same answer for the same seed', async () => {
      const [first, second] = [await solve(additive(n)), await solve(additive(n))];
      expect(second.spectrum).toEqual(first.spectrum);
      expect(second.masks).toBe(first.masks);
      expect(second.exact).toBe(first.exact);
    });

    it('stops before measuring when its signal has fired', async () => {
      const { game, masks } = counted(additive(n));
      expect((await errorOf(solve(game, { signal: AbortSignal.abort() }))).kind).toBe('aborted');
      expect(masks.size).toBe(0);
    });

    it('hands its signal to the game, so that a run stops between batches', async () => {
      const stop = new AbortController();
      const game: Game = {
        ...additive(n),
        async value(masks, options = {}) {
          stop.abort();
          return additive(n).value(masks, options);
        },
      };
      expect((await errorOf(solve(game, { signal: stop.signal }))).kind).toBe('aborted');
    });

    it('reports progress that never passes its total', async () => {
      const seen: { stage: string; done: number; total: number }[] = [];
      await solve(additive(n), {
        onProgress: (progress: { stage: string; done: number; total: number }) => seen.push(progress),
      });
      expect(seen.length).toBeGreaterThan(0);
      for (const { stage, done, total } of seen) {
        expect(stage).not.toBe('');
        expect(done).toBeLessThanOrEqual(total);
      }
    });

    it('explains itself in plain JSON', async () => {
      const { details } = await solve(and(n));
      expect(JSON.parse(JSON.stringify(details))).toEqual(details);
    });

    it.each([1, 2])('answers or explains itself at n = %i', async (small) => {
      const game = additive(small);
      let found: Awaited<ReturnType<Solver['solve']>>;
      try {
        found = await solve(game);
      } catch (error) {
        expect(error).toBeInstanceOf(SpexlensError);
        expect(['input', 'budget']).toContain((error as SpexlensError).kind);
        return;
      }
      const masks = allMasks(small);
      const truth = await game.value(masks);
      expect(found.spectrum.players).toBe(small);
      for (const value of evaluate(found.spectrum, masks)) {
        expect(value).toBeGreaterThanOrEqual(Math.min(...truth) - 1);
        expect(value).toBeLessThanOrEqual(Math.max(...truth) + 1);
      }
    });
  });
}
