/**
 * What a text's methods are worth: R² on masks that were not fitted, what auto has over LASSO there, removal, how many of the
 * sentences that carry an answer are found, and ContextCite's two questions.
 */
import { mostChanging } from '../../src/circuit/removal.ts';
import { fail, SpexlensError } from '../../src/errors.ts';
import { concatMasks, masksFromMembers, selectRows, type Masks } from '../../src/masks.ts';
import { fitBest } from '../../src/proxy/best.ts';
import { REFERENCE_GRID } from '../../src/proxy/trees/tune.ts';
import { SOLVERS } from '../../src/solve/solve.ts';
import type { Solver } from '../../src/solver.ts';
import { spearman } from '../../src/spectrum/correlation.ts';
import { topInteractions } from '../../src/spectrum/energy.ts';
import { r2, r2Gain } from '../../src/spectrum/r2.ts';
import { evaluate, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { spex } from '../../src/spex/spex.ts';
import { cpuSeconds, METHODS } from '../proxy/methods.ts';
import { ABLATIONS, fitContextCite, logProbOf, mostLowering } from './context-cite.ts';
import { budgetOf, drawnMasks } from './drawn-masks.ts';
import type { Job, Score, Scores } from './scores.ts';
import type { TextGame } from './text-game.ts';
import type { BenchText } from './texts.ts';

/** Methods on uniform masks, by their names in bench/proxy/methods.ts; auto is what `spexlens prompt` answers. */
export const FITTED = ['auto', 'lasso', 'kernel shap', 'order 2', 'proxyspex', 'stack'];
/** Solvers that choose their own masks; the last two where absent parts stay in their places, a gradient counting three masks. */
export const OWN_MASKS: Readonly<Record<string, Solver>> = {
  spex: spex({ degrade: true }),
  gradspex: SOLVERS.gradspex,
  'auto with gradients': SOLVERS.auto,
};
/** Whose difference has an interval, on the same masks. */
const COMPARED = ['auto', 'lasso'];
/** Where the removal curves and the recovery are taken. */
const AT = 2;
const REMOVED = [1, 2, 3, 5, 8];
const CITED = [1, 3, 5];
const TOP = 10;

/** One text and what is done to it. */
export interface Work {
  readonly text: BenchText;
  readonly game: TextGame;
  /** Whose score it is. */
  readonly of: Pick<Score, 'model' | 'absence' | 'id'>;
  readonly scores: Scores;
  readonly alphas: readonly number[];
  readonly methods: readonly string[];
  readonly signal: AbortSignal;
  /** Hears how long it took. */
  readonly tell: (line: string) => void;
}

const rows = (masks: Masks, from: number, to: number): Masks =>
  selectRows(
    masks,
    Array.from({ length: Math.min(to, masks.count) - from }, (_, k) => from + k),
  );

/** Everything that is asked of one text and not scored yet. */
export async function scoreText(work: Work): Promise<void> {
  const { text, game, of, scores, alphas, methods, signal, tell } = work;
  const { ledger } = game;
  const n = ledger.players.length;
  const record = (job: Job, alpha: number, method: string, values: Score['values']): void =>
    scores.add({ ...of, players: n, job, alpha, method, values });
  const lacks = (job: Job, alpha: number, method: string): boolean => !scores.has({ ...of, job, alpha, method });
  const { every, held } = drawnMasks(n);
  const masks = rows(every, 0, budgetOf(n, Math.max(...alphas)));
  const own = methods.filter((method) => method in OWN_MASKS);
  const fitted = methods.filter((method) => !own.includes(method));
  const cites = text.task === 'question' && of.absence === 'remove' && lacks('cite', ABLATIONS, 'contextcite');
  const compares = COMPARED.every((method) => methods.includes(method));
  const unscored = (alpha: number): boolean =>
    methods.some((method) => lacks('r2', alpha, method)) || (compares && lacks('gain', alpha, 'auto'));
  if (!cites && !alphas.some(unscored)) return;
  const started = performance.now();
  if (fitted.length > 0) await ledger.value(masks, { signal });
  const truth = await ledger.value(held, { signal });
  const seconds = (performance.now() - started) / 1000;
  let fitting = 0;
  for (const alpha of alphas) {
    const some = rows(masks, 0, budgetOf(n, alpha));
    const fit = fitsOf(some, () => ledger.value(some, { signal }));
    const predicted = new Map<string, Float64Array>();
    const asked = (method: string): boolean =>
      lacks('r2', alpha, method) || (compares && COMPARED.includes(method) && lacks('gain', alpha, 'auto'));
    for (const method of methods.filter(asked)) {
      if (signal.aborted) throw fail('aborted', 'bench-feature-lens', 'stopped on request.');
      const found = await feasible(() =>
        own.includes(method)
          ? cpuSeconds(async () => {
              const options = { budget: some.count, seed: 0, signal };
              return (await OWN_MASKS[method].solve(ledger.account(some.count), options)).spectrum;
            })
          : fit(method),
      );
      if (found === undefined) {
        record('r2', alpha, method, { r2: null, seconds: null });
        continue;
      }
      const [spectrum, cpu] = found;
      fitting += cpu;
      if (alpha === AT && COMPARED.includes(method)) {
        record('removal', alpha, method, await removalOf(work, spectrum));
        if (text.players === 'sentences') record('recovery', alpha, method, recoveryOf(game, spectrum));
      }
      const estimate = evaluate(spectrum, held);
      predicted.set(method, estimate);
      record('r2', alpha, method, { r2: r2(truth, estimate), seconds: cpu });
    }
    const [ours, theirs] = COMPARED.map((method) => predicted.get(method));
    if (ours !== undefined && theirs !== undefined)
      record('gain', alpha, 'auto', r2Gain(truth, ours, theirs, { seed: 0 }));
  }
  if (cites && fitted.length > 0) await cite(work, every, held, record);
  tell(
    `${of.id}: ${n} players, ${ledger.measured} masks measured (${(ledger.measured / Math.max(1e-9, ledger.milliseconds / 1000)).toFixed(1)}/s), values there after ${seconds.toFixed(0)} s, ${fitting.toFixed(0)} s of processor time for fits, ${((performance.now() - started) / 1000).toFixed(0)} s in all`,
  );
}

/** Fits by name to the same masks, and the processor's seconds; where auto answers by the stack, that is not made again. */
function fitsOf(
  masks: Masks,
  measured: () => Promise<Float64Array>,
): (method: string) => Promise<[FourierSpectrum, number]> {
  let stack: [FourierSpectrum, number] | undefined;
  return async (method) => {
    if (method === 'stack' && stack !== undefined) return stack;
    const values = await measured();
    if (method !== 'auto') return cpuSeconds(() => METHODS[method](masks, values, REFERENCE_GRID));
    const [{ spectrum, solver }, seconds] = await cpuSeconds(() => fitBest(masks, values));
    if (solver === 'stack') stack = [spectrum, seconds];
    return [spectrum, seconds];
  };
}

/** Undefined where the masks do not allow a method. */
async function feasible<T>(make: () => Promise<T>): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof SpexlensError && ['input', 'budget'].includes(error.kind)) return undefined;
    throw error;
  }
}

/** |f(all) - f(without)| of the players whose removal changes f̂ most, by how many. */
async function removalOf({ game: { ledger }, signal }: Work, spectrum: FourierSpectrum): Promise<Score['values']> {
  const n = ledger.players.length;
  const sizes = REMOVED.filter((size) => size <= n / 2);
  const all = masksFromMembers(n, [Array.from({ length: n }, (_, i) => i)]);
  const [full, ...left] = await ledger.value(concatMasks([all, await mostChanging(spectrum, sizes)]), { signal });
  return Object.fromEntries(sizes.map((size, k) => [String(size), Math.abs(full - left[k])]));
}

/**
 * Of the ten largest interactions, the mean share of their members that carry the answer: what we take recovery@10 of SPEX's paper
 * (arXiv 2502.13870, section 5) to be, for its repository plots finished figures and has no code that makes them. And the share of
 * the parts that carry it that are in one of them; and whether some one interaction holds all of those.
 * First order has no interactions: its ten largest single parts stand for them.
 */
function recoveryOf({ evidence }: TextGame, spectrum: FourierSpectrum): Score['values'] {
  const pairs = topInteractions(spectrum, TOP);
  const top = (pairs.length > 0 ? pairs : topInteractions(spectrum, TOP, 1)).map(({ members }) => members);
  const share = (members: readonly number[]): number =>
    members.filter((player) => evidence.includes(player)).length / members.length;
  return {
    recovery: top.reduce((sum, members) => sum + share(members), 0) / TOP,
    found: evidence.filter((player) => top.some((members) => members.includes(player))).length / evidence.length,
    together: Number(top.some((members) => evidence.every((player) => members.includes(player)))),
  };
}

/** ContextCite's job: from 64 masks, LDS on others and what removing the top k sentences takes from log p. */
async function cite(
  { game: { ledger, answerLength }, signal }: Work,
  masks: Masks,
  held: Masks,
  record: (job: Job, alpha: number, method: string, values: Score['values']) => void,
): Promise<void> {
  const n = ledger.players.length;
  // Behind both ends; those are no draws of a part with probability ½.
  const some = rows(masks, 2, 2 + ABLATIONS);
  if (some.count < ABLATIONS) return;
  const [values, truth] = [await ledger.value(some, { signal }), await ledger.value(held, { signal })];
  const fits: Readonly<Record<string, FourierSpectrum>> = {
    lasso: await METHODS.lasso(some, values, REFERENCE_GRID),
    stack: await METHODS.stack(some, values, REFERENCE_GRID),
    auto: await METHODS.auto(some, values, REFERENCE_GRID),
    contextcite: fitContextCite(some, values, answerLength), // the last one: when it is there, all are
  };
  const all = masksFromMembers(n, [Array.from({ length: n }, (_, i) => i)]);
  for (const [method, spectrum] of Object.entries(fits)) {
    const sets = concatMasks([all, mostLowering(spectrum, CITED)]);
    const [full, ...left] = Array.from(await ledger.value(sets, { signal }), logProbOf);
    record('cite', ABLATIONS, method, {
      lds: spearman(truth, evaluate(spectrum, held)),
      ...Object.fromEntries(CITED.map((size, k) => [`top ${size}`, full - left[k]])),
    });
  }
}
