/** What a user may pass as input, made into an int32 [batch, pos] tensor that the caller owns. */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import { tokenizerOf, type Model } from '../model/model.ts';

/** Text (through the model's tokenizer, BOS by its policy), token ids of one row, or rows of equal length. */
export type Input = string | readonly number[] | readonly (readonly number[])[];

/** Token ids of every row. @throws for an id outside the vocabulary, an empty row, ragged rows, or more positions than the context. */
export function toRows(model: Model, input: Input): readonly (readonly number[])[] {
  const rows: readonly (readonly number[])[] =
    typeof input === 'string' ? [tokenizerOf(model).encode(input)] : typeof input[0] === 'number' ? [input as readonly number[]] : (input as readonly (readonly number[])[]);
  const { nCtx, dVocab } = model.config;
  if (rows.length === 0 || rows[0].length === 0) throw fail('input', model.name, 'the input has no tokens; at least one is needed.');
  rows.forEach((row, r) => {
    if (row.length !== rows[0].length) throw fail('input', model.name, `row ${r} has ${row.length} tokens, row 0 has ${rows[0].length}; rows of one batch must be equally long (padRows makes them so).`);
    if (row.length > nCtx) throw fail('input', model.name, `the input has ${row.length} tokens; the context holds ${nCtx}.`);
    for (const id of row) {
      if (!Number.isInteger(id) || id < 0 || id >= dVocab) throw fail('input', model.name, `token id ${id} in row ${r} is outside the vocabulary 0..${dVocab - 1}.`);
    }
  });
  return rows;
}

/** int32 [batch, pos]; the caller owns it. */
export function toTokens(model: Model, input: Input): tf.Tensor2D {
  return tf.tensor2d(toRows(model, input).map((row) => [...row]), undefined, 'int32');
}
