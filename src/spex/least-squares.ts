/**
 * Least squares of a support in the bins: all samples at once, at the cost of the bins the sets fall in.
 *
 * By Parseval in every block, Σ over raw samples of (f - f̂)² = 2^b · Σ over bins of ||U - Σ_k F(k) sig(k)||²,
 * so the regression of all N samples on k parities is a sparse one: a set touches one bin per group,
 * C·R numbers instead of N. Solved by conjugate gradients on the normal equations (CGLS, Björck 1996),
 * whose matrix is C·R times near-identity: some ten iterations.
 */
import { correlation, subtract, type Candidate } from './bins.ts';
import type { Bins } from './transform.ts';

const MAX_ITERATIONS = 200;

/** The values of the candidates that minimise ||U - Σ F sig||² over all bins; minimum norm when not unique. */
export function leastSquares(bins: Bins, candidates: readonly Candidate[]): Float64Array {
  const k = candidates.length;
  const solution = new Float64Array(k);
  const rest: Bins = { ...bins, columns: bins.columns.slice() };
  const gradient = correlate(rest, candidates);
  const direction = gradient.slice();
  let size = dot(gradient, gradient);
  const enough = size * 1e-30;
  const image: Bins = { ...bins, columns: new Float64Array(bins.columns.length) };
  for (let iteration = 0; iteration < MAX_ITERATIONS && size > enough && size > 0; iteration++) {
    image.columns.fill(0);
    candidates.forEach((candidate, a) => spread(image, candidate, direction[a]));
    const step = size / dot(image.columns, image.columns);
    for (let a = 0; a < k; a++) solution[a] += step * direction[a];
    for (let e = 0; e < rest.columns.length; e++) rest.columns[e] -= step * image.columns[e];
    const next = correlate(rest, candidates);
    const nextSize = dot(next, next);
    for (let a = 0; a < k; a++) direction[a] = next[a] + (nextSize / size) * direction[a];
    size = nextSize;
  }
  return solution;
}

/** The bins of f minus the terms: what they leave unexplained. */
export function residualBins(bins: Bins, candidates: readonly Candidate[], values: ArrayLike<number>): Bins {
  const rest: Bins = { ...bins, columns: bins.columns.slice() };
  candidates.forEach((candidate, a) => spread(rest, candidate, -values[a]));
  return rest;
}

/** Σ_c <sig, U_c> of every candidate. */
function correlate(bins: Bins, candidates: readonly Candidate[]): Float64Array {
  return Float64Array.from(candidates, ({ bins: own, parity }) =>
    own.reduce((sum, bin) => sum + correlation(bins, bin, parity), 0),
  );
}

/** Adds value · sig to the candidate's bins. */
function spread(bins: Bins, { bins: own, parity }: Candidate, value: number): void {
  for (const bin of own) subtract(bins, bin, parity, -value);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
