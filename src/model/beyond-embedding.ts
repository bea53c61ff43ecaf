/**
 * Tokens that a tokenizer has and the embedding has no row for: an added pad token, say, without a resized model.
 *
 * A few added ones are harmless as long as no text uses them, and people's checkpoints have them; so they load, the
 * model's description says so, and using one is an error that names it. More, or tokens of the vocabulary itself,
 * mean that tokenizer and weights belong to different models.
 */
import { quote } from '../checkpoint/strict-json.ts';
import { fail } from '../errors.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** More added tokens than this without a row are no oversight. */
const LIMIT = 64;

/** @throws 'checkpoint' when tokens without a row are more than a few added ones. */
export function requireTokenizerFits(tokenizer: Tokenizer, rows: number, who: string): void {
  const missing = tokenizer.vocabSize - rows;
  if (missing <= 0) return;
  if (missing <= LIMIT && beyondEmbedding(tokenizer, rows).length === missing) return;
  throw fail(
    'checkpoint',
    who,
    `the tokenizer has ${tokenizer.vocabSize} tokens, the embedding ${rows} rows; they belong to different models.`,
  );
}

/** The added tokens without a row. */
export function beyondEmbedding(
  tokenizer: Tokenizer,
  rows: number,
): { readonly id: number; readonly content: string }[] {
  return tokenizer.addedTokens.filter(({ id }) => id >= rows);
}

/** One line about them; undefined when there are none. */
export function beyondEmbeddingText(tokenizer: Tokenizer, rows: number): string | undefined {
  const beyond = beyondEmbedding(tokenizer, rows);
  if (beyond.length === 0) return undefined;
  const shown = beyond.slice(0, 8).map(({ id, content }) => `${quote(content)} (id ${id})`);
  const more = beyond.length > 8 ? ` and ${beyond.length - 8} more` : '';
  return `the embedding has ${rows} rows, none for the added ${beyond.length === 1 ? 'token' : 'tokens'} ${shown.join(', ')}${more}: a text that uses one is an error`;
}
