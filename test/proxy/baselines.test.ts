import { describe, expect, test } from 'vitest';
import { orderThree } from '../../bench/synthetic.ts';
import { allMasks, masksFromMembers, concatMasks, selectRows } from '../../src/masks.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { fitFaithBanzhaf, fitKernelShap } from '../../src/proxy/baselines.ts';
import { proxyMasks } from '../../src/proxy/proxyspex.ts';
import { createRandom } from '../../src/random.ts';
import { banzhaf, fbii, shapley } from '../../src/spectrum/indices.ts';
import { setKey, evaluate, type FourierSpectrum, type Term } from '../../src/spectrum/spectrum.ts';
import { fourierFromTable, spectrumOfDense } from '../../src/spectrum/walsh-hadamard.ts';

/** A dense random game on all masks. */
function dense(players: number, seed: number): { table: Float64Array; truth: FourierSpectrum } {
  const random = createRandom(seed);
  const table = Float64Array.from({ length: 2 ** players }, () => random.normal());
  return { table, truth: spectrumOfDense('fourier', fourierFromTable(table), () => 0) };
}

function byKey(terms: readonly Term[]): Record<string, number> {
  return Object.fromEntries(terms.map(({ members, value }) => [setKey(members), value]));
}

describe('fitFaithBanzhaf', () => {
  test.each([1, 2, 3, 4])('of order %i on all masks is fbii of the game', (order) => {
    const { table, truth } = dense(7, order);
    const expected = byKey(fbii(truth, order).terms);
    const found = byKey(fbii(fitFaithBanzhaf(allMasks(7), table, { order }).spectrum, order).terms);
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
    for (const [key, value] of Object.entries(expected)) expect(found[key]).toBeCloseTo(value, 9);
  });

  test('finds a game of order three exactly, from fewer masks than its powerset has', () => {
    const truth = orderThree(12, 1, 40);
    const masks = uniformMasks(12, 600, createRandom(0));
    const { spectrum, heldError } = fitFaithBanzhaf(masks, evaluate(truth, masks), { order: 3 });
    const all = allMasks(12);
    expect(evaluate(spectrum, all)).toBeAllClose(evaluate(truth, all), 1e-7);
    expect(heldError).toBeLessThan(1e-12);
  });

  test('ridge fits more terms than masks; least squares refuses and names the order that fits', () => {
    const truth = orderThree(15, 2, 20);
    const masks = uniformMasks(15, 200, createRandom(0));
    const values = evaluate(truth, masks);
    expect(() => fitFaithBanzhaf(masks, values, { order: 3 })).toThrow(
      'order 3 of 15 players has 576 terms and 200 masks determine at most 200 of them; order 2 can be fitted',
    );
    expect(fitFaithBanzhaf(masks, values, { order: 3, penalty: 'ridge' }).spectrum.terms).toHaveLength(576);
    // 121 terms on 130 masks: without a penalty the fit chases what order 2 cannot express.
    const few = selectRows(
      masks,
      Array.from({ length: 130 }, (_, row) => row),
    );
    const errors = (['none', 'ridge'] as const).map(
      (penalty) => fitFaithBanzhaf(few, values.slice(0, 130), { order: 2, penalty }).heldError,
    );
    expect(errors[1]).toBeLessThan(errors[0] / 2);
    expect(() => fitFaithBanzhaf(masks, values, { order: 5 })).toThrow('order 5; 1, 2, 3 or 4');
    expect(() =>
      fitFaithBanzhaf(uniformMasks(100, 300, createRandom(0)), new Float64Array(300), { order: 4, penalty: 'ridge' }),
    ).toThrow('order 4 of 100 players has 4087976 terms');
    expect(() => fitFaithBanzhaf(uniformMasks(15, 9, createRandom(0)), new Float64Array(9), { order: 2 })).toThrow(
      'measure at least 16 masks',
    );
  });
});

describe('fitKernelShap', () => {
  test.each([1, 2, 3, 7])('on all masks of %i players gives the Shapley values', (players) => {
    const { table, truth } = dense(players, players);
    const spectrum = fitKernelShap(allMasks(players), table);
    expect(banzhaf(spectrum)).toBeAllClose(shapley(truth), 1e-9);
  });

  test('is efficient, and exact at both end masks, from any masks', () => {
    const truth = orderThree(20, 1, 60);
    const masks = proxyMasks(20, 200, 3);
    const values = evaluate(truth, masks);
    expect(evaluate(fitKernelShap(masks, values), selectRows(masks, [0, 1]))).toBeAllClose(
      values.subarray(0, 2),
      1e-12,
    );
  });

  test('finds an additive game of 100 players from 200 uniform masks', () => {
    const truth = orderThree(100, 1, 0);
    const random = createRandom(4);
    const additive = {
      ...truth,
      terms: Array.from({ length: 100 }, (_, i) => ({ members: [i], value: random.normal() })),
    };
    const masks = proxyMasks(100, 202, 3);
    expect(banzhaf(fitKernelShap(masks, evaluate(additive, masks)))).toBeAllClose(banzhaf(additive), 1e-6);
  });

  test('repeated masks count once, with their mean', () => {
    const { table } = dense(4, 9);
    const masks = allMasks(4);
    const twice = concatMasks([masks, selectRows(masks, [3])]);
    expect(banzhaf(fitKernelShap(twice, [...table.with(3, table[3] + 1), table[3] - 1]))).toBeAllClose(
      banzhaf(fitKernelShap(masks, table)),
      1e-12,
    );
  });

  test('a missing end mask, too few masks, and masks that do not tell players apart are errors', () => {
    const uniform = uniformMasks(10, 50, createRandom(0));
    expect(() => fitKernelShap(uniform, new Float64Array(50))).toThrow('50 masks without the empty one');
    expect(() => fitKernelShap(proxyMasks(10, 8, 0), new Float64Array(8))).toThrow(
      '6 masks between the ends for 10 players; at least 9 are needed',
    );
    const twins = masksFromMembers(4, [[], [0, 1, 2, 3], [0, 1], [0, 1, 2], [0, 1, 3], [2], [3], [2, 3]]);
    expect(() => fitKernelShap(twins, new Float64Array(8))).toThrow(
      '6 masks between the ends do not tell 4 players apart',
    );
  });
});
