/**
 * The decoders of tokenizer.json: tokens to text.
 *
 * One builder for all types of the format (tokenizers 0.23). Each maps a list of strings to a list of strings; what is
 * left is joined. Without a decoder tokens are joined by spaces, as in Hugging Face's tokenizers.
 */
import { z } from 'zod';
import { compilePattern, literalPattern } from '../pattern/pattern.ts';
import { alignedText, replace, textOf } from './aligned-text.ts';
import { bytesOfToken, textOfBytes } from './bytes.ts';
import { partOf, patternOf, patternSchema, row } from './part.ts';
import { metaspaceSchema } from './pre-tokenizers.ts';

export type Decoder = (tokens: readonly string[]) => string[];

/** @throws 'checkpoint' for a type that is not known, a field that is not as it should be, a pattern not supported. */
export function decoderOf(json: unknown, who: string): Decoder {
  if (json === null || json === undefined) return (tokens) => [tokens.join(' ')];
  return partOf<Decoder>('decoder', json, who, {
    Sequence: row(z.looseObject({ decoders: z.array(z.unknown()) }), ({ decoders }) => {
      const steps = decoders.map((step) => decoderOf(step, who));
      return (tokens) => steps.reduce<string[]>((current, step) => step(current), [...tokens]);
    }),
    BPEDecoder: row(
      z.looseObject({ suffix: z.string() }),
      ({ suffix }) =>
        (tokens) =>
          tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? '' : ' ')),
    ),
    ByteLevel: row(z.looseObject({}), () => (tokens) => [textOfBytes(tokens.flatMap(bytesOfToken))]),
    ByteFallback: row(z.looseObject({}), () => byteFallback),
    CTC: row(
      z.looseObject({ pad_token: z.string(), word_delimiter_token: z.string(), cleanup: z.boolean() }),
      ({ pad_token, word_delimiter_token, cleanup }) =>
        (tokens) =>
          tokens
            .filter((token, i) => token !== tokens[i - 1])
            .map((token) => {
              const text = pad_token === '' ? token : token.replaceAll(pad_token, '');
              return cleanup ? cleaned(text).replaceAll(word_delimiter_token, ' ') : text;
            })
            .filter((text) => text !== ''),
    ),
    Fuse: row(z.looseObject({}), () => (tokens) => [tokens.join('')]),
    Metaspace: row(
      metaspaceSchema,
      ({ replacement, prepend_scheme }) =>
        (tokens) =>
          tokens.map((token, i) => token.replaceAll(replacement, i === 0 && prepend_scheme !== 'never' ? '' : ' ')),
    ),
    Replace: row(z.looseObject({ pattern: patternSchema, content: z.string() }), ({ pattern, content }) => {
      const compiled = patternOf(pattern, compilePattern, literalPattern);
      return (tokens) => tokens.map((token) => textOf(replace(alignedText(token), compiled, content)));
    }),
    Strip: row(
      z.looseObject({ content: z.string(), start: z.int().min(0), stop: z.int().min(0) }),
      ({ content, start, stop }) =>
        (tokens) =>
          tokens.map((token) => stripped(token, content, start, stop)),
    ),
    WordPiece: row(
      z.looseObject({ prefix: z.string(), cleanup: z.boolean() }),
      ({ prefix, cleanup }) =>
        (tokens) =>
          tokens.map((token, i) => {
            const joined = i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
            return cleanup ? cleaned(joined) : joined;
          }),
    ),
  });
}

/** Runs of `<0x0A>` as the text of their bytes; a run that is no UTF-8 as one U+FFFD a byte. */
function byteFallback(tokens: readonly string[]): string[] {
  const texts: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length === 0) return;
    try {
      texts.push(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes)));
    } catch {
      texts.push(...bytes.map(() => '\uFFFD'));
    }
    bytes = [];
  };
  for (const token of tokens) {
    const hex = /^<0x([0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>$/.exec(token);
    if (hex !== null) bytes.push(parseInt(hex[1].replace('+', ''), 16));
    else {
      flush();
      texts.push(token);
    }
  }
  flush();
  return texts;
}

function stripped(token: string, content: string, start: number, stop: number): string {
  const chars = Array.from(token);
  let from = 0;
  while (from < start && chars[from] === content) from++;
  let to = chars.length;
  while (chars.length - to < stop && to > from && chars[to - 1] === content) to--;
  return chars.slice(from, to).join('');
}

/** Spaces before punctuation and English contractions taken away. */
function cleaned(text: string): string {
  return text
    .replaceAll(' .', '.')
    .replaceAll(' ?', '?')
    .replaceAll(' !', '!')
    .replaceAll(' ,', ',')
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(' do not', " don't")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");
}
