/**
 * The covariance of a Gaussian process on masks that expects interactions to shrink with their order.
 *
 * x = 1 - 2m in {+1,-1}ⁿ. k(x,x') = 1 + a Π_i exp(B_i x_i x'_i + g_i (x_i + x'_i)/2) / (cosh B_i cosh g_i).
 * With g = 0 each factor is 1 + ρ_i x_i x'_i, ρ = tanh B: the prior variance of F(S) is a Π_{i∈S} ρ_i, large where
 * the members are large. g lets the amplitude of f vary with how much is kept. Pairs of masks matter through
 * their xor alone, so a product over eight players is one look-up and a gradient one histogram.
 */
import type { Masks } from '../../masks.ts';
import { createKernels } from '../../kernels/kernels.ts';

export interface KernelParameters {
  /** B_i > 0. */
  readonly coupling: Float64Array;
  /** g_i; zeros for the plain kernel. */
  readonly tilt: Float64Array;
  /** a > 0. */
  readonly amplitude: number;
}

export interface MaskBytes {
  readonly players: number;
  readonly count: number;
  /** Bytes a mask, ceil(n / 8). */
  readonly width: number;
  /** count x width. */
  readonly bytes: Uint8Array;
}

/** The masks as bytes of eight players. */
export function kernelBytes({ players, count, stride, words }: Masks): MaskBytes {
  const width = Math.ceil(players / 8);
  const bytes = new Uint8Array(count * width);
  for (let r = 0; r < count; r++)
    for (let b = 0; b < width; b++) bytes[r * width + b] = words[r * stride + (b >>> 2)] >>> (8 * (b & 3));
  return { players, count, width, bytes };
}

/** P = k - 1 over all pairs, N x N row-major: the part that depends on the masks. */
export function kernelMatrix(masks: MaskBytes, parameters: KernelParameters): Float64Array {
  const { count } = masks;
  const pairs = createPairs(masks);
  const product = pairs.fill(parameters).slice();
  for (let j = 0; j < count; j++) for (let k = 0; k < j; k++) product[k * count + j] = product[j * count + k];
  return product;
}

/** Π over a byte's players of 1 ± ρ_i at every xor: 256 x width. */
export function xorTable({ players, width }: MaskBytes, coupling: Float64Array): Float64Array {
  const table = new Float64Array(256 * width).fill(1);
  for (let i = 0; i < players; i++) {
    const rho = Math.tanh(coupling[i]);
    for (let x = 0; x < 256; x++) table[256 * (i >>> 3) + x] *= (x >>> (i & 7)) & 1 ? 1 - rho : 1 + rho;
  }
  return table;
}

/** Everything about pairs of masks, N x N, in memory that is used again from one set of parameters to the next. */
export interface Pairs {
  /** P, lower triangle; valid until the next call. */
  fill(parameters: KernelParameters): Float64Array;
  /** (P + 1 + s²I)⁻¹ for the P filled last, lower triangle, and log of the determinant; undefined when not positive definite. */
  invert(noise: number): { readonly inverse: Float64Array; readonly logDeterminant: number } | undefined;
  /** How ½ Σ_jk (α_j α_k - K⁻¹_jk) P_jk, for the matrices filled and inverted last, changes with the parameters of P. */
  slopes(weights: Float64Array, parameters: KernelParameters): KernelGradient;
}

export function createPairs(masks: MaskBytes): Pairs {
  const { count, width } = masks;
  const kernels = createKernels();
  const square = 8 * count * count;
  const [product, inverse, lower] = [square, square, square].map(kernels.reserve);
  const [bytes, weight, alpha, rowSums, table, bins, scratch] = [
    count * width,
    8 * count,
    8 * count,
    8 * count,
    2048 * width,
    2048 * width,
    32,
  ].map(kernels.reserve);
  new Uint8Array(kernels.memory.buffer, bytes, count * width).set(masks.bytes);
  return {
    fill(parameters) {
      kernels.float64(table, 256 * width).set(xorTable(masks, parameters.coupling));
      const root = Math.sqrt(parameters.amplitude);
      kernels.float64(weight, count).set(amplitudes(masks, parameters.tilt).map((value) => root * value));
      kernels.kernelTriangle(product, bytes, weight, table, count, width);
      return kernels.float64(product, count * count);
    },
    invert(noise) {
      const [from, to] = [kernels.float64(product, count * count), kernels.float64(inverse, count * count)];
      for (let j = 0; j < count; j++) {
        for (let k = j * count; k <= j * count + j; k++) to[k] = from[k] + 1;
        to[j * count + j] += noise;
      }
      const logDeterminant = kernels.factorise(inverse, count, scratch);
      if (Number.isNaN(logDeterminant)) return undefined;
      kernels.invertFactor(inverse, lower, count);
      return { inverse: to, logDeterminant };
    },
    slopes(weights, parameters) {
      kernels.float64(alpha, count).set(weights);
      kernels.float64(bins, 256 * width).fill(0);
      kernels.float64(rowSums, count).fill(0);
      kernels.kernelSlopes(product, inverse, alpha, bytes, bins, rowSums, count, width);
      return gradientOf(masks, kernels.float64(bins, 256 * width), kernels.float64(rowSums, count), parameters);
    },
  };
}

/** Π_i exp(g_i x_i / 2) / √cosh g_i of every mask. */
function amplitudes({ players, count, width, bytes }: MaskBytes, tilt: Float64Array): Float64Array {
  let norm = 0;
  for (let i = 0; i < players; i++) norm += Math.log(Math.cosh(tilt[i])) / 2;
  return Float64Array.from({ length: count }, (_, r) => {
    let exponent = -norm;
    for (let i = 0; i < players; i++)
      exponent += ((bytes[r * width + (i >>> 3)] >>> (i & 7)) & 1 ? -tilt[i] : tilt[i]) / 2;
    return Math.exp(exponent);
  });
}

export interface KernelGradient {
  /** Σ_jk w_jk dP_jk/dB_i, given W = w ∘ P. */
  readonly coupling: Float64Array;
  /** Likewise for g_i. */
  readonly tilt: Float64Array;
  /** Σ W: the derivative by log a. */
  readonly total: number;
}

/**
 * From W = w ∘ P, summed over pairs by the xor of their bytes and over rows:
 * dP/dB_i = P ∘ (x_i x'_i - tanh B_i), dP/dg_i = P ∘ ((x_i + x'_i)/2 - tanh g_i).
 */
function gradientOf(
  { players, count, width, bytes }: MaskBytes,
  bins: Float64Array,
  rowSums: Float64Array,
  { coupling, tilt }: KernelParameters,
): KernelGradient {
  const total = rowSums.reduce((sum, value) => sum + value, 0);
  const byCoupling = new Float64Array(players);
  const byTilt = new Float64Array(players);
  for (let i = 0; i < players; i++) {
    let differing = 0;
    for (let x = 0; x < 256; x++) if ((x >>> (i & 7)) & 1) differing += bins[256 * (i >>> 3) + x];
    byCoupling[i] = total - 2 * differing - Math.tanh(coupling[i]) * total;
    let signed = 0;
    for (let j = 0; j < count; j++) signed += (bytes[j * width + (i >>> 3)] >>> (i & 7)) & 1 ? -rowSums[j] : rowSums[j];
    byTilt[i] = signed - Math.tanh(tilt[i]) * total;
  }
  return { coupling: byCoupling, tilt: byTilt, total };
}

/**
 * Σ_j weights_j P(x, x_j) for all 2^n masks x in counting order: the weights are scattered over the table and
 * each player's 2 x 2 factor is applied along its axis, n·2^n steps. n <= 24.
 */
export function kernelTable(
  { players, words }: Masks,
  weights: Float64Array,
  { coupling, tilt, amplitude }: KernelParameters,
): Float64Array {
  const table = new Float64Array(2 ** players);
  weights.forEach((weight, j) => (table[words[j]] += amplitude * weight));
  for (let i = 0; i < players; i++) {
    const [b, g] = [coupling[i], tilt[i]];
    const norm = 1 / (Math.cosh(b) * Math.cosh(g));
    const [absent, kept, mixed] = [Math.exp(b + g) * norm, Math.exp(b - g) * norm, Math.exp(-b) * norm];
    const half = 2 ** i;
    for (let block = 0; block < table.length; block += 2 * half) {
      for (let x = block; x < block + half; x++) {
        const low = table[x];
        const high = table[x + half];
        table[x] = absent * low + mixed * high;
        table[x + half] = mixed * low + kept * high;
      }
    }
  }
  return table;
}
