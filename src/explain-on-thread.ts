/**
 * explain() on a thread of its own: a fit computes for seconds or minutes without a pause, and the caller's thread stays free
 * meanwhile, for Ctrl-C, a progress bar, a notebook's kernel.
 *
 * A game is numbers in and numbers out, so the thread gets one that asks this thread for its values (explain-worker.ts): the model,
 * the ledger and its log stay here, everything right of game.ts goes there. The answers are those of explain(). What cannot be sent
 * (a solver or a selector of the caller's own) and what is done within a second runs here; in a page all does.
 */
import { SELECTORS, type SelectorName } from './circuit/selectors.ts';
import { fail, fromPlainError, throwIfAborted, type PlainError } from './errors.ts';
import { explain, settingsOf, type Explanation, type ExplainOptions, type ExplainSettings } from './explain.ts';
import type { Ledger } from './ledger.ts';
import type { Player } from './game.ts';
import type { Masks } from './masks.ts';
import { noThreads, startThread } from './platform/threads.ts';
import { SOLVERS, type SolverName } from './solve/solve.ts';

/** What the thread is started with: plain data. */
export interface ExplainJob {
  readonly name: string;
  readonly players: readonly Player[];
  readonly rowsPerMask: number | undefined;
  readonly masksPerGradient: number | undefined;
  readonly gradients: boolean;
  readonly options: Omit<ExplainOptions, 'solver' | 'selector' | 'signal' | 'onProgress'>;
  readonly solver: SolverName;
  readonly selector: SelectorName | undefined;
}

/** What the thread says. */
export type FromExplainer =
  | { readonly ready: true }
  | { readonly ask: number; readonly wanted: 'values' | 'gradients'; readonly masks: Masks }
  | { readonly progress: Parameters<NonNullable<ExplainOptions['onProgress']>>[0] }
  | {
      readonly explained: Omit<Explanation, 'ledger' | 'settings'>;
      readonly settings: Pick<ExplainSettings, 'budget' | 'heldOut'>;
    }
  | { readonly failed: PlainError };

/** What it hears: of rows of what it asked, each once; then that these were all. */
export type ToExplainer =
  | {
      readonly ask: number;
      readonly rows: Int32Array;
      readonly values: Float64Array;
      readonly gradients?: Float32Array;
    }
  | { readonly ask: number; readonly complete: true };

/** Players x masks up to which the caller's thread does it: starting another takes about half a second. */
const MOST_HERE = 2 ** 13;

/** Explains `ledger` as explain() does, where its numbers are worth a thread on one. @throws as explain(). */
export async function explainOnThread(ledger: Ledger, options: ExplainOptions = {}): Promise<Explanation> {
  const settings = settingsOf(options, ledger.players.length);
  const job = noThreads() === undefined ? jobOf(ledger, options, settings) : undefined;
  if (job === undefined) return explain(ledger, options);
  const outcome = await onThread(ledger, job, options);
  return 'explained' in outcome
    ? { ...outcome.explained, ledger, settings: { ...settings, ...outcome.settings } }
    : { ...(await explain(ledger, options)), fittedHere: outcome.noThread };
}

function jobOf(ledger: Ledger, given: ExplainOptions, settings: ExplainSettings): ExplainJob | undefined {
  const { budget, adaptive, heldOut, target, seed, keep, floor, narrow, rivals, findings, insist } = given;
  const { moreIsBetter, bothWays } = given;
  const masks = { budget, adaptive, heldOut, keep, floor };
  const options = { ...masks, target, seed, narrow, rivals, findings, insist, moreIsBetter, bothWays };
  const { name, players, rowsPerMask, masksPerGradient } = ledger;
  const solver = nameIn(SOLVERS, settings.solver);
  const selector = settings.selector && nameIn(SELECTORS, settings.selector);
  const small = players.length * (settings.budget + settings.heldOut) < MOST_HERE && settings.selector === undefined;
  if (small || solver === undefined || (selector === undefined && settings.selector !== undefined)) return undefined;
  const gradients = ledger.gradients !== undefined;
  return { name, players, rowsPerMask, masksPerGradient, gradients, options, solver, selector };
}

function nameIn<N extends string, T>(table: Readonly<Record<N, T>>, value: T): N | undefined {
  return (Object.keys(table) as N[]).find((name) => table[name] === value);
}

type Outcome = Extract<FromExplainer, { explained: unknown }> | { readonly noThread: string };

/** Runs the job; 'noThread' says why none could be started. */
async function onThread(ledger: Ledger, job: ExplainJob, { signal, onProgress }: ExplainOptions): Promise<Outcome> {
  throwIfAborted(signal, ledger.name);
  const stop = new AbortController();
  let measuring: Promise<void> = Promise.resolve();
  let ready = false;
  const worker = startThread('./explain-worker', import.meta.url, { workerData: job });
  const send = (message: ToExplainer): void => worker.postMessage(message);
  let onAbort = (): void => undefined;
  try {
    return await new Promise<Outcome>((resolve, reject) => {
      onAbort = (): void => {
        stop.abort();
        reject(abortedBy(signal, ledger.name));
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const lost = (why: string): void => {
        if (ready) reject(fail('backend', ledger.name, `the thread that fits failed (${why}).`));
        else resolve({ noThread: why });
      };
      worker.on('error', (error: Error) => lost(error.message));
      worker.on('exit', (code) => lost(`exit code ${code}`));
      worker.on('message', (message: FromExplainer) => {
        if ('ready' in message) ready = true;
        else if ('progress' in message) onProgress?.(message.progress);
        else if ('explained' in message) resolve(message);
        else if ('failed' in message) reject(fromPlainError(message.failed));
        else measuring = answer(ledger, message, send, stop.signal).catch((error: unknown) => reject(error as Error));
      });
    });
  } finally {
    signal?.removeEventListener('abort', onAbort);
    stop.abort();
    void worker.terminate();
    await measuring; // whoever owns the game may dispose it after this
  }
}

/** Measures what the thread asked for, telling it as values come. */
async function answer(
  ledger: Ledger,
  { ask, wanted, masks }: Extract<FromExplainer, { ask: number }>,
  send: (message: ToExplainer) => void,
  signal: AbortSignal,
): Promise<void> {
  if (wanted === 'values')
    await ledger.value(masks, {
      signal,
      onValues: (rows, values) => send({ ask, rows: Int32Array.from(rows), values }),
    });
  else
    await ledger.gradients?.(masks, {
      signal,
      onGradients: (rows, values, gradients) => send({ ask, rows: Int32Array.from(rows), values, gradients }),
    });
  send({ ask, complete: true });
}

function abortedBy(signal: AbortSignal | undefined, who: string): Error {
  try {
    throwIfAborted(signal, who);
  } catch (error) {
    return error as Error;
  }
  return fail('aborted', who, 'stopped.');
}
