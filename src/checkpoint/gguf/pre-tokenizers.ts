/**
 * llama.cpp's names of byte-level pre-tokenizers (`tokenizer.ggml.pre`), as parts of a tokenizer.json.
 *
 * A name stands for the pattern that cuts text into words before merging; a wrong one gives wrong ids without a word, so
 * a name that is not here is refused. Each is as the models' own tokenizer.json has it. The names are those of
 * llama-vocab.cpp for models of the architectures that are read.
 */

export interface PreTokenizer {
  readonly normalizer: object | null;
  readonly preTokenizer: object;
  /** Whether a word that is a token as a whole is that token, whatever its merges say. */
  readonly ignoreMerges: boolean;
  /** Whether a text begins with BOS where the file does not say. */
  readonly bos: boolean;
}

const byteLevel = (pattern: boolean) => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: pattern,
});
const sequence = (...pretokenizers: readonly object[]) => ({ type: 'Sequence', pretokenizers });
const split = (pattern: string) =>
  sequence({ type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false }, byteLevel(false));

/** OpenAI's cl100k pattern; Qwen 2 takes digits one by one, Llama 3 up to three. */
const cl100k = (digits: string): string =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const plain = { normalizer: null, ignoreMerges: false, bos: false };
const gpt2: PreTokenizer = { ...plain, preTokenizer: byteLevel(true) };
const smollm: PreTokenizer = {
  ...plain,
  preTokenizer: sequence({ type: 'Digits', individual_digits: true }, byteLevel(true)),
};
const llama3: PreTokenizer = {
  ...plain,
  preTokenizer: split(cl100k('\\p{N}{1,3}')),
  ignoreMerges: true,
  bos: true,
};
const qwen2: PreTokenizer = { ...plain, normalizer: { type: 'NFC' }, preTokenizer: split(cl100k('\\p{N}')) };

export const PRE_TOKENIZERS: ReadonlyMap<string, PreTokenizer> = new Map([
  ['gpt-2', gpt2],
  ['phi-2', gpt2],
  ['olmo', gpt2],
  ['smollm', smollm],
  ['llama-bpe', llama3],
  ['llama3', llama3],
  ['llama-v3', llama3],
  ['qwen2', qwen2],
  ['deepseek-r1-qwen', { ...qwen2, normalizer: null }],
]);
