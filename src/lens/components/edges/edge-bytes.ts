/** How many masks over edges go into one pass: by the bytes that a row takes. */
import { kvHeads } from '../../../model/config.ts';
import type { Model } from '../../../model/model.ts';
import { bytesPerRow, mostRows, requireRoomForRows } from '../../batch-size.ts';
import type { Metric } from '../../metrics.ts';
import type { Task } from '../../prompts.ts';
import { fail } from '../../../errors.ts';
import { edgeTable } from './edge-cells.ts';
import type { EdgePlayer } from './edge-players.ts';

/** Forward passes that one under masks over edges counts for, and one with their gradients. */
const VALUE_PASSES = 2;
const GRADIENT_PASSES = 6;
/** Masks that are differentiated at once, at most. */
const MOST_DIFFERENTIATED = 32;

export interface EdgeRowBytes {
  /** Of a row that gives a value, and of one that is differentiated. */
  readonly value: number;
  readonly gradient: number;
}

/**
 * The most that one row takes in any of the prompts, with N senders in use, S tokens, H heads, K key/value heads and L layers: what a row
 * takes anyway and S·d floats for each sender (held twice while blocks are joined), for every copy that queries, keys and values
 * read and for what heads write; differentiated, all of it again in every layer, and every sender as often as it was copied.
 */
export function edgeBytesPerRow(
  model: Model,
  players: readonly EdgePlayer[],
  tasks: readonly Task[],
  metric: Metric,
): EdgeRowBytes {
  const { config } = model;
  const { nLayers, nHeads, dModel } = config;
  const readers = nHeads + 2 * (config.attention.ungrouped === true ? nHeads : kvHeads(config));
  const each = tasks.map((task) => {
    const length = task.tokens.length;
    const plain = bytesPerRow(
      model,
      length,
      metric.positions(task).length,
      metric.columns(task)?.length ?? config.dVocabOut,
    );
    const { senders } = edgeTable(players, config, length);
    const stream = 4 * length * dModel;
    const width = senders.reduce((sum, site) => sum + site.senders.length, 0);
    const copies = stream * (COPIES * readers + RESULTS * nHeads);
    return {
      value: plain + copies + 2 * stream * width,
      gradient: 2 * nLayers * (plain + copies) + 2 * stream * width * Math.ceil(Math.log2(width + 1)),
    };
  });
  return {
    value: Math.max(...each.map(({ value }) => value)),
    gradient: Math.max(...each.map(({ gradient }) => gradient)),
  };
}

/** Tensors of [S, d] for everything that reads a copy of its own, and for every head's result. */
const COPIES = 10;
const RESULTS = 4;

/** Masks of a pass: what was asked for, or as many as `limit` bytes hold. @throws 'input' where not even one fits. */
export function chooseEdgeBatch(
  model: Model,
  tasks: readonly Task[],
  bytes: EdgeRowBytes,
  {
    asked,
    limit,
    gradientLimit,
  }: { readonly asked: number | undefined; readonly limit: number; readonly gradientLimit: number },
): { readonly batchSize: number; readonly gradientBatchSize: number } {
  if (asked !== undefined && (!Number.isInteger(asked) || asked < 1))
    throw fail('input', 'batch size', `${asked} is not a whole number >= 1.`);
  const longest = Math.max(...tasks.map(({ tokens }) => tokens.length));
  const batchSize =
    asked ?? Math.max(1, Math.min(mostRows(model, longest, VALUE_PASSES), Math.floor(limit / bytes.value)));
  requireRoomForRows(batchSize, bytes.value);
  const most = Math.min(batchSize, MOST_DIFFERENTIATED, mostRows(model, longest, GRADIENT_PASSES));
  return { batchSize, gradientBatchSize: Math.max(1, Math.min(most, Math.floor(gradientLimit / bytes.gradient))) };
}
