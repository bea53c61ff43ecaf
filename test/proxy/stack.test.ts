import { describe, expect, test } from 'vitest';
import { hierarchical, staircases } from '../../bench/synthetic.ts';
import { allMasks, isKept } from '../../src/masks.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { fitBest } from '../../src/proxy/best.ts';
import { fitProxySpex } from '../../src/proxy/fit.ts';
import { proxyMasks } from '../../src/proxy/proxyspex.ts';
import { stackWeights } from '../../src/proxy/stack-weights.ts';
import { createStackSolver, fitStack } from '../../src/proxy/stack.ts';
import type { TuneGrid } from '../../src/proxy/trees/tune.ts';
import { createRandom } from '../../src/random.ts';
import { r2 } from '../../src/spectrum/r2.ts';
import { createSpectrum, evaluate, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { tableOfSpectrum } from '../../src/spectrum/walsh-hadamard.ts';
import { solverContract } from '../contracts/solver.ts';

const QUICK: TuneGrid = { maxDepth: [3, 5], numIterations: [50, 200], learningRate: [0.1] };

/** A smooth game of all orders: a squashed sum of effects, as a probability is. */
function squashed(players: number): { truth: Float64Array; at: (words: Uint32Array) => Float64Array } {
  const random = createRandom(21);
  const effects = Array.from({ length: players }, () => 1.2 * random.normal());
  const truth = Float64Array.from(
    { length: 2 ** players },
    (_, j) => 1 / (1 + Math.exp(effects.reduce((sum, e, i) => sum - e * ((j >>> i) & 1), 0.5))),
  );
  return { truth, at: (words) => Float64Array.from(words, (word) => truth[word]) };
}

describe('stackWeights', () => {
  test('finds the mixture, never below zero', () => {
    const random = createRandom(1);
    const columns = [0, 1, 2].map(() => Float64Array.from({ length: 200 }, () => random.normal()));
    const y = Float64Array.from(
      { length: 200 },
      (_, r) => 3 + 0.7 * columns[0][r] + 0.3 * columns[2][r] - 0.2 * columns[1][r],
    );
    const { weights, intercept } = stackWeights(columns, y, 1e-9);
    expect(weights[0]).toBeCloseTo(0.7, 1);
    expect(weights[1]).toBe(0);
    expect(weights[2]).toBeCloseTo(0.3, 1);
    expect(intercept).toBeCloseTo(3, 1);
  });

  test('members that cannot be told apart share the weight', () => {
    const z = Float64Array.from({ length: 50 }, (_, r) => r % 7);
    const { weights } = stackWeights([z, z, z], z, 0.01);
    expect(weights).toBeAllClose([1 / 3, 1 / 3, 1 / 3], 1e-9);
  });
});

describe('fitStack', () => {
  test('predicts a smooth game from few masks with less than three quarters of the error of ProxySPEX, and says which members carried it', async () => {
    const { truth, at } = squashed(12);
    const masks = proxyMasks(12, 100, 2);
    const options = { grid: QUICK, cap: 60 };
    const stack = await fitStack(masks, at(masks.words), options);
    const proxy = await fitProxySpex(masks, at(masks.words), options);
    const score = (spectrum: FourierSpectrum): number => r2(truth, tableOfSpectrum(spectrum));
    expect(1 - score(stack.spectrum)).toBeLessThan(0.75 * (1 - score(proxy.spectrum)));
    expect(stack.kind).toBe('stack');
    expect(stack.members.map((member) => member.name)).toEqual([
      'process',
      'process with amplitude',
      'trees',
      'parities',
      'first order',
    ]);
    expect(stack.members[0].weight + stack.members[1].weight).toBeGreaterThan(
      stack.members[2].weight + stack.members[3].weight,
    );
    expect(stack.r2).toBeGreaterThan(Math.max(...stack.members.map((member) => member.r2)) - 0.02);
    expect(await fitStack(masks, at(masks.words), options)).toEqual(stack);
  });

  test('keeps up with ProxySPEX on a sparse hierarchical game', async () => {
    const truth = hierarchical(12, 3);
    const masks = proxyMasks(12, 200, 0);
    const fresh = allMasks(12);
    const options = { grid: QUICK, cap: 60 };
    const [stack, proxy] = [
      await fitStack(masks, evaluate(truth, masks), options),
      await fitProxySpex(masks, evaluate(truth, masks), options),
    ];
    const expected = evaluate(truth, fresh);
    expect(r2(expected, evaluate(stack.spectrum, fresh))).toBeGreaterThan(
      r2(expected, evaluate(proxy.spectrum, fresh)) - 0.02,
    );
  });

  test('an outlying end mask stays out', async () => {
    const { at } = squashed(12);
    const masks = proxyMasks(12, 80, 2);
    const stack = await fitStack(masks, at(masks.words).with(0, -50), { grid: QUICK, cap: 40 });
    expect(stack.endMasks[0]).toMatchObject({ end: 'empty', value: -50, fitted: false });
    expect(Math.abs(stack.endMasks[0].predicted)).toBeLessThan(2);
  });

  test('few masks leave the parities out', async () => {
    const { at } = squashed(12);
    const masks = proxyMasks(12, 50, 2);
    const { members } = await fitStack(masks, at(masks.words), { grid: QUICK, cap: 40 });
    expect(members.map((member) => member.name)).toEqual(['process', 'process with amplitude', 'trees', 'first order']);
  });

  test('beyond 20 players the plain process stays, of which a beam lists what it holds', async () => {
    const truth = staircases(40, 1);
    const masks = proxyMasks(40, 600, 0);
    const fresh = uniformMasks(40, 1000, createRandom(77));
    const stack = await fitStack(masks, evaluate(truth, masks), { grid: QUICK, cap: 60 });
    expect(stack.members.map((member) => member.name)).toEqual(['process', 'trees', 'parities', 'first order']);
    expect(stack.members[2].weight).toBeGreaterThan(stack.members[1].weight);
    expect(r2(evaluate(truth, fresh), evaluate(stack.spectrum, fresh))).toBeGreaterThan(stack.members[1].r2 + 0.2);
  });

  test('a smooth game of 32 players is predicted best by that process, and the beam lists nearly all of it', async () => {
    const random = createRandom(22);
    const effects = Array.from({ length: 32 }, () => random.normal());
    const masks = proxyMasks(32, 320, 0);
    const values = Float64Array.from({ length: masks.count }, (_, row) => {
      const sum = effects.reduce((total, effect, i) => total + (isKept(masks, row, i) ? effect : 0), 0);
      return 1 / (1 + Math.exp(-sum));
    });
    const { members } = await fitStack(masks, values, { grid: QUICK, cap: 60 });
    const [process, ...others] = members;
    expect(process.r2).toBeGreaterThan(Math.max(...others.map((member) => member.r2)));
    expect(process.weight).toBeGreaterThan(0);
    expect(process.energyKept).toBeGreaterThan(0.95);
    expect(process.energyKept).toBeLessThanOrEqual(1);
  });

  test('beyond 128 players it is a chain: trees, the parities they seed, a process shaped by these, and single players', async () => {
    const truth = staircases(130, 1);
    const masks = proxyMasks(130, 600, 0);
    const { members } = await fitStack(masks, evaluate(truth, masks), {
      grid: { ...QUICK, numIterations: [50] },
      cap: 60,
    });
    expect(members.map((member) => member.name)).toEqual(['trees', 'parities', 'influence process', 'first order']);
  }, 60_000);

  test('an additive game of many players goes to single players, and is found exactly', async () => {
    const truth = createSpectrum(
      'fourier',
      40,
      Array.from({ length: 40 }, (_, i) => ({ members: [i], value: 1 + (i % 5) })),
    );
    const masks = proxyMasks(40, 400, 1);
    const fresh = uniformMasks(40, 500, createRandom(78));
    const { spectrum, members } = await fitStack(masks, evaluate(truth, masks), { grid: QUICK, cap: 60 });
    expect(members.find(({ name }) => name === 'first order')!.r2).toBeGreaterThan(0.999999);
    expect(r2(evaluate(truth, fresh), evaluate(spectrum, fresh))).toBeGreaterThan(0.995);
  });

  test('fitBest names the solver whose error on unseen rows is lower, and says all scores', async () => {
    const { at } = squashed(10);
    const masks = proxyMasks(10, 120, 2);
    const best = await fitBest(masks, at(masks.words), { grid: QUICK, cap: 40 });
    expect(best.solver).toBe('stack');
    expect(best.why).toMatch(/out-of-sample R²: first order 0\.\d{4}, proxyspex 0\.\d{4}, stack 0\.\d{4}/);
    const noise = createRandom(4);
    const wide = uniformMasks(2100, 1000, createRandom(3));
    const far = await fitBest(
      wide,
      Float64Array.from(
        { length: 1000 },
        (_, r) => Number(isKept(wide, r, 0) && isKept(wide, r, 1)) + 0.01 * noise.normal(),
      ),
      { grid: QUICK },
    );
    expect(far).toMatchObject({
      solver: 'proxyspex',
      why: expect.stringContaining('2100 players x 1000 masks would take minutes') as unknown,
    });
  }, 120_000);
});

solverContract('stack', () => createStackSolver({ grid: { ...QUICK, numIterations: [50] }, cap: 40 }), {
  players: 9,
  budget: 120,
  tolerance: 0.1,
});
