/**
 * "What if these parts were missing?" as a Game: masks in, the metric out, nothing else leaves the device.
 *
 * A batch is B masks on one prompt: tokens stay at batch 1 until the first ablated site, the last layer is
 * computed at the scored positions only, and only the vocabulary columns that the metric reads are unembedded.
 * The value of a mask is the mean of the metric over the prompts. Budgets count masks; a mask costs one
 * forward row per prompt.
 */
import * as tf from '@tensorflow/tfjs-core';
import { maskBytes, type Coalitions } from '../coalitions.ts';
import { fail, throwIfAborted } from '../errors.ts';
import { checkPlayers, type Game, type ValueOptions } from '../game.ts';
import { kvHeads } from '../model/config.ts';
import { forward } from '../model/forward.ts';
import type { Model } from '../model/model.ts';
import { tensorOf } from '../model/parameters.ts';
import { createAblator, meanBaselines, requireRescalable, runBaselines, sitesOf, type Ablation, type Ablator, type Baselines } from './ablation.ts';
import type { ComponentPlayer } from './components.ts';
import type { Metric } from './metrics.ts';
import type { Task } from './prompts.ts';

export interface ComponentGameOptions {
  readonly players: readonly ComponentPlayer[];
  readonly tasks: readonly Task[];
  readonly metric: Metric;
  readonly ablation: Ablation;
  /** With zero ablation of whole heads: a layer's heads that stay on are multiplied by its heads / those on. Default false. */
  readonly rescale?: boolean | undefined;
  /** Token rows that mean ablation averages over; the tasks' own when absent. */
  readonly meanOver?: readonly (readonly number[])[] | undefined;
  /** Masks per forward pass; from the byte estimate when absent. */
  readonly batchSize?: number | undefined;
  /** Bytes that one batch's activations may take by the estimate. Default 256 MiB. */
  readonly byteLimit?: number | undefined;
}

export interface ComponentGame extends Game {
  readonly players: readonly ComponentPlayer[];
  readonly batchSize: number;
  /** Forward rows that one mask costs: the number of prompts. */
  readonly rowsPerMask: number;
  [Symbol.dispose](): void;
}

/** One prompt, ready to be run under masks. */
interface Prepared {
  readonly task: Task;
  readonly tokens: tf.Tensor2D;
  readonly scored: readonly number[];
  readonly ablator: Ablator;
  /** The unembedding's columns the metric reads, where it does not read all. */
  readonly unembed: { readonly W: tf.Tensor; readonly b?: tf.Tensor | undefined } | undefined;
  /** Clean log-probabilities [1, P, V], where the metric compares with them. */
  readonly clean: tf.Tensor3D | undefined;
}

/** A game over parts of `model`; the caller disposes it (the model stays the caller's). */
export function createComponentGame(model: Model, options: ComponentGameOptions): ComponentGame {
  const { players, tasks, metric } = options;
  if (players.length === 0) throw fail('input', 'component game', 'has no players; name at least one part of the model.');
  if (options.rescale === true) requireRescalable(players, options.ablation);
  if (tasks.length === 0) throw fail('input', 'component game', 'has no prompts; at least one is needed.');
  const batchSize = options.batchSize ?? chooseBatch(model, tasks, metric, options.byteLimit ?? 2 ** 28);
  if (!Number.isInteger(batchSize) || batchSize < 1) throw fail('input', 'batch size', `${batchSize} is not a whole number >= 1.`);
  const prepared: Prepared[] = [];
  const release = (): void => {
    for (const { tokens, ablator, unembed, clean } of prepared) {
      tf.dispose([tokens, unembed?.W, unembed?.b, clean].filter((tensor) => tensor !== undefined));
      ablator[Symbol.dispose]();
    }
  };
  try {
    prepare(model, options, prepared);
  } catch (error) {
    release();
    throw error;
  }

  const run = (masks: Coalitions, start: number, end: number): tf.Tensor1D =>
    tf.tidy(() => {
      const rows = tf.tensor2d(Float32Array.from(maskBytes(masks, start, end)), [end - start, players.length]);
      const sums = prepared.map(({ task, tokens, scored, ablator, unembed, clean }) =>
        tf.tidy(() => {
          const logits = forward(model.config, model.parameters, tokens, { tap: ablator.tap(rows), scored, unembed });
          // A prompt that no site touches keeps batch 1: every mask has the same value.
          return tf.add(metric.value(logits, task, clean), tf.zeros([end - start])) as tf.Tensor1D;
        }),
      );
      return tf.div(tf.addN(sums), tasks.length) as tf.Tensor1D;
    });

  const name = `${model.name} ${metric.name}`;
  return {
    name,
    players,
    batchSize,
    rowsPerMask: tasks.length,
    async value(masks, { signal, onBatch }: ValueOptions = {}) {
      checkPlayers(name, players.length, masks);
      const values = new Float64Array(masks.count);
      // While one batch is read back, the next is already on its way.
      const flying: { readonly start: number; readonly data: Promise<Float32Array>; readonly tensor: tf.Tensor1D }[] = [];
      const land = async (): Promise<void> => {
        const [{ start, data, tensor }] = flying;
        values.set(await data, start);
        flying.shift();
        tensor.dispose();
        onBatch?.(start, values.subarray(start, start + tensor.size));
      };
      try {
        for (let start = 0; start < masks.count; start += batchSize) {
          throwIfAborted(signal, name);
          const tensor = run(masks, start, Math.min(start + batchSize, masks.count));
          flying.push({ start, data: tensor.data() as Promise<Float32Array>, tensor });
          if (flying.length > 1) await land();
          await new Promise((resolve) => setImmediate(resolve)); // signals and progress bars get their turn
        }
        while (flying.length > 0) await land();
        return values;
      } finally {
        // What a throw left in the air: its read must end before its tensor goes.
        for (const { data, tensor } of flying) {
          await data.catch(() => undefined);
          tensor.dispose();
        }
      }
    },
    [Symbol.dispose]: release,
  };
}

function prepare(model: Model, { players, tasks, metric, ablation, rescale, meanOver }: ComponentGameOptions, into: Prepared[]): void {
  const hooks = sitesOf(players, model.config);
  const means = ablation === 'mean' || ablation === 'mean-per-position' ? meanBaselines(model, hooks, meanOver ?? tasks.map((t) => t.tokens), ablation === 'mean-per-position') : undefined;
  try {
    for (const task of tasks) {
      const scored = metric.positions(task);
      let baselines: Baselines = means ?? {};
      if (ablation === 'mean-per-position' && means !== undefined) {
        const wide = Object.values(means)[0]?.shape[1];
        if (wide !== task.tokens.length) throw fail('input', 'mean ablation', `the data set's prompts have ${wide} tokens, "${task.prompt.prompt}" has ${task.tokens.length}; a mean per position needs equal lengths.`);
      }
      if (ablation === 'resample') {
        if (task.corrupted === undefined) throw fail('input', 'resample ablation', `"${task.prompt.prompt}" has no corrupted prompt.`);
        baselines = runBaselines(model, hooks, task.corrupted);
      }
      const ablator = createAblator(model.config, players, task.tokens.length, scored, { baselines, rescale });
      if (ablation === 'resample') tf.dispose(baselines as Record<string, tf.Tensor>);
      const tokens = tf.tensor2d([[...task.tokens]], undefined, 'int32');
      const columns = metric.columns(task);
      const unembed = columns === undefined ? undefined : selectColumns(model, columns);
      const clean = metric.needs.clean ? (tf.tidy(() => tf.logSoftmax(forward(model.config, model.parameters, tokens, { scored }))) as tf.Tensor3D) : undefined;
      into.push({ task, tokens, scored, ablator, unembed, clean });
    }
  } finally {
    if (means !== undefined) tf.dispose(means);
  }
}

function selectColumns(model: Model, columns: readonly number[]): { readonly W: tf.Tensor; readonly b?: tf.Tensor | undefined } {
  const index = tf.tensor1d([...columns], 'int32');
  const bias = model.parameters['unembed.b_U'];
  const selected = {
    W: tf.tidy(() => tf.gather(tensorOf(model.parameters['unembed.W_U']), index, 1)),
    b: bias === undefined ? undefined : tf.gather(tensorOf(bias), index),
  };
  index.dispose();
  return selected;
}

/**
 * Bytes that one row's activations take at their peak. Counted from what tf.tidy holds until a part of
 * block() ends: 6 tensors of the residual's size, and the larger of attention (7 of the heads', 6 of the key/value
 * heads', more where they are turned or normed; 6 score matrices) and MLP (8 of its width, 11 gated); then three
 * copies of the logits.
 */
export function bytesPerRow(model: Model, length: number, scoredPositions: number, columns: number): number {
  const { dModel, nHeads, dHead, dMlp, attention, positions, gated, layout } = model.config;
  const readers = attention.ungrouped === true ? nHeads : kvHeads(model.config);
  const onBoth = (positions === 'rotary' ? 5 : 0) + (attention.qkNorm === undefined ? 0 : 4);
  const heads = length * dHead * (7 * nHeads + 6 * readers + onBoth * (nHeads + readers));
  const scores = (attention.softcap === undefined ? 6 : 9) * nHeads * length * length;
  const block = (layout === 'sandwich' ? 11 : 6) * length * dModel + Math.max(heads + scores, (gated === true ? 11 : 8) * length * dMlp);
  return 4 * (block + 3 * scoredPositions * columns);
}

function chooseBatch(model: Model, tasks: readonly Task[], metric: Metric, limit: number): number {
  const perRow = Math.max(...tasks.map((task) => bytesPerRow(model, task.tokens.length, metric.positions(task).length, metric.columns(task)?.length ?? model.config.dVocabOut)));
  if (perRow > limit) throw fail('input', 'batch size', `one row takes about ${Math.ceil(perRow / 2 ** 20)} MiB, above the limit of ${Math.floor(limit / 2 ** 20)} MiB; raise byteLimit or shorten the prompt.`);
  // A choice, not a measurement: small batches stay in a CPU's cache, a GPU wants many rows.
  const most = tf.getBackend() === 'wasm' || tf.getBackend() === 'cpu' ? 64 : 1024;
  return Math.max(1, Math.min(most, Math.floor(limit / perRow)));
}
