/**
 * ContextCite's estimator and its two questions, on measured masks (Cohen-Wang, Shah, Georgiev, Madry, "ContextCite: Attributing
 * Model Generation to Context", arXiv 2409.00729, sections 3 and 4).
 *
 * Checked against its package (MadryLab/context-cite, solver.py and utils.py): sources are kept with probability ½, 64 masks; y is
 * log p / (1 - p) of the whole response over its number of tokens; scikit-learn's Lasso, alpha .01, on columns scaled to variance 1.
 * The package has no evaluation. The paper's two: top-k drop, what removing the k sources of the largest scores takes from
 * log p(response), k = 1, 3, 5; LDS, Spearman's correlation of predicted and true log-odds over 128 other random masks. Deviation: with
 * interactions scores do not add up, so the k sources are removed one by one, each time the one whose absence lowers f̂ most; of an
 * additive f̂ those are the k of the largest scores.
 */
import { emptyMasks, isKept, keep, type Masks } from '../../src/masks.ts';
import { createSpectrum, evaluate, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';

export const ABLATIONS = 64;
const ALPHA = 0.01;

/** minimise 1/(2N) Σ (y - b - X w)² + alpha |w|₁ over standardised columns of masks, as a spectrum; y is per token of the response. */
export function fitContextCite(masks: Masks, values: Float64Array, tokens: number): FourierSpectrum {
  const { players: n, count } = masks;
  const y = values.map((value) => value / tokens);
  const meanOf = (x: ArrayLike<number>): number => Array.from(x).reduce((sum, value) => sum + value / count, 0);
  const columns = Array.from({ length: n }, (_, i) => {
    const kept = Float64Array.from({ length: count }, (_row, row) => Number(isKept(masks, row, i)));
    const centre = meanOf(kept);
    const scale = Math.sqrt(centre * (1 - centre)) || 1;
    return { scaled: kept.map((value) => (value - centre) / scale), centre, scale };
  });
  const offset = meanOf(y);
  const residual = y.map((value) => value - offset);
  const weights = new Float64Array(n);
  for (let largest = Infinity, sweep = 0; largest > 1e-9 && sweep < 10_000; sweep++) {
    largest = 0;
    columns.forEach(({ scaled }, i) => {
      const norm = meanOf(scaled.map((value) => value * value));
      if (norm === 0) return;
      const target = meanOf(scaled.map((value, row) => value * residual[row])) + norm * weights[i];
      const next = (Math.sign(target) * Math.max(0, Math.abs(target) - ALPHA)) / norm;
      const step = next - weights[i];
      if (step === 0) return;
      weights[i] = next;
      scaled.forEach((value, row) => (residual[row] -= step * value));
      largest = Math.max(largest, Math.abs(step));
    });
  }
  const slopes = columns.map(({ scale }, i) => (tokens * weights[i]) / scale);
  const intercept = tokens * offset - slopes.reduce((sum, slope, i) => sum + slope * columns[i].centre, 0);
  // b + Σ w m with m = (1 - χ)/2.
  return createSpectrum('fourier', n, [
    { members: [], value: intercept + slopes.reduce((sum, slope) => sum + slope / 2, 0) },
    ...slopes.flatMap((slope, i) => (slope === 0 ? [] : [{ members: [i], value: -slope / 2 }])),
  ]);
}

/** Row k lacks the `sizes[k]` players whose absence lowers f̂ most, one after the other. */
export function mostLowering(spectrum: FourierSpectrum, sizes: readonly number[]): Masks {
  const n = spectrum.players;
  const gone: number[] = [];
  const without = (players: readonly number[], masks: Masks, row: number): void => {
    for (let i = 0; i < n; i++) if (!players.includes(i)) keep(masks, row, i);
  };
  while (gone.length < Math.max(...sizes)) {
    const left = Array.from({ length: n }, (_, i) => i).filter((i) => !gone.includes(i));
    const tried = emptyMasks(n, left.length);
    left.forEach((next, row) => without([...gone, next], tried, row));
    const predicted = evaluate(spectrum, tried);
    gone.push(left[predicted.indexOf(Math.min(...predicted))]);
  }
  const masks = emptyMasks(n, sizes.length);
  sizes.forEach((size, row) => without(gone.slice(0, size), masks, row));
  return masks;
}

/** log p of log-odds. */
export function logProbOf(logOdds: number): number {
  return Math.min(0, logOdds) - Math.log1p(Math.exp(-Math.abs(logOdds)));
}
