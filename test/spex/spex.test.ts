import { describe, expect, test } from 'vitest';
import { allMasks, maskHex } from '../../src/masks.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { SpexlensError } from '../../src/errors.ts';
import { gameFromFunction, type Game } from '../../src/game.ts';
import { openLedger, type Entries, type ValueLog } from '../../src/ledger.ts';
import { createRandom } from '../../src/random.ts';
import { refine } from '../../src/spex/refine.ts';
import { noiseLevel } from '../../src/spex/confidence.ts';
import { planSpex } from '../../src/spex/plan.ts';
import { drawMasks } from '../../src/spex/sample.ts';
import { fitSpex, measureBins, spex, type SpexOptions } from '../../src/spex/spex.ts';
import { momentsOf, standardise } from '../../src/spex/standardise.ts';
import { collectBins } from '../../src/spex/transform.ts';
import { createSpectrum, evaluate, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { solverContract } from '../contracts/solver.ts';
import { gameOf, randomSpectrum, supportOf } from './truth.ts';

solverContract('spex', () => spex(), { players: 10, budget: 504, tolerance: 1e-9 });

/** R² of one spectrum against another on fresh uniform masks. */
function heldOut(found: FourierSpectrum, truth: FourierSpectrum, seed: number): number {
  const masks = uniformMasks(truth.players, 500, createRandom(seed, 'fresh'));
  const f = evaluate(truth, masks);
  const g = evaluate(found, masks);
  const mean = f.reduce((sum, value) => sum + value, 0) / f.length;
  return (
    1 -
    f.reduce((sum, value, r) => sum + (value - g[r]) ** 2, 0) / f.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  );
}

function fitTruth(truth: FourierSpectrum, settings: { b: number; t: number }, seed: number, noise = 0) {
  const draw = drawMasks(planSpex(truth.players, settings), seed);
  const clean = evaluate(truth, draw.masks);
  const random = createRandom(seed, 'noise');
  const sigma = noise * momentsOf(clean).deviation;
  const values = clean.map((value) => value + sigma * random.normal());
  const collector = collectBins(draw);
  collector.accept(0, values);
  return fitSpex(collector.bins(), values, seed);
}

describe('recovery', () => {
  test.each([
    [20, 5, 15, 4, 5],
    [64, 5, 40, 6, 4],
    [144, 5, 100, 8, 5],
    [1000, 4, 100, 8, 4],
    [4000, 3, 60, 7, 3],
  ])('noise free, n = %i, t = %i, %i terms, b = %i: exact support and R² = 1', (n, t, count, b, order) => {
    for (const seed of n < 1000 ? [1, 2, 3] : [1]) {
      const truth = randomSpectrum(n, count, order, createRandom(seed));
      const fit = fitTruth(truth, { b, t }, seed);
      expect(supportOf(fit.spectrum)).toEqual(supportOf(truth));
      expect(1 - heldOut(fit.spectrum, truth, seed)).toBeLessThan(1e-20);
      expect(fit).toMatchObject({ recovered: count, kept: 'peeled', unexplainedBins: 0, warnings: [] });
    }
  });

  test('at 5 % noise every true term is found with at most two spurious ones, R² > 0.99', () => {
    for (const seed of [1, 2, 3]) {
      const truth = randomSpectrum(20, 15, 5, createRandom(seed));
      const fit = fitTruth(truth, { b: 4, t: 5 }, seed, 0.05);
      const found = new Set(supportOf(fit.spectrum));
      expect(supportOf(truth).filter((key) => !found.has(key))).toEqual([]);
      expect(found.size - 15).toBeLessThanOrEqual(2);
      expect(heldOut(fit.spectrum, truth, seed)).toBeGreaterThan(0.99);
      expect(
        fit.terms.filter(
          ({ value, members, standardError }) =>
            Math.abs(value - (truth.terms.find((term) => term.members.join() === members.join())?.value ?? 0)) >
            5 * standardError,
        ),
      ).toEqual([]);
    }
  });

  test('ten lone sets of five players among 100, which greedy trees cannot see, are exact from 984 masks', async () => {
    const random = createRandom(4);
    const sets = Array.from({ length: 10 }, () => random.subset(100, 5));
    const truth = createSpectrum(
      'fourier',
      100,
      sets.map((members) => ({ members, value: random.uniform() * 2 - 1 })),
    );
    const { spectrum, masks } = await spex().solve(gameOf(truth), { budget: 1000, seed: 1 });
    expect(masks).toBeLessThanOrEqual(984);
    expect(supportOf(spectrum)).toEqual(supportOf(truth));
    expect(1 - heldOut(spectrum, truth, 1)).toBeLessThan(1e-9);
  });

  test('beyond 256 players the strongest of many null singletons are not let in', () => {
    const truth = randomSpectrum(600, 12, 3, createRandom(2));
    const fit = fitTruth(truth, { b: 4, t: 3 }, 2, 0.1);
    const found = new Set(supportOf(fit.spectrum));
    expect(supportOf(truth).filter((key) => !found.has(key))).toEqual([]);
    expect(found.size - 12).toBeLessThanOrEqual(2);
    expect(fit.singletons).toBeLessThan(10);
  });

  test('a shift and a scale of the game shift F(∅) and scale the terms', () => {
    const truth = randomSpectrum(20, 10, 3, createRandom(6));
    const moved = createSpectrum('fourier', 20, [
      { members: [], value: -5000 },
      ...truth.terms.map(({ members, value }) => ({ members, value: 1e-3 * value })),
    ]);
    const { spectrum } = fitTruth(moved, { b: 4, t: 3 }, 6);
    expect(supportOf(spectrum)).toEqual(supportOf(truth));
    expect(spectrum.terms[0]).toMatchObject({ members: [] });
    expect(spectrum.terms.map(({ value }) => value)).toBeAllClose(
      moved.terms.map(({ value }) => value),
      1e-9,
    );
  });
});

describe('what a solution says about itself', () => {
  test('evidence for every term, marks on noise, scores of every refit, counts of masks', async () => {
    const truth = randomSpectrum(24, 12, 3, createRandom(3));
    const noise = createRandom(8);
    const exact = gameOf(truth);
    const noisy: Game = {
      ...exact,
      value: async (masks, options) => {
        const values = (await exact.value(masks)).map((value) => value + 0.2 * noise.normal());
        const rows = Array.from({ length: masks.count }, (_, row) => row);
        options?.onValues?.(rows, values);
        return values;
      },
    };
    const { details, masks } = await spex({ t: 3, b: 4 }).solve(openLedger(noisy), { budget: 5000, seed: 3 });
    expect(details).toMatchObject({ plan: { t: 3, b: 4, masks: { raw: 912, unique: masks } }, totalBins: 48 });
    const { terms, refits, kept, energyExplained } = details as unknown as ReturnType<typeof fitSpex>;
    expect(refits.map(({ fit }) => fit)).toEqual(['peeled', 'leastSquares', 'lasso', 'ridge']);
    expect(refits.every(({ heldError }) => heldError !== undefined && heldError > 0.02 && heldError < 0.2)).toBe(true);
    const least = Math.min(...refits.map(({ heldError }) => heldError ?? Infinity));
    const near = refits.filter(({ heldError }) => (heldError ?? Infinity) <= least * (1 + Math.sqrt(2 / masks)));
    expect(near.map(({ fit }) => fit)).toContain(kept);
    expect(refits.find(({ fit }) => fit === kept)?.terms).toBe(Math.min(...near.map((refit) => refit.terms)));
    expect(energyExplained).toBeGreaterThan(0.9);
    const strong = terms.filter(({ belowNoise, members }) => !belowNoise && members.length > 0);
    expect(strong.map(({ members }) => members.join()).sort()).toEqual(supportOf(truth));
    for (const { seenInBins, standardError } of strong) {
      expect(seenInBins).toBeGreaterThan(0);
      expect(standardError).toBeGreaterThan(0.2 / Math.sqrt(912) / 2);
      expect(standardError).toBeLessThan((2 * 0.2) / Math.sqrt(912));
    }
  });

  test('a game with far more terms than bins is warned about', () => {
    const truth = randomSpectrum(30, 3000, 5, createRandom(2));
    expect(fitTruth(truth, { b: 3, t: 5 }, 2).warnings.join(' ')).toMatch(/explain .* % of the samples' variance/);
  });

  test('refinement keeps the least held-out error, and singletons that decoding missed can come in', () => {
    // Many small singles under two large terms: no bin is a singleton of theirs, regression sees them.
    const random = createRandom(12);
    const truth = createSpectrum('fourier', 40, [
      { members: [1, 2, 3], value: 3 },
      { members: [4, 9], value: -3 },
      ...Array.from({ length: 40 }, (_, i) => ({ members: [i], value: 0.4 + 0.2 * random.uniform() })),
    ]);
    const draw = drawMasks(planSpex(40, { b: 3, t: 3 }), 1);
    const values = evaluate(truth, draw.masks);
    const collector = collectBins(draw);
    collector.accept(0, values);
    const moments = momentsOf(values);
    const bins = standardise(collector.bins(), moments);
    const peeled = [
      { members: [1, 2, 3], value: 3 / moments.deviation },
      { members: [4, 9], value: -3 / moments.deviation },
    ];
    const result = refine(bins, values, moments, peeled, noiseLevel(bins), 1);
    expect(['lasso', 'ridge']).toContain(result.kept);
    expect(result.singletons).toBe(40);
    expect(heldOut(result.spectrum, truth, 3)).toBeGreaterThan(0.999);
  });

  test('refinement can be switched off', async () => {
    const { details } = await spex({ refinement: false, t: 2, b: 3 }).solve(
      gameFromFunction('hash', 12, (row, masks) => Math.sin(masks.words[row] * 12.9898) * 3),
      { budget: 1000, seed: 1 },
    );
    expect(details).toMatchObject({ kept: 'peeled', refits: [] });
  });
});

describe('running and stopping', () => {
  const truth = randomSpectrum(20, 10, 3, createRandom(1));
  const settings: SpexOptions = { t: 3, b: 3 };

  test('the same seed gives the same solution, another seed other masks and the same terms', async () => {
    const run = (seed: number) => spex(settings).solve(gameOf(truth), { budget: 1000, seed });
    const [first, again, other] = [await run(1), await run(1), await run(2)];
    expect(again).toEqual(first);
    expect(supportOf(other.spectrum)).toEqual(supportOf(first.spectrum));
  });

  test('a run that was stopped resumes from its log and measures only the rest', async () => {
    const entries: Entries[] = [];
    const logged = (): number => entries.reduce((sum, { masks }) => sum + masks.count, 0);
    const log: ValueLog = { entries: () => [...entries], append: (more) => entries.push(more) };
    const stop = new AbortController();
    const source = gameOf(truth);
    const inBatches: Game = {
      ...source,
      async value(masks, options = {}) {
        const all = await source.value(masks);
        for (let start = 0; start < masks.count; start += 32) {
          if (options.signal?.aborted) throw new SpexlensError('aborted', 'test', 'stopped.');
          const batch = all.subarray(start, Math.min(masks.count, start + 32));
          options.onValues?.(
            Array.from(batch, (_, k) => start + k),
            batch,
          );
          if (start === 96 && logged() < 200) stop.abort();
        }
        return all;
      },
    };
    await expect(
      spex(settings).solve(openLedger(inBatches, log), { budget: 1000, seed: 1, signal: stop.signal }),
    ).rejects.toMatchObject({ kind: 'aborted' });
    expect(logged()).toBe(128);
    const resumed = openLedger(inBatches, log);
    const solution = await spex(settings).solve(resumed, { budget: 1000, seed: 1 });
    expect(resumed).toMatchObject({ resumed: 128, measured: solution.masks - 128 });
    expect(solution).toEqual(await spex(settings).solve(source, { budget: 1000, seed: 1 }));
  });

  test('a game that reports no batches is answered all the same', async () => {
    const source = gameOf(truth);
    const quiet: Game = { ...source, value: (masks) => source.value(masks) };
    expect(await spex(settings).solve(quiet, { budget: 1000, seed: 1 })).toEqual(
      await spex(settings).solve(source, { budget: 1000, seed: 1 }),
    );
  });

  test('asks in bounded chunks, each mask once', async () => {
    const sizes: number[] = [];
    const seen = new Set<string>();
    const game: Game = {
      ...gameFromFunction('linear', 60, (row, masks) => masks.words[row * masks.stride] & 1),
      async value(masks) {
        sizes.push(masks.count);
        for (let row = 0; row < masks.count; row++) seen.add(maskHex(masks, row));
        return Float64Array.from({ length: masks.count }, (_, row) => masks.words[row * masks.stride] & 1);
      },
    };
    const draw = drawMasks(planSpex(60, { b: 6 }), 1);
    await measureBins(game, draw);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2048);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(draw.masks.count);
    expect(seen.size).toBe(draw.masks.count);
  });
});

describe('bad input', () => {
  const linear = (n: number): Game =>
    gameFromFunction('linear', n, (row, masks) => 1 + 2 * (masks.words[row * masks.stride] & 1));

  test.each([0, 1, 2])('%i players are enumerated: the exact spectrum from 2^n masks', async (n) => {
    const { spectrum, masks, exact } = await spex().solve(linear(n), { budget: 100, seed: 1 });
    expect(exact).toBe(true);
    expect(masks).toBe(2 ** n);
    const all = allMasks(n);
    expect([...evaluate(spectrum, all)]).toEqual([...(await linear(n).value(all))]);
  });

  test('two players with three masks are a budget error', async () => {
    await expect(spex().solve(linear(2), { budget: 3, seed: 1 })).rejects.toMatchObject({ kind: 'budget' });
  });

  test('a budget below the plan throws before anything is measured, naming what would do', async () => {
    let asked = 0;
    const game: Game = {
      ...linear(20),
      value: async (masks) => ((asked += masks.count), new Float64Array(masks.count)),
    };
    await expect(spex().solve(game, { budget: 600, seed: 1 })).rejects.toThrow(/at least 672.*t = 4/);
    expect(asked).toBe(0);
    const solution = await spex({ degrade: true }).solve(linear(20), { budget: 600, seed: 1 });
    expect(solution.details).toMatchObject({ plan: { t: 4 } });
    expect(solution.masks).toBeLessThanOrEqual(600);
  });

  test('a budget that covers the cube suffices, however often the plan repeats its masks', async () => {
    const { masks, spectrum } = await spex().solve(openLedger(linear(7)).account(128), { budget: 128, seed: 1 });
    expect(masks).toBeLessThanOrEqual(128);
    expect(supportOf(spectrum)).toEqual(['0']);
  });

  test.each([Number.NaN, Infinity, -Infinity])('a value of %d is an input error that names its mask', async (bad) => {
    let hex = '';
    const game: Game = {
      ...linear(16),
      async value(masks) {
        const values = new Float64Array(masks.count);
        values[masks.count - 5] = bad;
        hex = maskHex(masks, masks.count - 5);
        return values;
      },
    };
    await expect(spex({ t: 2 }).solve(game, { budget: 1000, seed: 1 })).rejects.toThrow(
      new RegExp(`mask ${hex} .*${bad}`),
    );
  });

  test('a constant game is its constant, with nothing else and no division by zero', async () => {
    const { spectrum, details } = await spex({ t: 2 }).solve(
      gameFromFunction('constant', 16, () => 0.1 + 0.2),
      { budget: 1000, seed: 1 },
    );
    expect(spectrum.terms).toEqual([{ members: [], value: expect.closeTo(0.3, 15) as number }]);
    expect(details).toMatchObject({ energyExplained: 1, rounds: 0, warnings: [] });
  });
});
