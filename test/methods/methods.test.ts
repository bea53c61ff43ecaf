/** Every method on one planted game: what it finds, what it pays, what it refuses. */
import { describe, expect, it } from 'vitest';
import { compareMethods } from '../../src/compare-methods.ts';
import { gameFromFunction } from '../../src/game.ts';
import { givenScores } from '../../src/methods/given-scores.ts';
import { meterOf, type ComparedGame } from '../../src/methods/metered-game.ts';
import { methodOf, METHODS, runMethod } from '../../src/methods/methods.ts';
import { allMasks, masksFromMembers } from '../../src/masks.ts';
import { planted, smoothGame } from '../proxy/gradients/smooth-games.ts';

const N = 12;
const TRUTH = [1, 4, 6, 7, 9];
const flat = planted(N, [
  { members: [1, 4], weight: 3 },
  { members: [7], weight: 2 },
  { members: [6, 9], weight: 4 },
]);
/** What a game over edges has beside: here the mean gradient on the diagonal, at `steps` points, of activations at twice as many. */
const game: ComparedGame = {
  ...flat,
  async slopesAlong(path, steps) {
    const points = path === 'inputs' ? steps : 2 * steps;
    const m = Float32Array.from({ length: points * N }, (_, e) => (Math.floor(e / N) + 0.5) / points);
    const { gradients } = await flat.gradientsAt(m);
    const slopes = new Float64Array(N);
    gradients.forEach((slope, e) => (slopes[e % N] += slope / points));
    return { slopes, points };
  },
};
const ends = { full: 9, empty: 0 };
const everyone = Array.from({ length: N }, (_, i) => i);

describe.each(Object.values(METHODS))('$name', (method) => {
  it('orders all players twice, within its budget, the same for the same seed', async () => {
    const run = async () => await runMethod(method, game, { budget: 400, ends, harm: 'divergence', seed: 3 });
    const { found, spent } = await run();
    for (const order of [found.helping, found.mattering]) expect([...order].sort((a, b) => a - b)).toEqual(everyone);
    expect(found.scores).toHaveLength(N);
    expect(spent.masks).toBeLessThanOrEqual(400);
    expect(spent.rows.forward + 2 * spent.rows.backward).toBeGreaterThanOrEqual(spent.masks);
    expect((await run()).found).toEqual(found);
  });

  it('finds the planted circuit', async () => {
    const { results } = await compareMethods(game, { methods: [method], budget: 400, truth: TRUTH, target: 1 });
    const [{ evaluation }] = results;
    if (method.name === 'random') expect(evaluation.auroc).toBeLessThan(1);
    else {
      expect(evaluation.auroc).toBe(1);
      expect(evaluation.circuit.players).toEqual(TRUTH);
      expect(evaluation.circuit.minimality?.needless).toBe(0);
      expect(evaluation.circuit.completeness.most).toBeCloseTo(0, 6);
    }
  });
});

it('steering asks what leaving out a player takes, where the budget has it: gradients see no step', async () => {
  const step = smoothGame('step', 10, (m) => ({
    value: m[0] + (m[1] > 0.99 ? 1 : 0),
    gradient: m.map((_, i) => (i === 0 ? 1 : 0)),
  }));
  const scoresFor = async (budget: number) =>
    await runMethod(methodOf('steered'), step, { budget, ends: { full: 2, empty: 0 }, harm: 'divergence', seed: 0 });
  const enough = await scoresFor(24 + 11 + 3 * 18); // eight gradients, a mask a player and one for all, three rounds
  expect(Array.from(enough.found.scores)).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(new Set(enough.found.mattering.slice(0, 2))).toEqual(new Set([0, 1]));
  const fewer = await scoresFor(24 + 11 + 3 * 18 - 1); // of the sizes at which circuits are judged one would be passed over
  expect(Array.from(fewer.found.scores)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

describe('a comparison', () => {
  it('says who could not be run, and why', async () => {
    const { results, refusals } = await compareMethods(game, { budget: 9 });
    expect(results.map(({ name }) => name)).toContain('attribution-patching');
    const why = Object.fromEntries(refusals.map((refusal) => [refusal.name, refusal.why]));
    expect(why['acdc']).toMatch(/9 masks are left; a pass over 12 players takes at least 12/);
    expect(why['activation-patching']).toMatch(/9 masks are left; 13 are needed, one a player and one for all/);
    expect(why['eap-ig-activations']).toMatch(/raise the budget to at least 30/);
    expect(why['greedy-removal']).toMatch(/its first round takes 12/);
    expect(why['subnetwork-probing']).toMatch(/120 are needed/);
    const valuesOnly = gameFromFunction('table', 4, (row, masks) => masks.words[row]);
    const other = await compareMethods(valuesOnly, { budget: 200, methods: [methodOf('attribution-patching')] });
    expect(other.refusals[0].why).toMatch(/needs gradients/);
  });

  it('gives a method nothing that another one measured', async () => {
    const { results } = await compareMethods(game, {
      budget: 300,
      methods: [methodOf('greedy-removal'), methodOf('acdc')],
    });
    const [greedy, acdc] = results;
    expect(greedy.masks).toBe((N * (N + 1)) / 2);
    expect(acdc.masks).toBeGreaterThanOrEqual(N);
    expect([greedy.rows, acdc.rows.backward]).toEqual([{ forward: greedy.masks, backward: 0 }, 0]);
  });

  it('charges what is differentiated on the way of activations', async () => {
    const { results } = await compareMethods(game, {
      methods: [methodOf('eap-ig-activations'), methodOf('eap-ig-inputs')],
      budget: 30,
    });
    expect(results.map(({ masks }) => masks)).toEqual([30, 30]);
    expect(results.map(({ rows }) => rows.backward)).toEqual([10, 10]);
    const heads = await compareMethods(flat, { methods: [methodOf('eap-ig-inputs')] });
    expect(heads.refusals[0].why).toMatch(/is not over those/);
  });

  it("judges by another game over the same players, in that game's own unit", async () => {
    const other = planted(N, [
      { members: [1, 4], weight: 10 },
      { members: [0], weight: 10 },
    ]);
    const { ends: judged, results } = await compareMethods(game, {
      methods: [methodOf('activation-patching')],
      judge: other,
    });
    expect(judged).toEqual({ full: 20, empty: 0 });
    const { curve } = results[0].evaluation;
    expect(curve.find(({ size }) => size === 5)?.helping).toBe(0.5); // the five of the first game, without player 0
    expect(results[0].rows.forward).toBe(N + 1);
    const fewer = planted(3, [{ members: [0], weight: 1 }]);
    await expect(compareMethods(game, { judge: fewer })).rejects.toThrow(/judge: has 3 players, the game 12/);
  });

  it('judges scores that were given', async () => {
    const scores = Float64Array.from(everyone, (i) => (TRUTH.includes(i) ? 1 : 0));
    const { results } = await compareMethods(game, { methods: [givenScores('theirs', scores)], truth: TRUTH });
    expect(results[0].evaluation.auroc).toBe(1);
    expect([results[0].masks, results[0].rows.forward]).toEqual([0, 0]);
  });

  it('refuses what it cannot use', async () => {
    await expect(compareMethods(game, { budget: 0 })).rejects.toThrow(/budget: 0 masks/);
    await expect(compareMethods(game, { target: 2 })).rejects.toThrow(/target: 2/);
    await expect(compareMethods(game, { methods: [] })).rejects.toThrow(/there are none/);
    const twice = [methodOf('random'), methodOf('random')];
    await expect(compareMethods(game, { methods: twice })).rejects.toThrow(/"random" is there twice/);
    await expect(compareMethods(game, { methods: [methodOf('random')], truth: [] })).rejects.toThrow(/0 of 12 players/);
    expect(() => methodOf('acdd')).toThrow(/"acdd" is unknown; did you mean acdc/);
  });
});

describe('a metered game', () => {
  it('counts rows forward and backward, masks once, and refuses more than its budget', async () => {
    const meter = meterOf({ ...game, rowsPerMask: 2 }, 20);
    await meter.value(masksFromMembers(N, [[0], [1], [0]]));
    await meter.gradients?.(masksFromMembers(N, [[0], [2]]));
    await meter.gradientsAt?.(new Float32Array(3 * N).fill(0.5));
    expect([meter.spent, meter.remaining]).toEqual([3 + 2 * 2 + 3 * 3, 20 - 16]);
    expect(meter.rows).toEqual({ forward: 2 * (3 + 3), backward: 2 * (2 + 3) });
    await expect(meter.gradientsAt?.(new Float32Array(2 * N))).rejects.toMatchObject({ kind: 'budget' });
    await expect(meter.value(allMasks(N))).rejects.toMatchObject({ kind: 'budget' });
  });
});
