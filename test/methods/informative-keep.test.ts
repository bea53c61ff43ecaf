/** A chain of links says nothing where half of them are gone: the spectrum is then fitted where about half of the metric is left. */
import { expect, it } from 'vitest';
import { auroc } from '../../src/evaluation/auroc.ts';
import { gameFromFunction } from '../../src/game.ts';
import { isKept } from '../../src/masks.ts';
import { informativeKeep, MOST_KEEP_MASKS } from '../../src/methods/informative-keep.ts';
import { meterOf } from '../../src/methods/metered-game.ts';
import { methodOf, runMethod } from '../../src/methods/methods.ts';

const CHAIN = [0, 3, 7, 8, 12, 19];
const chain = gameFromFunction('chain', 20, (row, masks) => Number(CHAIN.every((link) => isKept(masks, row, link))));
const additive = gameFromFunction('additive', 20, (row, masks) =>
  Array.from({ length: 20 }, (_, i) => Number(isKept(masks, row, i)) / 20).reduce((sum, each) => sum + each),
);
const ends = { full: 1, empty: 0 };

it('is ½ where random halves leave a half, and higher where they leave nothing', async () => {
  const metered = meterOf(chain, 100);
  expect(await informativeKeep(metered, { ends, seed: 0 })).toBeGreaterThanOrEqual(0.9);
  expect(metered.spent).toBeLessThanOrEqual(MOST_KEEP_MASKS);
  expect(await informativeKeep(additive, { ends, seed: 0 })).toBe(0.5);
});

it('finds all links of a chain of six among twenty', { timeout: 180_000 }, async () => {
  const { found } = await runMethod(methodOf('spectrum'), chain, { budget: 400, ends, harm: 'divergence', seed: 0 });
  expect(auroc(found.scores.map(Math.abs), CHAIN)).toBe(1);
});
