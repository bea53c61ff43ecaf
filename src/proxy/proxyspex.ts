/**
 * ProxySPEX as a solver: draw uniform masks, measure them, fit (see fit.ts).
 *
 * N = budget masks: the two end masks, always measured because a report needs them, and uniform distinct
 * masks for the rest. The paper writes N = α n log2 n and takes α in 2..8; α is in the details. A budget
 * of 2^n or more measures all masks, and the answer is then exact.
 */
import { allMasks, masksFromRows, concatMasks, type Masks } from '../masks.ts';
import { tableOf } from '../mask-table.ts';
import { uniformMasks } from '../uniform-masks.ts';
import { fail, throwIfAborted } from '../errors.ts';
import { measureStage } from '../game.ts';
import { createRandom } from '../random.ts';
import type { Evidence, Solver, SolveOptions } from '../solver.ts';
import type { Keep } from '../keep.ts';
import type { FourierSpectrum } from '../spectrum/spectrum.ts';
import { fitProxySpex, type ProxySpexOptions } from './fit.ts';

/** Masks that leave 2 uniform ones a fold, besides the end masks. */
const LEAST_PER_FOLD = 2;

/**
 * N distinct masks for a budget: ∅, the full mask, and uniform ones; all 2^n when the budget covers them.
 * @throws 'budget' on a budget that is not a whole number >= 1.
 */
export function proxyMasks(players: number, budget: number, seed: number, keep?: Keep): Masks {
  if (!Number.isInteger(budget) || budget < 1)
    throw fail('budget', 'proxyspex', `${budget} masks; a whole number >= 1 is needed.`);
  if (players <= 20 && budget >= 2 ** players) return allMasks(players);
  const ends = masksFromRows([new Uint8Array(players), new Uint8Array(players).fill(1)], players);
  if (budget <= 2) return { ...ends, count: budget, words: ends.words.slice(0, budget * ends.stride) };
  return concatMasks([
    ends,
    uniformMasks(players, budget - 2, createRandom(seed, 'proxyspex/masks'), tableOf(ends), keep),
  ]);
}

/** What a fit on measured masks needs from the run. */
export type RunOptions = Pick<SolveOptions, 'seed' | 'signal' | 'onProgress' | 'floor' | 'keep'>;

export interface MaskFit {
  readonly spectrum: FourierSpectrum;
  /** Which answer won. */
  readonly kind: string;
  readonly evidence: Evidence;
  readonly details: Readonly<Record<string, unknown>>;
}

/**
 * A solver that measures `proxyMasks` and fits them. `check` sees players and masks before anything is measured.
 */
export function createMaskSolver(
  name: string,
  folds: number | undefined,
  fit: (masks: Masks, values: Float64Array, run: RunOptions) => Promise<MaskFit>,
  check: (players: number, count: number) => void = () => {},
): Solver {
  return {
    name,
    async solve(game, { budget, seed, signal, onMeasured, onProgress, floor, keep }) {
      const n = game.players.length;
      const needed = Math.min(2 ** n, LEAST_PER_FOLD * (folds ?? 5) + 2);
      const masks = proxyMasks(n, budget, seed, keep);
      const whole = n * Math.log2(Math.max(2, n));
      if (masks.count < needed) {
        throw fail(
          'budget',
          name,
          `a budget of ${budget} masks for ${n} players is too small to cross-validate; at least ${needed}, better ${Math.ceil(2 * whole)} (2·n·log2 n).`,
        );
      }
      if (masks.count < 2 ** n) check(n, masks.count);
      throwIfAborted(signal, name);
      const values = await measureStage(game, masks, 'measure', { signal, onProgress });
      onMeasured?.();
      const { spectrum, kind, evidence, details } = await fit(masks, values, { seed, signal, onProgress, floor, keep });
      return {
        solver: name,
        spectrum,
        masks: masks.count,
        exact: masks.count === 2 ** n,
        evidence,
        details: { kind, alphaMasks: masks.count / whole, ...details },
      };
    },
  };
}

/** A ProxySPEX solver with other than the default options. */
export function createProxySpexSolver(options: Omit<ProxySpexOptions, 'seed' | 'signal' | 'onProgress'> = {}): Solver {
  return createMaskSolver('proxyspex', options.folds, async (masks, values, run) => {
    const { spectrum, kind, evidence, ...details } = await fitProxySpex(masks, values, { ...options, ...run });
    return { spectrum, kind, evidence, details };
  });
}

/** ProxySPEX with the defaults of fit.ts. */
export const proxyspexSolver: Solver = createProxySpexSolver();
