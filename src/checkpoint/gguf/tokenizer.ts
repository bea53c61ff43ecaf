/**
 * A GGUF file's tokenizer as the contents of tokenizer.json and tokenizer_config.json.
 *
 * Two kinds are read: "gpt2", byte-level BPE with a named pre-tokenizer, and "llama", SentencePiece's BPE with bytes
 * for what is unknown. Control tokens become special ones, tokens defined by the user plain added ones. A file without
 * a tokenizer gives none; one of another kind is refused by name. Sources: llama.cpp's llama-vocab.cpp, and the
 * tokenizer.json files of the models themselves.
 */
import { fail } from '../../errors.ts';
import { quote } from '../strict-json.ts';
import type { TokenizerContents } from '../tensor-source.ts';
import type { Metadata } from './metadata.ts';
import { PRE_TOKENIZERS } from './pre-tokenizers.ts';
import { mergesOf } from './sentence-piece.ts';

const KEY = 'tokenizer.ggml.';
/** ggml's kinds of tokens. */
const [UNKNOWN, CONTROL, USER_DEFINED] = [2, 3, 4];
const SPECIALS = { bos: 'bos', eos: 'eos', unk: 'unknown', pad: 'padding' } as const;

/** The tokenizer of the file; undefined when it has none. @throws 'checkpoint' for one that is damaged or not read. */
export function readTokenizer(metadata: Metadata): TokenizerContents | undefined {
  const kind = metadata.text(`${KEY}model`);
  if (kind === undefined || kind === 'none' || kind === 'no_vocab') return undefined;
  const texts = metadata.need(`${KEY}tokens`, metadata.texts(`${KEY}tokens`));
  // As llama.cpp names the tokens that a converter left empty.
  const tokens = texts.includes('') ? texts.map((text, id) => (text === '' ? `[EMPTY_${id}]` : text)) : texts;
  switch (kind) {
    case 'gpt2':
      return byteLevel(metadata, tokens);
    case 'llama':
      return sentencePiece(metadata, tokens);
    default:
      throw fail(
        'checkpoint',
        metadata.who,
        `has a tokenizer of the kind ${quote(kind)}, which is not read; gpt2 (byte-level BPE) and llama (SentencePiece) are.`,
      );
  }
}

function byteLevel(metadata: Metadata, tokens: readonly string[]): TokenizerContents {
  const { who } = metadata;
  // Files from before the key are of GPT-2 alone, where llama.cpp itself still reads them right.
  const named = metadata.text(`${KEY}pre`);
  const name = named ?? (metadata.text('general.architecture') === 'gpt2' ? 'gpt-2' : undefined);
  const pre = name === undefined ? undefined : PRE_TOKENIZERS.get(name);
  if (pre === undefined) {
    const what =
      named === undefined
        ? `does not name its pre-tokenizer ("${KEY}pre")`
        : `has the pre-tokenizer ${quote(named)}, which is not read`;
    throw fail('checkpoint', who, `${what}; ${[...PRE_TOKENIZERS.keys()].join(', ')} are.`);
  }
  return contents(metadata, tokens, pre.bos, {
    normalizer: pre.normalizer,
    pre_tokenizer: pre.preTokenizer,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: pre.ignoreMerges,
      vocab: vocabularyOf(tokens, who),
      merges: metadata.need(`${KEY}merges`, metadata.texts(`${KEY}merges`)),
    },
  });
}

/** SentencePiece writes a space as this. */
const SPACE = '\u2581';

function sentencePiece(metadata: Metadata, given: readonly string[]): TokenizerContents {
  const { who } = metadata;
  const gemma = metadata.text('general.architecture')?.startsWith('gemma') === true;
  // Gemma's files write runs of spaces as such; its own tokenizer.json has them like every other piece.
  const tokens = gemma ? given.map((token) => (/^ {2,}$/.test(token) ? SPACE.repeat(token.length) : token)) : given;
  const scores = metadata.need(`${KEY}scores`, metadata.numbers(`${KEY}scores`));
  if (scores.length !== tokens.length)
    throw fail('checkpoint', who, `has ${scores.length} scores for ${tokens.length} tokens; the file is damaged.`);
  const ids = new Map(tokens.map((token, id) => [token, id]));
  // Gemma's merges are in the order of its tokens, which its scores do not tell.
  const order = gemma ? tokens.map((_, id) => -id) : scores;
  const prefix = metadata.flag(`${KEY}add_space_prefix`) ?? !gemma;
  const spaces = { type: 'Replace', pattern: { String: SPACE }, content: ' ' };
  const decoders = [spaces, { type: 'ByteFallback' }, { type: 'Fuse' }];
  return contents(metadata, tokens, true, {
    normalizer: gemma ? { type: 'Replace', pattern: { String: ' ' }, content: SPACE } : null,
    pre_tokenizer: gemma
      ? { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious', invert: false }
      : { type: 'Metaspace', replacement: SPACE, prepend_scheme: prefix ? 'first' : 'never', split: false },
    decoder: {
      type: 'Sequence',
      decoders: prefix ? [...decoders, { type: 'Strip', content: ' ', start: 1, stop: 0 }] : decoders,
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: tokens[metadata.number(`${KEY}unknown_token_id`) ?? 0] ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: vocabularyOf(tokens, who),
      merges: metadata.texts(`${KEY}merges`) ?? mergesOf(ids, order),
    },
  });
}

/** The two files around a model: added and special tokens, and whether a text begins with BOS. */
function contents(
  metadata: Metadata,
  tokens: readonly string[],
  bosByDefault: boolean,
  parts: object,
): TokenizerContents {
  const { who } = metadata;
  const types = metadata.numbers(`${KEY}token_type`);
  if (types !== undefined && types.length !== tokens.length)
    throw fail('checkpoint', who, `has ${types.length} token types for ${tokens.length} tokens; the file is damaged.`);
  const specials = Object.entries(SPECIALS).map(([name, key]): [string, string | null] => {
    const id = metadata.number(`${KEY}${key}_token_id`);
    const token = id === undefined ? undefined : tokens[id];
    if (id !== undefined && token === undefined)
      throw fail('checkpoint', who, `has the ${key} token ${id} of ${tokens.length} tokens; the file is damaged.`);
    return [`${name}_token`, token ?? null];
  });
  const special = new Set(specials.map(([, token]) => token));
  const added = tokens.flatMap((content, id) => {
    const type = types?.[id];
    const control = type === CONTROL || type === UNKNOWN || special.has(content);
    if (!control && type !== USER_DEFINED) return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: control }];
  });
  const { bos_token: bos } = Object.fromEntries(specials);
  const addBos = metadata.flag(`${KEY}add_bos_token`) ?? bosByDefault;
  const start = bos !== null && addBos ? [{ SpecialToken: { id: bos, type_id: 0 } }] : [];
  const text = (id: 'A' | 'B') => ({ Sequence: { id, type_id: 0 } });
  const template = metadata.text('tokenizer.chat_template');
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: added,
      post_processor: {
        type: 'TemplateProcessing',
        single: [...start, text('A')],
        pair: [...start, text('A'), ...start, text('B')],
        special_tokens: bos === null ? {} : { [bos]: { id: bos, ids: [tokens.indexOf(bos)], tokens: [bos] } },
      },
      ...parts,
    },
    config: {
      tokenizer_class: 'PreTrainedTokenizerFast',
      clean_up_tokenization_spaces: false,
      add_bos_token: addBos && bos !== null,
      ...Object.fromEntries(specials),
      ...(template === undefined ? {} : { chat_template: template }),
    },
  };
}

/** token -> id. @throws 'checkpoint' for a token that is there twice. */
function vocabularyOf(tokens: readonly string[], who: string): Readonly<Record<string, number>> {
  const vocabulary = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const twice = tokens.findIndex((token, id) => ids.get(token) !== id);
  if (twice >= 0) throw fail('checkpoint', who, `has the token ${quote(tokens[twice])} twice; the file is damaged.`);
  return vocabulary;
}
