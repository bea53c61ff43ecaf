/**
 * A tokenizer as tokenizer.json describes it: added tokens, normalizer, pre-tokenizer, model, post-processor, decoder.
 *
 * The order and the rules are those of Hugging Face's tokenizers 0.23, which test/golden/make-tokenizers.py compares
 * id by id and offset by offset. Truncation and padding of the file are left alone, as transformers does.
 */
import type { TokenizerFiles } from '../tokenizer-files.ts';
import type { EncodedToken, Engine } from '../engine.ts';
import { addedTokens } from './added-tokens.ts';
import { alignedText, sourceOf, textOf, type AlignedText } from './aligned-text.ts';
import { decoderOf } from './decoders.ts';
import { modelOf } from './model.ts';
import { normalizerOf } from './normalizers.ts';
import { postProcessorOf } from './post-processors.ts';
import { preTokenizerOf } from './pre-tokenizers.ts';

/** @throws 'checkpoint' naming the part of the file that is not supported or not as it should be. */
export function pipelineOf({ json, added }: TokenizerFiles, who: string): Engine {
  const normalizer = normalizerOf(json.normalizer, who);
  const preTokenizer = preTokenizerOf(json.pre_tokenizer, who);
  const model = modelOf(json.model, who);
  const postProcess = postProcessorOf(json.post_processor, who);
  const decoder = decoderOf(json.decoder, who);
  const found = addedTokens(added, normalizer);

  const tokens: string[] = [];
  for (const [token, id] of model.ids) tokens[id] = token;
  const inModel = [...tokens];
  for (const { id, content } of added) tokens[id] = content;
  const beside = added.filter(({ content }) => !model.ids.has(content));
  const pairs = beside.map(({ content, id }) => [content, id] as const);
  const ids = pairs.length === 0 ? model.ids : new Map([...model.ids, ...pairs]);
  const special = new Set(added.filter((token) => token.special).map(({ id }) => id));
  const specialTexts = new Set(added.filter((token) => token.special).map(({ content }) => content));

  const encodePiece = (piece: AlignedText): EncodedToken[] =>
    model.tokenize(piece.codes).map(({ id, unknown, start, end }) => ({
      id,
      unknown,
      text: id === undefined ? '' : inModel[id],
      offsets: sourceOf(piece, start, end),
    }));

  return {
    tokens,
    ids,
    unkId: model.unkId,
    wordLevel: model.kind === 'WordLevel',
    offsets: true,
    added,
    special,
    encode: (text, template) => {
      const own = found.extract(alignedText(text)).flatMap(({ text: piece, token }): EncodedToken[] => {
        if (token === undefined)
          return preTokenizer(piece)
            .filter(({ codes }) => codes.length > 0)
            .flatMap(encodePiece);
        const offsets = sourceOf(piece, 0, piece.codes.length);
        return [{ id: token.id, unknown: false, text: textOf(piece), offsets }];
      });
      const units = unitsOf(text);
      return postProcess(own, template).map((token) => {
        const [start, end] = token.offsets;
        return { ...token, offsets: [units[start], units[end]] };
      });
    },
    decode: (list, withSpecial) => {
      const texts = list.map((id) => found.textOf.get(id) ?? tokens[id]);
      return decoder(withSpecial ? texts : texts.filter((text) => !specialTexts.has(text))).join('');
    },
  };
}

/** Where each character begins, in UTF-16 units, and the end. */
function unitsOf(text: string): number[] {
  const units = [0];
  for (const char of text) units.push(units[units.length - 1] + char.length);
  return units;
}
