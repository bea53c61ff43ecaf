/** One reading of a text as forward passes make it: from masked rows, and what they begin with, to the logits that it looks at. */
import * as tf from '@tensorflow/tfjs-core';
import { forward, type ForwardOptions } from '../../model/forward/forward.ts';
import type { Model } from '../../model/model.ts';
import { columnsOf } from '../../model/weights/parameters.ts';
import { withMean } from './embeddings.ts';
import { layOut, type Layout, type MaskedRow } from './masked-rows.ts';
import { growPast, type SharedPast } from './shared-past.ts';
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

/** What rows go on from: each from one of the beginnings, or all from the only one. */
export interface Begun {
  readonly past: SharedPast;
  readonly parents?: readonly number[] | undefined;
}

/** The logits that a reading looks at, [B, 1 + forced, C]. */
export function logitsOf(run: TextRun, rows: readonly MaskedRow[], begun?: Begun): tf.Tensor3D {
  const { model, reading, restricted } = run;
  const past = begun?.past.length ?? 0;
  const layout = layOut(
    rows.map((row) => part(row, past)),
    reading.forced,
  );
  const logits = forward(model.config, model.parameters, tf.tensor2d(layout.tokens, undefined, 'int32'), {
    scored: [layout.answerAt, ...reading.forced.map((_, j) => layout.answerAt + 1 + j)],
    unembed: restricted,
    cache: begun?.past.cache(begun.parents),
    ...absenceIn(run, rows, layout, past, reading.forced),
  });
  return restricted === undefined && reading.columns !== undefined
    ? tf.gather(logits, tf.tensor1d([...reading.columns], 'int32'), 2)
    : logits;
}

/** The first `length` tokens of rows, as what others go on from; the caller disposes it. `some`: an unembedding of few columns. */
export function beginRows(
  reader: RowReader,
  rows: readonly MaskedRow[],
  length: number,
  { begun, some }: { readonly begun?: Begun | undefined; readonly some?: Restricted | undefined } = {},
): SharedPast {
  const { config, parameters } = reader.model;
  const past = begun?.past.length ?? 0;
  return growPast({
    before: begun?.past,
    parents: begun?.parents,
    more: length - past,
    run(cache) {
      const layout = layOut(
        rows.map((row) => part(row, past, length)),
        [],
      );
      return forward(config, parameters, tf.tensor2d(layout.tokens, undefined, 'int32'), {
        scored: [length - past - 1],
        unembed: some,
        cache,
        ...absenceIn(reader, rows, layout, past, []),
      });
    },
  });
}

/** What a pass over the tokens of `rows` from `past` on, laid out and with `forced` after them, is told of padding and absence. */
function absenceIn(
  { model, mean, embedded, hides }: RowReader,
  rows: readonly MaskedRow[],
  { padding, absent }: Layout,
  past: number,
  forced: readonly number[],
): Pick<ForwardOptions, 'attentionMask' | 'seen' | 'embedding'> {
  const before = (flag: (i: number) => number): number[] => Array.from({ length: past }, (_, i) => flag(i));
  return {
    attentionMask: padding?.map((row) => [...before(() => 1), ...row]),
    seen:
      hides && absent !== undefined
        ? absent.map((row, k) => [...before((i) => 1 - (rows[k].absent?.[i] ?? 0)), ...row.map((is) => 1 - is)])
        : undefined,
    embedding:
      mean === undefined || embedded === undefined || absent === undefined
        ? undefined
        : withMean(model, embedded, mean, absent, past, forced),
  };
}

/** Tokens [from, to) of a row. */
function part({ tokens, answerAt, absent }: MaskedRow, from: number, to = tokens.length): MaskedRow {
  return {
    tokens: tokens.slice(from, to),
    answerAt: Math.min(answerAt, to - 1) - from,
    absent: absent?.subarray(from, to),
  };
}

export function restrict({ parameters }: Model, columns: readonly number[]): Restricted {
  const bias = parameters['unembed.b_U'];
  return {
    W: columnsOf(parameters['unembed.W_U'], columns),
    b: bias === undefined ? undefined : columnsOf(bias, columns),
  };
}
