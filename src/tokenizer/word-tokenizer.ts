/**
 * A word-level tokenizer for small models trained here, as the two files every Hugging Face
 * tokenizer library reads.
 *
 * Text is cut into runs of word characters and runs of punctuation; spaces only separate, so
 * "Mary" and " Mary" are the same token. Decoding joins with a space and removes it again before
 * . , ? ! (the WordPiece decoder with cleanup is the one that does both). Id 0 is BOS, put in
 * front by a TemplateProcessing post-processor; id 1 is the unknown token, which our own
 * tokenizer never returns.
 */
import { fail } from '../errors.ts';
import { quote } from '../checkpoint/strict-json.ts';

export interface WordTokenizerFiles {
  /** Content of tokenizer.json. */
  readonly tokenizer: object;
  /** Content of tokenizer_config.json. */
  readonly config: object;
}

export interface WordTokenizerOptions {
  /** Default `<|bos|>`. */
  readonly bos?: string;
  /** Default `<|unk|>`. */
  readonly unk?: string;
}

/**
 * Files of a tokenizer whose id i + 2 is `words[i]`.
 *
 * A word is letters, digits and underscores, or one run of punctuation, in ASCII: only there do
 * all libraries agree what a word character is.
 *
 * @throws 'input' for a word that is there twice or would be cut, naming it.
 */
export function wordLevelTokenizer(words: readonly string[], options: WordTokenizerOptions = {}): WordTokenizerFiles {
  const { bos = '<|bos|>', unk = '<|unk|>' } = options;
  const vocab = new Map([bos, unk].map((token, id) => [token, id]));
  if (vocab.size !== 2)
    throw fail('input', 'wordLevelTokenizer', `bos and unk are both ${quote(bos)}; they should differ.`);
  for (const word of words) {
    if (!/^(?:\w+|[!-/:-@[-^`{-~]+)$/.test(word)) {
      throw fail(
        'input',
        'wordLevelTokenizer',
        `${quote(word)} is not one word; it should be ASCII letters, digits and underscores, or only punctuation.`,
      );
    }
    if (vocab.has(word))
      throw fail('input', 'wordLevelTokenizer', `${quote(word)} is there twice; list each word once.`);
    vocab.set(word, vocab.size);
  }

  const special = (content: string, id: number) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  const sequence = (id: 'A' | 'B') => ({ Sequence: { id, type_id: 0 } });
  const start = { SpecialToken: { id: bos, type_id: 0 } };
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [special(bos, 0), special(unk, 1)],
      normalizer: null,
      pre_tokenizer: { type: 'Whitespace' },
      post_processor: {
        type: 'TemplateProcessing',
        single: [start, sequence('A')],
        pair: [start, sequence('A'), sequence('B')],
        special_tokens: { [bos]: { id: bos, ids: [0], tokens: [bos] } },
      },
      // The prefix marks pieces to glue on; mixing letters and punctuation, it begins no word.
      decoder: { type: 'WordPiece', prefix: '<|glue|>', cleanup: true },
      model: { type: 'WordLevel', vocab: Object.fromEntries(vocab), unk_token: unk },
    },
    config: {
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: bos,
      unk_token: unk,
      add_bos_token: true,
      clean_up_tokenization_spaces: false,
    },
  };
}
