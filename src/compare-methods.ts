/**
 * Circuit finders beside each other on one game: each within the same budget, all judged by the same measurements.
 *
 * A method sees a game that counts, with nothing that another one measured; its sets are then measured on one ledger, whose masks are
 * nobody's. The driver of every lens, as explain.ts is: a game of words is compared by the same call.
 */
import { fail, SpexlensError } from './errors.ts';
import { evaluateSets, type Evaluation } from './evaluation/evaluate.ts';
import { measureEnds, type Ends } from './evaluation/faithfulness.ts';
import type { Game, OnProgress } from './game.ts';
import { ledgerOf } from './ledger.ts';
import type { CircuitMethod, Found } from './methods/circuit-method.ts';
import type { Harm } from './methods/harm.ts';
import type { ComparedGame } from './methods/metered-game.ts';
import { METHODS, runMethod, type Spent } from './methods/methods.ts';

/** The methods, their budget, and how they are judged. */
export interface CompareMethodsOptions {
  /** Default all. */
  readonly methods?: readonly CircuitMethod[] | undefined;
  /** Masks of each method, one with its gradients counting three; default 1,024. */
  readonly budget?: number | undefined;
  /** Share of the metric that a method's circuit keeps; default 0.9. */
  readonly target?: number | undefined;
  /** What methods that remove players count as harm; default 'divergence'. */
  readonly harm?: Harm | undefined;
  /** The players of the true circuit, where it is known. */
  readonly truth?: readonly number[] | undefined;
  /** A game over the same players that judges what was found; default the game itself. */
  readonly judge?: Game | undefined;
  /** Sets of a circuit's players that are knocked out; default 10. */
  readonly knockOuts?: number | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

export interface MethodResult extends Found, Spent {
  readonly name: string;
  readonly evaluation: Evaluation;
}

/** A method that could not be run here, and why. */
export interface Refusal {
  readonly name: string;
  readonly why: string;
}

/** Every method's circuits, judged alike. */
export interface Comparison {
  /** Of the game that judges. */
  readonly ends: Ends;
  readonly budget: number;
  readonly target: number;
  readonly harm: Harm;
  readonly knockOuts: number;
  readonly seed: number;
  readonly truth: readonly number[] | undefined;
  readonly results: readonly MethodResult[];
  readonly refusals: readonly Refusal[];
  /** Masks that judging took, beside those of the methods. */
  readonly judged: number;
}

/**
 * Runs every method on `game` and measures what it found. A method that needs a larger budget or gradients that the game has not is
 * among the refusals.
 * @throws 'input' on options that cannot be used, a game whose ends are the same, 'aborted'.
 */
export async function compareMethods(game: ComparedGame, options: CompareMethodsOptions = {}): Promise<Comparison> {
  const { methods = Object.values(METHODS), budget = 1024, target = 0.9, harm = 'divergence', truth } = options;
  const { knockOuts = 10, seed = 0, signal, onProgress } = options;
  if (!Number.isInteger(budget) || budget < 1)
    throw fail('budget', 'budget', `${budget} masks; a whole number >= 1 is needed.`);
  if (!(target > 0 && target <= 1)) throw fail('input', 'target', `${target}; a share in (0, 1] is needed, e.g. 0.9.`);
  if (!Number.isInteger(knockOuts) || knockOuts < 1)
    throw fail('input', 'knock-outs', `${knockOuts}; a whole number >= 1 is needed.`);
  requireDistinct(methods);
  const judge = ledgerOf(options.judge ?? game);
  if (judge.players.length !== game.players.length)
    throw fail(
      'input',
      'judge',
      `has ${judge.players.length} players, the game ${game.players.length}; they must be the same.`,
    );
  const judgedEnds = await measureEnds(judge, { signal });
  const ends = options.judge === undefined ? judgedEnds : await measureEnds(game, { signal });
  const results: MethodResult[] = [];
  const refusals: Refusal[] = [];
  for (const method of methods) {
    const { name } = method;
    const tell: OnProgress = (progress) => onProgress?.({ ...progress, stage: `${name}: ${progress.stage}` });
    const run = await runMethod(method, game, { budget, ends, harm, seed, signal, onProgress: tell }).catch(refusalOf);
    if ('why' in run) refusals.push({ name, why: run.why });
    else {
      const judging = { ends: judgedEnds, target, truth, seed, knockOuts, signal, onProgress: tell };
      const evaluation = await evaluateSets(judge, run.found, judging);
      results.push({ name, ...run.found, ...run.spent, evaluation });
    }
  }
  return { ends: judgedEnds, budget, target, harm, knockOuts, seed, truth, results, refusals, judged: judge.measured };
}

/** Why a method could not be run: its budget, or what it needs of the game. Anything else is thrown on. */
function refusalOf(error: unknown): Pick<Refusal, 'why'> {
  if (error instanceof SpexlensError && (error.kind === 'budget' || error.kind === 'input'))
    return { why: error.message };
  throw error;
}

function requireDistinct(methods: readonly CircuitMethod[]): void {
  const names = methods.map(({ name }) => name);
  const twice = names.find((name, k) => names.indexOf(name) !== k);
  if (twice !== undefined) throw fail('input', 'methods', `"${twice}" is there twice; methods must be distinct.`);
  if (names.length === 0) throw fail('input', 'methods', 'there are none; name at least one.');
}
