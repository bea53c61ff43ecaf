/**
 * A component game on several cores: each thread holds the same game over the same weights, and takes the next run of
 * masks when it is done with one.
 *
 * TensorFlow.js's wasm and cpu backends compute on one thread. Weights are in memory that all threads read; what a thread has of
 * its own is one batch's activations, and the whole of a small model. The masks of a request are sorted here once, and a
 * run is neighbours, which share their early layers: some batches, fewer towards the end. On `auto` the work begins on this
 * thread, and threads are started when what is left is worth it: this thread goes on until they are ready.
 */
import * as tf from '@tensorflow/tfjs-core';
import { selectRows, type Masks } from '../masks.ts';
import { fail, SpexlensError, throwIfAborted } from '../errors.ts';
import { checkPlayers, type Game, type GradientOptions, type ValueOptions } from '../game.ts';
import type { ModelConfig } from '../model/config.ts';
import { hasFused } from '../model/forward/fused.ts';
import type { Model } from '../model/model.ts';
import { shareWeights, type SharedWeights } from '../model/weights/shared-weights.ts';
import { cores, freeMemory, startThread } from '../platform/threads.ts';
import { reporter, type Reporter } from '../lens/components/masked-game.ts';
import { createModelGame, type ModelGame, type ModelGameOptions } from '../lens/components/model-game.ts';
import { isPlain, questionOf } from '../lens/components/question.ts';
import type { ComponentsQuestion } from '../study.ts';
import { createMaskThreads, type MaskThreads, type TakePart, type Wanted } from './mask-threads.ts';

/** What a thread builds its game from: plain data, and the weights. */
export interface ThreadSetting {
  readonly backend: string;
  /** Whose kernels the wasm backend has. */
  readonly kernels: 'auto' | 'stock';
  readonly model: string;
  readonly config: ModelConfig;
  readonly weights: SharedWeights;
  readonly question: ComponentsQuestion;
  readonly execution: Pick<ModelGameOptions, 'batchSize' | 'byteLimit' | 'stateBytes' | 'without'>;
}

export interface PooledGame extends ModelGame {
  /** Threads that computed so far: 1 while it was this one alone. */
  readonly threads: number;
  /** Why `auto` stayed on this thread although threads were wanted. */
  readonly alone: string | undefined;
}

export interface PoolOptions {
  /** Default 'auto': the cores of the machine, where the work is long enough. */
  readonly threads?: number | 'auto' | undefined;
  /** What `auto` takes for long enough: milliseconds that are left by the estimate. Default 6,000; starting takes about a second of each core. */
  readonly worthMs?: number | undefined;
}

/** Batches of a run, at most. */
const RUN_BATCHES = 16;
/** Masks of a run, at least; half of it for a model of more than so many parameters. */
const RUN_MASKS = 32;
const LARGE_PARAMETERS = 2 ** 24;
/** A run is at most this share of what is left for a thread, so that all end together. */
const SHARE = 1 / 2;
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
  if (tf.getBackend() === 'wasm') return tf.env().get('SPEXLENS_WASM_ALL_CORES') !== true; // backend/wasm-kernels.ts
  return tf.getBackend() === 'cpu';
}

/**
 * createModelGame on threads; the same answers up to rounding. The caller disposes it, which ends the threads (the model stays the caller's).
 *
 * @throws as createModelGame; 'backend' where the backend has cores to itself already; 'input' for a metric that is not one by name.
 */
export function createPooledGame(
  model: Model,
  options: ModelGameOptions,
  { threads = 'auto', worthMs = WORTH_MS }: PoolOptions = {},
): PooledGame {
  if (threads !== 'auto' && (!Number.isInteger(threads) || threads < 1))
    throw fail('input', 'threads', `${threads} is not a whole number >= 1, nor auto.`);
  if (!canPool())
    throw fail(
      'backend',
      'threads',
      `help wasm and cpu, which compute on one; ${tf.getBackend()} has its cores to itself. Leave them out.`,
    );
  if (!isPlain(options))
    throw fail(
      'input',
      'threads',
      `take metrics and ablations that are known by name, and ${options.metric.name} with ${options.ablation.name} is not; use metricOf and ablationOf, or threads 1.`,
    );
  if (threads !== 'auto') requireThreads(model, threads);
  const here = createModelGame(model, options);
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
      const weights = await shareWeights(model.parameters);
      if (disposed) throw fail('aborted', name, 'was disposed before its threads started.');
      const setting: ThreadSetting = {
        backend: tf.getBackend(),
        kernels: hasFused('SpexlensLinear') ? 'auto' : 'stock',
        model: model.name,
        config: model.config,
        weights,
        question: questionOf(options),
        execution: {
          batchSize: here.batchSize,
          byteLimit: options.byteLimit,
          stateBytes: options.stateBytes,
          without: options.without,
        },
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
    wanted: Wanted,
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
    let asked = most < 2 || alone !== undefined;
    if (!asked && starting !== undefined) {
      asked = true;
      callThreads();
    }
    const started = performance.now();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await ask(here, masks, wanted, {
        signal: stop.signal,
        take(rows, values, slopes) {
          into.accept(Int32Array.from(rows), values, slopes);
          const spent = performance.now() - started;
          if (
            asked ||
            into.left === 0 ||
            spent < Math.min(MEASURED_MS, worthMs) ||
            (spent * into.left) / (masks.count - into.left) < worthMs
          )
            return;
          asked = true;
          alone = lackOfMemory(model, most);
          if (alone === undefined) callThreads();
        },
      });
    } catch (error) {
      const stopped = error instanceof SpexlensError && error.kind === 'aborted';
      if (!stopped || !handedOver || signal?.aborted === true) throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  };

  const measure = async (
    masks: Masks,
    wanted: Wanted,
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
  const differentiate: NonNullable<Game['gradients']> = async (
    masks,
    { signal, onGradients }: GradientOptions = {},
  ) => {
    const n = options.players.length;
    checkPlayers(name, n, masks);
    const gradients = new Float32Array(masks.count * n);
    const gathered = gather(masks.count, {}, (rows, values, slopes) => {
      const each = slopes as Float32Array;
      rows.forEach((row, k) => gradients.set(each.subarray(k * n, (k + 1) * n), row * n));
      onGradients?.(rows, values, each);
    });
    await measure(masks, 'gradients', gathered, signal);
    return { values: gathered.values, gradients };
  };
  return {
    name,
    players: here.players,
    get batchSize() {
      return here.batchSize;
    },
    get gradientBatchSize() {
      return here.gradientBatchSize;
    },
    rowsPerMask: here.rowsPerMask,
    ordered: here.ordered,
    ...(here.gradients === undefined
      ? {}
      : { gradients: differentiate, gradientsAt: here.gradientsAt, slopesAlong: here.slopesAlong }),
    get threads() {
      return used;
    },
    get alone() {
      return alone;
    },
    async value(masks, valueOptions: ValueOptions = {}) {
      checkPlayers(name, options.players.length, masks);
      const gathered = gather(masks.count, valueOptions);
      await measure(masks, 'values', gathered, valueOptions.signal);
      return gathered.values;
    },
    [Symbol.dispose]() {
      disposed = true;
      pool?.close();
      here[Symbol.dispose]();
    },
  };
}

/** Has this thread's game answer; `take` hears of answers as they come. */
async function ask(
  game: Game,
  masks: Masks,
  wanted: Wanted,
  { signal, take }: { readonly signal: AbortSignal; readonly take: (...part: Parameters<TakePart>) => void },
): Promise<void> {
  if (wanted === 'values') {
    await game.value(masks, { signal, onValues: (rows, values) => take(Int32Array.from(rows), values) });
    return;
  }
  await game.gradients?.(masks, {
    signal,
    onGradients: (rows, values, gradients) => take(Int32Array.from(rows), values, gradients),
  });
}

/** Why the weights once more, and a batch for each of so many threads, would not fit; undefined where they would. */
function lackOfMemory(model: Model, threads: number): string | undefined {
  const [needed, free] = [4 * model.parameterCount + threads * THREAD_BYTES, freeMemory()];
  const mebibytes = (bytes: number): number => Math.ceil(bytes / 2 ** 20);
  return needed <= free
    ? undefined
    : `${threads} would take about ${mebibytes(needed)} MiB, and ${mebibytes(free)} are free`;
}

/** @throws 'input' for threads that would only wait for one another, or that have no room. */
function requireThreads(model: Model, threads: number): void {
  const most = THREADS_PER_CORE * cores();
  const lack = threads > 1 ? lackOfMemory(model, Math.min(threads, most)) : undefined;
  if (threads > most)
    throw fail('input', 'threads', `${threads} on ${cores()} cores would wait for one another; ${most} at most.`);
  if (lack !== undefined) throw fail('input', 'threads', `${lack}; use fewer.`);
}

/** Has the threads measure what is left. When one fails all stop, and the first failure is thrown. */
async function measureOnThreads(
  pool: MaskThreads,
  { name, players, ordered, ...sizes }: ModelGame,
  all: Masks,
  wanted: Wanted,
  into: Gathered,
  least: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const open = into.open();
  const n = players.length;
  const batchSize = wanted === 'values' ? sizes.batchSize : sizes.gradientBatchSize;
  const { masks, origins, from } = ordered(open.length === all.count ? all : selectRows(all, open));
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  signal?.addEventListener('abort', onAbort, { once: true });
  let next = 0;
  let failure: unknown;
  const lane = async (): Promise<void> => {
    while (next < masks.count && !stop.signal.aborted) {
      const start = next;
      next += runLength(masks.count - start, pool.count, batchSize, least);
      const run = selectRows(
        masks,
        Array.from({ length: next - start }, (_, k) => start + k),
      );
      const take: TakePart = (rows, values, slopes) => {
        const answered = Array.from(rows, (row) => origins.subarray(from[start + row], from[start + row + 1])); // equal masks are one
        const places = answered.flatMap((originals, k) => Array.from(originals, () => k));
        into.accept(
          Int32Array.from(answered.flatMap((originals) => Array.from(originals, (row) => open[row]))),
          Float64Array.from(places, (k) => values[k]),
          slopes && repeated(slopes, places, n),
        );
      };
      await pool.answer(run, wanted, take, stop.signal);
    }
  };
  try {
    const lanes = Array.from(
      { length: Math.min(pool.count, Math.ceil(masks.count / Math.min(least, batchSize))) },
      () =>
        lane().catch((error: unknown) => {
          failure ??= error;
          stop.abort();
        }),
    );
    await Promise.all(lanes);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
  throwIfAborted(signal, name);
  if (failure !== undefined) throw failure as Error;
}

/** Rows of a matrix [.., width], by place. */
function repeated(matrix: Float32Array, places: readonly number[], width: number): Float32Array {
  const rows = new Float32Array(places.length * width);
  places.forEach((place, k) => rows.set(matrix.subarray(place * width, (place + 1) * width), k * width));
  return rows;
}

/** Masks of a run, at least: of a large model few take as long as many of a small one, and threads should end together. */
function leastRun(model: Model): number {
  return model.parameterCount > LARGE_PARAMETERS ? RUN_MASKS / 2 : RUN_MASKS;
}

/** Masks of the next run when `left` are: whole batches while there is much, a share of a batch at the end. */
function runLength(left: number, threads: number, batchSize: number, least: number): number {
  const wanted = Math.min(RUN_BATCHES * batchSize, threads === 1 ? left : Math.ceil((left / threads) * SHARE));
  return Math.min(
    left,
    wanted >= batchSize ? wanted - (wanted % batchSize) : Math.min(batchSize, Math.max(least, wanted)),
  );
}

/** A reporter that knows what is missing. */
interface Gathered extends Omit<Reporter, 'accept'> {
  readonly accept: TakePart;
  readonly left: number;
  /** The masks without a value, increasing. */
  open(): Int32Array;
}

function gather(count: number, options: ValueOptions, told: TakePart = () => {}): Gathered {
  const inner = reporter(count, options);
  let left = count;
  return {
    values: inner.values,
    there: inner.there,
    get left() {
      return left;
    },
    accept(rows, values, slopes) {
      left -= rows.length;
      inner.accept(rows, values);
      told(rows, values, slopes);
    },
    open() {
      const rows = new Int32Array(left);
      let at = 0;
      inner.there.forEach((is, row) => {
        if (is === 0) rows[at++] = row;
      });
      return rows;
    },
  };
}
