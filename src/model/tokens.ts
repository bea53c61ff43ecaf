/**
 * What a user may pass as input, made into rows of token ids, one padded batch, or an int32 tensor.
 *
 * Texts of different lengths become one batch by padding, with the mask that hides it; rows of ids alone are never
 * changed. Whether BOS stands before a text is the tokenizer's own policy (bosOf says it) unless `prependBos` is given.
 */
import * as tf from '@tensorflow/tfjs-core';
import { quote } from '../checkpoint/strict-json.ts';
import { fail } from '../errors.ts';
import { padRows, type PaddingMask } from './forward/attention-mask.ts';
import { tokenizerOf, type Model } from './model.ts';

/**
 * A text (through the model's tokenizer) or the token ids of one, or several of either. Ids need no tokenizer, and are
 * taken as they are: no BOS is put before them.
 */
export type Input = string | readonly number[] | readonly (string | readonly number[])[];

export interface TokenOptions {
  /** Whether texts begin with BOS (BERT: stand between [CLS] and [SEP]); default: as the tokenizer's files say. Token ids are taken as they are. */
  readonly prependBos?: boolean;
}

export interface BatchOptions extends TokenOptions {
  /** Where texts shorter than the longest are padded; default left: the last position is then the last token of every row. */
  readonly paddingSide?: 'left' | 'right';
  /** 1 = token, 0 = padding, for rows of ids that are padded already (padRows makes both). */
  readonly attentionMask?: PaddingMask;
}

/** Rows of token ids of one length, and which of them are padding. */
export interface TokenBatch {
  /** [batch][pos] */
  readonly tokens: readonly (readonly number[])[];
  /** 1 = token, 0 = padding; undefined where nothing is padded. */
  readonly attentionMask: PaddingMask | undefined;
}

/**
 * Token ids of every row, which may differ in length.
 * @throws 'input' for an empty input or row, or an id outside the vocabulary; the tokenizer's errors for texts.
 */
export function toSequences(
  model: Model,
  input: Input,
  { prependBos }: TokenOptions = {},
): readonly (readonly number[])[] {
  const rowOf = (given: string | readonly number[]): readonly number[] =>
    typeof given === 'string'
      ? tokenizerOf(model).encode(given, prependBos === undefined ? {} : { bos: prependBos })
      : given;
  const rows = typeof input === 'string' || isRow(input) ? [rowOf(input)] : input.map(rowOf);
  if (rows.length === 0 || rows.some((row) => row.length === 0))
    throw fail('input', model.name, 'the input has no tokens; at least one is needed in every row.');
  const { dVocab } = model.config;
  rows.forEach((row, r) => {
    const odd = row.find((id) => !Number.isInteger(id) || id < 0 || id >= dVocab);
    if (odd === undefined) return;
    const token = model.tokenizer?.addedTokens.find(({ id }) => id === odd);
    if (token === undefined)
      throw fail('input', model.name, `token id ${odd} in row ${r} is outside the vocabulary 0..${dVocab - 1}.`);
    throw fail(
      'input',
      model.name,
      `${quote(token.content)} in row ${r} is the added token ${odd}, but the embedding has ${dVocab} rows; leave it out.`,
    );
  });
  return rows;
}

/**
 * One batch of `input`: rows of one length and, where texts differ in length, the mask that hides their padding.
 *
 * @example const { tokens, attentionMask } = toTokens(model, ['a text', 'one that is longer']);
 * @throws 'input' as toSequences, for rows of ids that differ in length, and for more tokens than the context holds.
 */
export function toTokens(
  model: Model,
  input: Input,
  { prependBos, paddingSide = 'left', attentionMask: given }: BatchOptions = {},
): TokenBatch {
  const rows = toSequences(model, input, prependBos === undefined ? {} : { prependBos });
  const other = rows.findIndex((row) => row.length !== rows[0].length);
  if (other >= 0 && !hasText(input)) {
    throw fail(
      'input',
      model.name,
      `row ${other} has ${rows[other].length} tokens, row 0 has ${rows[0].length}; rows of one batch must be equally long (padRows makes them so).`,
    );
  }
  if (other >= 0 && given !== undefined)
    throw fail('input', 'attention mask', 'is made from the texts, which differ in length; leave it out.');
  const batch = other >= 0 ? padRows(rows, paddingSide) : { tokens: rows, attentionMask: given };
  const { nCtx } = model.config;
  batch.tokens.forEach((row, r) => {
    // Padding has no position. A mask of another size is for the forward pass to refuse.
    const count = batch.attentionMask?.[r]?.filter((kept) => kept !== 0).length ?? row.length;
    if (count > nCtx) throw fail('input', model.name, `the input has ${count} tokens; the context holds ${nCtx}.`);
  });
  return batch;
}

/** tokens as int32 [batch, pos]; the caller owns it. */
export function tokenTensor({ tokens }: TokenBatch): tf.Tensor2D {
  return tf.tensor2d(
    tokens.map((row) => [...row]),
    undefined,
    'int32',
  );
}

/** One string per token, leading spaces kept: ["<|bos|>", "When", " Mary"]. @throws 'input' for an id outside the vocabulary. */
export function toStrTokens(model: Model, input: string | readonly number[], options: TokenOptions = {}): string[] {
  const [ids] = toSequences(model, input, options);
  return tokenizerOf(model).toStrTokens(ids);
}

/** The id of a text that is exactly one token, BOS apart, or of an id. @throws 'input' when it is not, showing what it became. */
export function toSingleToken(model: Model, token: string | number): number {
  if (typeof token === 'number') return toSequences(model, [token])[0][0];
  return tokenizerOf(model).toSingleToken(token);
}

function hasText(input: Input): boolean {
  return typeof input === 'string' || input.some((row) => typeof row === 'string');
}

function isRow(input: Exclude<Input, string>): input is readonly number[] {
  return typeof input[0] === 'number';
}
