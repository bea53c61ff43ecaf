import { expect, it } from 'vitest';
import { pearson, spearman } from '../../src/spectrum/correlation.ts';

it('Pearson and Spearman, ties and constants', () => {
  // scipy.stats 1.17: pearsonr and spearmanr.
  const [a, b] = [
    [1, 2, 2, 5, 9],
    [3, 1, 4, 4, 40],
  ];
  expect(pearson(a, b)).toBeCloseTo(0.9000561, 6);
  expect(spearman(a, b)).toBeCloseTo(0.7631579, 6);
  expect(spearman([1, 2, 3], [1, 10, 100])).toBe(1);
  expect(pearson([1, 1, 1], [1, 2, 3])).toBe(0);
});
