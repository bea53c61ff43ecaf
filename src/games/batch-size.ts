/** How many masks go into one forward pass: by the bytes that a row's activations take. */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import { kvHeads } from '../model/config.ts';
import type { Model } from '../model/model.ts';
import type { Metric } from './metrics.ts';
import type { Task } from './prompts.ts';

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

/** As many rows as `limit` bytes hold, up to what the backend gains from. @throws 'input' when not even one fits. */
export function chooseBatch(model: Model, tasks: readonly Task[], metric: Metric, limit: number): number {
  const perRow = Math.max(...tasks.map((task) => bytesPerRow(model, task.tokens.length, metric.positions(task).length, metric.columns(task)?.length ?? model.config.dVocabOut)));
  if (perRow > limit) throw fail('input', 'batch size', `one row takes about ${Math.ceil(perRow / 2 ** 20)} MiB, above the limit of ${Math.floor(limit / 2 ** 20)} MiB; raise byteLimit or shorten the prompt.`);
  // A choice, not a measurement: small batches stay in a CPU's cache, a GPU wants many rows.
  const most = tf.getBackend() === 'wasm' || tf.getBackend() === 'cpu' ? 64 : 1024;
  return Math.max(1, Math.min(most, Math.floor(limit / perRow)));
}

/** Whether a device or the process said that it has no memory for this; half the rows may still fit. */
export function isOutOfMemory(error: unknown): boolean {
  const text = error instanceof Error ? `${error.name} ${error.message}` : String(error);
  return /out of memory|\bOOM\b|resource ?exhausted|(allocation|enlarge memory|allocate\w*) .*fail|fail\w* to (allocate|create buffer)|cannot enlarge memory|invalid (typed )?array (buffer )?length|memory access out of bounds/i.test(text);
}
