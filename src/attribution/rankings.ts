/**
 * Rankings of players by gradients, as the field has them: one score a player, what keeping it is estimated to add to f.
 *
 * z = m·clean + (1 - m)·baseline at every player, so ∂f/∂m_i = ∂f/∂z_i · (clean_i - baseline_i): attribution patching's score
 * is the gradient of the mask itself. A ranking is an additive spectrum, so circuits and removal curves measure its sets like
 * those of any other answer (`rivals`).
 */
import { closest, fail } from '../errors.ts';
import { GRADIENT_ROWS, type Game, type GradientOptions, type MaskGradients } from '../game.ts';
import type { Keep } from '../keep.ts';
import { allButOne, concatMasks, emptyMasks, masksFromMembers, type Masks } from '../masks.ts';
import { createRandom } from '../random.ts';
import { createSpectrum, type FourierSpectrum } from '../spectrum/spectrum.ts';
import { uniformMasks } from '../uniform-masks.ts';

/** One score a player, and what it cost. */
export interface Ranking {
  /** 'attribution patching', 'integrated gradients', ... */
  readonly name: string;
  /** What keeping each player is estimated to add to f, [n], in units of f. */
  readonly scores: Float64Array;
  /** Its price, in masks of a budget. */
  readonly cost: number;
}

/** A game that can be differentiated. */
export type Differentiable = Game & { readonly gradients: NonNullable<Game['gradients']> };

/** One that can be between masks too. */
export interface Interpolated extends Game {
  /** f and ∂f/∂m at rows of m [rows · n], numbers from 0 to 1. */
  readonly gradientsAt: (m: Float32Array, options?: GradientOptions) => Promise<MaskGradients>;
}

/** One over a model's parts or edges, that knows gradients on a way of its activations. */
export interface Traversed extends Game {
  /** Every player's score, [n], and at how many points of the way a prompt was differentiated. */
  readonly slopesAlong: (
    path: 'inputs' | 'activations',
    steps: number,
    options?: Pick<GradientOptions, 'signal'>,
  ) => Promise<{ readonly slopes: Float64Array; readonly points: number }>;
}

/**
 * Attribution patching: the gradient where everything is kept, or (`at: 'ablated'`) where nothing is.
 * Source: Nanda, Attribution Patching: Activation Patching At Industrial Scale (2023); over edges it is EAP, Syed, Rager, Conmy,
 * Attribution Patching Outperforms Automated Circuit Discovery (arXiv 2310.10348).
 * @throws 'input' for a game without gradients.
 */
export async function attributionPatching(
  game: Game,
  { at = 'kept', signal }: { readonly at?: 'kept' | 'ablated'; readonly signal?: AbortSignal | undefined } = {},
): Promise<Ranking> {
  const n = game.players.length;
  const everyone = Array.from({ length: n }, (_, i) => i);
  const mask = masksFromMembers(n, [at === 'kept' ? everyone : []]);
  const { gradients } = await differentiable(game, 'attribution patching').gradients(mask, { signal });
  return { name: 'attribution patching', scores: Float64Array.from(gradients), cost: GRADIENT_ROWS };
}

/**
 * Integrated gradients over masks: the mean gradient on the straight way from everything ablated to everything kept, at the middles
 * of `steps` parts of it; scores add up to f(all) - f(none) as steps grow. All players move together here, each from its baseline
 * to what the model as it then is computes; EAP-IG (Hanna, Pezzelle, Belinkov, arXiv 2403.17806) moves inputs, or one node's
 * activation at a time (eapIg), and its scores differ.
 * Source: Sundararajan, Taly, Yan, Axiomatic Attribution for Deep Networks (arXiv 1703.01365).
 * @throws 'input' for a game that has no gradients between masks, or no step.
 */
export async function integratedGradients(
  game: Game,
  { steps = 8, signal }: { readonly steps?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<Ranking> {
  if (!Number.isInteger(steps) || steps < 1)
    throw fail('input', 'integrated gradients', `${steps} steps; a whole number >= 1 is needed.`);
  const between = (game as Partial<Interpolated>).gradientsAt;
  if (between === undefined)
    throw fail(
      'input',
      'integrated gradients',
      `the game "${game.name}" has no gradients between masks. A game over a model's parts has them on one thread (threads: 1).`,
    );
  const n = game.players.length;
  const m = new Float32Array(steps * n);
  for (let k = 0; k < steps; k++) m.fill((k + 0.5) / steps, k * n, (k + 1) * n);
  const { gradients } = await between(m, { signal });
  return { name: 'integrated gradients', scores: meanRow(gradients, n), cost: GRADIENT_ROWS * steps };
}

/**
 * Expected gradients: the mean gradient over random masks. Where f is the multilinear extension of its values these are the
 * Banzhaf values (with `keep`, those of that measure).
 * Source: the name and the idea of averaging over references, Erion et al., Improving performance of deep learning models with
 * axiomatic attribution priors and expected gradients (arXiv 1906.10670); here the references are masks.
 * @throws 'input' for a game without gradients, or no sample.
 */
export async function expectedGradients(
  game: Game,
  {
    samples = 32,
    seed,
    keep,
    signal,
  }: {
    readonly samples?: number;
    readonly seed: number;
    readonly keep?: Keep | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Ranking> {
  if (!Number.isInteger(samples) || samples < 1)
    throw fail('input', 'expected gradients', `${samples} masks; a whole number >= 1 is needed.`);
  const n = game.players.length;
  const masks = drawn(n, samples, seed, keep);
  const { gradients } = await differentiable(game, 'expected gradients').gradients(masks, { signal });
  return { name: 'expected gradients', scores: meanRow(gradients, n), cost: GRADIENT_ROWS * masks.count };
}

/**
 * EAP-IG: of edges (sender - its baseline) · the gradient where the receiver reads, of parts the same where the part itself writes,
 * averaged over `steps` points of a path on which the embedding moves (`inputs`), or over edges what one sender site after the other
 * writes (`activations`). Scores have the sign that EAP-IG gives with the loss -f: positive where keeping the player raises f.
 * Source: Hanna, Pezzelle, Belinkov, Have Faith in Faithfulness (arXiv 2403.17806).
 * @throws 'input' for a game that is not over a model's parts or edges, and no step.
 */
export async function eapIg(
  game: Game,
  {
    path = 'inputs',
    steps = 5,
    signal,
  }: {
    readonly path?: 'inputs' | 'activations';
    readonly steps?: number;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<Ranking> {
  const name = `EAP-IG ${path}`;
  if (!Number.isInteger(steps) || steps < 1)
    throw fail('input', name, `${steps} steps; a whole number >= 1 is needed.`);
  const along = (game as Partial<Traversed>).slopesAlong;
  if (along === undefined)
    throw fail(
      'input',
      name,
      `ranks a model's parts or edges by gradients, and the game "${game.name}" is not over those, or its metric has none.`,
    );
  const { slopes, points } = await along(path, steps, { signal });
  return { name, scores: slopes, cost: GRADIENT_ROWS * points };
}

/**
 * Exact activation patching: f(all) - f(all but i), one mask a player.
 * Source: the quantity that attribution patching estimates; over edges, `exact` of Hanna, Pezzelle, Belinkov (arXiv 2403.17806).
 */
export async function activationPatching(
  game: Game,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Ranking> {
  const n = game.players.length;
  const all = masksFromMembers(n, [Array.from({ length: n }, (_, i) => i)]);
  const values = await game.value(concatMasks([all, allButOne(n)]), { signal });
  return { name: 'activation patching', scores: values.subarray(1).map((value) => values[0] - value), cost: n + 1 };
}

/**
 * The ranking as an additive answer, F({i}) = -score/2: what `rivals` of circuits and removal curves take. `base` is what it
 * answers with nobody kept, default 0; circuits ask only for differences.
 */
export function spectrumOfRanking({ scores }: Pick<Ranking, 'scores'>, base = 0): FourierSpectrum {
  const terms = Array.from(scores, (score, i) => ({ members: [i], value: -score / 2 }));
  const half = scores.reduce((sum, score) => sum + score / 2, 0);
  return createSpectrum('fourier', scores.length, [{ members: [], value: base + half }, ...terms]);
}

/** What a ranking may draw on: a game with gradients, and one with gradients between masks. */
export interface RankingInput {
  readonly game: Game;
  readonly between: () => Interpolated & Partial<Traversed>;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** The names of RANKINGS. */
export type RankingName =
  | 'attribution-patching'
  | 'integrated-gradients'
  | 'expected-gradients'
  | 'eap-ig-inputs'
  | 'eap-ig-activations'
  | 'activation-patching';

/** The rankings by name. */
export const RANKINGS: Readonly<Record<RankingName, (input: RankingInput) => Promise<Ranking>>> = {
  'attribution-patching': ({ game, signal }) => attributionPatching(game, { signal }),
  'integrated-gradients': ({ between, signal }) => integratedGradients(between(), { signal }),
  'expected-gradients': ({ game, seed, signal }) => expectedGradients(game, { seed, signal }),
  'eap-ig-inputs': ({ between, signal }) => eapIg(between(), { path: 'inputs', signal }),
  'eap-ig-activations': ({ between, signal }) => eapIg(between(), { path: 'activations', signal }),
  'activation-patching': ({ game, signal }) => activationPatching(game, { signal }),
};

/** @throws 'input' for an unknown name, with a suggestion. */
export function rankingNamed(name: string): RankingName {
  if (Object.hasOwn(RANKINGS, name)) return name as RankingName;
  const names = Object.keys(RANKINGS);
  throw fail(
    'input',
    'ranking',
    `"${name}" is unknown; did you mean ${closest(name, names)[0]}? There are ${names.join(', ')}.`,
  );
}

function drawn(n: number, samples: number, seed: number, keep: Keep | undefined): Masks {
  const count = n < 30 ? Math.min(samples, 2 ** n) : samples;
  return n === 0 ? emptyMasks(0, 0) : uniformMasks(n, count, createRandom(seed, 'expected gradients'), undefined, keep);
}

/** @throws 'input' for a game without gradients. */
export function differentiable(game: Game, who: string): Differentiable {
  if (game.gradients === undefined)
    throw fail('input', who, `needs gradients; the game "${game.name}" only has values.`);
  return game as Differentiable;
}

function meanRow(matrix: Float32Array, n: number): Float64Array {
  const rows = matrix.length / n;
  const mean = new Float64Array(n);
  for (let row = 0; row < rows; row++) for (let i = 0; i < n; i++) mean[i] += matrix[row * n + i] / rows;
  return mean;
}
