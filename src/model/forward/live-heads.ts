/**
 * Heads that need not be computed: a tap that ablates heads says which of them, row by row, matter to what it returns.
 *
 * Where the backend has kernels that leave heads out row by row (fused.ts), they do; elsewhere those that no row needs are
 * left out, by taking the other heads' columns of the projections. Either way what is left out is zero, and the tap puts
 * something else there.
 */
import * as tf from '@tensorflow/tfjs-core';
import { kvHeads, type ModelConfig } from '../config.ts';
import { hasFused, headsFit } from './fused.ts';
import type { Pass } from './pass.ts';

export type HeadPlan =
  | { readonly kind: 'all' }
  /** No row needs any. */
  | { readonly kind: 'none' }
  /** These key/value heads, in order, with all their query heads. */
  | { readonly kind: 'groups'; readonly groups: readonly number[] }
  /** By row: int32 [rows, H] and [rows, K]. */
  | { readonly kind: 'rows'; readonly heads: tf.Tensor; readonly groups: tf.Tensor };

/**
 * Leaving a few heads out costs as much as it saves, and so it is with narrow heads and thin runs of positions: heads of 64 in
 * GPT-2 small's shape gain a sixth, heads of 16 in ioi-tiny lose as much (bench/ablation.ts --off heads,
 * there with LEAST_WIDTH 16).
 */
const LEAST_WIDTH = 32;
const LEAST_SHARE = 1 / 16;
const LEAST_POSITIONS = 4;

/** How the heads of a layer whose input has `rows` rows are read. */
export function planHeads({ config, liveHeads, everywhere }: Pass, layer: number, rows: number): HeadPlan {
  const live = config.attention.ungrouped === true ? undefined : liveHeads(layer)?.read(rows);
  if (live === undefined || !live.includes(0)) return { kind: 'all' };
  if (!live.includes(1)) return { kind: 'none' };
  if (config.attention.qkNormAcrossHeads === true) return { kind: 'all' }; // every head's numbers are in the norm of the others
  const [heads, groups] = [config.nHeads, kvHeads(config)];
  const byGroup = new Uint8Array(rows * groups);
  live.forEach((is, i) => {
    if (is === 1) byGroup[Math.floor(i / heads) * groups + Math.floor(((i % heads) * groups) / heads)] = 1;
  });
  if (byRow(config, live, everywhere.length))
    return { kind: 'rows', heads: flags(live, heads), groups: flags(byGroup, groups) };
  const some = Array.from({ length: groups }, (_, group) => group).filter((group) =>
    byGroup.some((is, i) => is === 1 && i % groups === group),
  );
  return some.length === groups ? { kind: 'all' } : { kind: 'groups', groups: some };
}

/** int32 [rows, H], 0 where z is zero after its hook, where it pays to know; `positions` are those z has. */
export function writtenHeads({ config, liveHeads }: Pass, layer: number, positions: number): tf.Tensor | undefined {
  const live = config.attention.ungrouped === true ? undefined : liveHeads(layer)?.written;
  return live !== undefined && byRow(config, live, positions) ? flags(live, config.nHeads) : undefined;
}

function byRow({ dHead, dModel }: ModelConfig, live: Uint8Array, positions: number): boolean {
  const off = live.reduce((sum, is) => sum + 1 - is, 0);
  return (
    hasFused('SpexlensToHeads') &&
    headsFit(dHead, dModel) &&
    dHead >= LEAST_WIDTH &&
    positions >= LEAST_POSITIONS &&
    off >= LEAST_SHARE * live.length
  );
}

function flags(live: Uint8Array, columns: number): tf.Tensor {
  return tf.tensor2d(Int32Array.from(live), [live.length / columns, columns], 'int32');
}

/** z of a layer of which no head is needed. */
export function noHeads({ config }: Pass, rows: number, positions: number): tf.Tensor {
  return tf.zeros([rows, positions, config.nHeads, config.dHead]);
}

/** z of the `groups`' heads [B, Sq, h, e] -> of all heads, zero for the others. */
export function widened({ config }: Pass, z: tf.Tensor, groups: readonly number[]): tf.Tensor {
  const [batch, length, heads, width] = z.shape as [number, number, number, number];
  const shared = config.nHeads / kvHeads(config);
  const places = Array.from({ length: config.nHeads }, (_, head) => {
    const group = groups.indexOf(Math.floor(head / shared));
    return group === -1 ? heads : group * shared + (head % shared);
  });
  return tf.gather(tf.concat([z, tf.zeros([batch, length, 1, width])], 2), tf.tensor1d(places, 'int32'), 2);
}

/** The columns of W [d, H·e], or of b [H·e], of some heads. */
export function columnsOf(parameter: tf.Tensor, heads: readonly number[], width: number): tf.Tensor {
  const lead = parameter.rank === 1 ? 1 : parameter.shape[0];
  const split = tf.reshape(parameter, [lead, parameter.size / lead / width, width]);
  const taken = tf.gather(split, tf.tensor1d([...heads], 'int32'), 1);
  return tf.reshape(taken, parameter.rank === 1 ? [heads.length * width] : [lead, heads.length * width]);
}
