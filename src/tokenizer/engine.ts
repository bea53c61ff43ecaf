/**
 * What turns text into tokens and back, before any policy of ours: the pipeline of a file, or a tokenizer object of
 * another library.
 */
import type { AddedToken } from './pipeline/added-tokens.ts';

export interface EncodedToken {
  /** undefined for what the vocabulary does not know, in a model without an unknown token. */
  readonly id: number | undefined;
  /** Whether the id, if any, is that of the unknown token, put for what is not in the vocabulary. */
  readonly unknown: boolean;
  /** The token's own text, as the vocabulary has it. */
  readonly text: string;
  /** [start, end) of the text that the token stands for, in UTF-16 units; [0, 0] for a special token that was added. */
  readonly offsets: readonly [start: number, end: number];
}

export interface Engine {
  /** Token by id; an id without a token is undefined. */
  readonly tokens: readonly (string | undefined)[];
  readonly ids: ReadonlyMap<string, number>;
  readonly unkId: number | undefined;
  /** Whether the vocabulary is a list of words, so that what it does not know is a word that was never seen. */
  readonly wordLevel: boolean;
  /** Whether `encode` knows offsets. */
  readonly offsets: boolean;
  /** Tokens beside the vocabulary of the model, by id. */
  readonly added: readonly AddedToken[];
  /** Ids that decoding leaves out unless asked for. */
  readonly special: ReadonlySet<number>;
  /** The tokens of `text`, with the special tokens of the template or without. */
  encode(text: string, template: boolean): readonly EncodedToken[];
  /** The text of `ids`, special tokens written out or left out. */
  decode(ids: readonly number[], special: boolean): string;
}
