/**
 * A Gaussian process where players or masks are too many for the exact search of gaussian-process.ts.
 *
 * The same plain kernel, but its n couplings are not searched for: B_i = scale · (√influence_i / max + .02), the
 * influences those of a sparse fit that is at hand (greedy parities), and only scale, a and s² maximise the likelihood,
 * on a part of the masks. K α = y is solved by conjugate gradients; plain-answer.ts has what it predicts and its expansion.
 */
import { selectRows, type Masks } from '../../masks.ts';
import { createKernels } from '../../kernels/kernels.ts';
import { mean, squaredError } from '../../spectrum/regression/folds.ts';
import type { FourierSpectrum } from '../../spectrum/spectrum.ts';
import { createPairs, kernelBytes, xorTable } from './hypercube-kernel.ts';
import { minimise, type Point } from './lbfgs.ts';
import { plainAnswer, type PlainAnswer } from './plain-answer.ts';

/** Masks at most: their N²/2 covariances are held in 32 bits. */
export const MOST_INFLUENCE_MASKS = 8000;

/** What the likelihood chooses. */
export interface InfluenceScalars {
  readonly scale: number;
  readonly amplitude: number;
  /** s², in units of the variance of y. */
  readonly noise: number;
}

export interface InfluenceProcess extends PlainAnswer {
  /** Steps of the conjugate gradients. */
  readonly steps: number;
}

/** Where the search for them starts. */
export const USUAL_SCALARS: InfluenceScalars = { scale: 0.4, amplitude: 0.5, noise: 0.1 };
const WIDE = 2; // standard deviation of the log-normal priors
const NOISE_FLOOR = 1e-4;
/** Masks on which the scalars are chosen, and steps of the search. */
const PART = 600;
const SEARCH = 15;
/** Conjugate gradients end at this share of |y|, or after so many steps. */
const SOLVED = 1e-4;
const MOST_STEPS = 100;

/** √influence of every player over the largest, + .02; the influences of `spectrum`. */
function shapeOf(spectrum: FourierSpectrum): Float64Array {
  const influence = new Float64Array(spectrum.players);
  for (const { members, value } of spectrum.terms) for (const player of members) influence[player] += value * value;
  const largest = influence.reduce((most, value) => Math.max(most, value), 0) || 1;
  return influence.map((value) => Math.sqrt(value / largest) + 0.02);
}

function standardise(values: Float64Array): { y: Float64Array; centre: number; deviation: number } {
  const centre = mean(values);
  const deviation = Math.sqrt(squaredError(values, new Float64Array(values.length).fill(centre)) / values.length) || 1;
  return { y: values.map((value) => (value - centre) / deviation), centre, deviation };
}

/** The scalars of most posterior likelihood on (a part of) the masks. */
export function chooseScalars(masks: Masks, values: Float64Array, guide: FourierSpectrum): InfluenceScalars {
  const shape = shapeOf(guide);
  const every = Math.ceil(masks.count / PART);
  const rows = Array.from({ length: Math.ceil(masks.count / every) }, (_, k) => k * every);
  const { y } = standardise(Float64Array.from(rows, (row) => values[row]));
  const pairs = createPairs(kernelBytes(selectRows(masks, rows)));
  const tilt = new Float64Array(masks.players);
  const measure = (at: Float64Array): Point => {
    const [scale, amplitude, noise] = [Math.exp(at[0]), Math.exp(at[1]), NOISE_FLOOR + Math.exp(at[2])];
    const parameters = { coupling: shape.map((value) => scale * value), tilt, amplitude };
    pairs.fill(parameters);
    const solved = pairs.invert(noise);
    const gradient = new Float64Array(3);
    if (solved === undefined) return { value: Infinity, gradient };
    const { inverse } = solved;
    const weights = new Float64Array(y.length);
    for (let i = 0; i < y.length; i++) {
      for (let j = 0; j < i; j++) {
        weights[i] += inverse[i * y.length + j] * y[j];
        weights[j] += inverse[i * y.length + j] * y[i];
      }
      weights[i] += inverse[i * y.length + i] * y[i];
    }
    let value = solved.logDeterminant / 2;
    let noiseSlope = 0;
    for (let j = 0; j < y.length; j++) {
      value += (y[j] * weights[j]) / 2;
      noiseSlope += weights[j] ** 2 - inverse[j * y.length + j];
    }
    const slope = pairs.slopes(weights, parameters);
    parameters.coupling.forEach((coupling, i) => (gradient[0] -= slope.coupling[i] * coupling));
    gradient[1] = -slope.total;
    gradient[2] = (-noiseSlope * (noise - NOISE_FLOOR)) / 2;
    [USUAL_SCALARS.scale, USUAL_SCALARS.amplitude, USUAL_SCALARS.noise].forEach((start, k) => {
      const z = (at[k] - Math.log(start)) / WIDE;
      value += (z * z) / 2;
      gradient[k] += z / WIDE;
    });
    return { value, gradient };
  };
  const { at } = minimise(
    measure,
    Float64Array.of(Math.log(USUAL_SCALARS.scale), Math.log(USUAL_SCALARS.amplitude), Math.log(USUAL_SCALARS.noise)),
    SEARCH,
  );
  return { scale: Math.exp(at[0]), amplitude: Math.exp(at[1]), noise: NOISE_FLOOR + Math.exp(at[2]) };
}

/** The process on (masks, values) with couplings shaped by `guide`. At most MOST_INFLUENCE_MASKS masks; N²/2 · n/8 steps and N² a step of the solver. */
export function fitInfluenceProcess(
  masks: Masks,
  values: Float64Array,
  guide: FourierSpectrum,
  { scale, amplitude, noise }: InfluenceScalars,
): InfluenceProcess {
  const coupling = shapeOf(guide).map((value) => scale * value);
  const { y, centre, deviation } = standardise(values);
  const bytes = kernelBytes(masks);
  const { alpha, steps } = solve(bytes.bytes, bytes.width, xorTable(bytes, coupling), amplitude, noise, y);
  return { steps, ...plainAnswer({ masks, alpha, coupling, amplitude, centre, deviation }) };
}

/** (P + 1 + s²I) α = y by conjugate gradients. */
function solve(
  bytes: Uint8Array,
  width: number,
  table: Float64Array,
  amplitude: number,
  noise: number,
  y: Float64Array,
): { alpha: Float64Array; steps: number } {
  const count = y.length;
  const kernels = createKernels();
  const [matrix, masks, tables, x, out] = [
    2 * count * (count + 1),
    count * width,
    8 * table.length,
    8 * count,
    8 * count,
  ].map((size) => kernels.reserve(size));
  new Uint8Array(kernels.memory.buffer, masks, bytes.length).set(bytes);
  kernels.float64(tables, table.length).set(table);
  kernels.packedTriangle(matrix, masks, tables, amplitude, count, width);
  const times = (v: Float64Array): Float64Array => {
    kernels.float64(x, count).set(v);
    kernels.packedTimes(matrix, x, out, count);
    const sum = v.reduce((total, value) => total + value, 0);
    return kernels.float64(out, count).map((value, j) => value + sum + noise * v[j]);
  };
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, j) => sum + value * b[j], 0);
  const alpha = new Float64Array(count);
  const residual = y.slice();
  const direction = y.slice();
  let square = dot(residual, residual);
  const enough = SOLVED ** 2 * square;
  let steps = 0;
  for (; steps < MOST_STEPS && square > enough; steps++) {
    const product = times(direction);
    const length = square / dot(direction, product);
    for (let j = 0; j < count; j++) {
      alpha[j] += length * direction[j];
      residual[j] -= length * product[j];
    }
    const next = dot(residual, residual);
    for (let j = 0; j < count; j++) direction[j] = residual[j] + (next / square) * direction[j];
    square = next;
  }
  return { alpha, steps };
}
