/**
 * ProxySPEX as a solver: draw uniform masks, measure them, fit (see fit.ts).
 *
 * N = budget masks: the two end masks, always measured because a report needs them, and uniform distinct
 * masks for the rest. The paper writes N = α n log2 n and takes α in 2..8; α is in the details. A budget
 * of 2^n or more measures all masks, and the answer is then exact.
 */
import { allCoalitions, coalitionsFromRows, concatCoalitions, maskHex, uniformCoalitions, type Coalitions } from '../coalitions.ts';
import { fail, throwIfAborted } from '../errors.ts';
import { createRandom } from '../random.ts';
import type { Solver } from '../solver.ts';
import { fitProxySpex, type ProxySpexOptions } from './fit.ts';

/** Masks that leave 2 uniform ones a fold, besides the end masks. */
const LEAST_PER_FOLD = 2;

/**
 * N distinct masks for a budget: ∅, the full mask, and uniform ones; all 2^n when the budget covers them.
 * @throws 'budget' on a budget that is not a whole number >= 1.
 */
export function proxyMasks(players: number, budget: number, seed: number): Coalitions {
  if (!Number.isInteger(budget) || budget < 1) throw fail('budget', 'proxyspex', `${budget} masks; a whole number >= 1 is needed.`);
  if (players <= 20 && budget >= 2 ** players) return allCoalitions(players);
  const ends = coalitionsFromRows([new Uint8Array(players), new Uint8Array(players).fill(1)], players);
  if (budget <= 2) return { ...ends, count: budget, words: ends.words.slice(0, budget * ends.stride) };
  const exclude = new Set([maskHex(ends, 0), maskHex(ends, 1)]);
  return concatCoalitions([ends, uniformCoalitions(players, budget - 2, createRandom(seed, 'proxyspex/masks'), exclude)]);
}

/** A ProxySPEX solver with other than the default options. */
export function createProxySpexSolver(options: Omit<ProxySpexOptions, 'seed' | 'signal' | 'onProgress'> = {}): Solver {
  return {
    name: 'proxyspex',
    async solve(game, { budget, seed, signal, onProgress }) {
      const n = game.players.length;
      const needed = Math.min(2 ** n, LEAST_PER_FOLD * (options.folds ?? 5) + 2);
      const masks = proxyMasks(n, budget, seed);
      if (masks.count < needed) {
        throw fail('budget', 'proxyspex', `a budget of ${budget} masks for ${n} players is too small to cross-validate; at least ${needed}, better ${Math.ceil(2 * n * Math.log2(Math.max(2, n)))} (2·n·log2 n).`);
      }
      throwIfAborted(signal, 'proxyspex');
      let done = 0;
      const values = await game.value(masks, {
        signal,
        onBatch(_start, batch) {
          done += batch.length;
          onProgress?.({ stage: 'measure', done, total: masks.count });
        },
      });
      const { spectrum, kind, ...details } = await fitProxySpex(masks, values, { ...options, seed, signal, onProgress });
      return {
        solver: 'proxyspex',
        spectrum,
        masks: masks.count,
        exact: kind === 'complete' || masks.count === 2 ** n,
        details: { kind, alphaMasks: masks.count / (n * Math.log2(Math.max(2, n))), ...details },
      };
    },
  };
}

/** ProxySPEX with the defaults of fit.ts. */
export const proxyspexSolver: Solver = createProxySpexSolver();
