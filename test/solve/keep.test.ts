/** Masks that keep more than half of the players: drawn, fitted, scored and read in one measure. */
import { describe, expect, it } from 'vitest';
import { explain } from '../../src/explain.ts';
import { gameFromFunction, type Game } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import { allMasks, isKept, maskBytes, maskHex } from '../../src/masks.ts';
import { boost } from '../../src/proxy/trees/boost.ts';
import { polynomialSpectrum, treeFourier } from '../../src/proxy/trees/tree-fourier.ts';
import { predict } from '../../src/proxy/trees/tree.ts';
import { createRandom } from '../../src/random.ts';
import { measureFloor } from '../../src/solve/float-floor.ts';
import { solve, SOLVERS } from '../../src/solve/solve.ts';
import { banzhaf } from '../../src/spectrum/indices.ts';
import { toMeasure } from '../../src/spectrum/measure.ts';
import { setKey } from '../../src/spectrum/spectrum.ts';
import { fourierFromTable, spectrumOfDense, tableOfSpectrum } from '../../src/spectrum/walsh-hadamard.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';

/** Twelve players multiply: at ½ the product is nearly always 0, with most kept it is not. */
const fragile = (n: number): Game =>
  gameFromFunction('fragile', n, (row, masks) => {
    let product = 10;
    for (let i = 0; i < n; i++) if (!isKept(masks, row, i)) product *= 0.2 + 0.03 * i;
    return product;
  });

describe('masks that keep each player with a probability', () => {
  it.each([
    ['one for all', 120, 2000, 0.9],
    ['one each', 40, 2000, Array.from({ length: 40 }, (_, i) => 0.1 + i / 50)],
    ['few players, most masks', 10, 300, 0.6],
  ] as const)('are distinct and kept as often as asked (%s)', (_, n, count, keep) => {
    const masks = uniformMasks(n, count, createRandom(3), undefined, keep);
    const bytes = maskBytes(masks);
    expect(new Set(Array.from({ length: count }, (_row, row) => maskHex(masks, row))).size).toBe(count);
    for (let i = 0; i < n && n > 10; i++) {
      let kept = 0;
      for (let row = 0; row < count; row++) kept += bytes[row * n + i];
      const p = typeof keep === 'number' ? keep : keep[i];
      expect(Math.abs(kept - count * p)).toBeLessThan(4.5 * Math.sqrt(count * p * (1 - p)));
    }
  });

  it('end with an error where likely masks run out', () => {
    expect(() => uniformMasks(25, 5000, createRandom(1), undefined, 0.999)).toThrow(
      /brought no new one. Ask for fewer/,
    );
  });
});

describe('trees in the basis of such masks', () => {
  it.each([0.9, [0.9, 0.3, 0.5, 0.7, 0.8, 0.2, 0.6, 0.95]])('are themselves on every mask (%s)', (keep) => {
    const game = fragile(8);
    const masks = allMasks(8);
    return game.value(masks).then((values) => {
      const { ensemble } = boost(masks, values, { numIterations: 20, maxDepth: 4, minDataInLeaf: 1 });
      const spectrum = polynomialSpectrum(treeFourier(ensemble, keep), undefined, keep);
      expect(tableOfSpectrum(spectrum)).toBeAllClose(predict(ensemble, masks), 1e-9);
      const other = toMeasure(polynomialSpectrum(treeFourier(ensemble)), keep);
      const values1 = new Map(other.terms.map(({ members, value }) => [setKey(members), value]));
      for (const { members, value } of spectrum.terms)
        expect(Math.abs(value - (values1.get(setKey(members)) ?? 0))).toBeLessThan(1e-9);
    });
  });
});

describe('solving under them', () => {
  it.each(['auto', 'proxyspex', 'stack'] as const)(
    '%s answers in their measure, and predicts masks drawn alike',
    async (name) => {
      const ledger = openLedger(fragile(14));
      const { solution, heldOut, firstOrder } = await solve(ledger, {
        solver: SOLVERS[name],
        budget: 250,
        seed: 0,
        heldOut: 150,
        keep: 0.85,
      });
      expect(solution.spectrum.keep).toBe(0.85);
      expect(firstOrder.keep).toBe(0.85);
      expect(heldOut?.r2).toBeGreaterThan(name === 'proxyspex' ? 0.85 : 0.9);
      expect(heldOut?.masks).toBe(150);
      const masks = allMasks(14);
      const exact = spectrumOfDense('fourier', fourierFromTable(await fragile(14).value(masks), 0.85), () => 0, 0.85);
      const [found, truth] = [banzhaf(solution.spectrum), banzhaf(exact)];
      for (let i = 0; i < 14; i++) expect(Math.abs(found[i] - truth[i])).toBeLessThan(0.35 * Math.max(...truth));
    },
    60_000,
  );

  it('is exact where all masks are measured, with players kept each by its own', async () => {
    const keep = Array.from({ length: 8 }, (_, i) => 0.55 + i / 20);
    const { solution } = await solve(openLedger(fragile(8)), {
      solver: SOLVERS.auto,
      budget: 256,
      seed: 0,
      heldOut: 0,
      keep,
    });
    expect(solution).toMatchObject({ exact: true, spectrum: { keep } });
    expect(tableOfSpectrum(solution.spectrum)).toBeAllClose(await fragile(8).value(allMasks(8)), 1e-9);
  });

  it('is not what SPEX can do, and it says so; auto passes it over', async () => {
    const options = { budget: 3000, seed: 0, heldOut: 50, keep: 0.8 };
    await expect(solve(openLedger(fragile(16)), { ...options, solver: SOLVERS.spex })).rejects.toThrow(
      /spex: masks that keep players with probability 0.8 .* Use proxyspex or stack, or leave keep at 0.5/,
    );
  });
});

describe('the floor of a game', () => {
  it('is what its values differ by between batches, and float32 at least', async () => {
    const still = fragile(9);
    const [floor] = [await measureFloor(still, { seed: 0 })];
    expect(floor).toBeLessThanOrEqual(10 * 2 ** -23);
    expect(floor).toBeGreaterThan(0);
    const batchy: Game = {
      ...still,
      value: async (masks, options) => (await still.value(masks, options)).map((value) => value + 1e-3 * masks.count),
    };
    expect(await measureFloor(batchy, { seed: 0 })).toBeCloseTo(5e-3, 6);
  });

  it('is passed on by explain: an interaction below it is not listed', async () => {
    const game = gameFromFunction('small pair', 8, (row, masks) => {
      const on = (i: number): number => (isKept(masks, row, i) ? 1 : 0);
      return on(0) + on(1) + 0.01 * on(0) * on(1);
    });
    const silenced = async (floor: number | undefined): Promise<readonly (readonly number[])[]> =>
      (await explain(game, { budget: 256, floor })).solution.evidence?.belowNoise ?? [];
    expect(await silenced(undefined)).not.toContainEqual([0, 1]);
    expect(await silenced(0.1)).toContainEqual([0, 1]);
  });
});
