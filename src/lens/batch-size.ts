/** How many masks go into one forward pass: by the bytes that a row's activations take. */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import { GRADIENT_ROWS } from '../game.ts';
import { size } from '../mask-room.ts';
import { kvHeads } from '../model/config.ts';
import { hasFused, hasNativeProducts } from '../model/forward/fused.ts';
import { layoutOf } from '../model/layout.ts';
import type { Model } from '../model/model.ts';
import { freeMemory } from '../platform/threads.ts';
import type { Metric } from './metrics.ts';
import type { Task } from './prompts.ts';

/** Tensors of each kind that tf.tidy holds until a part of block() ends; a test holds the sum to what is allocated. */
interface Held {
  /** Of the residual's size. */
  readonly residual: number;
  readonly sandwich: number;
  /** Of the heads', and of the key/value heads', where they are read; more of both where these are turned or normed. */
  readonly heads: number;
  readonly readers: number;
  readonly turned: number;
  readonly normed: number;
  readonly scores: number;
  readonly capped: number;
  /** Of the MLP's width. */
  readonly mlp: number;
  readonly gated: number;
  readonly solu: number;
}
const STOCK: Held = {
  residual: 6,
  sandwich: 11,
  heads: 7,
  readers: 6,
  turned: 5,
  normed: 4,
  scores: 6,
  capped: 9,
  mlp: 8,
  gated: 11,
  solu: 8,
};
const FUSED: Held = {
  residual: 6,
  sandwich: 8,
  heads: 3,
  readers: 2,
  turned: 5,
  normed: 1,
  scores: 0,
  capped: 0,
  mlp: 1,
  gated: 3,
  solu: 4,
};

/**
 * Bytes that one row's activations take at their peak: some tensors of the residual's size, the larger of attention and
 * MLP, and three copies of the logits. With kernels of our own (model/fused.ts) there are fewer. `past`: tokens before these
 * whose keys and values are there already, and are copied beside the new ones.
 */
export function bytesPerRow(model: Model, length: number, scoredPositions: number, columns: number, past = 0): number {
  const { dModel, nHeads, dHead, dMlp, attention, positions, gated, activation } = model.config;
  const { attn, mlp } = layoutOf(model.config);
  const held = hasFused('SpexlensLinear') && hasFused('SpexlensAttention') ? FUSED : STOCK;
  const readers = attention.ungrouped === true ? nHeads : kvHeads(model.config);
  const onBoth = (positions === 'rotary' ? held.turned : 0) + (attention.qkNorm === undefined ? 0 : held.normed);
  const heads =
    length * dHead * (held.heads * nHeads + held.readers * readers + onBoth * (nHeads + readers)) +
    past * dHead * held.readers * readers;
  const atScores = positions === 'alibi' ? STOCK : held; // the fused kernel has no alibi
  const scores =
    (attention.softcap === undefined ? atScores.scores : atScores.capped) * nHeads * length * (past + length);
  const hidden = activation === 'solu_ln' || activation === 'solu' ? held.solu : gated === true ? held.gated : held.mlp;
  const block =
    (attn.output !== undefined || mlp.output !== undefined ? held.sandwich : held.residual) * length * dModel +
    Math.max(heads + scores, hidden * length * dMlp);
  return 4 * (block + 3 * scoredPositions * columns);
}

/**
 * Bytes that one row takes between a forward and a backward pass: what each layer keeps for its gradient, and as much again
 * on the way back.
 */
export function gradientBytesPerRow(model: Model, length: number, scoredPositions: number, columns: number): number {
  return 2 * model.config.nLayers * bytesPerRow(model, length, scoredPositions, columns);
}

/**
 * Bytes that a differentiated block may take where nobody says. Its products are small beside those of a forward batch: of SmolLM2 on
 * two cores 8 rows ran 17 a second, 32 rows 31 (bench/gradients-cost.ts --rows).
 */
export const GRADIENT_BYTES = 2 ** 30;

/** As chooseBatch for blocks that are differentiated. */
export function chooseGradientBatch(model: Model, tasks: readonly Task[], metric: Metric, limit: number): number {
  const perRow = Math.max(
    ...tasks.map((task) =>
      gradientBytesPerRow(
        model,
        task.tokens.length,
        metric.positions(task).length,
        metric.columns(task)?.length ?? model.config.dVocabOut,
      ),
    ),
  );
  return Math.max(1, Math.min(32, mostRows(model, longestOf(tasks), GRADIENT_ROWS), Math.floor(limit / perRow)));
}

/**
 * Bytes that a batch's activations may take where nobody says: a GPU wants so many rows that launching their kernels takes
 * no longer than computing them (docs/gpu.md), a processor does not.
 */
export const usualByteLimit = (): number => (tf.getBackend() === 'webgpu' ? 2 ** 30 : 2 ** 28);

/**
 * Multiply-adds that a pass of rows may take on a backend that computes on the caller's thread, under a second of it: nobody hears
 * Ctrl-C meanwhile. On wasm it is also as fast as larger ones: of SmolLM2, 14 tokens a row, 32 rows a pass ran 12 a second, 8 rows 15.
 */
const PASS: Readonly<Record<string, number>> = { wasm: 1.5e10, cpu: 5e8 };
/**
 * With products in a native library the same time does more, and its products want the rows: of gpt2-small's shape, 16 tokens a row,
 * 10 rows a pass ran 26 a second, 32 rows 66, 96 rows 72 (bench/ablation.ts --backends wasm:native --batch-size).
 */
const NATIVE_PASS = 6e10;

/** Rows of `length` tokens that a pass takes at most; `passes` is what one costs, in forward passes. */
export function mostRows(model: Model, length: number, passes = 1): number {
  // wasm gains nothing above (bench/ablation.ts --batch-size, ioi-tiny and gpt2-small); a GPU wants many rows.
  const most = { wasm: 128, cpu: 64 }[tf.getBackend()] ?? 1024;
  const work = readParameters(model) * length * passes;
  const pass = hasNativeProducts() ? NATIVE_PASS : (PASS[tf.getBackend()] ?? Infinity);
  return Math.max(1, Math.min(most, Math.floor(pass / work)));
}

/** Parameters that every token is multiplied by: all but the embeddings. */
function readParameters({ parameterCount, config }: Model): number {
  return Math.max(1, parameterCount - config.dModel * (config.dVocab + config.dVocabOut));
}

/** As many rows as `limit` bytes hold, up to what the backend gains from. @throws 'input' when not even one fits. */
export function chooseBatch(model: Model, tasks: readonly Task[], metric: Metric, limit: number): number {
  const perRow = rowBytes(model, tasks, metric);
  if (perRow > limit)
    throw fail(
      'input',
      'batch size',
      `one row takes about ${Math.ceil(perRow / 2 ** 20)} MiB, above the limit of ${Math.floor(limit / 2 ** 20)} MiB; raise byteLimit or shorten the prompt.`,
    );
  return Math.max(1, Math.min(mostRows(model, longestOf(tasks)), Math.floor(limit / perRow)));
}

function rowBytes(model: Model, tasks: readonly Task[], metric: Metric): number {
  return Math.max(
    ...tasks.map((task) =>
      bytesPerRow(
        model,
        task.tokens.length,
        metric.positions(task).length,
        metric.columns(task)?.length ?? model.config.dVocabOut,
      ),
    ),
  );
}

function longestOf(tasks: readonly Task[]): number {
  return Math.max(...tasks.map(({ tokens }) => tokens.length));
}

/** @throws 'input' for rows a pass that are no whole number, or that would not fit into the memory that is free. */
export function requireBatch(model: Model, tasks: readonly Task[], metric: Metric, rows: number): void {
  if (!Number.isInteger(rows) || rows < 1) throw fail('input', 'batch size', `${rows} is not a whole number >= 1.`);
  requireRoomForRows(rows, rowBytes(model, tasks, metric));
}

/** @throws 'input' where `rows` rows of `bytes` each would not fit; a GPU's memory is not known, and tried. */
export function requireRoomForRows(rows: number, bytes: number): void {
  const free = freeMemory();
  if (tf.getBackend() === 'webgpu' || rows * bytes <= free) return;
  throw fail(
    'input',
    'batch size',
    `${rows} rows would take about ${size(rows * bytes)}, and ${size(free)} are free; ${Math.floor(free / bytes)} at most.`,
  );
}

/** Whether a device or the process said that it has no memory for this; half the rows may still fit. */
export function isOutOfMemory(error: unknown): boolean {
  const text = error instanceof Error ? `${error.name} ${error.message}` : String(error);
  return /out of memory|\bOOM\b|resource ?exhausted|(allocation|enlarge memory|allocate\w*) .*fail|fail\w* to (allocate|create buffer)|cannot enlarge memory|invalid (typed )?array (buffer )?length|memory access out of bounds/i.test(
    text,
  );
}
