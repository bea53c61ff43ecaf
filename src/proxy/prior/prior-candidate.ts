/**
 * Among the candidates: what a prior foretells, and a proxy of what is left.
 *
 * values ≈ a₀ + Σ_k a_k p_k(m) + r(m): a by ridge regression on the prior's columns, its penalty by leave-one-out, r by the stack on what that
 * leaves (control variates, fitted). The sum p = a₀ + Σ a_k p_k costs no measurement, so its spectrum is read from many masks of its own.
 * It is judged, like every other candidate, on rows that the stack did not fit (the few a_k alone saw them): a prior that tells nothing is not taken.
 */
import { Matrix, solve } from 'ml-matrix';
import type { Masks } from '../../masks.ts';
import { createRandom } from '../../random.ts';
import { toMeasure } from '../../spectrum/measure.ts';
import { scoreR2, squaredError } from '../../spectrum/regression/folds.ts';
import {
  compareTerms,
  createSpectrum,
  evaluate,
  setKey,
  type FourierSpectrum,
  type Term,
} from '../../spectrum/spectrum.ts';
import { uniformMasks } from '../../uniform-masks.ts';
import type { Candidate } from '../best.ts';
import type { Split } from '../end-masks.ts';
import { evidenceOf } from '../evidence.ts';
import type { ProxySpexOptions } from '../fit.ts';
import { fitStack, runStack } from '../stack.ts';
import type { Prior } from './prior.ts';

/** Masks by n log2 n from which the prior's own spectrum is read, and at most. */
const ALPHA = 8;
const MOST_OWN = 6000;
const PENALTIES = Array.from({ length: 13 }, (_, k) => 10 ** (k - 8));

/** A prior and a proxy of what it leaves, judged together. */
export function createPriorCandidate(prior: Prior): Candidate {
  return {
    names: [prior.name],
    passes: () => undefined,
    async contend(split, options, pace) {
      const { sample, values } = split;
      const { measured } = split;
      await pace('prior', 0, 1);
      const fit = regress(prior.columns(measured.masks), measured.values, innerRows(split));
      const own = await ownSpectrum(prior, fit, sample.players, options);
      await pace('prior', 1, 1);
      // What the spectrum does not have of the prior is left to the stack too.
      const run = await runStack(leftBy(split, evaluate(own.spectrum, measured.masks)), options, pace);
      const foretold = evaluate(own.spectrum, sample);
      const outOfSample = Float64Array.from(run.stacked ? run.stack : run.trees, (x, row) => x + foretold[row]);
      return [
        {
          name: prior.name,
          complexity: 1,
          outOfSample,
          async answer(judges) {
            const residual = await run.finish(run.stacked ? 'stack' : 'trees', []);
            const spectrum = sumOf(sample.players, own.spectrum, toMeasure(residual.spectrum, options.keep), options);
            return {
              spectrum,
              evidence: evidenceOf(spectrum, sample, values, [{ spectrum, outOfSample }, ...judges], options.floor),
              kind: 'prior and stack',
              details: {
                prior: prior.name,
                coefficients: Array.from(fit.coefficients),
                penalty: fit.penalty,
                priorR2: scoreR2(values, squaredError(values, fit.unseen)),
                ownMasks: own.masks,
                r2: scoreR2(values, squaredError(values, outOfSample)),
                members: residual.members,
              },
            };
          },
        },
      ];
    },
  };
}

interface Regression {
  /** a₀, a_1, ... on the columns as they are. */
  readonly coefficients: Float64Array;
  readonly penalty: number;
  /** Of the rows that were fitted, each by a fit without it. */
  readonly unseen: Float64Array;
}

function innerRows({ measured, ends }: Split): number[] {
  return Array.from({ length: measured.masks.count }, (_, row) => row).filter((row) => !ends.includes(row));
}

/** The split of what `foretold` leaves of every measured value. */
function leftBy(split: Split, foretold: Float64Array): Split {
  const values = split.measured.values.map((value, row) => value - foretold[row]);
  return {
    ...split,
    measured: { ...split.measured, values },
    values: Float64Array.from(innerRows(split), (row) => values[row]),
  };
}

/** Ridge on standardised columns by normal equations, the penalty of least leave-one-out error; `rows` are fitted. */
function regress(columns: readonly Float64Array[], y: Float64Array, rows: readonly number[]): Regression {
  const N = rows.length;
  const mean = (x: Float64Array): number => rows.reduce((sum, row) => sum + x[row] / N, 0);
  const centres = columns.map(mean);
  const spreads = columns.map(
    (x, k) => Math.sqrt(rows.reduce((sum, row) => sum + (x[row] - centres[k]) ** 2 / N, 0)) || 1,
  );
  const centre = mean(y);
  const q = columns.length;
  const X = new Matrix(N, q);
  rows.forEach((row, i) => columns.forEach((x, k) => X.set(i, k, (x[row] - centres[k]) / spreads[k])));
  const target = Matrix.columnVector(rows.map((row) => y[row] - centre));
  const gram = X.transpose().mmul(X);
  const right = X.transpose().mmul(target);
  let best: { penalty: number; beta: number[]; unseen: Float64Array; error: number } | undefined;
  for (const penalty of PENALTIES) {
    const damped = Matrix.add(gram, Matrix.eye(q).mul(penalty * N));
    const beta = solve(damped, right).to1DArray();
    const inverse = solve(damped, Matrix.eye(q));
    const unseen = Float64Array.from(rows, (row, i) => {
      const x = X.getRow(i);
      const fitted = x.reduce((sum, value, k) => sum + value * beta[k], 0);
      let leverage = 1 / N;
      for (let a = 0; a < q; a++) for (let b = 0; b < q; b++) leverage += x[a] * x[b] * inverse.get(a, b);
      return y[row] - (y[row] - centre - fitted) / Math.max(1e-9, 1 - leverage);
    });
    const error = rows.reduce((sum, row, i) => sum + (y[row] - unseen[i]) ** 2, 0);
    if (best === undefined || error < best.error) best = { penalty, beta, unseen, error };
  }
  const { penalty, beta, unseen } = best as NonNullable<typeof best>;
  const slopes = beta.map((b, k) => b / spreads[k]);
  const coefficients = Float64Array.from([centre - slopes.reduce((sum, a, k) => sum + a * centres[k], 0), ...slopes]);
  return { coefficients, penalty, unseen };
}

function combined(columns: readonly Float64Array[], [constant, ...slopes]: Float64Array): Float64Array {
  const sum = new Float64Array(columns[0].length).fill(constant);
  columns.forEach((x, k) => x.forEach((value, row) => (sum[row] += slopes[k] * value)));
  return sum;
}

/** The spectrum of what the prior foretells, from masks of its own. */
async function ownSpectrum(
  prior: Prior,
  { coefficients }: Regression,
  players: number,
  options: ProxySpexOptions,
): Promise<{ readonly spectrum: FourierSpectrum; readonly masks: number }> {
  const wanted = Math.min(MOST_OWN, Math.round(ALPHA * players * Math.log2(Math.max(2, players))));
  const count = players < 20 ? Math.min(2 ** players, wanted) : wanted;
  const masks: Masks = uniformMasks(
    players,
    count,
    createRandom(options.seed ?? 0, 'prior/masks'),
    undefined,
    options.keep,
  );
  const { spectrum } = await fitStack(masks, combined(prior.columns(masks), coefficients), options);
  return { spectrum: toMeasure(spectrum, options.keep), masks: count };
}

/** ∅ and the largest terms of a sum. */
function sumOf(
  players: number,
  one: FourierSpectrum,
  other: FourierSpectrum,
  { maxTerms = 20_000, keep }: ProxySpexOptions,
): FourierSpectrum {
  const sums = new Map<string, Term>([['', { members: [], value: 0 }]]);
  for (const { members, value } of [...one.terms, ...other.terms]) {
    const key = setKey(members);
    sums.set(key, { members, value: (sums.get(key)?.value ?? 0) + value });
  }
  const empty = sums.get('') as Term;
  sums.delete('');
  return createSpectrum('fourier', players, [empty, ...[...sums.values()].sort(compareTerms).slice(0, maxTerms)], keep);
}
