/** Methods that look at sets of players: ACDC, subnetwork probing, greedy removal, spectra. */
import { orderBy } from '../evaluation/nested-sets.ts';
import { gradientCost } from '../game.ts';
import { autoSolver } from '../solve/auto.ts';
import { shapley } from '../spectrum/indices.ts';
import { acdcSweep, acdcThresholds } from './acdc.ts';
import type { CircuitMethod } from './circuit-method.ts';
import { greedyRemoval } from './greedy-removal.ts';
import { harmOf } from './harm.ts';
import { betweenMasks, foundByWorth, requireMasks } from './ranking-methods.ts';
import { receiverOrder } from './receiver-order.ts';
import { subnetworkProbing } from './subnetwork-probing.ts';
import { helpingOrder, steeredOrder, steeringRounds } from './spectrum-order.ts';

/** Passes of a sweep for each n masks of the budget, as later ones are over fewer players, and at most. */
const PASSES = 1.5;
const MOST_PASSES = 32;

export const acdcMethod: CircuitMethod = {
  name: 'acdc',
  about:
    'from the output to the input, what does less harm than a threshold leaves; thresholds grow while the budget lasts',
  source: 'Conmy et al., arXiv 2304.14997',
  async find({ game, ends, harm, signal, onProgress }) {
    const order = receiverOrder(game.players);
    const n = game.players.length;
    const passes = Math.min(MOST_PASSES, Math.max(1, Math.round((PASSES * game.remaining) / n)));
    const sweep = await acdcSweep(game, {
      thresholds: acdcThresholds(passes),
      harm: harmOf(harm, ends),
      order,
      value: ends.full,
      signal,
      onProgress,
    });
    const { stayed, added, thresholds } = sweep;
    // Of those that left at one threshold the ones whose removal did more harm are worth more.
    const place = new Map(orderBy(added).map((player, k) => [player, k]));
    const worth = Float64Array.from(
      stayed,
      (count, player) => count + 1 - ((place.get(player) as number) + 1) / (n + 1),
    );
    return { ...foundByWorth(worth), details: { harm, thresholds } };
  },
};

/** Masks of a step of probing, and the fewest steps that learn something. */
const BATCH = 4;
const LEAST_STEPS = 10;

export const subnetworkProbingMethod: CircuitMethod = {
  name: 'subnetwork-probing',
  about: 'a hard-concrete mask for every player, learned by gradients under a growing price for open ones',
  source: 'Cao, Sanh, Rush, arXiv 2104.03514; Louizos, Welling, Kingma, arXiv 1712.01312',
  async find({ game, ends, seed, signal, onProgress }) {
    const step = BATCH * gradientCost(game);
    requireMasks(game, LEAST_STEPS * step, 'subnetwork probing', `for ${LEAST_STEPS} steps of ${BATCH} masks`);
    const steps = Math.floor(game.remaining / step);
    const sloped = betweenMasks(game, 'subnetwork probing');
    const { logAlpha } = await subnetworkProbing(sloped, { ends, seed, steps, batch: BATCH, signal, onProgress });
    const least = Math.min(...logAlpha);
    return { ...foundByWorth(logAlpha.map((each) => each - least)), details: { steps, batch: BATCH } };
  },
};

export const greedyRemovalMethod: CircuitMethod = {
  name: 'greedy-removal',
  about: 'what harms least leaves, in as many rounds as the budget has',
  source: 'backward elimination; Michel, Levy, Neubig, arXiv 1905.10650',
  async find({ game, ends, harm, signal, onProgress }) {
    const budget = game.remaining;
    const { order, rounds } = await greedyRemoval(game, { harm: harmOf(harm, ends), budget, signal, onProgress });
    const worth = new Float64Array(order.length);
    order.forEach((player, k) => (worth[player] = k + 1));
    return { ...foundByWorth(worth), details: { harm, rounds } };
  },
};

/** Share of the budget that measures what the spectrum proposes, and sets of a round of that at most. */
const STEERING = 0.25;
const MOST_CANDIDATES = 8;

export const spectrum: CircuitMethod = {
  name: 'spectrum',
  about:
    'a sparse Fourier spectrum of the game (solver auto), removal on it, and a quarter of the budget to correct it on the way',
  source: 'ProxySPEX, arXiv 2505.17495; GradSPEX, docs/gradients.md',
  async find({ game, ends, seed, signal, onProgress }) {
    const rounds = steeringRounds(game.players.length);
    const candidates = Math.min(MOST_CANDIDATES, Math.floor((STEERING * game.remaining) / rounds));
    const budget = game.remaining - rounds * candidates;
    const solution = await autoSolver.solve(game, { budget, seed, signal, onProgress });
    const steering = { ends, seed, candidates, signal, onProgress };
    return {
      scores: shapley(solution.spectrum),
      helping: helpingOrder(solution.spectrum, ends),
      mattering: await steeredOrder(game, solution.spectrum, steering),
      details: { solver: solution.solver, fitted: budget, candidates },
    };
  },
};
