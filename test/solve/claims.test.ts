/** What `auto` and every other solver may not do, on generated games: list what is not there, or get worse with more masks. */
import { describe, expect, it } from 'vitest';
import { explain } from '../../src/explain.ts';
import { gameFromFunction, type Game } from '../../src/game.ts';
import { isKept, type Masks } from '../../src/masks.ts';
import { createRandom } from '../../src/random.ts';
import { recordOf } from '../../src/report/record.ts';
import { SOLVERS, type SolverName } from '../../src/solve/solve.ts';
import { fitBest } from '../../src/proxy/best.ts';
import { proxyMasks } from '../../src/proxy/proxyspex.ts';
import { r2Interval } from '../../src/spectrum/r2.ts';
import { createSpectrum, evaluate } from '../../src/spectrum/spectrum.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';

/** Σ w_i kept_i + 3 and noise, with its gradients, which are w whatever the mask. */
function additive(players: number, seed: number, noise: number): Game {
  const random = createRandom(seed, 'effects');
  const weights = Float32Array.from({ length: players }, () => random.normal());
  const rounding = createRandom(seed, 'noise');
  const game = gameFromFunction('additive', players, (row, masks) => {
    let sum = 3 + noise * rounding.normal();
    for (let i = 0; i < players; i++) if (isKept(masks, row, i)) sum += weights[i];
    return sum;
  });
  return {
    ...game,
    async gradients(masks, options) {
      const values = await game.value(masks);
      const gradients = Float32Array.from({ length: masks.count * players }, (_, e) => weights[e % players]);
      options?.onGradients?.(Array.from(values.keys()), values, gradients);
      return { values, gradients };
    },
  };
}

describe('on additive games', () => {
  const solvers = (Object.keys(SOLVERS) as SolverName[]).filter((name) => name !== 'exact');
  const asked: readonly (readonly [SolverName, number, number, number])[] = [
    ...solvers.flatMap((solver) =>
      [0, 1e-7].map((noise) => [solver, 16, solver === 'spex' ? 700 : 400, noise] as const),
    ),
    ['spex', 40, 2400, 0],
    ['spex', 40, 2400, 1e-7],
    ['auto', 40, 600, 1e-7],
  ];
  it.each(asked)(
    '%s lists no interaction: %i players, %i masks, noise %d',
    async (name, players, budget, noise) => {
      const explanation = await explain(additive(players, budget, noise), {
        solver: SOLVERS[name],
        budget,
        heldOut: 100,
        floor: noise === 0 ? undefined : 4 * noise,
      });
      const { interactions } = recordOf(explanation, { name: 'additive' });
      expect(interactions).toEqual([]);
      expect(explanation.heldOut!.r2).toBeGreaterThan(0.999);
    },
    60_000,
  );
});

type Values = (masks: Masks) => Float64Array;

const QUICK = { maxDepth: [3, 5], numIterations: [50, 200], learningRate: [0.1] };

/** Sums over the kept players, through a curve. */
const curved = (players: number, seed: number, curve: (sum: number) => number): Values => {
  const random = createRandom(seed, 'weights');
  const weights = Array.from({ length: players }, () => random.normal());
  return (masks) =>
    Float64Array.from({ length: masks.count }, (_, row) =>
      curve(weights.reduce((sum, w, i) => sum + (isKept(masks, row, i) ? w : 0), 0)),
    );
};
const sparse = (players: number, seed: number): Values => {
  const random = createRandom(seed, 'sets');
  const sets = new Map(
    Array.from({ length: 40 }, (_, k) => random.subset(players, 1 + (k % 3))).map((members) => [
      members.join(),
      members,
    ]),
  );
  const terms = [...sets.values()].map((members) => ({ members, value: random.normal() }));
  const spectrum = createSpectrum('fourier', players, terms);
  return (masks) => evaluate(spectrum, masks);
};
const noisy = (values: Values, seed: number, by: number): Values => {
  const random = createRandom(seed, 'noise');
  return (masks) => values(masks).map((value) => value + by * random.normal());
};

describe('more masks', () => {
  it.each<[string, Values, number]>([
    [
      'an additive game with noise',
      noisy(
        curved(16, 1, (sum) => sum),
        1,
        0.3,
      ),
      16,
    ],
    [
      'an additive game with rounding',
      noisy(
        curved(16, 2, (sum) => sum),
        2,
        1e-7,
      ),
      16,
    ],
    ['a threshold', curved(12, 3, (sum) => (sum > 0.5 ? 1 : 0)), 12],
    ['a parabola', curved(12, 5, (sum) => sum * sum), 12],
    ['forty sets of up to three', sparse(24, 6), 24],
    ['forty sets and noise', noisy(sparse(24, 7), 7, 1), 24],
  ])(
    'never give a worse answer beyond its interval: %s',
    async (_, values, players) => {
      const fresh = uniformMasks(players, 1000, createRandom(8, 'fresh'));
      const truth = values(fresh);
      const masks = proxyMasks(players, 512, 0);
      const all = values(masks);
      let before = { low: -Infinity, high: -Infinity };
      for (const count of [64, 128, 256, 512]) {
        const some = { ...masks, count, words: masks.words.subarray(0, count * masks.stride) };
        const { spectrum } = await fitBest(some, all.subarray(0, count), { grid: QUICK });
        const score = r2Interval(truth, evaluate(spectrum, fresh), { seed: 0 });
        expect(score.high).toBeGreaterThanOrEqual(before.low);
        expect(score.r2).toBeGreaterThanOrEqual(before.low - 1e-9);
        before = score;
      }
    },
    120_000,
  );
});
