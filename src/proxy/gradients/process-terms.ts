/**
 * The Fourier expansion of a gradient process, read out: F(S) = a Π_{i∈S} ρ_i Σ_b (α_b χ_S(x_b) + Σ_{i∈S} β_bi χ_{S\i}(x_b)), and
 * for single players what their own variance adds.
 *
 * Singles and pairs are all looked at; of larger sets, the supersets of the largest of each order. What the beam leaves out is
 * not in the spectrum.
 */
import { isKept } from '../../masks.ts';
import { setKey, type Term } from '../../spectrum/spectrum.ts';
import type { GradientProcess } from './gradient-process.ts';
import { createMatrices } from './matrix.ts';

/** Sets of each order whose supersets are looked at, and the highest order. */
const BEAM = 256;
const HIGHEST = 6;
/** Terms below this share of the largest are not listed. */
const LEAST = 1e-6;

/** ∅ and the largest terms of the process, at most `most`; largest first. */
export function termsOf(process: GradientProcess, most: number): Term[] {
  const { masks, prior, alpha, beta, centre } = process;
  const { players: n, count: N } = masks;
  const T = beta.length / n;
  const { rho, amplitude, singles, constant } = prior;
  const matrices = createMatrices();
  const [signs, turned, slopes] = [matrices.create(N, n), matrices.create(n, N), matrices.create(T, n)];
  const [weighted, pairs] = [matrices.create(N, n), matrices.create(n, n)];
  const [x, xt, b, y] = [signs, turned, slopes, weighted].map((matrix) => matrices.numbers(matrix));
  const wide = signs.columns;
  const linear = new Float64Array(n);
  let sum = 0;
  for (let row = 0; row < N; row++) {
    sum += alpha[row];
    for (let i = 0; i < n; i++) {
      const sign = isKept(masks, row, i) ? -1 : 1;
      const slope = row < T ? beta[row * n + i] : 0;
      x[row * wide + i] = xt[i * turned.columns + row] = sign;
      if (row < T) b[row * wide + i] = slope;
      y[row * wide + i] = slope + (alpha[row] * sign) / 2;
      linear[i] += alpha[row] * sign + slope;
    }
  }
  // pair_ij = Z_ij + Z_ji, Z = xᵀ (β + ½ α x).
  matrices.multiply(turned, weighted, pairs);
  const z = matrices.numbers(pairs);
  const pairOf = (i: number, j: number): number =>
    amplitude * rho[i] * rho[j] * (z[i * pairs.columns + j] + z[j * pairs.columns + i]);
  const empty: Term = { members: [], value: centre + (constant + amplitude) * sum };
  const first: Term[] = Array.from({ length: n }, (_, i) => ({
    members: [i],
    value: (singles[i] + amplitude * rho[i]) * linear[i],
  }));
  const second = largestPairs(n, pairOf, most);
  const found: Term[] = [...first, ...second];
  let level = second.slice(0, BEAM);
  for (let order = 3; order <= Math.min(HIGHEST, n) && level.length > 0; order++) {
    const next = supersets(level);
    next.sort((a, c) => Math.abs(c.value) - Math.abs(a.value));
    found.push(...next.slice(0, most));
    level = next.slice(0, BEAM);
  }
  const largest = found.reduce((top, { value }) => Math.max(top, Math.abs(value)), 0);
  const kept = found.filter(({ value }) => Math.abs(value) > LEAST * largest);
  kept.sort((a, c) => Math.abs(c.value) - Math.abs(a.value));
  return [empty, ...kept.slice(0, most)];

  /** F of every S ∪ k: a Π ρ (u_S · x_k + χ_S · β_k), u_S = α χ_S + Σ_{i∈S} β_i χ_{S\i}. */
  function supersets(sets: readonly Term[]): Term[] {
    const own = createMatrices();
    const [left, right] = [own.create(sets.length, N), own.create(N, n)];
    const [leftSlopes, rightSlopes] = [own.create(sets.length, T), own.create(T, n)];
    const [byValue, bySlope] = [own.create(sets.length, n), own.create(sets.length, n)];
    const [u, w] = [left, leftSlopes].map((matrix) => own.numbers(matrix));
    own.numbers(right).set(matrices.numbers(signs));
    own.numbers(rightSlopes).set(matrices.numbers(slopes));
    const [sign, slope] = [own.numbers(right), own.numbers(rightSlopes)];
    sets.forEach(({ members }, s) => {
      for (let row = 0; row < N; row++) {
        let chi = 1;
        for (const i of members) chi *= sign[row * wide + i];
        let value = alpha[row] * chi;
        if (row < T) {
          w[s * leftSlopes.columns + row] = chi;
          for (const i of members) value += slope[row * wide + i] * chi * sign[row * wide + i];
        }
        u[s * left.columns + row] = value;
      }
    });
    own.multiply(left, right, byValue);
    own.multiply(leftSlopes, rightSlopes, bySlope);
    const [v, g] = [own.numbers(byValue), own.numbers(bySlope)];
    const known = new Set<string>();
    const terms: Term[] = [];
    sets.forEach(({ members }, s) => {
      const factor = members.reduce((product, i) => product * rho[i], amplitude);
      for (let k = 0; k < n; k++) {
        if (members.includes(k)) continue;
        const superset = [...members, k].sort((a, c) => a - c);
        const key = setKey(superset);
        if (known.has(key)) continue;
        known.add(key);
        const e = s * byValue.columns + k;
        terms.push({ members: superset, value: factor * rho[k] * (v[e] + g[e]) });
      }
    });
    return terms;
  }
}

/** The `most` largest pairs, largest first. */
function largestPairs(n: number, valueOf: (i: number, j: number) => number, most: number): Term[] {
  const sizes = new Float64Array((n * (n - 1)) / 2);
  let at = 0;
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) sizes[at++] = Math.abs(valueOf(i, j));
  const floor = most < sizes.length ? sizes.slice().sort()[sizes.length - most] : 0;
  const terms: Term[] = [];
  at = 0;
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) if (sizes[at++] >= floor) terms.push({ members: [i, j], value: valueOf(i, j) });
  }
  return terms.sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, most);
}
