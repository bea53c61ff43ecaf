/**
 * The models of tokenizer.json: a piece of text becomes tokens.
 *
 * What all four have in common: a vocabulary, and tokens with the range of characters they stand for. A character that
 * has no token is `unknown`: it carries the id of the unknown token where there is one, else undefined.
 */
import { z } from 'zod';
import { fail } from '../../errors.ts';
import { quote } from '../../checkpoint/strict-json.ts';
import { bpeModel, bpeSchema } from './bpe.ts';
import { partOf, row } from './part.ts';
import { unigramModel, unigramSchema } from './unigram.ts';
import type { ModelToken, TokenModel } from './token-model.ts';
import { toText } from './unicode.ts';
import { vocabularyOf } from './vocabulary.ts';

const words = z.custom<Readonly<Record<string, number>>>();
const wordPieceSchema = z.looseObject({
  vocab: words,
  unk_token: z.string().default('[UNK]'),
  continuing_subword_prefix: z.string().default('##'),
  max_input_chars_per_word: z.int().min(0).default(100),
});
const wordLevelSchema = z.looseObject({ vocab: words, unk_token: z.string().default('<unk>') });

/** @throws 'checkpoint' for a type that is not known or a field that is not as it should be. */
export function modelOf(json: unknown, who: string): TokenModel {
  return partOf<TokenModel>('model', json, who, {
    BPE: row(bpeSchema, bpeModel),
    Unigram: row(unigramSchema, unigramModel),
    WordPiece: row(wordPieceSchema, (given) => {
      const ids = vocabularyOf(given.vocab);
      const unkId = ids.get(given.unk_token);
      if (unkId === undefined)
        throw fail('checkpoint', who, `the unknown token ${quote(given.unk_token)} of the WordPiece model is no word.`);
      return {
        kind: 'WordPiece',
        ids,
        unkId,
        tokenize: (codes) =>
          wordPieces(codes, given, ids) ?? [{ id: unkId, unknown: true, start: 0, end: codes.length }],
      };
    }),
    WordLevel: row(wordLevelSchema, (given) => {
      const ids = vocabularyOf(given.vocab);
      const unkId = ids.get(given.unk_token);
      return {
        kind: 'WordLevel',
        ids,
        unkId,
        tokenize: (codes) => {
          const id = ids.get(toText(codes));
          return [{ id: id ?? unkId, unknown: id === undefined, start: 0, end: codes.length }];
        },
      };
    }),
  });
}

/** The longest words from the left; undefined when one place has none. */
function wordPieces(
  codes: readonly number[],
  { continuing_subword_prefix: prefix, max_input_chars_per_word: limit }: z.infer<typeof wordPieceSchema>,
  ids: ReadonlyMap<string, number>,
): ModelToken[] | undefined {
  if (codes.length > limit) return undefined;
  const tokens: ModelToken[] = [];
  for (let start = 0; start < codes.length; ) {
    let end = codes.length;
    let id: number | undefined;
    for (; end > start; end--) {
      id = ids.get((start > 0 ? prefix : '') + toText(codes.slice(start, end)));
      if (id !== undefined) break;
    }
    if (id === undefined) return undefined;
    tokens.push({ id, unknown: false, start, end });
    start = end;
  }
  return tokens;
}
