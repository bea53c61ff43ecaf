/**
 * A Gaussian process where players or masks are too many for the exact search of gaussian-process.ts.
 *
 * The same plain kernel, but its n couplings are not searched for: B_i = scale · (√influence_i / max + .02), the
 * influences those of a sparse fit that is at hand (greedy parities), and only scale, a and s² maximise the likelihood,
 * on a part of the masks. K α = y is solved by conjugate gradients. F(S) = a Π_{i∈S} tanh B_i Σ_j α_j χ_S(m_j): all
 * singles and pairs, then supersets of the largest, order by order; what the beam leaves out is not in the spectrum.
 */
import { maskColumns, selectRows, type Masks } from '../../masks.ts';
import { createKernels } from '../../kernels/kernels.ts';
import { mean, squaredError } from '../../spectrum/regression/folds.ts';
import { compareTerms, createSpectrum, setKey, type FourierSpectrum, type Term } from '../../spectrum/spectrum.ts';
import { createPairs, kernelBytes, xorTable } from './hypercube-kernel.ts';
import { minimise, type Point } from './lbfgs.ts';
import { correlation, signedSums } from '../parities/signed-sums.ts';

/** Masks at most: their N²/2 covariances are held in 32 bits. */
export const MOST_INFLUENCE_MASKS = 8000;

/** What the likelihood chooses. */
export interface InfluenceScalars {
  readonly scale: number;
  readonly amplitude: number;
  /** s², in units of the variance of y. */
  readonly noise: number;
}

export interface InfluenceProcess {
  predict(masks: Masks): Float64Array;
  /** ∅ and the largest terms that the beam finds, at most `maxTerms`. */
  spectrum(maxTerms: number): FourierSpectrum;
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
/** Sets of each order whose supersets are looked at, and the highest order. */
const BEAM = 400;
const HIGHEST = 8;

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
  const { count } = masks;
  const coupling = shapeOf(guide).map((value) => scale * value);
  const { y, centre, deviation } = standardise(values);
  const bytes = kernelBytes(masks);
  const table = xorTable(bytes, coupling);
  const { alpha, steps } = solve(bytes.bytes, bytes.width, table, amplitude, noise, y);
  const level = alpha.reduce((sum, value) => sum + value, 0); // the constant 1 of the kernel
  return {
    steps,
    predict(others) {
      const kernels = createKernels();
      const wide = kernelBytes(others);
      const [at, mine, tables, weights, out] = [
        others.count * wide.width,
        count * bytes.width,
        8 * table.length,
        8 * count,
        8 * others.count,
      ].map((size) => kernels.reserve(size));
      new Uint8Array(kernels.memory.buffer, at, wide.bytes.length).set(wide.bytes);
      new Uint8Array(kernels.memory.buffer, mine, bytes.bytes.length).set(bytes.bytes);
      kernels.float64(tables, table.length).set(table);
      kernels.float64(weights, count).set(alpha);
      kernels.crossTimes(at, others.count, mine, tables, amplitude, weights, out, count, bytes.width);
      return kernels.float64(out, others.count).map((value) => centre + deviation * (value + level));
    },
    spectrum(maxTerms) {
      const factor = amplitude * deviation;
      const terms = beamTerms(masks, alpha, coupling.map(Math.tanh), maxTerms).map(
        ({ members, value }): Term => ({ members, value: factor * value }),
      );
      const empty = centre + deviation * (level + amplitude * level);
      return createSpectrum('fourier', masks.players, [{ members: [], value: empty }, ...terms]);
    },
  };
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

/** Π_{i∈S} ρ_i Σ_j α_j χ_S(m_j) for singles, pairs, and supersets of the BEAM largest of each order: the `maxTerms` largest. */
function beamTerms(masks: Masks, alpha: Float64Array, rho: Float64Array, maxTerms: number): Term[] {
  const columns = maskColumns(masks);
  const stride = Math.ceil(masks.count / 32);
  const table = new Float64Array(4 * stride * 256);
  const padded = new Float64Array(32 * stride);
  padded.set(alpha);
  signedSums(padded, table);
  const kept: Term[] = [];
  let level: { readonly members: readonly number[]; readonly column: Uint32Array; readonly weight: number }[] = [
    { members: [], column: new Uint32Array(stride), weight: 1 },
  ];
  for (let order = 1; order <= HIGHEST && level.length > 0; order++) {
    const found = new Map<string, { term: Term; parent: (typeof level)[number]; player: number }>();
    for (const parent of level) {
      for (let player = 0; player < masks.players; player++) {
        if (parent.members.includes(player)) continue;
        const members = [...parent.members, player].sort((a, b) => a - b);
        const key = setKey(members);
        if (found.has(key)) continue;
        const value = parent.weight * rho[player] * correlation(parent.column, columns[player], table);
        found.set(key, { term: { members, value }, parent, player });
      }
    }
    const sorted = [...found.values()].sort((a, b) => compareTerms(a.term, b.term));
    kept.push(...sorted.slice(0, maxTerms).map(({ term }) => term));
    // All singles lead on: every pair is looked at.
    level = sorted.slice(0, order === 1 ? sorted.length : BEAM).map(({ term, parent, player }) => ({
      members: term.members,
      column: parent.column.map((word, w) => word ^ columns[player][w]),
      weight: parent.weight * rho[player],
    }));
  }
  return kept
    .filter(({ value }) => value !== 0)
    .sort(compareTerms)
    .slice(0, maxTerms);
}
