/**
 * Regression baselines on the masks that every other method gets: Faith-Banzhaf of order 1 to 4, and KernelSHAP.
 *
 * Faith-Banzhaf (Tsai, Yeh, Ravikumar, 2023) is least squares on all sets of up to `order` players under uniform
 * masks; KernelSHAP (Lundberg, Lee, 2017) is the additive fit under the Shapley kernel, exact at both end masks.
 * On all 2^n masks they are fbii and shapley of the game. Deviation: masks are weighted by the kernel where
 * KernelSHAP would draw them by it, so that uniform masks serve; at large n few of those carry much weight.
 */
import type { Masks } from '../masks.ts';
import { isKept, keptPlayers } from '../masks.ts';
import { fail } from '../errors.ts';
import { ridgeSpectrum, type SpectrumFit } from '../spectrum/regression/ridge.ts';
import { createSpectrum, type FourierSpectrum } from '../spectrum/spectrum.ts';
import { invertPositive } from './process/cholesky.ts';
import { endOf, mergeRepeats } from './measured.ts';

/** The order of the fit, and its penalty. */
export interface FaithBanzhafOptions {
  /** Players a set, 1 to 4. */
  readonly order: number;
  /**
   * 'none' (default): least squares, the definition, which needs more masks than terms. 'ridge': the penalty of
   * least leave-one-out error, which shrinks, and can have more terms than masks.
   */
  readonly penalty?: 'none' | 'ridge' | undefined;
}

/** Terms or masks, whichever is fewer, that an eigendecomposition takes: about 20 s. */
const MOST_UNKNOWNS = 1200;
/** Terms, whose columns are held in memory. */
const MOST_TERMS = 200_000;
/** Stands for no penalty: on N masks it moves a coefficient by 1e-9/N of itself. */
const NO_PENALTY = [1e-9];

/**
 * The polynomial on all sets of up to `order` players closest to the measured values: Faith-Banzhaf of it is
 * `fbii(spectrum, order)`. Repeated masks count once. heldError is the leave-one-out error.
 * @throws 'input' on another order, or where masks or time do not suffice, with the order that would do.
 */
export function fitFaithBanzhaf(
  masks: Masks,
  values: ArrayLike<number>,
  { order, penalty = 'none' }: FaithBanzhafOptions,
): SpectrumFit {
  if (![1, 2, 3, 4].includes(order)) throw fail('input', 'fitFaithBanzhaf', `order ${order}; 1, 2, 3 or 4 is needed.`);
  const measured = mergeRepeats('fitFaithBanzhaf', masks, values);
  const rows = measured.masks.count;
  const n = masks.players;
  const feasible = (l: number): boolean => {
    const terms = termsUpTo(n, l);
    return terms <= MOST_TERMS && Math.min(terms, rows) <= MOST_UNKNOWNS && (penalty === 'ridge' || terms <= rows);
  };
  if (!feasible(order)) {
    const fits = [3, 2, 1].find((l) => l < order && feasible(l));
    const terms = termsUpTo(n, order);
    const why =
      penalty === 'none' && terms > rows
        ? `${rows} masks determine at most ${rows} of them`
        : `at most ${MOST_UNKNOWNS} terms or masks, whichever is fewer, and ${MOST_TERMS} terms can be solved for`;
    throw fail(
      'input',
      'fitFaithBanzhaf',
      `order ${order} of ${n} players has ${terms} terms and ${why}; ${fits === undefined ? `measure at least ${termsUpTo(n, 1)} masks` : `order ${fits} can be fitted`}.`,
    );
  }
  return ridgeSpectrum(
    measured.masks,
    measured.values,
    setsUpTo(n, order),
    penalty === 'ridge' ? undefined : NO_PENALTY,
  );
}

/** Σ_{j <= order} C(n, j). */
function termsUpTo(n: number, order: number): number {
  let choose = 1;
  let sum = 1;
  for (let j = 1; j <= order; j++) {
    choose = (choose * (n - j + 1)) / j;
    sum += choose;
  }
  return sum;
}

/** All sets of 1 to `order` of n players. */
function setsUpTo(n: number, order: number): number[][] {
  let level: number[][] = [[]];
  const sets: number[][] = [];
  for (let size = 1; size <= order; size++) {
    level = level.flatMap((set) =>
      Array.from({ length: n - 1 - (set.at(-1) ?? -1) }, (_, k) => [...set, (set.at(-1) ?? -1) + 1 + k]),
    );
    sets.push(...level);
  }
  return sets;
}

/** 1 / diagonal of a correlation-scaled inverse below which the masks do not tell the players apart. */
const SINGULAR = 1e-11;

/**
 * The additive game f(∅) + Σ_i φ_i m_i that minimises Σ_m w(|m|)(y - ŷ)², w(s) = (n-1)/(C(n,s)·s·(n-s)), and equals
 * the measured values at both end masks; φ_i = -2 F({i}), and Σφ = f(all) - f(∅). Repeated masks count once.
 * @throws 'input' when an end mask is missing, or the masks between do not determine n players.
 */
export function fitKernelShap(masks: Masks, values: ArrayLike<number>): FourierSpectrum {
  const { masks: distinct, values: y } = mergeRepeats('fitKernelShap', masks, values);
  const n = distinct.players;
  const rows = Array.from({ length: distinct.count }, (_, row) => row);
  const [empty, full] = (['empty', 'full'] as const).map((end) => {
    const row = rows.find((r) => endOf(distinct, r) === end);
    if (row === undefined)
      throw fail(
        'input',
        'fitKernelShap',
        `${distinct.count} masks without the ${end} one; KernelSHAP is exact at both ends, measure them.`,
      );
    return y[row];
  });
  const inner = rows.filter((row) => endOf(distinct, row) === undefined);
  if (inner.length < n - 1)
    throw fail(
      'input',
      'fitKernelShap',
      `${inner.length} masks between the ends for ${n} players; at least ${n - 1} are needed.`,
    );

  // φ_last = Δ - Σ of the others, so unknown i has the regressor m_i - m_last in {-1, 0, 1}.
  const last = n - 1;
  const gap = full - empty;
  const logWeights = logKernel(n);
  const kept = inner.map((row) => keptPlayers(distinct, row));
  const top = kept.reduce((most, set) => Math.max(most, logWeights[set.length]), -Infinity);
  const matrix = new Float64Array(last * last);
  const right = new Float64Array(last);
  inner.forEach((row, k) => {
    const weight = Math.exp(logWeights[kept[k].length] - top);
    const withLast = isKept(distinct, row, last);
    // Where the last is kept, m_i - 1 is -1 for the absent; where not, m_i is 1 for the kept.
    const sign = withLast ? -1 : 1;
    const active = withLast ? absentPlayers(kept[k], n) : kept[k];
    const target = y[row] - empty - (withLast ? gap : 0);
    for (const i of active) {
      right[i] += sign * weight * target;
      for (const j of active) matrix[i * last + j] += weight;
    }
  });
  const scale = Float64Array.from({ length: last }, (_, i) => 1 / Math.sqrt(matrix[i * last + i]));
  const solved = invertPositive(
    matrix.map((value, at) => value * scale[Math.floor(at / last)] * scale[at % last]),
    last,
  )?.inverse;
  if (solved === undefined || scale.some((_, i) => !(1 / solved[i * last + i] > SINGULAR))) {
    throw fail(
      'input',
      'fitKernelShap',
      `${inner.length} masks between the ends do not tell ${n} players apart; measure more, ${2 * n} uniform ones usually do.`,
    );
  }
  const phi = Array.from({ length: n }, (_, i) => (i === last ? gap : 0));
  for (let i = 0; i < last; i++) {
    for (let j = 0; j < last; j++) phi[i] += scale[i] * solved[i * last + j] * scale[j] * right[j];
    phi[last] -= phi[i];
  }
  return createSpectrum('fourier', n, [
    { members: [], value: (empty + full) / 2 },
    ...phi.map((value, i) => ({ members: [i], value: -value / 2 })),
  ]);
}

/** log of 1/(C(n,s)·s·(n-s)) for s = 0..n; only 0 < s < n is meant. */
function logKernel(n: number): number[] {
  let logChoose = 0;
  return Array.from({ length: n + 1 }, (_, s) => {
    if (s > 0) logChoose += Math.log((n - s + 1) / s);
    return -logChoose - Math.log(s * (n - s));
  });
}

function absentPlayers(kept: readonly number[], n: number): number[] {
  const present = new Set(kept);
  return Array.from({ length: n }, (_, i) => i).filter((i) => !present.has(i));
}
