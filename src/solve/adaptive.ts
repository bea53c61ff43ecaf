/**
 * As many masks as it takes: rounds of masks until the answer is good enough, or will not become so.
 *
 * Masks of one uniform draw are measured in growing rounds; after each, the better proxy is fitted on all of them and
 * scored on fresh masks that no round fits. It stops when the lower confidence bound of that R² passes the target, when
 * the learning curve says that the largest budget would not reach it, or when that budget is spent. The curve is
 * 1 - R² = c·N^-β through the last rounds (a power law, as learning curves usually are), taken at the upper ends of
 * their intervals: it gives up only where even the hopeful reading falls short. The bound is checked after every
 * round, so with many rounds it errs a little to the hopeful side.
 */
import { selectRows, type Masks } from '../masks.ts';
import { tableOf } from '../mask-table.ts';
import { uniformMasks } from '../uniform-masks.ts';
import { fail, throwIfAborted } from '../errors.ts';
import { gradientCost, measureStage, type Game } from '../game.ts';
import { proxyMasks } from '../proxy/proxyspex.ts';
import { CANDIDATES, fitBest, type BestFit, type Candidate } from '../proxy/best.ts';
import { costOf, planGradients } from '../proxy/gradients/gradspex.ts';
import { gradientSource } from './gradient-source.ts';
import { createRandom } from '../random.ts';
import type { Adaptive, Round, Solution, SolveOptions } from '../solver.ts';
import { exactSolver } from '../spectrum/exact.ts';
import { r2Interval, type R2Interval } from '../spectrum/r2.ts';
import { evaluate } from '../spectrum/spectrum.ts';

/** The R² to reach, and the masks that it may cost. */
export interface AdaptiveOptions extends Omit<SolveOptions, 'budget'> {
  /** R² whose lower confidence bound is to be passed, in (0, 1). */
  readonly targetR2: number;
  /** Distinct masks to fit at most, default `mostMasks(n)`; held-out ones come on top. */
  readonly maxBudget?: number | undefined;
  /** Fresh masks for the score. */
  readonly heldOut: number;
}

export interface AdaptiveSolution {
  readonly solution: Solution;
  /** Of the last round; undefined when the answer is exact. */
  readonly heldOut: R2Interval | undefined;
  /** What the last round fitted, for baselines on the same masks. */
  readonly fitted: { readonly masks: Masks; readonly values: Float64Array };
  readonly held: { readonly masks: Masks; readonly values: Float64Array };
}

/** 16 n log2 n: twice what the papers go to. */
export function mostMasks(n: number): number {
  return Math.max(48, Math.ceil(16 * n * Math.log2(Math.max(2, n))));
}

/** Growth from round to round. */
const GROWTH = 1.5;
/** Rounds that the learning curve is drawn through. */
const CURVE = 3;

/**
 * Solves in rounds, each with half as many masks again, until the lower bound of R² on held-out masks passes the target.
 * @throws 'input' on a target outside (0, 1) or fewer than 30 held-out masks, 'budget' on a largest budget below 12
 * masks.
 */
export async function solveAdaptively(game: Game, options: AdaptiveOptions): Promise<AdaptiveSolution> {
  const { targetR2, heldOut, seed, signal, onProgress, floor, keep } = options;
  const n = game.players.length;
  const maxBudget = options.maxBudget ?? mostMasks(n);
  if (!(targetR2 > 0 && targetR2 < 1))
    throw fail('input', 'target R²', `${targetR2}; a number between 0 and 1 is needed, e.g. 0.95.`);
  if (!Number.isInteger(heldOut) || heldOut < 30)
    throw fail('input', 'held-out', `${heldOut} masks; a confidence bound needs at least 30.`);
  if (!Number.isInteger(maxBudget) || maxBudget < 12)
    throw fail('budget', 'max budget', `${maxBudget} masks; at least 12 are needed.`);
  if (n <= 20 && 2 ** n <= maxBudget + heldOut) {
    const solution = await exactSolver.solve(game, { budget: 2 ** n, seed, signal, onProgress, floor, keep });
    const adaptive: Adaptive = {
      target: targetR2,
      outcome: 'reached',
      why: `all ${2 ** n} masks are within the budget: exact`,
      rounds: [],
    };
    const none = { masks: proxyMasks(n, 1, seed), values: new Float64Array(1) };
    return {
      solution: { ...solution, evidence: { ...solution.evidence, adaptive } },
      heldOut: undefined,
      fitted: none,
      held: none,
    };
  }
  const source = await sourceOf(game, { budget: maxBudget, seed, signal, onProgress, floor, keep });
  const fresh = uniformMasks(n, heldOut, createRandom(seed, 'held out'), tableOf(source.drawn), keep);
  const truth = await measureStage(game, fresh, 'held out', { signal, onProgress });
  const rounds: Round[] = [];
  for (const budget of roundSizes(n, source.most)) {
    throwIfAborted(signal, 'adaptive');
    const { masks, values, candidates, spent } = await source.measure(budget);
    const fit = await fitBest(masks, values, { seed, signal, onProgress, floor, keep }, candidates);
    const interval = r2Interval(truth, evaluate(fit.spectrum, fresh), { seed });
    rounds.push({ fitted: budget, solver: fit.solver, ...interval });
    const end = verdict(rounds, targetR2, source.most);
    if (end === undefined) continue;
    const adaptive: Adaptive = { target: targetR2, ...end, rounds };
    return {
      solution: solutionOf(fit, masks.count, n, adaptive, spent),
      heldOut: interval,
      fitted: { masks, values },
      held: { masks: fresh, values: truth },
    };
  }
  throw new Error('unreachable: the last round has a verdict');
}

/** Where rounds come from: a budget's masks, values, and who may answer from them. */
interface Source {
  readonly most: number;
  readonly drawn: Masks;
  measure(budget: number): Promise<{
    readonly masks: Masks;
    readonly values: Float64Array;
    readonly candidates: readonly Candidate[];
    /** What it cost, for the record. */
    readonly spent: Readonly<Record<string, unknown>>;
  }>;
}

async function sourceOf(game: Game, options: SolveOptions): Promise<Source> {
  const { budget, seed, signal, onProgress, keep } = options;
  const n = game.players.length;
  const plan = game.gradients === undefined ? undefined : planGradients(n, budget, gradientCost(game));
  if (plan !== undefined) {
    const source = await gradientSource(game, plan, options);
    return {
      most: budget,
      drawn: source.drawn,
      async measure(part) {
        const { spent, ...measured } = await source.measure(part);
        return { ...measured, spent: costOf(spent, gradientCost(game)) };
      },
    };
  }
  const drawn = proxyMasks(n, budget, seed, keep);
  const values = new Float64Array(drawn.count);
  const rowsOf = (from: number, to: number): Int32Array => Int32Array.from({ length: to - from }, (_, k) => from + k);
  let measured = 0;
  return {
    most: drawn.count,
    drawn,
    async measure(part) {
      const more = selectRows(drawn, rowsOf(measured, part));
      const news = await measureStage(game, more, 'measure', { signal, onProgress });
      values.set(news, measured);
      measured = part;
      const masks = selectRows(drawn, rowsOf(0, part));
      return { masks, values: values.slice(0, part), candidates: CANDIDATES, spent: {} };
    },
  };
}

function solutionOf(
  { solver, spectrum, kind, evidence, details, why }: BestFit,
  masks: number,
  n: number,
  adaptive: Adaptive,
  spent: Readonly<Record<string, unknown>>,
): Solution {
  return {
    solver,
    spectrum,
    masks,
    exact: false,
    evidence: { ...evidence, adaptive },
    details: { kind, alphaMasks: masks / (n * Math.log2(Math.max(2, n))), ...spent, ...details, chosenBy: why },
  };
}

/** From half of n log2 n (at least 48) to `most`, GROWTH-fold. */
export function roundSizes(n: number, most: number): number[] {
  const sizes: number[] = [];
  let next = Math.max(48, Math.ceil((n * Math.log2(Math.max(2, n))) / 2));
  for (; next < most; next = Math.ceil(next * GROWTH)) sizes.push(next);
  // A last step that adds little is left out.
  if (sizes.length > 0 && most < 1.2 * sizes[sizes.length - 1]) sizes.pop();
  return [...sizes, most];
}

/** Whether to stop after these rounds, and why. */
export function verdict(
  rounds: readonly Round[],
  target: number,
  most: number,
): Pick<Adaptive, 'outcome' | 'why'> | undefined {
  const last = rounds[rounds.length - 1];
  const bound = `R² ${last.r2.toFixed(3)}, at least ${last.low.toFixed(3)} (${100 * last.level} % interval), from ${last.fitted} masks`;
  if (last.low >= target) return { outcome: 'reached', why: `${bound}: the target of ${target} is passed` };
  if (last.fitted >= most)
    return {
      outcome: 'spent',
      why: `${bound}: the target of ${target} is not shown to be passed, and the budget of ${most} masks is spent`,
    };
  const hopeful = extrapolate(rounds.slice(-CURVE), most);
  if (hopeful === undefined || hopeful >= target) return undefined;
  return {
    outcome: 'hopeless',
    why: `${bound}: the learning curve reaches ${hopeful.toFixed(3)} at ${most} masks at best, short of the target of ${target}`,
  };
}

/** R² at `most` masks by a power law through the upper ends of the rounds' intervals; undefined with too few rounds, or where it does not rise. */
function extrapolate(rounds: readonly Round[], most: number): number | undefined {
  if (rounds.length < CURVE) return undefined;
  const points = rounds.map(({ fitted, high }) => [Math.log(fitted), Math.log(Math.max(1e-9, 1 - high))] as const);
  const x = points.reduce((sum, point) => sum + point[0], 0) / points.length;
  const y = points.reduce((sum, point) => sum + point[1], 0) / points.length;
  const slope =
    points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) /
    points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  // A curve that fell is noise: more masks are not expected to help, nor to hurt.
  return 1 - Math.exp(y + Math.min(0, slope) * (Math.log(most) - x));
}
