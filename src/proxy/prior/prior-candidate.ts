/**
 * Among the candidates: what a prior foretells, and a proxy of what is left.
 *
 * values ≈ a₀ + Σ_k a_k p_k(m) + r(m): a by ridge regression on the prior's columns, its penalty by leave-one-out, r by first order or by
 * the stack on what that leaves (control variates, fitted). The sum p = a₀ + Σ a_k p_k costs no measurement: where its spectrum is not
 * known in closed form it is read from many masks of its own. Both are judged, like every other candidate, on rows that the proxy did not
 * fit (the few a_k alone saw them), and taken where they lead what is taken without a prior by a whole standard error, the rule of
 * Breiman et al. (simplest-of-best.ts): a prior that tells nothing, or that a few rows prefer by chance, is not taken.
 */
import { Matrix, solve } from 'ml-matrix';
import type { Masks } from '../../masks.ts';
import { createRandom } from '../../random.ts';
import { toMeasure } from '../../spectrum/measure.ts';
import { floatFloor } from '../../spectrum/noise.ts';
import { scoreR2, squaredError } from '../../spectrum/regression/folds.ts';
import { evaluate, type FourierSpectrum, type Term } from '../../spectrum/spectrum.ts';
import { scaled, summed } from '../../spectrum/summed.ts';
import { uniformMasks } from '../../uniform-masks.ts';
import { slowStack, type Candidate, type Contender } from '../best.ts';
import type { Split } from '../end-masks.ts';
import { evidenceOf } from '../evidence.ts';
import { fitAdditive } from '../first-order.ts';
import type { ProxySpexOptions } from '../fit.ts';
import { fitStack, runStack } from '../stack.ts';
import type { Prior } from './prior.ts';

/** Masks by n log2 n from which the prior's own spectrum is read, and at most. */
const ALPHA = 4;
const MOST_OWN = 6000;
/** Standard errors by which it has to lead. On four games of 166 masks a lead of .6 was false and those of 1.2 and 1.5 were true. */
const LEAD = 1;
const PENALTIES = Array.from({ length: 13 }, (_, k) => 10 ** (k - 8));

/** A prior and a proxy of what it leaves, judged together: first order, and the stack where that does not take minutes. */
export function createPriorCandidate(prior: Prior): Candidate {
  const read = createReader(prior);
  return {
    names: [prior.name],
    passes: () => undefined,
    async contend(split, options, pace) {
      const { measured, sample, values } = split;
      await pace('prior', 0, 1);
      const columns = await prior.columns(measured.masks);
      const fit = regress(columns, measured.values, innerRows(split));
      const own = await ownSpectrum(prior, read, fit, sample.players, options);
      await pace('prior', 1, 1);
      // What the spectrum does not have of the prior is left to the proxy too.
      const left = leftBy(split, evaluate(own.spectrum, measured.masks));
      const foretold = evaluate(own.spectrum, sample);
      const withForetold = (ofLeft: Float64Array): Float64Array => ofLeft.map((x, row) => x + foretold[row]);
      const contenderOf = (kind: string, ofLeft: Float64Array, rest: () => Promise<Rest>): Contender => {
        const outOfSample = withForetold(ofLeft);
        return {
          name: prior.name,
          // Among answers without interactions this is one more.
          complexity: kind === 'first order' && own.spectrum.terms.every(({ members }) => members.length < 2) ? 0 : 1,
          outOfSample,
          lead: LEAD,
          async answer(judges) {
            const { spectrum: corrected, details } = await rest();
            const spectrum = sumOf(sample.players, own.spectrum, toMeasure(corrected, options.keep), options);
            return {
              spectrum,
              evidence: evidenceOf(spectrum, sample, values, [{ spectrum, outOfSample }, ...judges], options.floor),
              kind: `prior and ${kind}`,
              details: {
                prior: prior.name,
                coefficients: Array.from(fit.coefficients),
                penalty: fit.penalty,
                priorR2: scoreR2(values, squaredError(values, fit.unseen)),
                ownMasks: own.masks,
                r2: scoreR2(values, squaredError(values, outOfSample)),
                ...details,
              },
            };
          },
        };
      };
      const { outOfSample, spectrum, method, alpha } = fitAdditive(left, {
        seed: options.seed,
        endMasks: options.endMasks,
        floor: options.floor ?? floatFloor(values),
      });
      const first = contenderOf('first order', outOfSample, () =>
        Promise.resolve({ spectrum, details: { method, alpha } }),
      );
      if (slowStack(split)) return [first];
      const run = await runStack(left, options, pace);
      const stack = contenderOf('stack', run.stacked ? run.stack : run.trees, async () => {
        const residual = await run.finish(run.stacked ? 'stack' : 'trees', []);
        return { spectrum: residual.spectrum, details: { members: residual.members } };
      });
      const { stacked, confirm } = run;
      return [
        first,
        stacked && confirm !== undefined ? { ...stack, confirm: async () => withForetold(await confirm()) } : stack,
      ];
    },
  };
}

/** What a proxy makes of what a prior leaves. */
interface Rest {
  readonly spectrum: FourierSpectrum;
  readonly details: Readonly<Record<string, unknown>>;
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

/** The spectrum of what the prior foretells: of columns whose spectra are known their sum, of the others read from masks of its own. */
async function ownSpectrum(
  prior: Prior,
  read: Reader,
  { coefficients: [constant, ...slopes] }: Regression,
  players: number,
  options: ProxySpexOptions,
): Promise<{ readonly spectrum: FourierSpectrum; readonly masks: number }> {
  const known = slopes.map((_, k) => prior.spectra?.[k]);
  const terms: Term[] = [{ members: [], value: constant }];
  known.forEach((spectrum, k) => {
    if (spectrum !== undefined)
      for (const { members, value } of toMeasure(spectrum, options.keep).terms)
        terms.push({ members, value: slopes[k] * value });
  });
  const { maxTerms = 20_000, keep } = options;
  const closed = summed(players, terms, maxTerms, keep);
  if (!known.includes(undefined)) return { spectrum: closed, masks: 0 };
  const open = known.flatMap((spectrum, k) => (spectrum === undefined ? [k] : []));
  const { spectrum, masks, scale } = await read(open, slopes, players, options);
  return { spectrum: summed(players, [...closed.terms, ...scaled(spectrum.terms, scale)], maxTerms, keep), masks };
}

/** Reads the spectrum of Σ slopes_k column_k over the `open` columns, as `scale` times what it gives. */
type Reader = (
  open: readonly number[],
  slopes: readonly number[],
  players: number,
  options: ProxySpexOptions,
) => Promise<{ readonly spectrum: FourierSpectrum; readonly masks: number; readonly scale: number }>;

/** One column is the same whatever its slope: it is read once, for all budgets. */
function createReader(prior: Prior): Reader {
  let known: { readonly key: string; readonly spectrum: FourierSpectrum; readonly masks: number } | undefined;
  return async (open, slopes, players, options) => {
    const [one, ...others] = open;
    const scale = others.length === 0 ? slopes[one] : 1;
    const key = JSON.stringify([players, options.seed, options.keep, options.maxTerms]);
    if (others.length === 0 && known?.key === key) return { ...known, scale };
    const wanted = Math.min(MOST_OWN, Math.round(ALPHA * players * Math.log2(Math.max(2, players))));
    const count = players < 20 ? Math.min(2 ** players, wanted) : wanted;
    const random = createRandom(options.seed ?? 0, 'prior/masks');
    const masks: Masks = uniformMasks(players, count, random, undefined, options.keep);
    const columns = await prior.columns(masks);
    const sum = new Float64Array(count);
    for (const k of open)
      columns[k].forEach((value, row) => (sum[row] += others.length === 0 ? value : slopes[k] * value));
    const spectrum = toMeasure((await fitStack(masks, sum, options)).spectrum, options.keep);
    if (others.length === 0) known = { key, spectrum, masks: count };
    return { spectrum, masks: count, scale };
  };
}

/** ∅ and the largest terms of a sum. */
function sumOf(
  players: number,
  one: FourierSpectrum,
  other: FourierSpectrum,
  { maxTerms = 20_000, keep }: Pick<ProxySpexOptions, 'maxTerms' | 'keep'>,
): FourierSpectrum {
  return summed(players, [...one.terms, ...other.terms], maxTerms, keep);
}
