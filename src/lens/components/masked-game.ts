/**
 * A game over anything that forward passes can be run without: masks in, the metric out, nothing else leaves the device.
 *
 * The masks of a request are sorted so that neighbours share what a pass begins with, cut into blocks and run, each block on
 * every prompt (a PromptRun each). The value of a mask is the mean of the metric over the prompts. Budgets count masks; a
 * mask costs one forward row per prompt. A block that does not fit into memory is run again by halves.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Masks } from '../../masks.ts';
import { throwIfAborted } from '../../errors.ts';
import {
  checkPlayers,
  type Game,
  type GradientOptions,
  type MaskGradients,
  type Player,
  type ValueOptions,
} from '../../game.ts';
import type { Model } from '../../model/model.ts';
import { notFiniteIn } from '../../model/not-finite.ts';
import { isOutOfMemory } from '../batch-size.ts';
import type { Metric } from '../metrics.ts';
import type { Task } from '../prompts.ts';
import { turn } from '../turn.ts';
import { checkNumbers, differentiateMasks, type BlockSize } from '../mask-gradients.ts';
import { blockOf, maskMatrix, type OrderedMasks } from './mask-order.ts';
import { placesOf, type PromptRun } from './prompt-run.ts';

export interface MaskedGame<P extends Player = Player> extends Game {
  readonly players: readonly P[];
  /** Masks per forward pass; less than what was asked for once that did not fit into memory. */
  readonly batchSize: number;
  /** The same where gradients are taken, which keeps more for each mask. */
  readonly gradientBatchSize: number;
  /** Forward rows that one mask costs: the number of prompts. */
  readonly rowsPerMask: number;
  /** f and ∂f/∂m at masks; absent for a metric that has no gradient. A mask costs one forward and one backward row per prompt. */
  readonly gradients?: ((masks: Masks, options?: GradientOptions) => Promise<MaskGradients>) | undefined;
  /** The same between masks: at rows of m [rows · players] of numbers from 0 to 1, as integrated gradients take. */
  readonly gradientsAt?: ((m: Float32Array, options?: GradientOptions) => Promise<MaskGradients>) | undefined;
  /** Masks in the order in which they are measured, each once. */
  readonly ordered: (masks: Masks) => OrderedMasks;
  [Symbol.dispose](): void;
}

/** What a masked game is made of. */
export interface MaskedGameParts<P extends Player> {
  readonly players: readonly P[];
  readonly tasks: readonly Task[];
  readonly metric: Metric;
  /** By prompt; the game's to dispose. */
  readonly prompts: readonly PromptRun[];
  readonly ordered: (masks: Masks) => OrderedMasks;
  /** Masks of a block at first, and of one that is differentiated. */
  readonly batchSize: number;
  readonly gradientBatchSize: number;
  /** Bytes that may be kept from one block for the next. */
  readonly stateBytes: number;
}

/** The game of `model`'s prepared runs; the caller disposes it (the model stays the caller's). */
export function createMaskedGame<P extends Player>(
  model: Model,
  { players, tasks, metric, prompts, ordered, stateBytes, ...sizes }: MaskedGameParts<P>,
): MaskedGame<P> {
  let { batchSize } = sizes;
  const name = `${model.name} ${metric.name}`;
  const n = players.length;
  const block: BlockSize = { size: sizes.gradientBatchSize };
  /** @throws 'checkpoint' where values that are not finite are the model's fault. */
  const blameModel = async (values: ArrayLike<number>): Promise<void> => {
    if (Array.prototype.every.call(values, Number.isFinite)) return;
    for (const { tokens } of tasks) {
      const cause = await notFiniteIn(model, tokens);
      if (cause !== undefined) throw cause;
    }
  };
  const gradientsAt = async (m: Float32Array, gradientOptions: GradientOptions = {}): Promise<MaskGradients> => {
    checkNumbers(name, m, n);
    const rows = (start: number, end: number): Float32Array => m.subarray(start * n, end * n);
    return differentiateMasks(
      name,
      prompts,
      { count: m.length / n, players: n, rows },
      block,
      gradientOptions,
      blameModel,
    );
  };
  const everyPlayer = Array.from({ length: n }, (_, i) => i);
  const gradients = async (masks: Masks, gradientOptions: GradientOptions = {}): Promise<MaskGradients> => {
    checkPlayers(name, n, masks);
    const rows = (start: number, end: number): Float32Array =>
      maskMatrix(
        masks,
        Int32Array.from({ length: end - start }, (_, k) => start + k),
        everyPlayer,
        0,
      );
    return differentiateMasks(
      name,
      prompts,
      { count: masks.count, players: n, rows },
      block,
      gradientOptions,
      blameModel,
    );
  };
  return {
    name,
    players,
    get batchSize() {
      return batchSize;
    },
    get gradientBatchSize() {
      return block.size;
    },
    rowsPerMask: tasks.length,
    ordered,
    ...(metric.differentiable === false ? {} : { gradients, gradientsAt }),
    async value(masks, valueOptions: ValueOptions = {}) {
      checkPlayers(name, players.length, masks);
      const landed: { readonly rows: ArrayLike<number>; readonly values: Float64Array }[] = [];
      const report = reporter(masks.count, { onValues: (rows, values) => landed.push({ rows, values }) });
      const run = startRun(prompts, ordered(masks), stateBytes, report.accept);
      try {
        while (!run.done()) {
          throwIfAborted(valueOptions.signal, name);
          try {
            const launched = await run.launch(batchSize, async () => turn(valueOptions.signal, name));
            // While one batch is read back, the next is already on its way.
            if (run.flying() > 1 || !launched) await run.land();
            for (const { rows, values } of landed.splice(0)) {
              await blameModel(values);
              valueOptions.onValues?.(rows, values);
            }
          } catch (error) {
            if (batchSize === 1 || !isOutOfMemory(error)) throw error;
            await run.restart();
            batchSize = Math.ceil(batchSize / 2);
          }
          await turn(undefined, name);
        }
        return report.values;
      } finally {
        await run.restart();
      }
    },
    [Symbol.dispose]() {
      for (const prompt of prompts) prompt[Symbol.dispose]();
    },
  };
}

/** Masks of a block that ends because the next ones begin at a later position: fewer would cost more than those positions. */
const LEAST_MASKS = 8;

interface Flight {
  readonly start: number;
  readonly end: number;
  readonly tensor: tf.Tensor1D;
  readonly data: Promise<Float32Array>;
}

interface Run {
  /** Whether every mask was run and read back. */
  done(): boolean;
  /** Runs the next `batch` masks, with a `pause` between prompts; false when none are left. */
  launch(batch: number, pause: () => Promise<void>): Promise<boolean>;
  flying(): number;
  /** Waits for the oldest block's values. */
  land(): Promise<void>;
  /** Back to the first mask that was not read back, with nothing in the air and nothing kept. */
  restart(): Promise<void>;
}

/** The blocks of one request. `accept` takes values by rows of the original matrix. */
function startRun(
  prompts: readonly PromptRun[],
  ordered: OrderedMasks,
  stateBytes: number,
  accept: (rows: Int32Array, values: Float64Array) => void,
): Run {
  const { count } = ordered.masks;
  const { stageCount: stages } = prompts[0];
  const states = prompts.map((prompt) => prompt.states(stateBytes / prompts.length));
  const flying: Flight[] = [];
  let landed = 0;
  let launched = 0;
  const drop = async ({ data, tensor }: Flight): Promise<void> => {
    await data.catch(() => undefined); // its read must end before its tensor goes
    tensor.dispose();
  };
  return {
    done: () => landed === count,
    async launch(batch, pause) {
      if (launched === count) return false;
      // Blocks of equal size, so that no small one is left over, unless what comes next begins at a later position.
      const cut = (from: number): number => {
        const end = from + Math.ceil((count - from) / Math.ceil((count - from) / batch));
        for (let i = Math.min(from + LEAST_MASKS, end); i < end; i++)
          if (ordered.first[i] > ordered.first[i - 1]) return i;
        return end;
      };
      const [start, end] = [launched, cut(launched)];
      const [place, next] = placesOf(ordered, end === count ? [start, end] : [start, end, cut(end)], stages);
      for (const kept of states) kept.narrow(start === 0 ? 0 : ordered.differs[start]);
      const block = blockOf(ordered, start, end, stages);
      const values: tf.Tensor1D[] = [];
      let tensor: tf.Tensor1D;
      try {
        for (const [p, prompt] of prompts.entries()) {
          if (p > 0) await pause();
          values.push(prompt.run(block, { before: place.before, after: next?.before ?? 0 }, states[p]));
        }
        tensor = tf.tidy(() => tf.div(tf.addN(values), prompts.length) as tf.Tensor1D);
      } finally {
        tf.dispose(values);
      }
      const data = tensor.data() as Promise<Float32Array>;
      data.catch(() => undefined); // it may fail before land() waits for it
      flying.push({ start, end, tensor, data });
      launched = end;
      return true;
    },
    flying: () => flying.length,
    async land() {
      const [{ start, end, tensor, data }] = flying;
      const values = await data;
      flying.shift();
      tensor.dispose();
      landed = end;
      const { origins, from } = ordered;
      const rows = origins.subarray(from[start], from[end]);
      const each = new Float64Array(rows.length);
      for (let i = start; i < end; i++) each.fill(values[i - start], from[i] - from[start], from[i + 1] - from[start]);
      accept(rows, each);
    },
    async restart() {
      for (const flight of flying.splice(0)) await drop(flight);
      for (const kept of states) kept.clear();
      launched = landed;
    },
  };
}

/** `game` and what `more` adds to it; the sizes of its batches, which may change while it runs, stay its own. */
export function extendGame<P extends Player, M extends object>(game: MaskedGame<P>, more: M): MaskedGame<P> & M {
  return {
    ...game,
    get batchSize() {
      return game.batchSize;
    },
    get gradientBatchSize() {
      return game.gradientBatchSize;
    },
    ...more,
  };
}

export interface Reporter {
  readonly values: Float64Array;
  /** 1 where a value has come. */
  readonly there: Uint8Array;
  readonly accept: (rows: Int32Array, values: Float64Array) => void;
}

/** Puts values in their places, and tells of them. */
export function reporter(count: number, { onValues }: ValueOptions): Reporter {
  const values = new Float64Array(count);
  const there = new Uint8Array(count);
  return {
    values,
    there,
    accept(rows, fresh) {
      rows.forEach((row, k) => {
        values[row] = fresh[k];
        there[row] = 1;
      });
      onValues?.(rows, fresh);
    },
  };
}
