/**
 * A game on several cores: each thread holds the same game over the same weights, and takes the next run of masks when it is done
 * with one.
 *
 * TensorFlow.js's wasm and cpu backends compute on one thread. Weights are in memory that all threads read; what a thread has of
 * its own is one batch's activations, and the whole of a small model. The masks of a request are sorted here once, and a
 * run is neighbours, which share what they begin with. On `auto` the work begins on this thread, and threads are started when
 * what is left is worth it: this thread goes on until they are ready.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Masks } from '../masks.ts';
import { fail, SpexlensError, throwIfAborted } from '../errors.ts';
import { checkPlayers } from '../game.ts';
import type { ModelConfig } from '../model/config.ts';
import { hasFused, hasNativeProducts } from '../model/forward/fused.ts';
import type { Model } from '../model/model.ts';
import { shareWeights, type SharedWeights } from '../model/weights/shared-weights.ts';
import { cores, freeMemory, startThread } from '../platform/threads.ts';
import type { ModelGameOptions } from '../lens/components/model-game.ts';
import type { PlainDataQuestion } from '../lens/examples/plain-question.ts';
import type { PromptGameOptions } from '../lens/tokens/prompt-game.ts';
import type { Question } from '../study.ts';
import {
  askGame,
  createMaskThreads,
  type AskedGame,
  type MaskThreads,
  type TakePart,
  type WantedHere,
} from './mask-threads.ts';
import { gather, leastRun, measureOnThreads, type Gathered, type SharedGame } from './pool-runs.ts';

/** What a thread builds its game from: plain data, and the weights of a loaded model. */
export interface ThreadSetting {
  readonly backend: string;
  /** Whose kernels the wasm backend has. */
  readonly kernels: 'auto' | 'stock';
  /** Absent where a question has none. */
  readonly model: { readonly name: string; readonly config: ModelConfig; readonly weights: SharedWeights } | undefined;
  readonly asked: ThreadQuestion;
}

/** What is asked of it, and how it runs. */
export type ThreadQuestion =
  | {
      readonly lens: 'components';
      readonly question: Extract<Question, { lens: 'components' }>;
      readonly execution: Pick<ModelGameOptions, 'batchSize' | 'byteLimit' | 'stateBytes' | 'without'>;
    }
  | {
      readonly lens: 'tokens';
      readonly question: Extract<Question, { lens: 'tokens' }>;
      readonly execution: Pick<PromptGameOptions, 'batchSize' | 'byteLimit' | 'without'>;
    }
  | { readonly lens: 'examples'; readonly question: PlainDataQuestion };

/** What a game has on threads beside what it has on one. */
export interface OnThreads {
  /** Threads that computed so far: 1 while it was this one alone. */
  readonly threads: number;
  /** Why `auto` stayed on this thread although threads were wanted. */
  readonly alone: string | undefined;
}

/** The same game, on threads. */
export type Pooled<G> = G & OnThreads;

type SharedParts = OnThreads & Pick<AskedGame, 'value' | 'gradients' | 'byToken'> & Disposable;

export interface PoolOptions {
  /** Default 'auto': the cores of the machine, where the work is long enough. */
  readonly threads?: number | 'auto' | undefined;
  /** What `auto` takes for long enough: milliseconds that are left by the estimate. Default 6,000; starting takes about a second of each core. */
  readonly worthMs?: number | undefined;
}

/** A game, and how a thread makes it again. */
export interface ToPool<G> {
  /** Makes it on this thread. */
  readonly open: () => G;
  readonly asked: (here: G) => ThreadQuestion;
}

/** Defaults of `auto`: what has to be left, and what it is estimated from at least. */
const WORTH_MS = 6000;
const MEASURED_MS = 1000;
/** What a thread may take of its own: a batch, kept states, the program. One of gpt2-small's shape takes about 200 MiB (bench/threads.ts). */
const THREAD_BYTES = 2 ** 28;
/** The most that `auto` starts: a choice, each one takes memory for a batch. */
const MOST_THREADS = 16;
/** Threads that may be asked for, for each core. */
const THREADS_PER_CORE = 8;

/** Whether the current backend computes on one thread, so that more of them help. */
export function canPool(): boolean {
  return tf.getBackend() === 'cpu' || (tf.getBackend() === 'wasm' && !hasNativeProducts());
}

/**
 * The game that `open` makes, with its values, gradients and outputs computed on threads. The caller disposes it, which ends the
 * threads (the model stays the caller's).
 *
 * @throws what `open` throws; 'backend' where the backend has cores to itself already; 'input' for threads that have no room.
 */
export function pooled<G extends SharedGame>(
  model: Model | undefined,
  { open, asked }: ToPool<G>,
  { threads = 'auto', worthMs = WORTH_MS }: PoolOptions = {},
): Pooled<G> {
  if (threads !== 'auto' && (!Number.isInteger(threads) || threads < 1))
    throw fail('input', 'threads', `${threads} is not a whole number >= 1, nor auto.`);
  if (!canPool())
    throw fail(
      'backend',
      'threads',
      `help wasm and cpu, which compute on one; ${tf.getBackend()} has its cores to itself. Leave them out.`,
    );
  if (threads !== 'auto') requireThreads(model, threads);
  const here = open();
  const { name } = here;
  const most = threads === 'auto' ? Math.min(cores(), MOST_THREADS) : threads;
  let pool: MaskThreads | undefined;
  let starting: Promise<MaskThreads> | undefined;
  let ready = false;
  let used = 1;
  let alone: string | undefined;
  let disposed = false;
  const begin = (): Promise<MaskThreads> =>
    (starting ??= (async () => {
      const shared = model && {
        name: model.name,
        config: model.config,
        weights: await shareWeights(model.parameters),
      };
      if (disposed) throw fail('aborted', name, 'was disposed before its threads started.');
      const setting: ThreadSetting = {
        backend: tf.getBackend(),
        kernels: hasFused('SpexlensLinear') ? 'auto' : 'stock',
        model: shared,
        asked: asked(here),
      };
      return (pool = createMaskThreads(
        () => startThread('./mask-worker', import.meta.url, { workerData: setting }),
        most,
        name,
      ));
    })());

  /** Measures on this thread until all is done or, when that pays, the threads are ready. */
  const measureHere = async (
    masks: Masks,
    wanted: WantedHere,
    into: Gathered,
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    let handedOver = false;
    const callThreads = (): void =>
      void begin()
        .then(async (threads) => threads.ready)
        .then(
          () => {
            ready = true;
            handedOver = true;
            stop.abort();
          },
          (error: unknown) => {
            alone = error instanceof Error ? error.message : String(error);
            pool?.close();
          },
        );
    let called = most < 2 || alone !== undefined;
    if (!called && starting !== undefined) {
      called = true;
      callThreads();
    }
    const started = performance.now();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const take: TakePart = (rows, values, more) => {
        into.accept(rows, values, more);
        const spent = performance.now() - started;
        if (
          called ||
          into.left === 0 ||
          spent < Math.min(MEASURED_MS, worthMs) ||
          (spent * into.left) / (masks.count - into.left) < worthMs
        )
          return;
        called = true;
        alone = lackOfMemory(model, most);
        if (alone === undefined) callThreads();
      };
      await askGame(here, masks, wanted, take, stop.signal);
    } catch (error) {
      const stopped = error instanceof SpexlensError && error.kind === 'aborted';
      if (!stopped || !handedOver || signal?.aborted === true) throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  };

  const measure = async (
    masks: Masks,
    wanted: WantedHere,
    gathered: Gathered,
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    if (disposed) throw fail('input', name, 'was disposed; make a new one.');
    throwIfAborted(signal, name);
    if (threads === 'auto' && !ready) await measureHere(masks, wanted, gathered, signal);
    if (gathered.left === 0) return;
    used = most;
    await measureOnThreads(await begin(), here, masks, wanted, gathered, leastRun(model), signal);
  };
  /** Has everybody measure `masks`, and keeps `width` more numbers of each. */
  const measureMore = async (
    masks: Masks,
    wanted: WantedHere,
    width: number,
    signal: AbortSignal | undefined,
    told: ((rows: ArrayLike<number>, values: Float64Array, more: Float32Array) => void) | undefined,
  ): Promise<{ readonly values: Float64Array; readonly more: Float32Array }> => {
    checkPlayers(name, players.length, masks);
    const all = new Float32Array(masks.count * width);
    const gathered = gather(masks.count, {}, (rows, values, more) => {
      const each = more as Float32Array;
      rows.forEach((row, k) => all.set(each.subarray(k * width, (k + 1) * width), row * width));
      told?.(rows, values, each);
    });
    await measure(masks, wanted, gathered, signal);
    return { values: gathered.values, more: all };
  };
  const { players, gradients, byToken, outputs = 0 } = here;
  const shared: SharedParts = {
    get threads() {
      return used;
    },
    get alone() {
      return alone;
    },
    async value(masks, valueOptions = {}) {
      checkPlayers(name, players.length, masks);
      const gathered = gather(masks.count, valueOptions);
      await measure(masks, 'values', gathered, valueOptions.signal);
      return gathered.values;
    },
    ...(gradients && {
      async gradients(masks, { signal, onGradients } = {}) {
        const { values, more } = await measureMore(masks, 'gradients', players.length, signal, onGradients);
        return { values, gradients: more };
      },
    }),
    ...(byToken && {
      async byToken(masks, { signal, onOutputs } = {}) {
        const { values, more } = await measureMore(masks, 'outputs', outputs, signal, onOutputs);
        return { values, outputs: more };
      },
    }),
    [Symbol.dispose]() {
      disposed = true;
      pool?.close();
      here[Symbol.dispose]();
    },
  };
  const parts = { ...Object.getOwnPropertyDescriptors(here), ...Object.getOwnPropertyDescriptors(shared) };
  return Object.defineProperties({}, parts) as Pooled<G>;
}

/** Why the weights once more, and a batch for each of so many threads, would not fit; undefined where they would. */
function lackOfMemory(model: Model | undefined, threads: number): string | undefined {
  const [needed, free] = [4 * (model?.parameterCount ?? 0) + threads * THREAD_BYTES, freeMemory()];
  const mebibytes = (bytes: number): number => Math.ceil(bytes / 2 ** 20);
  return needed <= free
    ? undefined
    : `${threads} would take about ${mebibytes(needed)} MiB, and ${mebibytes(free)} are free`;
}

/** @throws 'input' for threads that would only wait for one another, or that have no room. */
function requireThreads(model: Model | undefined, threads: number): void {
  const most = THREADS_PER_CORE * cores();
  const lack = threads > 1 ? lackOfMemory(model, Math.min(threads, most)) : undefined;
  if (threads > most)
    throw fail('input', 'threads', `${threads} on ${cores()} cores would wait for one another; ${most} at most.`);
  if (lack !== undefined) throw fail('input', 'threads', `${lack}; use fewer.`);
}
