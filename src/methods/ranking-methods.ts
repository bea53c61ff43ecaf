/** Methods that score every player by itself: gradients, narrowing, one patch a player, chance. */
import {
  activationPatching,
  attributionPatching,
  eapIg,
  expectedGradients,
  integratedGradients,
  type Interpolated,
} from '../attribution/rankings.ts';
import { narrow } from '../attribution/narrow.ts';
import { fail } from '../errors.ts';
import { orderBy, setsOfScores } from '../evaluation/nested-sets.ts';
import { gradientCost } from '../game.ts';
import { createRandom } from '../random.ts';
import type { CircuitMethod, Found, MethodInput } from './circuit-method.ts';
import type { MeteredGame } from './metered-game.ts';

/** Steps of integrated gradients, and masks of expected gradients, beyond which the order of players settles. */
const MOST_GRADIENTS = 64;

export const random: CircuitMethod = {
  name: 'random',
  about: 'players in an order drawn by chance: the floor',
  source: '',
  async find({ game, ends, seed }) {
    const scores = Float64Array.from(game.players, () => 0);
    createRandom(seed, 'random order')
      .shuffle(game.players.map((_, i) => i))
      .forEach((player, k) => (scores[player] = k + 1));
    return foundBy(
      scores.map((score) => directionOf(ends) * score),
      ends,
    );
  },
};

export const activationPatchingMethod: CircuitMethod = {
  name: 'activation-patching',
  about: 'what leaving a player out takes from the whole model, measured: one mask a player',
  source: 'Vig et al., arXiv 2004.12265; of which attribution patching is the estimate',
  async find({ game, ends, signal }) {
    requireMasks(game, game.players.length + 1, 'activation patching', 'one a player and one for all');
    const { scores } = await activationPatching(game, { signal });
    return foundBy(scores, ends);
  },
};

export const attributionPatchingMethod: CircuitMethod = {
  name: 'attribution-patching',
  about: 'the gradient where everything is kept: one forward and one backward pass',
  source: 'Nanda 2023; over edges it is EAP, Syed, Rager, Conmy, arXiv 2310.10348',
  async find({ game, ends, signal }) {
    const { scores } = await attributionPatching(game, { signal });
    return foundBy(scores, ends);
  },
};

/** Steps of EAP-IG that move activations, each of which takes a point for every site: its authors' own. */
const STEPS = 5;

export const eapIgInputs: CircuitMethod = {
  name: 'eap-ig-inputs',
  about: `the mean gradient as the input moves from the corrupted prompt's, as many steps as the budget has, at most ${MOST_GRADIENTS}`,
  source: 'Hanna, Pezzelle, Belinkov, arXiv 2403.17806',
  async find({ game, ends, signal }) {
    const steps = gradientsFor(game, 'EAP-IG inputs');
    const { scores } = await eapIg(game, { path: 'inputs', steps, signal });
    return { ...foundBy(scores, ends), details: { steps } };
  },
};

export const eapIgActivations: CircuitMethod = {
  name: 'eap-ig-activations',
  about: `the same, over edges, as what one site after the other writes moves, ${STEPS} steps each`,
  source: 'Hanna, Pezzelle, Belinkov, arXiv 2403.17806',
  async find({ game, ends, signal }) {
    const { scores } = await eapIg(game, { path: 'activations', steps: STEPS, signal });
    return { ...foundBy(scores, ends), details: { steps: STEPS } };
  },
};

export const integratedGradientsMethod: CircuitMethod = {
  name: 'integrated-gradients',
  about: `the mean gradient on the straight way from nothing kept to all, as many steps as the budget has, at most ${MOST_GRADIENTS}`,
  source: 'Sundararajan, Taly, Yan, arXiv 1703.01365',
  async find({ game, ends, signal }) {
    const steps = gradientsFor(game, 'integrated gradients');
    const { scores } = await integratedGradients(game, { steps, signal });
    return { ...foundBy(scores, ends), details: { steps } };
  },
};

export const expectedGradientsMethod: CircuitMethod = {
  name: 'expected-gradients',
  about: `the mean gradient over random halves, as many as the budget has, at most ${MOST_GRADIENTS}`,
  source: 'Erion et al., arXiv 1906.10670, with masks as references',
  async find({ game, ends, seed, signal }) {
    const samples = gradientsFor(game, 'expected gradients');
    const { scores } = await expectedGradients(game, { samples, seed, signal });
    return { ...foundBy(scores, ends), details: { samples } };
  },
};

export const narrowing: CircuitMethod = {
  name: 'narrowing',
  about: 'players leave in rounds, by gradients around those that are left',
  source: 'src/attribution/narrow.ts',
  async find(input) {
    const { game, ends, seed, signal, onProgress } = input;
    const gradients = gradientsOfRound(input);
    const { ranking } = await narrow(game, { seed, gradients, signal, onProgress });
    return { ...foundBy(ranking.scores, ends), details: { gradients } };
  },
};

/** Gradients of a round of narrowing, which goes on in rounds that leave .8 of the players at most. @throws 'budget' where one is too many. */
function gradientsOfRound({ game }: MethodInput): number {
  const n = game.players.length;
  const rounds = Math.ceil(Math.log(n) / -Math.log(0.8));
  const each = Math.floor(((game.remaining - 2) / rounds - 1) / gradientCost(game));
  if (each >= 1) return Math.min(MOST_GRADIENTS, each);
  throw fail(
    'budget',
    'narrowing',
    `${game.remaining} masks are left; its some ${rounds} rounds take ${rounds * (gradientCost(game) + 1) + 2}.`,
  );
}

/** As many gradients as the budget has. @throws 'budget' for none. */
function gradientsFor(game: MeteredGame, who: string): number {
  const cost = gradientCost(game);
  requireMasks(game, cost, who, 'for one gradient');
  return Math.min(MOST_GRADIENTS, Math.floor(game.remaining / cost));
}

/** @throws 'budget' where fewer than `masks` are left. */
export function requireMasks({ remaining }: MeteredGame, masks: number, who: string, what: string): void {
  if (remaining < masks) throw fail('budget', who, `${remaining} masks are left; ${masks} are needed, ${what}.`);
}

/** The sign of what keeping everything adds. */
export function directionOf({ full, empty }: MethodInput['ends']): 1 | -1 {
  return full >= empty ? 1 : -1;
}

/** Sets of signed scores, each what keeping a player adds to f. */
export function foundBy(scores: Float64Array, ends: MethodInput['ends']): Found {
  return { scores, ...setsOfScores(scores, directionOf(ends)) };
}

/** Sets of methods that have one order: `worth` is larger for players that stay longer. */
export function foundByWorth(worth: Float64Array): Found {
  const order = orderBy(worth);
  return { scores: worth, helping: order, mattering: order };
}

/** @throws 'input' for a game without gradients between masks. */
export function betweenMasks(game: MeteredGame, who: string): Interpolated {
  if (game.gradientsAt === undefined)
    throw fail('input', who, `needs gradients between masks; the game "${game.name}" has none.`);
  return game as Interpolated;
}
