/**
 * How well each term of a fitted spectrum is known, and which terms cannot be told from noise.
 *
 * Whoever predicts rows that it did not fit gives an estimate of every F(S) that no choice of terms can flatter:
 * F̃(S) = F_judge(S) + mean_r χ_S(m_r) e_r, with e_r = y_r - (prediction of row r by a fit without it). The mean
 * corrects what the judge has wrong about S; given its fits it is a mean of N independent numbers, so its standard
 * error is the deviation of χ_S e over √N, whatever S is (one-step, or difference, estimators: Särndal, Swensson,
 * Wretman, Model Assisted Survey Sampling, 1992, chapter 6; with cross-fitting: Chernozhukov et al., Double/debiased
 * machine learning, 2018). The judge is the best predictor at hand: where an additive one predicts best, it judges
 * the interactions of the trees. Deviation: the final fit stands for the mean of the fold fits;
 * test/proxy/claims.test.ts holds the coverage.
 */
import { isFair, type Keep } from '../keep.ts';
import { maskColumns, type Masks } from '../masks.ts';
import type { Evidence } from '../solver.ts';
import { floatFloor, thresholdOf } from '../spectrum/noise.ts';
import { mean, squaredError } from '../spectrum/regression/folds.ts';
import { characterColumn, setKey, type FourierSpectrum } from '../spectrum/spectrum.ts';
import { correlation, signedSums } from './parities/signed-sums.ts';

/** A fit, and its predictions of the rows of the sample by fits without them. */
export interface Judge {
  readonly spectrum: FourierSpectrum;
  readonly outOfSample: Float64Array;
}

/**
 * Another estimate of every F(S) beside that of the values, as gradients give: what it adds to the judge's F(S), its standard
 * error, and the degrees of freedom of that. Undefined where it knows nothing of S.
 */
export type Witness = (
  members: readonly number[],
) => { readonly correction: number; readonly error: number; readonly freedom: number } | undefined;

/** A witness who is so many standard errors, and such a share of what it says, from the values is not heard. */
const DOUBTED = { errors: 4, share: 0.5 };

/**
 * Standard errors and noise marks of `spectrum`'s terms. A standard error is that of the answer's own F(S): the root
 * of the squared standard error of F̃(S) plus the squared distance to it, so shrinking shows. A set is below the
 * noise when F̃(S) is within thresholdOf its size of 0, or of the other sign, or no larger than `floor`, what
 * rounding does to one value.
 */
export function evidenceOf(
  spectrum: FourierSpectrum,
  sample: Masks,
  values: Float64Array,
  judges: readonly Judge[],
  floor = floatFloor(values),
  witness?: Witness,
): Evidence {
  const errorOf = ({ outOfSample }: Judge): number => squaredError(values, outOfSample);
  const judge = judges.reduce((best, next) => (errorOf(next) < errorOf(best) ? next : best));
  const rows = sample.count;
  const residual = new Float64Array(32 * Math.ceil(rows / 32));
  values.forEach((value, row) => (residual[row] = value - judge.outOfSample[row]));
  const square = mean(residual.subarray(0, rows).map((e) => e * e));
  // The masks are distinct, so all 2^n of them leave nothing to chance.
  const left = sample.players < 50 ? Math.max(0, 1 - rows / 2 ** sample.players) : 1;
  const { keep } = spectrum;
  const judgedOf = lookup(judge.spectrum, spectrum);
  const momentsOf = isFair(keep)
    ? createMoments(sample, residual, square)
    : createBiasedMoments(sample, residual, keep);
  const thresholds = new Map<string, number>(); // by size and freedom
  const belowNoise: (readonly number[])[] = [];
  const standardErrors = spectrum.terms.map(({ members, value }) => {
    const [correction, second] = momentsOf(members);
    const judged = judgedOf(members, value);
    const byValues = {
      estimate: judged + correction,
      own: Math.sqrt((left * Math.max(0, second - correction ** 2)) / Math.max(1, rows - 1)),
    };
    const heard = members.length > 0 ? witness?.(members) : undefined;
    const { estimate, own, freedom } = joined({ ...byValues, freedom: rows - 1 }, judged, heard);
    const key = `${members.length} ${freedom}`;
    const threshold = thresholds.get(key) ?? thresholdOf(members.length, sample.players, freedom);
    thresholds.set(key, threshold);
    const size = Math.min(Math.abs(value), Math.abs(estimate));
    if (members.length > 0 && (value * estimate <= 0 || size <= floor || Math.abs(estimate) <= threshold * own))
      belowNoise.push(members);
    return Math.hypot(own, value - estimate);
  });
  return { standardErrors, belowNoise };
}

interface Estimate {
  readonly estimate: number;
  /** Its standard error. */
  readonly own: number;
  readonly freedom: number;
}

/** The mean of both, each by the inverse of its variance; the values' alone where the witness contradicts them. */
function joined(values: Estimate, judged: number, heard: ReturnType<Witness>): Estimate {
  if (heard === undefined || !(heard.error > 0)) return values;
  const other = judged + heard.correction;
  const apart = Math.abs(values.estimate - other);
  if (apart > DOUBTED.errors * Math.hypot(values.own, heard.error) + DOUBTED.share * Math.abs(other)) return values;
  if (values.own === 0) return values;
  const [mine, theirs] = [values.own ** -2, heard.error ** -2];
  return {
    estimate: (mine * values.estimate + theirs * other) / (mine + theirs),
    own: (mine + theirs) ** -0.5,
    freedom: mine > theirs ? values.freedom : heard.freedom,
  };
}

/** A term's value in the judge's spectrum; 20,000 sets are not turned into text where that is not needed. */
function lookup(judge: FourierSpectrum, own: FourierSpectrum): (members: readonly number[], value: number) => number {
  if (judge === own) return (_members, value) => value;
  const known = new Map(judge.terms.map(({ members, value }) => [setKey(members), value]));
  const largest = judge.terms.reduce((most, { members }) => Math.max(most, members.length), 0);
  return (members) => (members.length > largest ? 0 : (known.get(setKey(members)) ?? 0));
}

/** S -> the means over the rows of χ_S e and of its square, which is that of e. */
type Moments = (members: readonly number[]) => readonly [number, number];

/** For residuals padded with 0 to whole words. */
function createMoments(sample: Masks, residual: Float64Array, square: number): Moments {
  const table = new Float64Array(32 * residual.length);
  signedSums(residual, table);
  const columns = maskColumns(sample);
  const none = new Uint32Array(residual.length / 32);
  const column = new Uint32Array(residual.length / 32);
  return (members) => {
    column.fill(0);
    for (const player of members) for (let w = 0; w < column.length; w++) column[w] ^= columns[player][w];
    return [correlation(column, none, table) / sample.count, square];
  };
}

/** The same for masks that are not fair. */
function createBiasedMoments(sample: Masks, residual: Float64Array, keep: Keep = 0.5): Moments {
  const characters = Array.from({ length: sample.players }, (_, i) => characterColumn(sample, i, keep));
  const product = new Float64Array(sample.count);
  return (members) => {
    product.set(residual.subarray(0, product.length));
    for (const player of members) {
      const column = characters[player];
      for (let row = 0; row < product.length; row++) product[row] *= column[row];
    }
    return [mean(product), mean(product.map((value) => value * value))];
  };
}
