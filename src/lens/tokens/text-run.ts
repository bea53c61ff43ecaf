/** One reading of a text as forward passes make it: from masked rows, and what they begin with, to the logits that it looks at. */
import * as tf from '@tensorflow/tfjs-core';
import { forward, type ForwardOptions } from '../../model/forward/forward.ts';
import type { Model } from '../../model/model.ts';
import { columnsOf } from '../../model/weights/parameters.ts';
import { pickedEmbedding, withMean } from './embeddings.ts';
import { layOut, type MaskedRow } from './masked-rows.ts';
import { treeOf } from './prefix-tree.ts';
import { runAndHold, type SharedPast } from './shared-past.ts';
import type { TextLeaf } from './text-leaves.ts';
import type { Reading } from './text-values.ts';

/** How rows of a text are read, whatever is asked of them. */
export interface RowReader {
  readonly model: Model;
  /** [1, 1, d], and the prompt's own embedding [1, S, d]. */
  readonly mean: tf.Tensor | undefined;
  readonly embedded: tf.Tensor | undefined;
  /** Whether an absent token is one that nobody attends to. */
  readonly hides: boolean;
}

/** An unembedding of some columns. */
export type Restricted = NonNullable<ForwardOptions['unembed']>;

export interface TextRun extends RowReader {
  readonly reading: Reading;
  /** What all rows begin with. */
  readonly prefix: SharedPast | undefined;
  readonly restricted: Restricted | undefined;
  readonly clean?: tf.Tensor3D | undefined;
}

/** The logits that a reading looks at, [B, 1 + forced, C], of rows that share the prefix alone. */
export function logitsOf(run: TextRun, rows: readonly MaskedRow[]): tf.Tensor3D {
  const { model, reading, restricted, mean, embedded, hides, prefix: past } = run;
  const begun = past?.length ?? 0;
  const { tokens, padding, absent, answerAt } = layOut(
    rows.map((row) => from(row, begun)),
    reading.forced,
  );
  const before = (flag: (i: number) => number): number[] => Array.from({ length: begun }, (_, i) => flag(i));
  const logits = forward(model.config, model.parameters, tf.tensor2d(tokens, undefined, 'int32'), {
    scored: [answerAt, ...reading.forced.map((_, j) => answerAt + 1 + j)],
    unembed: restricted,
    cache: past?.cache(),
    attentionMask: padding?.map((row) => [...before(() => 1), ...row]),
    seen:
      hides && absent !== undefined
        ? absent.map((row, k) => [...before((i) => 1 - (rows[k].absent?.[i] ?? 0)), ...row.map((is) => 1 - is)])
        : undefined,
    embedding:
      mean === undefined || embedded === undefined || absent === undefined
        ? undefined
        : withMean(model, embedded, mean, absent, begun, reading.forced),
  });
  return columnsRead(run, logits);
}

/** The columns that a reading looks at, where the unembedding made more. */
function columnsRead({ reading, restricted }: TextRun, logits: tf.Tensor3D): tf.Tensor3D {
  return restricted === undefined && reading.columns !== undefined
    ? tf.gather(logits, tf.tensor1d([...reading.columns], 'int32'), 2)
    : logits;
}

/** Neighbours among sorted leaves, which go on from `past`. */
export interface Block {
  readonly leaves: readonly TextLeaf[];
  /** By leaf, the tokens that it shares with the one before; the first with `past`. */
  readonly shared: ArrayLike<number>;
  readonly past: SharedPast | undefined;
  /** Tokens at the front of the last leaf that are held for whoever goes on from there; 0 for none. */
  readonly hold: number;
}

export interface RunBlock {
  /** What each leaf's reading looks at, [1 + forced, C] by leaf, one after the other. */
  readonly logits: tf.Tensor3D;
  readonly past?: SharedPast;
}

/**
 * Runs a block in one pass, in which every distinct beginning stands once: logits [1, Σ (1 + forced), C], leaf by leaf. The caller
 * disposes what comes back.
 */
export function runBlock(runs: readonly TextRun[], { leaves, shared, past, hold }: Block): RunBlock {
  const [{ model, mean, embedded, hides, restricted }] = runs;
  const forcedOf = ({ reading }: TextLeaf): readonly number[] => runs[reading].reading.forced;
  const rows = leaves.map((leaf) => [...leaf.work.row.tokens, ...forcedOf(leaf)]);
  const tree = treeOf(
    rows.map(({ length }) => length),
    shared,
  );
  const own = <T>(of: (leaf: TextLeaf, i: number, k: number) => T): T[] =>
    leaves.flatMap((leaf, k) => Array.from({ length: tree.own[k] }, (_, i) => of(leaf, shared[k] + i, k)));
  const isAbsent = ({ work }: TextLeaf, i: number): number => work.row.absent?.[i] ?? 0;
  let end = 0; // of the tokens of the call
  const scored = leaves.flatMap((leaf, k) => {
    end += tree.own[k];
    const read = 1 + forcedOf(leaf).length;
    return Array.from({ length: read }, (_, j) => end - read + j);
  });
  const begun = Array.from({ length: past?.length ?? 0 }, (_, i) => 1 - isAbsent(leaves[0], i));
  const { result: logits, ...held } = runAndHold({
    before: past,
    columns: hold > 0 ? Array.from(tree.paths[leaves.length - 1].slice(0, hold)) : undefined,
    run: (cache) =>
      tf.tidy(() =>
        forward(model.config, model.parameters, tf.tensor2d([own((_, i, k) => rows[k][i])], undefined, 'int32'), {
          scored,
          unembed: runs.length === 1 ? restricted : undefined,
          cache,
          tree,
          seen: hides ? [[...begun, ...own((leaf, i) => 1 - isAbsent(leaf, i))]] : undefined,
          embedding:
            mean === undefined || embedded === undefined
              ? undefined
              : pickedEmbedding(
                  model,
                  { embedded, mean, forced: runs.map(({ reading }) => reading.forced) },
                  own((leaf, i) =>
                    i < leaf.work.row.tokens.length
                      ? { column: i, absent: isAbsent(leaf, i) === 1 }
                      : { reading: leaf.reading, column: i - leaf.work.row.tokens.length },
                  ),
                ),
        }),
      ),
  });
  return { logits, ...held };
}

/** Of what `runBlock` found, what the leaves of one reading look at, [leaves, 1 + forced, C]. */
export function logitsIn(
  runs: readonly TextRun[],
  reading: number,
  leaves: readonly TextLeaf[],
  logits: tf.Tensor3D,
): tf.Tensor3D {
  const [, , columns] = logits.shape;
  const run = runs[reading];
  const read = 1 + run.reading.forced.length;
  if (runs.length === 1) return columnsRead(run, tf.reshape(logits, [leaves.length, read, columns]));
  let at = 0;
  const own = leaves.flatMap((leaf) => {
    const first = at;
    const count = 1 + runs[leaf.reading].reading.forced.length;
    at += count;
    return leaf.reading === reading ? Array.from({ length: count }, (_, j) => first + j) : [];
  });
  const rows = tf.gather(logits, tf.tensor1d(own, 'int32'), 1);
  const { columns: wanted } = run.reading;
  return tf.reshape(wanted === undefined ? rows : tf.gather(rows, tf.tensor1d([...wanted], 'int32'), 2), [
    own.length / read,
    read,
    wanted?.length ?? columns,
  ]);
}

/** Keys and values of the first `length` tokens of a row, none of them absent; the caller disposes it. `some`: an unembedding of few columns. */
export function beginRow(reader: RowReader, row: MaskedRow, length: number, some: Restricted): SharedPast {
  const { config, parameters } = reader.model;
  const { result, past } = runAndHold({
    before: undefined,
    columns: Array.from({ length }, (_, i) => i),
    run: (cache) =>
      tf.tidy(() =>
        forward(config, parameters, tf.tensor2d([row.tokens.slice(0, length)], undefined, 'int32'), {
          scored: [length - 1],
          unembed: some,
          cache,
        }),
      ),
  });
  result.dispose();
  return past as SharedPast;
}

/** A row from token `begun` on. */
function from({ tokens, answerAt, absent }: MaskedRow, begun: number): MaskedRow {
  return { tokens: tokens.slice(begun), answerAt: answerAt - begun, absent: absent?.subarray(begun) };
}

export function restrict({ parameters }: Model, columns: readonly number[]): Restricted {
  const bias = parameters['unembed.b_U'];
  return {
    W: columnsOf(parameters['unembed.W_U'], columns),
    b: bias === undefined ? undefined : columnsOf(bias, columns),
  };
}
