/** The methods that are compared, each from the same masks and values to a spectrum. */
import type { Masks } from '../../src/masks.ts';
import { fitBest } from '../../src/proxy/best.ts';
import { fitFaithBanzhaf, fitKernelShap } from '../../src/proxy/baselines.ts';
import { fitFirstOrder } from '../../src/proxy/first-order.ts';
import { fitProxySpex } from '../../src/proxy/fit.ts';
import { fitGreedyParities } from '../../src/proxy/parities/greedy-parities.ts';
import { fitStack } from '../../src/proxy/stack.ts';
import type { TuneGrid } from '../../src/proxy/trees/tune.ts';
import type { FourierSpectrum } from '../../src/spectrum/spectrum.ts';

export type Fit = (masks: Masks, values: Float64Array, grid: TuneGrid) => Promise<FourierSpectrum>;

export const METHODS: Readonly<Record<string, Fit>> = {
  lasso: async (masks, values) => fitFirstOrder(masks, values).spectrum,
  'order 2': async (masks, values) => fitFaithBanzhaf(masks, values, { order: 2, penalty: 'ridge' }).spectrum,
  'kernel shap': async (masks, values) => fitKernelShap(masks, values),
  // The grid of the reference, our choice by cross-validation of what is done to the trees.
  'proxyspex, same grid': async (masks, values, grid) => (await fitProxySpex(masks, values, { grid })).spectrum,
  proxyspex: async (masks, values) => (await fitProxySpex(masks, values)).spectrum,
  // Every step of the reference, with our trees: 95 % of the energy (1,000 terms at most), always refitted, end masks always fitted, 20 rows a leaf.
  recipe: async (masks, values, grid) =>
    (
      await fitProxySpex(masks, values, {
        grid,
        refit: 'always',
        energy: [0.95],
        cap: 1000,
        endMasks: 'keep',
        minDataInLeaf: 20,
      })
    ).spectrum,
  parities: async (masks, values) => (await fitGreedyParities(masks, values)).spectrum,
  stack: async (masks, values) => (await fitStack(masks, values)).spectrum,
  // What solver auto answers: the best candidate out of sample.
  auto: async (masks, values) => (await fitBest(masks, values)).spectrum,
  // The same with other leanings to the answer with interactions, in standard errors.
  'auto leaning 0': async (masks, values) => (await fitBest(masks, values, { leaning: 0 })).spectrum,
  'auto leaning 2': async (masks, values) => (await fitBest(masks, values, { leaning: 2 })).spectrum,
};

/**
 * The reference implementation, run by bench/proxy_reference.py: on all masks, as it draws them itself, both ends
 * among them.
 */
export const REFERENCE = 'reference';
/**
 * The same on the masks between the ends: on some games the two ends are outliers, and it fits whatever it is given.
 */
export const REFERENCE_INSIDE = 'reference without ends';
export const REFERENCES: readonly string[] = [REFERENCE, REFERENCE_INSIDE];

/** CPU seconds (this process, all its threads) of `work`. */
export async function cpuSeconds<T>(work: () => Promise<T> | T): Promise<[T, number]> {
  const start = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(start);
  return [result, (user + system) / 1e6];
}
