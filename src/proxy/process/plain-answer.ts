/**
 * What a process of the plain kernel (no tilt) answers where 2^n values are too many: f̂(x) = Σ_j α_j k(x, x_j), and its expansion.
 *
 * F(S) = a Π_{i∈S} ρ_i Σ_j α_j χ_S(m_j), ρ = tanh B: all singles and pairs, then supersets of the largest, order by order; what the
 * beam leaves out is not in the spectrum, and its share of the variance is told.
 */
import { maskColumns, type Masks } from '../../masks.ts';
import { createKernels } from '../../kernels/kernels.ts';
import { compareTerms, createSpectrum, setKey, type FourierSpectrum, type Term } from '../../spectrum/spectrum.ts';
import { correlation, signedSums } from '../parities/signed-sums.ts';
import { kernelBytes, xorTable } from './hypercube-kernel.ts';

/** Sets of each order whose supersets are looked at, and the highest order. */
const BEAM = 400;
const HIGHEST = 8;

/** A process whose equations are solved: K α = (y - centre) / deviation. */
export interface Solved {
  readonly masks: Masks;
  readonly alpha: Float64Array;
  readonly coupling: Float64Array;
  readonly amplitude: number;
  readonly centre: number;
  readonly deviation: number;
}

export interface PlainAnswer {
  /** f̂ of any masks. */
  predict(masks: Masks): Float64Array;
  /** ∅ and the largest terms that the beam finds, at most `maxTerms`. */
  spectrum(maxTerms: number): FourierSpectrum;
  /** Σ_{S≠∅} F(S)² of all sets, listed or not: the variance of f̂ over fair masks. */
  variance(): number;
}

export function plainAnswer({ masks, alpha, coupling, amplitude, centre, deviation }: Solved): PlainAnswer {
  const level = alpha.reduce((sum, value) => sum + value, 0); // the constant 1 of the kernel
  return {
    predict: (others) =>
      products(others, masks, alpha, coupling).map((value) => centre + deviation * (amplitude * value + level)),
    spectrum(maxTerms) {
      const factor = amplitude * deviation;
      const terms = beamTerms(masks, alpha, coupling.map(Math.tanh), maxTerms).map(
        ({ members, value }): Term => ({ members, value: factor * value }),
      );
      const empty = centre + deviation * (level + amplitude * level);
      return createSpectrum('fourier', masks.players, [{ members: [], value: empty }, ...terms]);
    },
    variance() {
      // Σ_S Π ρ² (Σ_j α_j χ_S)² = Σ_jk α_j α_k Π_i (1 + ρ_i² x_i x'_i), ∅ included.
      const squared = products(
        masks,
        masks,
        alpha,
        coupling.map((b) => Math.atanh(Math.tanh(b) ** 2)),
      );
      const all = squared.reduce((sum, value, j) => sum + value * alpha[j], 0);
      return Math.max(0, (amplitude * deviation) ** 2 * (all - level * level));
    },
  };
}

/** Σ_j weights_j Π_i (1 + ρ_i x_i x_ji) of every mask x of `others`. */
function products(others: Masks, masks: Masks, weights: Float64Array, coupling: Float64Array): Float64Array {
  const kernels = createKernels();
  const [wide, own] = [kernelBytes(others), kernelBytes(masks)];
  const table = xorTable(own, coupling);
  const [at, mine, tables, factors, out] = [
    wide.bytes.length,
    own.bytes.length,
    8 * table.length,
    8 * masks.count,
    8 * others.count,
  ].map((size) => kernels.reserve(size));
  new Uint8Array(kernels.memory.buffer, at, wide.bytes.length).set(wide.bytes);
  new Uint8Array(kernels.memory.buffer, mine, own.bytes.length).set(own.bytes);
  kernels.float64(tables, table.length).set(table);
  kernels.float64(factors, masks.count).set(weights);
  kernels.crossTimes(at, others.count, mine, tables, 1, factors, out, masks.count, own.width);
  return kernels.float64(out, others.count).slice();
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
