/**
 * The post-processors of tokenizer.json: special tokens around a text, and offsets without the spaces of a token.
 *
 * One builder for all types of the format (tokenizers 0.23). Texts are single, never pairs, so a template is its
 * `single` form. Special tokens have the offsets [0, 0], as in Python.
 */
import { z } from 'zod';
import type { EncodedToken } from '../engine.ts';
import { isWhitespace } from '../pattern/classes.ts';
import { partOf, row } from './part.ts';
import { toCodes } from './unicode.ts';

/** What is done to the tokens of a text; `template` says whether special tokens are added. */
export type PostProcessor = (tokens: readonly EncodedToken[], template: boolean) => readonly EncodedToken[];

const markSchema = z.tuple([z.string(), z.int().min(0)]);
const pieceSchema = z.union([
  z.object({ Sequence: z.looseObject({ id: z.enum(['A', 'B']) }) }).strict(),
  z.object({ SpecialToken: z.looseObject({ id: z.string() }) }).strict(),
]);

/** @throws 'checkpoint' for a type that is not known or a field that is not as it should be. */
export function postProcessorOf(json: unknown, who: string): PostProcessor {
  if (json === null || json === undefined) return (tokens) => tokens;
  return partOf<PostProcessor>('post-processor', json, who, {
    Sequence: row(z.looseObject({ processors: z.array(z.unknown()) }), ({ processors }) => {
      const steps = processors.map((step) => postProcessorOf(step, who));
      return (tokens, template) => steps.reduce((current, step) => step(current, template), tokens);
    }),
    ByteLevel: row(
      z.looseObject({ trim_offsets: z.boolean(), add_prefix_space: z.boolean() }),
      ({ trim_offsets, add_prefix_space }) =>
        (tokens) =>
          trim_offsets ? trimmed(tokens, add_prefix_space) : tokens,
    ),
    BertProcessing: row(
      z.looseObject({ sep: markSchema, cls: markSchema }),
      ({ sep, cls }) =>
        (tokens, template) =>
          template ? [mark(cls), ...tokens, mark(sep)] : tokens,
    ),
    RobertaProcessing: row(
      z.looseObject({ sep: markSchema, cls: markSchema, trim_offsets: z.boolean(), add_prefix_space: z.boolean() }),
      ({ sep, cls, trim_offsets, add_prefix_space }) =>
        (tokens, template) => {
          const own = trim_offsets ? trimmed(tokens, add_prefix_space) : tokens;
          return template ? [mark(cls), ...own, mark(sep)] : own;
        },
    ),
    TemplateProcessing: row(
      z.looseObject({
        single: z.array(pieceSchema),
        special_tokens: z.record(
          z.string(),
          z.looseObject({ ids: z.array(z.int().min(0)), tokens: z.array(z.string()) }),
        ),
      }),
      ({ single, special_tokens }) => {
        const parts = single.map((piece) => {
          if ('Sequence' in piece) {
            if (piece.Sequence.id === 'A') return undefined;
            throw new Error('its template for one text asks for a second');
          }
          const { id } = piece.SpecialToken;
          if (!Object.hasOwn(special_tokens, id))
            throw new Error(`its template asks for ${JSON.stringify(id)}, which is not among its special tokens`);
          const { ids, tokens } = special_tokens[id];
          return ids.map((token, i) => mark([tokens[i] ?? id, token]));
        });
        return (tokens, template) => (template ? parts.flatMap((part) => part ?? tokens) : tokens);
      },
    ),
  });
}

function mark([text, id]: readonly [string, number]): EncodedToken {
  return { id, unknown: false, text, offsets: [0, 0] };
}

/** Offsets without the spaces that a token begins or ends with; a space that was put before the text is kept. */
function trimmed(tokens: readonly EncodedToken[], addedSpace: boolean): EncodedToken[] {
  // A space is written Ġ in the alphabet of bytes.
  const isSpace = (code: number): boolean => code === 0x120 || isWhitespace(code);
  return tokens.map((token, i) => {
    const codes = toCodes(token.text);
    let [start, end] = token.offsets;
    const firstOther = codes.findIndex((code) => !isSpace(code));
    const leading = firstOther < 0 ? codes.length : firstOther;
    const trailing = codes.length - 1 - codes.findLastIndex((code) => !isSpace(code));
    const keeps = (i === 0 || start === 0) && addedSpace && leading === 1;
    if (!keeps) start = Math.min(start + leading, end);
    if (end >= trailing) end = Math.max(end - trailing, start);
    return { ...token, offsets: [start, end] };
  });
}
