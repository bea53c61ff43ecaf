/** One reading of a text as forward passes make it: from masked rows to the logits that it looks at. */
import * as tf from '@tensorflow/tfjs-core';
import { forward } from '../../model/forward/forward.ts';
import type { Model } from '../../model/model.ts';
import { columnsOf } from '../../model/weights/parameters.ts';
import { withMean } from './embeddings.ts';
import type { KeptPrefix } from './kept-prefix.ts';
import { layOut, type MaskedRow } from './masked-rows.ts';
import type { Reading } from './text-values.ts';

export interface TextRun {
  readonly model: Model;
  readonly reading: Reading;
  readonly prefix: KeptPrefix | undefined;
  readonly restricted: { readonly W: tf.Tensor; readonly b?: tf.Tensor | undefined } | undefined;
  /** [1, 1, d], and the prompt's own embedding [1, S, d]. */
  readonly mean: tf.Tensor | undefined;
  readonly embedded: tf.Tensor | undefined;
  readonly hides: boolean;
  readonly clean?: tf.Tensor3D | undefined;
}

/** The logits that a reading looks at, [B, 1 + forced, C]. */
export function logitsOf(
  { model, reading, prefix, restricted, mean, embedded, hides }: TextRun,
  rows: readonly MaskedRow[],
): tf.Tensor3D {
  const { config, parameters } = model;
  const { tokens, padding, absent, answerAt } = layOut(
    rows.map((row) => withoutFirst(row, prefix?.length ?? 0)),
    reading.forced,
  );
  const past = Array<number>(prefix?.length ?? 0).fill(1);
  const input = tf.tensor2d(tokens, undefined, 'int32');
  const scored = [answerAt, ...reading.forced.map((_, j) => answerAt + 1 + j)];
  const logits = forward(config, parameters, input, {
    scored,
    unembed: restricted,
    cache: prefix?.cache(),
    attentionMask: padding?.map((row) => [...past, ...row]),
    seen: hides && absent !== undefined ? absent.map((row) => [...past, ...row.map((is) => 1 - is)]) : undefined,
    embedding:
      mean === undefined || embedded === undefined || absent === undefined
        ? undefined
        : withMean(model, embedded, mean, absent, prefix?.length ?? 0, reading.forced),
  });
  return restricted === undefined && reading.columns !== undefined
    ? tf.gather(logits, tf.tensor1d([...reading.columns], 'int32'), 2)
    : logits;
}

function withoutFirst({ tokens, answerAt, absent }: MaskedRow, count: number): MaskedRow {
  if (count === 0) return { tokens, answerAt, absent };
  return { tokens: tokens.slice(count), answerAt: answerAt - count, absent: absent?.subarray(count) };
}

export function restrict({ parameters }: Model, columns: readonly number[]): NonNullable<TextRun['restricted']> {
  const bias = parameters['unembed.b_U'];
  return {
    W: columnsOf(parameters['unembed.W_U'], columns),
    b: bias === undefined ? undefined : columnsOf(bias, columns),
  };
}
