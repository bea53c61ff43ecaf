/**
 * Cut edges inside a forward pass: row i of a batch has its own mask over them.
 *
 * What every sender wrote in the row is kept, as its difference from the baseline; a receiver reads the stream plus its row of off
 * times those: a product for all queries, keys and values of a layer, one for the MLP, one for the logits. Differences lie in blocks
 * [1 or B, senders, S, d], so that a product is over whole rows, and blocks are joined when the next is as wide as the one before, so that
 * each sender is copied a few times and a receiver has few products. Senders before the first cut are those of the untouched run, on one
 * row for all.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { HookName } from '../../../model/hook-points.ts';
import type { Tap } from '../../../model/forward/forward.ts';
import { takePositions } from '../../../model/forward/pass.ts';
import type { EdgeTable } from './edge-cells.ts';

export interface EdgeTap extends Tap {
  [Symbol.dispose](): void;
}

export interface EdgeTapOptions {
  readonly table: EdgeTable;
  readonly length: number;
  /** The layer that the pass begins at, and the differences (baseline - sender) of the used senders before it, [1, n, S, d]. */
  readonly layer: number;
  readonly before: tf.Tensor4D | undefined;
  /** By stage, off [rows, 1 or S, E, n]; undefined where nothing is cut. */
  readonly off: readonly (tf.Tensor4D | undefined)[];
  /** Of a sender site at the positions that its activation has; undefined for zero. */
  readonly baseline: (hook: HookName, positions: readonly number[]) => tf.Tensor | undefined;
}

/** The tap of one pass; it holds what it kept until it is disposed. */
export function edgeTap({ table, length, layer, before, off, baseline }: EdgeTapOptions): EdgeTap {
  const { receivers } = table;
  const everywhere: readonly number[] = Array.from({ length }, (_, p) => p);
  const cutting = receivers.map((_, stage) => stage).filter((stage) => off[stage] !== undefined);
  const stages = new Map<HookName, number>(cutting.map((stage) => [receivers[stage].hook, stage]));
  const last = Math.max(...cutting.map((stage) => receivers[stage].layer));
  const sending = new Set(
    table.senders.filter((site) => site.layer >= layer && site.layer <= last).map(({ hook }) => hook),
  );
  let at = everywhere;
  let blocks: tf.Tensor4D[] = before === undefined ? [] : [kept(() => tf.clone(before))];
  /** Changes that were made together with another one's, by stage. */
  const made = new Map<number, tf.Tensor>();
  const narrow = (positions: readonly number[]): void => {
    if (positions.length === at.length) return;
    const [from, wide] = [at, blocks];
    blocks = wide.map((x) => kept(() => atPositions(x, positions, from)));
    tf.dispose(wide);
    at = positions;
  };
  const write = (hook: HookName, written: tf.Tensor, positions: readonly number[]): void => {
    narrow(positions);
    blocks.push(kept(() => byElement(differenceOf(written, baseline(hook, positions)))));
    for (let [a, b] = blocks.slice(-2); b !== undefined && joins(a, b); [a, b] = blocks.slice(-2)) {
      const joined = kept(() => tf.concat([a, b], 1));
      tf.dispose([a, b]);
      blocks.splice(-2, 2, joined);
    }
  };
  /** Σ off · difference over the first `reads` senders, [rows, E, S, d]; off [rows, P, E, reads]. */
  const sumsOf = (factors: tf.Tensor4D, reads: number): tf.Tensor4D => {
    const [rows, tied, elements] = factors.shape;
    const parts: tf.Tensor4D[] = [];
    let from = 0;
    for (const block of blocks) {
      const count = Math.min(block.shape[1], reads - from);
      if (count <= 0) break;
      const these = tf.slice(factors, [0, 0, 0, from], [rows, tied, elements, count]);
      parts.push(weighted(these, slicedTo(block, count)));
      from += count;
    }
    return parts.length === 1 ? parts[0] : tf.addN(parts);
  };
  /** What a stage reads more, [rows, E, S, d]; with that of the later ones of its layer's attention that can be had in the same product. */
  const changeOf = (stage: number, positions: readonly number[]): tf.Tensor => {
    const known = made.get(stage);
    if (known !== undefined) return known;
    const [own, { reads }] = [off[stage] as tf.Tensor4D, receivers[stage]];
    const together = cutting.filter(
      (other) =>
        other === stage ||
        (other > stage &&
          receivers[other].layer === receivers[stage].layer &&
          receivers[other].reads === reads &&
          isSplit(receivers[stage]) &&
          isSplit(receivers[other]) &&
          off[other]?.shape[1] === own.shape[1]),
    );
    const factors = together.map((each) => off[each] as tf.Tensor4D);
    const sizes = factors.map(({ shape }) => shape[2]);
    const changes = tf.tidy(() => {
      const all = factors.length === 1 ? own : tf.concat(factors, 2);
      const here = all.shape[1] === 1 ? all : (takePositions(all, positions, everywhere) as tf.Tensor4D);
      const sums = sumsOf(here, reads);
      let from = 0;
      return sizes.length === 1 ? [sums] : sizes.map((size) => elementsOf(sums, (from += size) - size, size));
    });
    together.forEach((each, k) => made.set(each, changes[k]));
    return changes[0];
  };
  return {
    wants: (name) => stages.has(name) || sending.has(name),
    visit(name, activation, positions) {
      const stage = stages.get(name);
      if (stage === undefined) {
        write(name, activation, positions);
        return activation;
      }
      narrow(positions);
      const change = changeOf(stage, positions);
      made.delete(stage);
      return tf.add(activation, activation.rank === 4 ? tf.transpose(change, [0, 2, 1, 3]) : tf.squeeze(change, [1]));
    },
    [Symbol.dispose]: () => tf.dispose(blocks),
  };
}

/** Whether receivers stand side by side on an axis of their own: queries, keys and values do. */
export function isSplit({ receivers }: Pick<EdgeTable['receivers'][number], 'receivers'>): boolean {
  return receivers[0].kind !== 'mlp' && receivers[0].kind !== 'logits';
}

/** baseline - written. */
export function differenceOf(written: tf.Tensor, baseline: tf.Tensor | undefined): tf.Tensor {
  return baseline === undefined ? tf.neg(written) : tf.sub(baseline, written);
}

/** [B, S, d] or [B, S, n, d] by elements, [B, n, S, d]. */
export function byElement(x: tf.Tensor): tf.Tensor4D {
  return (x.rank === 4 ? tf.transpose(x, [0, 2, 1, 3]) : tf.expandDims(x, 1)) as tf.Tensor4D;
}

/** x [B, n, S, d] at `wanted` of the `present` positions. */
export function atPositions(x: tf.Tensor4D, wanted: readonly number[], present: readonly number[]): tf.Tensor4D {
  if (wanted.length === present.length) return x;
  const [rows, n, length, d] = x.shape;
  const flat = takePositions(tf.reshape(x, [rows * n, length, d]), wanted, present);
  return tf.reshape(flat, [rows, n, wanted.length, d]);
}

/** The first `count` of x [B, n, S, d]. */
export function slicedTo(x: tf.Tensor4D, count: number): tf.Tensor4D {
  return count === x.shape[1] ? x : elementsOf(x, 0, count);
}

/** Elements from .. from + count - 1 of x [B, n, S, d], as pieces of whole rows: wasm slices axis by axis. */
function elementsOf(x: tf.Tensor4D, from: number, count: number): tf.Tensor4D {
  const [rows, n, length, d] = x.shape;
  const flat = tf.slice(tf.reshape(x, [rows, n * length * d]), [0, from * length * d], [rows, count * length * d]);
  return tf.reshape(flat, [rows, count, length, d]);
}

/** Whether two neighbouring blocks become one: the second is as wide as the first. */
function joins(a: tf.Tensor4D, b: tf.Tensor4D): boolean {
  return a.shape[0] === b.shape[0] && b.shape[1] >= a.shape[1];
}

function kept<T extends tf.Tensor>(make: () => T): T {
  return tf.keep(tf.tidy(make));
}

/** factors [B, 1 or S, E, n] times x [1 or B, n, S, d], summed over n: [B, E, S, d]. */
function weighted(factors: tf.Tensor4D, x: tf.Tensor4D): tf.Tensor4D {
  const [rows, tied, elements, n] = factors.shape;
  const [batch, , length, d] = x.shape;
  if (tied === 1) {
    const flat = tf.reshape(x, [batch, n, length * d]);
    const sums =
      batch === 1
        ? tf.matMul(tf.reshape(factors, [rows * elements, n]), tf.squeeze(flat, [0]))
        : tf.matMul(tf.reshape(factors, [rows, elements, n]), flat);
    return tf.reshape(sums, [rows, elements, length, d]);
  }
  const atEach = tf.transpose(x, [0, 2, 1, 3]); // [1 or B, S, n, d]
  if (batch === 1) {
    const byPosition = tf.reshape(tf.transpose(factors, [1, 0, 2, 3]), [length, rows * elements, n]);
    const sums = tf.matMul(byPosition, tf.squeeze(atEach, [0]));
    return tf.transpose(tf.reshape(sums, [length, rows, elements, d]), [1, 2, 0, 3]);
  }
  const sums = tf.matMul(tf.reshape(factors, [rows * length, elements, n]), tf.reshape(atEach, [rows * length, n, d]));
  return tf.transpose(tf.reshape(sums, [rows, length, elements, d]), [0, 2, 1, 3]);
}
