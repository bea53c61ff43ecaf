/**
 * `solver auto`: exact where the budget covers all 2^n masks, otherwise the best of first order, GradSPEX, SPEX, ProxySPEX
 * and the stack.
 *
 * A game with gradients is asked for a few first. Where they predict values that they did not see better than the values
 * themselves do, most of the budget goes into gradients (proxy/gradients/gradspex.ts) and every candidate has all values.
 *
 * SPEX's masks are structured and cannot be reused from a uniform draw, but a proxy can learn from them. So
 * where half the budget buys SPEX at least 2^6 bins a group, that half is measured by SPEX's plan, the rest
 * uniformly; both are fitted (the proxy on the union) and compared on uniform masks that neither saw, by the rule of
 * proxy/simplest-of-best.ts. Below that, SPEX would have too few bins for the spectra of real models, and all masks
 * go to the candidates of proxy/best.ts: first order, ProxySPEX, the stack, and first order has a share of the answer as long as it is
 * not sure which predicts better.
 */
import { concatMasks, selectRows } from '../masks.ts';
import { tableOf } from '../mask-table.ts';
import { uniformMasks } from '../uniform-masks.ts';
import { SpexlensError } from '../errors.ts';
import { createMaskSolver } from '../proxy/proxyspex.ts';
import { CANDIDATES, fitBest, type Candidate } from '../proxy/best.ts';
import { costOf, planGradients, type GradientPlan } from '../proxy/gradients/gradspex.ts';
import { createPriorCandidate } from '../proxy/prior/prior-candidate.ts';
import type { Prior } from '../proxy/prior/prior.ts';
import { simplestOfBest } from '../proxy/simplest-of-best.ts';
import { isFair } from '../keep.ts';
import { floatFloor } from '../spectrum/noise.ts';
import { createRandom } from '../random.ts';
import type { Solution, SolveOptions, Solver } from '../solver.ts';
import { exactSolver } from '../spectrum/exact.ts';
import { r2 } from '../spectrum/r2.ts';
import { evaluate } from '../spectrum/spectrum.ts';
import { planSpex, type SpexPlan } from '../spex/plan.ts';
import { drawMasks } from '../spex/sample.ts';
import { evidenceOf, fitSpex, measureBins } from '../spex/spex.ts';
import { gradientCost, measureStage, type Game } from '../game.ts';
import { gradientSource } from './gradient-source.ts';

/** log2 of the fewest bins a group for which auto gives SPEX half the budget. */
const LEAST_B = 6;
/** Share of the budget held back to compare on, and its bounds. */
const COMPARE = { share: 0.1, least: 64, most: 512 };

/** The best of `candidates` on uniform masks; the solution is named after it. */
const proxySolverOf = (candidates: readonly Candidate[]): Solver => ({
  name: 'auto',
  async solve(game, options) {
    let solver = '';
    const inner = createMaskSolver('auto', undefined, async (masks, values, run) => {
      const best = await fitBest(masks, values, run, candidates);
      const { solver: winner, why, details, complexity: _complexity, ...answer } = best;
      solver = winner;
      return { ...answer, details: { ...details, chosenBy: why } };
    });
    const solution = await inner.solve(game, options);
    return { ...solution, solver };
  },
});
const proxySolver = proxySolverOf(CANDIDATES);

/**
 * `auto` for a game of which something is foretold: exact where the budget covers all masks, else the best of first order, ProxySPEX, the
 * stack, and the prior with a stack of what it leaves, by rows that none of them fitted. Uniform masks alone.
 */
export function withPrior(prior: Prior): Solver {
  const proxies = proxySolverOf([...CANDIDATES, createPriorCandidate(prior)]);
  return {
    name: 'auto',
    async solve(game, options) {
      if (2 ** game.players.length <= options.budget) return autoSolver.solve(game, options);
      return proxyOf(await proxies.solve(game, options), `${prior.name} as a prior`);
    },
  };
}

/** Exact where all masks fit the budget, else the best of all solvers by masks that none was fitted on. */
export const autoSolver: Solver = {
  name: 'auto',
  async solve(game, options) {
    const n = game.players.length;
    if (2 ** n <= options.budget)
      return because(
        await exactSolver.solve(game, options),
        `the budget of ${options.budget} masks covers all ${2 ** n}`,
      );
    const sloped = game.gradients === undefined ? undefined : planGradients(n, options.budget, gradientCost(game));
    if (sloped !== undefined) return withGradients(game, sloped, options);
    const plan = isFair(options.keep)
      ? affordable(n, options.budget)
      : 'SPEX measures masks that keep half of the players';
    if (typeof plan === 'string') return proxyOf(await proxySolver.solve(game, options), plan);
    return compare(game, plan, options);
  },
};

async function withGradients(game: Game, plan: GradientPlan, options: SolveOptions): Promise<Solution> {
  const source = await gradientSource(game, plan, options);
  const { masks, values, candidates, spent } = await source.measure(options.budget);
  options.onMeasured?.();
  const { solver, why, spectrum, evidence, kind, details } = await fitBest(masks, values, options, candidates);
  const all = { kind, ...costOf(spent, gradientCost(game)), ...details };
  return because(
    { solver, spectrum, masks: masks.count, exact: false, evidence, details: all },
    `${source.why}; ${why}`,
  );
}

/** A plan for half the budget, or why there is none. */
function affordable(n: number, budget: number): SpexPlan | string {
  const half = Math.floor(budget / 2);
  try {
    const plan = planSpex(n, { budget: half });
    return plan.b >= LEAST_B
      ? plan
      : `half the budget, ${half} masks, buys SPEX only ${2 ** plan.b} bins a group; auto tries it from ${2 ** LEAST_B} on`;
  } catch (error) {
    if (!(error instanceof SpexlensError)) throw error;
    return `half the budget, ${half} masks, buys no SPEX plan for ${n} players`;
  }
}

async function compare(game: Game, plan: SpexPlan, options: SolveOptions): Promise<Solution> {
  const { budget, seed, signal, onMeasured, onProgress, floor } = options;
  const n = game.players.length;
  const draw = drawMasks(plan, seed);
  const fresh = uniformMasks(n, budget - draw.masks.count, createRandom(seed, 'auto/masks'), tableOf(draw.masks));
  const held = Math.min(COMPARE.most, Math.max(COMPARE.least, Math.floor(COMPARE.share * budget)), fresh.count - 1);
  const rows = Array.from({ length: fresh.count }, (_, row) => row);

  const { bins, values: structured } = await measureBins(game, draw, {
    signal,
    onProgress: (p) => onProgress?.({ ...p, stage: 'measure for spex' }),
  });
  const uniform = await measureStage(game, fresh, 'measure', { signal, onProgress });
  onMeasured?.();
  const truth = uniform.subarray(0, held);
  const unseen = selectRows(fresh, rows.slice(0, held));
  const masks = concatMasks([draw.masks, selectRows(fresh, rows.slice(held))]);
  const values = Float64Array.from([...structured, ...uniform.subarray(held)]);

  const fromSpex = fitSpex(bins, structured, seed, {}, (stage, at, total) => onProgress?.({ stage, done: at, total }));
  const fromProxy = await fitBest(masks, values, { seed, signal, onProgress, floor });
  const [bySpex, byProxy] = [evaluate(fromSpex.spectrum, unseen), evaluate(fromProxy.spectrum, unseen)];
  const scores = { spex: r2(truth, bySpex), [fromProxy.solver]: r2(truth, byProxy) };
  const won =
    simplestOfBest(truth, [
      { complexity: fromProxy.complexity, predicted: byProxy },
      { complexity: 1, predicted: bySpex },
    ]) === 1;
  const why = `R² on ${held} uniform masks that neither saw: spex ${scores['spex'].toFixed(3)} (from ${draw.masks.count} masks), ${fromProxy.solver} ${scores[fromProxy.solver].toFixed(3)} (from ${masks.count})`;
  const { spectrum, ...details } = won
    ? fromSpex
    : { spectrum: fromProxy.spectrum, kind: fromProxy.kind, ...fromProxy.details, chosenBy: fromProxy.why };
  return because(
    {
      solver: won ? 'spex' : fromProxy.solver,
      spectrum,
      masks: budget,
      exact: false,
      evidence: won ? evidenceOf(fromSpex, floor ?? floatFloor(values)) : fromProxy.evidence,
      details: { ...details, plan: { ...plan } },
    },
    why,
    scores,
  );
}

function proxyOf(solution: Solution, plan: string): Solution {
  const { chosenBy, ...details } = solution.details;
  return because({ ...solution, details }, `${plan}; ${String(chosenBy)}`);
}

function because(solution: Solution, why: string, scores?: Readonly<Record<string, number>>): Solution {
  return { ...solution, details: { ...solution.details, auto: { why, ...(scores === undefined ? {} : { scores }) } } };
}
