/**
 * The covariance of a Gaussian process on masks that expects interactions to shrink with their order.
 *
 * x = 1 - 2m in {+1,-1}ⁿ. k(x,x') = 1 + a Π_i exp(B_i x_i x'_i + g_i (x_i + x'_i)/2) / (cosh B_i cosh g_i).
 * With g = 0 each factor is 1 + ρ_i x_i x'_i, ρ = tanh B: the prior variance of F(S) is a Π_{i∈S} ρ_i, large where
 * the members are large. g lets the amplitude of f vary with how much is kept. Pairs of masks matter through
 * their xor alone, so a product over eight players is one look-up and a gradient one histogram.
 */
import type { Coalitions } from '../coalitions.ts';

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
export function kernelBytes({ players, count, stride, words }: Coalitions): MaskBytes {
  const width = Math.ceil(players / 8);
  const bytes = new Uint8Array(count * width);
  for (let r = 0; r < count; r++) for (let b = 0; b < width; b++) bytes[r * width + b] = words[r * stride + (b >>> 2)] >>> (8 * (b & 3));
  return { players, count, width, bytes };
}

/** P = k - 1 over all pairs, N x N row-major: the part that depends on the masks. */
export function kernelMatrix(masks: MaskBytes, { coupling, tilt, amplitude }: KernelParameters): Float64Array {
  const { players, count, width, bytes } = masks;
  const table = new Float64Array(256 * width).fill(1); // Π over a byte's players of 1 ± ρ_i
  for (let i = 0; i < players; i++) {
    const rho = Math.tanh(coupling[i]);
    for (let x = 0; x < 256; x++) table[256 * (i >>> 3) + x] *= (x >>> (i & 7)) & 1 ? 1 - rho : 1 + rho;
  }
  const weight = amplitudes(masks, tilt);
  const product = new Float64Array(count * count);
  for (let j = 0; j < count; j++) {
    for (let k = 0; k <= j; k++) {
      let value = amplitude * weight[j] * weight[k];
      for (let b = 0; b < width; b++) value *= table[256 * b + (bytes[j * width + b] ^ bytes[k * width + b])];
      product[j * count + k] = value;
      product[k * count + j] = value;
    }
  }
  return product;
}

/** Π_i exp(g_i x_i / 2) / √cosh g_i of every mask. */
function amplitudes({ players, count, width, bytes }: MaskBytes, tilt: Float64Array): Float64Array {
  let norm = 0;
  for (let i = 0; i < players; i++) norm += Math.log(Math.cosh(tilt[i])) / 2;
  return Float64Array.from({ length: count }, (_, r) => {
    let exponent = -norm;
    for (let i = 0; i < players; i++) exponent += ((bytes[r * width + (i >>> 3)] >>> (i & 7)) & 1 ? -tilt[i] : tilt[i]) / 2;
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
 * How a weighted sum Σ_jk w_jk P_jk changes with the parameters, from the symmetric W = w ∘ P (N x N):
 * dP/dB_i = P ∘ (x_i x'_i - tanh B_i), dP/dg_i = P ∘ ((x_i + x'_i)/2 - tanh g_i).
 */
export function kernelGradient({ players, count, width, bytes }: MaskBytes, weighted: Float64Array, { coupling, tilt }: KernelParameters): KernelGradient {
  const bins = new Float64Array(256 * width); // Σ of W over pairs, by the xor of their bytes
  const rowSums = new Float64Array(count);
  let total = 0;
  for (let j = 0; j < count; j++) {
    for (let k = 0; k < j; k++) {
      const value = weighted[j * count + k];
      rowSums[j] += value;
      rowSums[k] += value;
      for (let b = 0; b < width; b++) bins[256 * b + (bytes[j * width + b] ^ bytes[k * width + b])] += 2 * value;
    }
    rowSums[j] += weighted[j * count + j];
  }
  for (let j = 0; j < count; j++) total += rowSums[j];
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
export function kernelTable({ players, words }: Coalitions, weights: Float64Array, { coupling, tilt, amplitude }: KernelParameters): Float64Array {
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
