/**
 * "What would a model be worth that was trained without these examples?" as a Game: masks in, trained models' values out.
 *
 * f(S) is the value on the test examples, averaged over them, of a model trained on the kept examples alone, averaged over seeds. Models of
 * one seed are trained together (train/train.ts). Its gradients are exact, through every step of training (train/unrolled.ts): with
 * an example's weight as its player's m, ∂f/∂m_i is what influence functions estimate, at any mask; they are taken a little inside the cube.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail, throwIfAborted } from '../../errors.ts';
import { checkPlayers, type Game } from '../../game.ts';
import { isKept, keptPlayers, selectRows, type Masks } from '../../masks.ts';
import { disposeBatch, type Architecture, type Examples } from '../../train/architecture.ts';
import { unflatten } from '../../train/parameters.ts';
import { stepsOf, type Training } from '../../train/schedule.ts';
import { stepperOf } from '../../train/optimiser.ts';
import { train } from '../../train/train.ts';
import { trainUnrolled } from '../../train/unrolled.ts';
import { ownersOf, type ExamplePlayer } from './example-players.ts';
import { openValue, type TestValue } from './test-values.ts';

/** The examples, who of them plays, how a model is trained, what it is judged by. */
export interface DataGameOptions {
  readonly players: readonly ExamplePlayer[];
  readonly architecture: Architecture;
  readonly training: Training;
  /** What is trained on: the players' examples, and those that are always kept. */
  readonly examples: Examples;
  /** What is tested on, with the class of each as `labels`. */
  readonly test: Examples;
  readonly labels: ArrayLike<number>;
  /** The class that each is held against, for values that compare. */
  readonly against?: ArrayLike<number> | undefined;
  readonly value: TestValue;
  /** Trainings of a mask, each with a start and an order of its own, whose mean is its value. Default [0]. */
  readonly seeds?: readonly number[] | undefined;
  /** Slopes are taken at weights of this for what is left out and 1 less this for what is kept; default .15. */
  readonly inside?: number | undefined;
  /** Models trained at once; from their bytes when absent. */
  readonly modelsAtOnce?: number | undefined;
  /** Steps of training done, of those of the chunk. */
  readonly onStep?: ((done: number, total: number) => void) | undefined;
}

/** Training examples as players: a value is what a model is worth that was trained on those kept. */
export interface DataGame extends Game, Disposable {
  /** Values [masks.count · seeds] of every seed by itself: how far they are apart is the noise of one training. */
  perSeed(masks: Masks, options?: { readonly signal?: AbortSignal | undefined }): Promise<Float64Array>;
}

/** One whose models are trained many at once, which threads may share (measure/on-threads.ts). */
export interface BatchedDataGame extends DataGame {
  /** Models trained at once, and of those that are differentiated. */
  readonly batchSize: number;
  readonly gradientBatchSize: number;
  /** No order of masks is better than another: as they are given. */
  readonly ordered: (masks: Masks) => {
    readonly masks: Masks;
    readonly origins: Int32Array;
    readonly from: Int32Array;
  };
}

/**
 * How far inside the cube slopes are taken. A loss falls steeply with the first bit of an example's weight and
 * hardly with the last, so that its slopes at 0 and 1 say little of what an example that is there is worth (docs/data-lens.md).
 */
const INSIDE = 0.15;
/** A training, one more with its way back; measured some seven (docs/data-lens.md). */
const MASKS_PER_GRADIENT = 7;
/** Models at once at most, and bytes of their states. */
const MOST_MODELS = 64;
const STATE_BYTES = 2 ** 28;

/**
 * The caller disposes it.
 * @throws 'input' on players that share an example, a test set without an example, seeds that are none.
 */
export function createDataGame(options: DataGameOptions): BatchedDataGame {
  const { players, architecture, training, examples, test, value, seeds = [0], inside = INSIDE } = options;
  const owners = ownersOf(players, examples.count);
  if (test.count === 0) throw fail('input', 'test', 'holds no example; one at least is needed.');
  if (seeds.length === 0 || seeds.some((seed) => !Number.isInteger(seed) || seed < 0))
    throw fail('input', 'seeds', `${JSON.stringify(seeds)}; one whole number >= 0 at least is needed.`);
  const name = `${architecture.name} ${value.name}`;
  const steps = stepsOf(training, examples.count, seeds[0]).length;
  const valued = openValue(value, options, test.count, architecture.classes);
  const testBatch = test.batch(Array.from({ length: test.count }, (_, row) => row));
  let disposed = false;
  const requireOpen = (): void => {
    if (disposed) throw fail('input', name, 'was disposed; open it again.');
  };
  const f = (parameters: readonly tf.Tensor[]): tf.Tensor1D =>
    tf.mean(valued.of(architecture.logits(parameters, testBatch)), 1);
  const { tensors } = stepperOf(training.optimiser);
  const bytesOf = (states: number): number => 4 * architecture.size * tensors * states + (architecture.stepBytes ?? 0);
  const fitting = (states: number): number =>
    options.modelsAtOnce ?? Math.max(1, Math.min(MOST_MODELS, Math.floor(STATE_BYTES / bytesOf(states))));

  const [batchSize, gradientBatchSize] = [fitting(3), fitting(2 * Math.ceil(Math.sqrt(steps)) + 2)];

  /** Of the masks' examples: 1 - off for kept ones, `off` for others. */
  const weightsOf = (masks: Masks, off = 0): Float32Array => {
    const weights = new Float32Array(masks.count * examples.count);
    for (let k = 0; k < masks.count; k++)
      for (let n = 0; n < examples.count; n++)
        weights[k * examples.count + n] = owners[n] < 0 ? 1 : isKept(masks, k, owners[n]) ? 1 - off : off;
    return weights;
  };
  /** Chunks of masks, each trained on every seed. */
  const inChunks = async (
    masks: Masks,
    size: number,
    signal: AbortSignal | undefined,
    each: (chunk: Masks, rows: number[]) => Promise<void>,
  ): Promise<void> => {
    requireOpen();
    checkPlayers(name, players.length, masks);
    for (let from = 0; from < masks.count; from += size) {
      throwIfAborted(signal, name);
      const rows = Array.from({ length: Math.min(size, masks.count - from) }, (_, k) => from + k);
      await each(selectRows(masks, rows), rows);
      requireOpen();
    }
  };
  const check = async (chunk: Masks, values: Float64Array, seed: number): Promise<void> => {
    const bad = values.findIndex((x) => !Number.isFinite(x));
    if (bad < 0) return;
    const step = await divergesAt(selectRows(chunk, [bad]), seed);
    const kept = keptPlayers(chunk, bad).map((i) => players[i].name);
    const shown = kept.length > 6 ? `${kept.slice(0, 6).join(', ')} and ${kept.length - 6} more` : kept.join(', ');
    throw fail(
      'input',
      name,
      `training on ${kept.length === 0 ? 'no player' : shown} diverges: at step ${step} of ${steps} (seed ${seed}) its loss is not finite. A smaller learning rate is needed.`,
    );
  };
  /** The first step after which the loss of one model is not finite. */
  const divergesAt = async (mask: Masks, seed: number): Promise<number> => {
    let [low, high] = [0, steps];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      const theta = await train(architecture, examples, training, weightsOf(mask), { seed, steps: middle });
      const value = tf.tidy(() => tf.sum(theta).dataSync()[0]);
      theta.dispose();
      if (Number.isFinite(value)) low = middle;
      else high = middle;
    }
    return high;
  };
  const valuesOf = async (chunk: Masks, seed: number, signal?: AbortSignal): Promise<Float64Array> => {
    const theta = await train(architecture, examples, training, weightsOf(chunk), {
      seed,
      signal,
      onStep: options.onStep,
    });
    const found = tf.tidy(() => f(unflatten(architecture, theta)));
    theta.dispose();
    const values = Float64Array.from(await found.data());
    found.dispose();
    await check(chunk, values, seed);
    return values;
  };
  const game: BatchedDataGame = {
    name,
    players,
    rowsPerMask: seeds.length,
    masksPerGradient: MASKS_PER_GRADIENT,
    batchSize,
    gradientBatchSize,
    ordered(masks) {
      const each = Int32Array.from({ length: masks.count + 1 }, (_, row) => row);
      return { masks, origins: each.subarray(0, masks.count), from: each };
    },
    async value(masks, { signal, onValues } = {}) {
      const all = new Float64Array(masks.count);
      await inChunks(masks, batchSize, signal, async (chunk, rows) => {
        const sum = new Float64Array(chunk.count);
        for (const seed of seeds) (await valuesOf(chunk, seed, signal)).forEach((x, k) => (sum[k] += x / seeds.length));
        all.set(sum, rows[0]);
        onValues?.(rows, sum);
      });
      return all;
    },
    async perSeed(masks, { signal } = {}) {
      const all = new Float64Array(masks.count * seeds.length);
      await inChunks(masks, batchSize, signal, async (chunk, rows) => {
        for (const [s, seed] of seeds.entries())
          (await valuesOf(chunk, seed, signal)).forEach((x, k) => (all[(rows[0] + k) * seeds.length + s] = x));
      });
      return all;
    },
    ...(value.smooth && architecture.twice !== false
      ? {
          gradients: async (masks, { signal, onGradients } = {}) => {
            const n = players.length;
            const all = { values: new Float64Array(masks.count), gradients: new Float32Array(masks.count * n) };
            await inChunks(masks, gradientBatchSize, signal, async (chunk, rows) => {
              const values = new Float64Array(chunk.count);
              const gradients = new Float32Array(chunk.count * n);
              for (const seed of seeds) {
                (await valuesOf(chunk, seed, signal)).forEach((x, k) => (values[k] += x / seeds.length));
                const found = await trainUnrolled(architecture, examples, training, weightsOf(chunk, inside), f, {
                  seed,
                  signal,
                  onStep: options.onStep,
                });
                await check(chunk, found.values, seed);
                for (let k = 0; k < chunk.count; k++)
                  for (let e = 0; e < examples.count; e++)
                    if (owners[e] >= 0)
                      gradients[k * n + owners[e]] += found.slopes[k * examples.count + e] / seeds.length;
              }
              all.values.set(values, rows[0]);
              all.gradients.set(gradients, rows[0] * n);
              onGradients?.(rows, values, gradients);
            });
            return all;
          },
        }
      : {}),
    [Symbol.dispose]() {
      if (disposed) return;
      disposed = true;
      disposeBatch(testBatch);
      valued[Symbol.dispose]();
    },
  };
  return game;
}
