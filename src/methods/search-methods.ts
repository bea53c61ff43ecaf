/** Methods that look at sets of players: ACDC, subnetwork probing, greedy removal, spectra. */
import { informativeKeep, MOST_KEEP_MASKS } from './informative-keep.ts';
import { activationPatching, differentiable, integratedGradients, spectrumOfRanking } from '../attribution/rankings.ts';
import { fail } from '../errors.ts';
import { mibSizes } from '../evaluation/areas.ts';
import { orderBy, type NestedSets } from '../evaluation/nested-sets.ts';
import { gradientCost } from '../game.ts';
import { masksFromMembers } from '../masks.ts';
import { autoSolver } from '../solve/auto.ts';
import { banzhaf, shapley } from '../spectrum/indices.ts';
import { largestTouching, toMeasure } from '../spectrum/measure.ts';
import { acdcSweep, acdcThresholds } from './acdc.ts';
import type { CircuitMethod } from './circuit-method.ts';
import type { MeteredGame } from './metered-game.ts';
import { greedyRemoval } from './greedy-removal.ts';
import { harmOf } from './harm.ts';
import { betweenMasks, foundByWorth, requireMasks } from './ranking-methods.ts';
import { receiverOrder } from './receiver-order.ts';
import { subnetworkProbing } from './subnetwork-probing.ts';
import { seenScores } from './stand-ins.ts';
import { PROPOSED, steeredOrder, type Aim, type Estimate, type SteeringOptions } from './steering.ts';

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

/** Share of the budget that the spectrum is fitted to; the rest is for what is measured on the way. */
const FITTED = 0.5;

export const spectrum: CircuitMethod = {
  name: 'spectrum',
  about:
    'removal on a sparse Fourier spectrum (solver auto, masks at which something is left), measured and corrected on the way; where the budget has it, what leaving out each player takes, and what it adds once others that stand in for it are gone',
  source: 'ProxySPEX, arXiv 2505.17495; GradSPEX, docs/gradients.md',
  async find({ game, ends, seed, signal, onProgress }) {
    const enough = FITTED * game.remaining;
    const asks = enough >= 2 * MOST_KEEP_MASKS && 2 ** game.players.length > enough;
    const keep = asks ? await informativeKeep(game, { ends, seed, signal }) : 0.5;
    const budget = Math.floor(FITTED * game.remaining);
    const solution = await autoSolver.solve(game, { budget, seed, signal, onProgress, keep });
    const fair = toMeasure(largestTouching(solution.spectrum));
    // Away from ½ a player is worth what it adds on average there: at ½, where nothing is left, the spectrum is an extrapolation.
    const worth = keep === 0.5 ? shapley(fair) : banzhaf(solution.spectrum);
    const asked = { estimates: 1, gradients: 0 };
    const { scores } = await measuredScores(game, worth, asked, { ends, signal, onProgress });
    const plan = { estimates: [() => fair], gradients: 0 };
    const orders = await steer(game, [plan], { ends, signal, onProgress });
    return {
      scores,
      ...orders,
      details: { solver: solution.solver, fitted: budget, keep },
    };
  },
};

/** Steps of the integrated gradients that steering begins with. */
const STEPS = 8;

export const steered: CircuitMethod = {
  name: 'steered',
  about:
    'integrated gradients, gradients at what is left and, where the budget has it, what leaving out each player takes propose who leaves, and measured sets decide',
  source: 'src/methods/steering.ts',
  async find({ game, ends, signal, onProgress }) {
    const { scores: slopes } = await integratedGradients(game, { steps: STEPS, signal });
    const sloped = differentiable(game, 'steering');
    const n = game.players.length;
    const asked = { estimates: 3, gradients: 1 };
    // Gradients see no step between the points at which they are taken, a single loss nothing that others stand in for.
    const { scores, losses } = await measuredScores(game, slopes, asked, { ends, signal, onProgress });
    const local: Estimate = async (left) => {
      const { gradients } = await sloped.gradients(masksFromMembers(n, [left]), { signal });
      return spectrumOfRanking({ scores: Float64Array.from(gradients) });
    };
    const known = [slopes, losses]
      .filter((each) => each !== undefined)
      .map((each) => spectrumOfRanking({ scores: each }));
    const estimates: readonly Estimate[] = known.map((spectrum) => () => spectrum);
    const plans = [
      { estimates: [...estimates, local], gradients: 1 },
      { estimates, gradients: 0 },
    ];
    return { scores, ...(await steer(game, plans, { ends, signal, onProgress })) };
  },
};

/** Scores that rest on what was measured. */
interface Measured {
  readonly scores: Float64Array;
  /** What leaving out each player takes; undefined where the budget has not the masks. */
  readonly losses: Float64Array | undefined;
}

/** Share of what is left after the losses that asking for stand-ins may take, as long as rounds for every judged size are still paid for. */
const STAND_INS = 0.5;

/**
 * Of each player whichever sees more of it, its worth by an estimate or what was measured: its loss and, where that is nothing, what it adds
 * once those that stand in for it are gone (stand-ins.ts). Only the worth where the losses leave too few masks for rounds that are `asked` so much.
 */
async function measuredScores(
  game: MeteredGame,
  worth: Float64Array,
  asked: RoundCost,
  options: Pick<SteeringOptions, 'ends' | 'signal' | 'onProgress'>,
): Promise<Measured> {
  const n = game.players.length;
  const isPaid = (masks: number): boolean => leaving(n, roundsOf(game, masks, asked), mibSizes(n)) !== undefined;
  if (!isPaid(game.remaining - (n + 1))) return { scores: worth, losses: undefined };
  const { scores: losses } = await activationPatching(game, options);
  const most = Math.floor(STAND_INS * game.remaining);
  if (!isPaid(game.remaining - most)) return { scores: larger(worth, losses), losses };
  return { scores: await seenScores(game, { ...options, losses, claims: worth, most }), losses };
}

/** Of each player the score of larger magnitude: that of whoever sees more of it. */
function larger(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((score, i) => (Math.abs(b[i]) > Math.abs(score) ? b[i] : score));
}

/** What a round asks. */
interface Plan {
  readonly estimates: readonly Estimate[];
  /** Gradients that the estimates take. */
  readonly gradients: number;
}

/**
 * Both orders, in as many rounds as the budget has, by the first of `plans` whose rounds leave no size out at which circuits are judged,
 * else by the last. A round leaves as few players as that makes. @throws 'budget' where not even the last plan comes to an end.
 */
async function steer(
  game: MeteredGame,
  plans: readonly Plan[],
  options: Pick<SteeringOptions, 'ends' | 'signal' | 'onProgress'>,
): Promise<NestedSets> {
  const players = game.players.length;
  const sizes = mibSizes(players);
  const roundsBy = ({ gradients, estimates }: Plan): number =>
    roundsOf(game, game.remaining, { gradients, estimates: estimates.length });
  const last = plans[plans.length - 1];
  const ways = [...plans.map((plan) => ({ plan, sizes })), { plan: last, sizes: [] }];
  for (const way of ways) {
    const leave = leaving(players, roundsBy(way.plan), way.sizes);
    if (leave === undefined) continue;
    const { estimates } = way.plan;
    return {
      mattering: await steeredOrder(game, { ...options, estimates, aim: 'model', leave }),
      helping: await steeredOrder(game, { ...options, estimates, aim: 'most', leave }),
    };
  }
  throw fail(
    'budget',
    'steering',
    `${game.remaining} masks are left, for ${roundsBy(last)} rounds; ${players} players take more.`,
  );
}

/** Estimates of a round, and the gradients that they take. */
interface RoundCost {
  readonly estimates: number;
  readonly gradients: number;
}

/** Rounds of both orders that `masks` pay for. */
function roundsOf(game: MeteredGame, masks: number, asked: RoundCost): number {
  const cost = (aim: Aim): number => asked.gradients * gradientCost(game) + asked.estimates * PROPOSED[aim];
  return Math.floor(masks / (cost('most') + cost('model')));
}

/** Rounds that leave the largest share of the players and none of `stops` out with which they are no more than `rounds`; undefined for none. */
function leaving(players: number, rounds: number, stops: readonly number[]): ((size: number) => number) | undefined {
  for (let percent = 99; percent > 0; percent--) {
    const leave = (size: number): number =>
      Math.max(1, Math.min(size - 1, Math.floor((percent * size) / 100)), ...stops.filter((stop) => stop < size));
    let count = 0;
    for (let size = players; size > 1 && count <= rounds; size = leave(size)) count++;
    if (count <= rounds) return leave;
  }
  return undefined;
}
