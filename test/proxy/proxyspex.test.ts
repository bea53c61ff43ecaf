import { describe, expect, test } from 'vitest';
import { allMasks, masksFromRows, concatMasks, isKept, maskHex, selectRows, type Masks } from '../../src/masks.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { gameFromFunction } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import { boost } from '../../src/proxy/trees/boost.ts';
import { fitFirstOrder } from '../../src/proxy/first-order.ts';
import { fitProxySpex } from '../../src/proxy/fit.ts';
import { endOf, mergeRepeats } from '../../src/proxy/measured.ts';
import { createProxySpexSolver, proxyMasks, proxyspexSolver } from '../../src/proxy/proxyspex.ts';
import { createPolynomial, largestTerms } from '../../src/proxy/parities/sparse-polynomial.ts';
import { closeDownwards, closeLargest, sparsify } from '../../src/proxy/sparsify.ts';
import { treeFourier } from '../../src/proxy/trees/tree-fourier.ts';
import { DEEPEST, type TuneGrid } from '../../src/proxy/trees/tune.ts';
import { createRandom } from '../../src/random.ts';
import { directSubsetRate } from '../../src/spectrum/energy.ts';
import { scoreR2, squaredError } from '../../src/spectrum/regression/folds.ts';
import { createSpectrum, evaluate, setKey, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { solverContract } from '../contracts/solver.ts';

const QUICK: TuneGrid = { maxDepth: [3, 5], numIterations: [50, 200], learningRate: [0.1] };

/** 16 players; interactions up to order 3 under their members, as in a small model. */
function sixteen(): FourierSpectrum {
  const random = createRandom(11);
  const pairs = [
    [0, 1],
    [2, 3],
    [4, 5],
    [1, 6],
    [7, 8],
    [2, 9],
    [3, 10],
    [11, 12],
  ];
  const triples = [
    [0, 1, 6],
    [2, 3, 10],
    [4, 5, 11],
  ];
  const term = (members: number[], size: number): { members: number[]; value: number } => ({
    members,
    value: size * (random.uniform() < 0.5 ? -1 : 1) * (0.5 + random.uniform()),
  });
  const singles = Array.from({ length: 16 }, (_, i) => term([i], i < 13 ? 0.5 : 0.05));
  return createSpectrum('fourier', 16, [
    { members: [], value: 2 },
    ...singles,
    ...pairs.map((s) => term(s, 0.4)),
    ...triples.map((s) => term(s, 0.25)),
  ]);
}

function r2Of(spectrum: FourierSpectrum, truth: FourierSpectrum, masks: Masks): number {
  const y = evaluate(truth, masks);
  return scoreR2(y, squaredError(y, evaluate(spectrum, masks)));
}

describe('trees that are chains', () => {
  const [links, players, keep] = [25, 60, 0.98];
  const masks = uniformMasks(players, 500, createRandom(5), undefined, keep);
  const values = Float64Array.from({ length: masks.count }, (_, row) =>
    Number(Array.from({ length: links }, (__, i) => isKept(masks, row, i)).every(Boolean)),
  );

  test('are grown no deeper than their spectrum can be read', async () => {
    const free = boost(masks, values, { numIterations: 5, minDataInLeaf: 2 });
    expect(() => treeFourier(free.ensemble, keep)).toThrow('a path of more than 20 players');
    const grid: TuneGrid = { maxDepth: [3, -1], numIterations: [8], learningRate: [0.1] };
    const fit = await fitProxySpex(masks, values, { grid, keep, minDataInLeaf: 2, folds: 2 });
    expect(fit.setting?.maxDepth).toBe(DEEPEST);
    expect(fit.table.map(({ maxDepth }) => maxDepth)).toEqual([3, DEEPEST]);
    expect(Math.max(...fit.spectrum.terms.map(({ members }) => members.length))).toBeLessThanOrEqual(DEEPEST);
    const [shallow, deep] = fit.table;
    expect(deep.r2!).toBeGreaterThan(shallow.r2! + 0.1);
  });

  test('of a depth beyond that are refused before they are grown', async () => {
    const grid: TuneGrid = { maxDepth: [25], numIterations: [5], learningRate: [0.1] };
    await expect(fitProxySpex(masks, values, { grid, keep })).rejects.toThrow('maxDepth 25; at most 20, or -1 for 12');
  });

  test('leave a closure with as many of their largest terms as it has room for', () => {
    const polynomial = treeFourier({ players, base: 0, trees: [] });
    const wide = (first: number): { members: number[]; value: number } => ({
      members: Array.from({ length: 12 }, (_, k) => first + k),
      value: 1,
    });
    const terms = [{ members: [], value: 2 }, wide(0), wide(20), wide(40)];
    expect(() => closeDownwards(terms, polynomial)).toThrow('4 terms have more than 5000 subsets');
    expect(closeLargest(terms, polynomial)).toHaveLength(2 ** 12);
    expect(closeLargest(terms.slice(0, 2), polynomial)).toEqual(closeDownwards(terms.slice(0, 2), polynomial));
  });
});

describe('fitProxySpex', () => {
  test('reads a sparse 16-player game from 1,024 masks: R² > .99, top interactions, refit accepted', async () => {
    const truth = sixteen();
    const masks = proxyMasks(16, 1024, 0);
    const fit = await fitProxySpex(masks, evaluate(truth, masks), { grid: QUICK });
    const fresh = uniformMasks(16, 2000, createRandom(99));
    expect(fit.kind).toBe('refit');
    expect(fit.cv.map(({ kind, energy }) => `${kind} ${energy}`)).toEqual([
      'sparse 0.95',
      'refit 0.95',
      'sparse 0.99',
      'refit 0.99',
      'sparse 1',
      'refit 1',
      'trees 1',
    ]);
    const trees = fit.cv.at(-1)!.r2;
    expect(Math.max(...fit.cv.filter((row) => row.kind === 'refit').map((row) => row.r2))).toBeGreaterThan(trees);
    expect(r2Of(fit.spectrum, truth, fresh)).toBeGreaterThan(0.99);
    expect(r2Of(fitFirstOrder(masks, evaluate(truth, masks)).spectrum, truth, fresh)).toBeLessThan(0.85);
    const top = (spectrum: FourierSpectrum): string[] =>
      spectrum.terms
        .filter((term) => term.members.length > 1)
        .slice(0, 10)
        .map((term) => setKey(term.members))
        .sort();
    expect(top(fit.spectrum)).toEqual(top(truth));
    expect(fit.table).toHaveLength(4);
    expect(
      fit.table.find((row) => row.maxDepth === fit.setting?.maxDepth && row.numIterations === fit.setting.numIterations)
        ?.r2,
    ).toBeCloseTo(trees, 10);
  });

  test('refit can be forced and forbidden, and the same seed gives the same answer', async () => {
    const truth = sixteen();
    const masks = proxyMasks(16, 200, 0);
    const y = evaluate(truth, masks);
    const always = await fitProxySpex(masks, y, { grid: QUICK, refit: 'always', energy: [0.95], cap: 20 });
    expect(always.kind).toBe('refit');
    expect(always.alpha).toBeGreaterThan(0);
    expect(always.spectrum.terms.length).toBeLessThanOrEqual(21);
    const never = await fitProxySpex(masks, y, { grid: QUICK, refit: 'never' });
    expect(['trees', 'sparse']).toContain(never.kind);
    expect(never.alpha).toBeUndefined();
    expect(await fitProxySpex(masks, y, { grid: QUICK, refit: 'never' })).toEqual(never);
  });

  test('what is kept is what cross-validation prefers, and its terms obey maxTerms', async () => {
    // Many small terms: dropping them costs more than it gains.
    const random = createRandom(5);
    const sets = Array.from({ length: 300 }, () => random.subset(12, 1 + random.integer(3)));
    const unique = [...new Map(sets.map((set) => [setKey(set), set])).values()];
    const truth = createSpectrum(
      'fourier',
      12,
      unique.map((members) => ({ members, value: random.normal() / members.length })),
    );
    const masks = proxyMasks(12, 300, 1);
    const fit = await fitProxySpex(masks, evaluate(truth, masks), { grid: QUICK, cap: 10, maxTerms: 500 });
    expect(fit.kind).toBe('trees');
    expect(Math.max(...fit.cv.map((row) => row.r2))).toBe(fit.cv.at(-1)!.r2);
    expect(fit.spectrum.terms.length).toBeLessThanOrEqual(501);
    expect(fit.energyKept).toBeGreaterThan(0.9);
  });

  test('an end mask that is an outlier is left out of the fit, one that fits is kept', async () => {
    const truth = sixteen();
    const masks = proxyMasks(16, 300, 3);
    const y = evaluate(truth, masks);
    const [empty, full] = [0, 1];
    expect([endOf(masks, empty), endOf(masks, full), endOf(masks, 2)]).toEqual(['empty', 'full', undefined]);
    const plain = await fitProxySpex(masks, y, { grid: QUICK, cap: 50 });
    const broken = await fitProxySpex(masks, y.with(empty, -1000), { grid: QUICK, cap: 50 });
    expect(broken.endMasks).toMatchObject([
      { end: 'empty', value: -1000, fitted: false },
      { end: 'full', fitted: plain.endMasks[1].fitted },
    ]);
    expect(broken.masks).toBe(plain.masks - Number(plain.endMasks[0].fitted));
    const fresh = uniformMasks(16, 1000, createRandom(98));
    expect(r2Of(broken.spectrum, truth, fresh)).toBeGreaterThan(0.8);
    const kept = await fitProxySpex(masks, y.with(empty, -1000), { grid: QUICK, cap: 50, endMasks: 'keep' });
    expect(r2Of(kept.spectrum, truth, fresh)).toBeLessThan(r2Of(broken.spectrum, truth, fresh));
    expect((await fitProxySpex(masks, y, { grid: QUICK, cap: 50, endMasks: 'drop' })).masks).toBe(298);
  });

  test('constant values are ∅ alone', async () => {
    const masks = proxyMasks(10, 30, 0);
    const fit = await fitProxySpex(masks, new Float64Array(30).fill(-3));
    expect(fit.kind).toBe('constant');
    expect(fit.spectrum.terms).toEqual([{ members: [], value: -3 }]);
  });

  test('values that no player explains still give a finite answer near their mean', async () => {
    const random = createRandom(8);
    const masks = proxyMasks(10, 60, 0);
    const y = Float64Array.from({ length: 60 }, () => 5 + random.normal());
    const fit = await fitProxySpex(masks, y, { grid: QUICK });
    expect(Math.max(...fit.cv.map((row) => row.r2))).toBeLessThan(0.3);
    expect(Number.isFinite(fit.rmse)).toBe(true);
    const two = masksFromRows(
      Array.from({ length: 12 }, (_, r) =>
        [r & 1, (r >> 1) & 1, (r >> 2) & 1, r >> 3].concat(Array.from({ length: 8 }, () => 1)),
      ),
    );
    const lone = await fitProxySpex(
      two,
      Float64Array.from({ length: 12 }, (_, r) => (r === 3 ? 1 : 0)),
      { grid: QUICK, minDataInLeaf: 6 },
    );
    expect(lone.spectrum.terms[0]?.members ?? []).toEqual([]);
  });

  test('one player, and any game with all of its masks, is transformed exactly', async () => {
    const one = await fitProxySpex(allMasks(1), [3, 7]);
    expect(one.kind).toBe('complete');
    expect(one.spectrum.terms).toEqual([
      { members: [], value: 5 },
      { members: [0], value: -2 },
    ]);
    const shuffled = selectRows(allMasks(3), [5, 0, 7, 1, 3, 2, 6, 4]);
    const and = await fitProxySpex(
      shuffled,
      Float64Array.from({ length: 8 }, (_, r) => (isKept(shuffled, r, 0) && isKept(shuffled, r, 2) ? 4 : 0)),
    );
    expect(Object.fromEntries(and.spectrum.terms.map((term) => [setKey(term.members), term.value]))).toEqual({
      '': 1,
      '0': -1,
      '2': -1,
      '0,2': 1,
    });
  });

  test('a mask measured twice counts once with its mean, and the noise is reported', async () => {
    const masks = uniformMasks(6, 20, createRandom(1));
    const twice = concatMasks([masks, selectRows(masks, [4, 4, 9])]);
    const values = Float64Array.from({ length: 23 }, (_, r) => r);
    const merged = mergeRepeats('test', twice, values);
    expect(merged.masks.words).toEqual(masks.words);
    expect(merged.values[4]).toBeCloseTo((4 + 20 + 21) / 3, 12);
    expect(merged.values[9]).toBeCloseTo((9 + 22) / 2, 12);
    // Sums of squares 182 (4, 20, 21) and 84.5 (9, 22) over three surplus values.
    expect(merged.noise).toEqual({ repeated: 2, deviation: expect.closeTo(Math.sqrt((182 + 84.5) / 3), 10) });
    const fit = await fitProxySpex(twice, values, { grid: QUICK });
    expect(fit.noise).toEqual(merged.noise);
    expect(fit.masks).toBeLessThanOrEqual(20);
  });

  test('fewer masks than folds, values that are not finite and miscounted values are errors with numbers', async () => {
    const masks = uniformMasks(8, 4, createRandom(1));
    await expect(fitProxySpex(masks, [1, 2, 3, 4])).rejects.toThrow(
      '4 distinct masks for 5 folds; measure at least 5 masks',
    );
    await expect(fitProxySpex(masks, [1, Number.NaN, 3, 4])).rejects.toThrow(
      `the value of mask 1 (${maskHex(masks, 1)}) is NaN`,
    );
    await expect(fitProxySpex(masks, [1, 2, 3])).rejects.toThrow('3 values for 4 masks');
    await expect(fitProxySpex(uniformMasks(8, 0, createRandom(1)), [])).rejects.toThrow('no masks');
    await expect(fitProxySpex(masksFromRows([[]]), [1])).rejects.toThrow('0 players');
    await expect(
      fitProxySpex(
        uniformMasks(8, 30, createRandom(1)),
        Array.from({ length: 30 }, (_, i) => i),
        { grid: { ...QUICK, maxDepth: [] } },
      ),
    ).rejects.toThrow('a grid of 0 depths');
  });
});

describe('fitFirstOrder', () => {
  test('finds an additive function, by LASSO and by ridge', () => {
    const truth = createSpectrum('fourier', 12, [
      { members: [], value: 1 },
      { members: [2], value: -3 },
      { members: [7], value: 1.5 },
    ]);
    const masks = uniformMasks(12, 80, createRandom(2));
    for (const method of ['lasso', 'ridge'] as const) {
      const { spectrum, heldError } = fitFirstOrder(masks, evaluate(truth, masks), { method });
      expect(spectrum.terms.slice(0, 3).map((term) => setKey(term.members))).toEqual(['2', '7', '']);
      expect(spectrum.terms[0].value).toBeCloseTo(-3, 1);
      expect(heldError).toBeLessThan(0.01);
    }
  });
});

describe('proxyspex as a solver', () => {
  const truth = sixteen();
  const game = gameFromFunction('sixteen', 16, (row, masks) => evaluate(truth, selectRows(masks, [row]))[0]);
  const quick = createProxySpexSolver({ grid: QUICK });

  test('draws distinct masks with both ends, within the budget, and reports its progress', async () => {
    const metered = openLedger(game).account(150);
    const stages = new Set<string>();
    const solution = await quick.solve(metered, { budget: 150, seed: 4, onProgress: ({ stage }) => stages.add(stage) });
    expect(metered.asked).toBe(150);
    expect(solution).toMatchObject({ solver: 'proxyspex', masks: 150, exact: false });
    expect([...stages]).toEqual(['measure', 'tune', 'refine', 'fit']);
    expect(JSON.parse(JSON.stringify(solution.details))).toMatchObject({
      kind: expect.any(String),
      alphaMasks: 150 / 64,
    });
    expect(await quick.solve(game, { budget: 150, seed: 4 })).toEqual(solution);
    expect((await quick.solve(game, { budget: 150, seed: 5 })).spectrum).not.toEqual(solution.spectrum);
    const masks = proxyMasks(16, 150, 4);
    expect(new Set(Array.from({ length: 150 }, (_, r) => maskHex(masks, r))).size).toBe(150);
    expect([endOf(masks, 0), endOf(masks, 1)]).toEqual(['empty', 'full']);
  });

  test('a budget of 2^n gives the exact spectrum', async () => {
    const xor = gameFromFunction('xor', 4, (row, masks) => (masks.words[row].toString(2).split('1').length - 1) % 2);
    const solution = await proxyspexSolver.solve(xor, { budget: 100, seed: 0 });
    expect(solution).toMatchObject({ exact: true, masks: 16 });
    expect(solution.spectrum.terms).toEqual([
      { members: [], value: 0.5 },
      { members: [0, 1, 2, 3], value: -0.5 },
    ]);
  });

  test('a budget too small to cross-validate is a budget error that names the smallest one', async () => {
    await expect(proxyspexSolver.solve(game, { budget: 11, seed: 0 })).rejects.toMatchObject({
      kind: 'budget',
      message: expect.stringContaining(
        'a budget of 11 masks for 16 players is too small to cross-validate; at least 12',
      ),
    });
    await expect(proxyspexSolver.solve(game, { budget: 0, seed: 0 })).rejects.toThrow('0 masks; a whole number >= 1');
  });

  test('stops when the signal fires, also while fitting', async () => {
    const controller = new AbortController();
    const solving = quick.solve(game, {
      budget: 150,
      seed: 0,
      signal: controller.signal,
      onProgress: ({ stage }) => stage === 'tune' && controller.abort(),
    });
    await expect(solving).rejects.toMatchObject({ kind: 'aborted' });
  });
});

solverContract('proxyspex', () => createProxySpexSolver({ grid: QUICK, cap: 60 }), {
  players: 9,
  budget: 150,
  tolerance: 0.1,
});

describe('hierarchical closure', () => {
  test('adds every missing subset with its value in the trees, and no other', async () => {
    const { masks, y } = { masks: uniformMasks(10, 400, createRandom(8)), y: new Float64Array(400) };
    for (let row = 0; row < 400; row++)
      y[row] = [0, 3, 7].every((i) => isKept(masks, row, i)) ? 4 : isKept(masks, row, 5) ? 1 : 0;
    const polynomial = treeFourier(boost(masks, y, { numIterations: 60 }).ensemble);
    const largest = sparsify(polynomial, { energy: 0.6, cap: 3 });
    const closed = closeDownwards(largest, polynomial);
    const keys = new Set(closed.map(({ members }) => setKey(members)));
    for (const { members } of closed)
      for (const player of members) expect(keys).toContain(setKey(members.filter((other) => other !== player)));
    const all = new Map(
      largestTerms(polynomial, polynomial.size).map(({ members, value }) => [setKey(members), value]),
    );
    for (const { members, value } of closed.slice(largest.length)) expect(value).toBe(all.get(setKey(members)) ?? 0);
    expect(closed.slice(0, largest.length)).toEqual(largest);
    const fit = await fitProxySpex(masks, y, {
      closure: true,
      refit: 'always',
      cap: 20,
      energy: [0.9],
      grid: { maxDepth: [3], numIterations: [50], learningRate: [0.1] },
    });
    expect(directSubsetRate(fit.spectrum)).toBe(1);
  });

  test('refuses sets whose subsets are too many', () => {
    const polynomial = createPolynomial(40);
    expect(() => closeDownwards([{ members: Array.from({ length: 20 }, (_, i) => i), value: 1 }], polynomial)).toThrow(
      /1 terms have more than 5000 subsets/,
    );
  });
});
