/**
 * Text to token ids and back, through the tokenizers of `@xenova/transformers`.
 *
 * The files are read and checked here and handed over as objects, so the library never touches the
 * network, a cache folder or node_modules. Only its tokenizers module is imported, and only on
 * first use: it starts faster than the whole package and leaves image code out.
 *
 * BOS is never implicit: `bosByDefault` says what `encode` does, `{bos}` overrides it. A word that
 * is not in the vocabulary is an error, never a silent unknown token.
 */
import { fail } from '../errors.ts';
import { hasFile, readJsonObject, requireFolder } from '../checkpoint/model-folder.ts';
import { quote } from '../checkpoint/strict-json.ts';
import { parseTokenizerFiles } from './tokenizer-files.ts';
import { buildTokenizer, type LibraryTokenizer } from './tokenizer-library.ts';

export interface EncodeOptions {
  /** Whether the text is wrapped in the special tokens that begin a sequence (BERT: and end it); default `bosByDefault`. */
  readonly bos?: boolean;
}

export interface DecodeOptions {
  /** Whether special tokens such as BOS are written out; default false. */
  readonly special?: boolean;
}

export interface Tokenizer {
  /** The class named in tokenizer_config.json. */
  readonly kind: string;
  /** All ids are below this: embedding rows needed. */
  readonly vocabSize: number;
  /** The token that begins a sequence (BERT: [CLS]); undefined when the tokenizer has none. */
  readonly bosId: number | undefined;
  /** The token that ends a text (tokenizer_config.json's eos_token); undefined when there is none. */
  readonly eosId: number | undefined;
  /** Whether `encode` begins with BOS when not told. */
  readonly bosByDefault: boolean;
  /** Why `bosByDefault` is what it is, e.g. "add_bos_token is true". */
  readonly bosPolicy: string;
  /** @throws 'input' for words that are not in the vocabulary, naming them, and for `bos: true` without a BOS token. */
  encode(text: string, options?: EncodeOptions): number[];
  /** @throws 'input' for an id outside the vocabulary. */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  /** One string per token, leading spaces kept: ["<|bos|>", "When", " Mary"]. Text is encoded as by `encode`. */
  toStrTokens(input: string | readonly number[], options?: EncodeOptions): string[];
  /** The id of a text that is exactly one token. @throws 'input' when it is not, showing what it became. */
  toSingleToken(text: string): number;
}

/**
 * The tokenizer of the model in `folder`: tokenizer.json, and tokenizer_config.json when it is there.
 *
 * @throws 'checkpoint' when a file is missing, damaged or of a kind the library cannot run.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const who = `tokenizer ${folder}`;
  await requireFolder(folder, who);
  const json = await readJsonObject(folder, 'tokenizer.json', who);
  const hasConfig = await hasFile(folder, 'tokenizer_config.json', who);
  const config = hasConfig ? await readJsonObject(folder, 'tokenizer_config.json', who) : {};
  return createTokenizer(json, config, who);
}

/**
 * A tokenizer from the contents of tokenizer.json and tokenizer_config.json.
 *
 * @throws 'checkpoint' as `loadTokenizer`.
 */
export async function createTokenizer(json: object, config: object, who = 'tokenizer'): Promise<Tokenizer> {
  const files = parseTokenizerFiles(json, config, who);
  const { kind, addBosToken } = files;
  const library = await buildTokenizer(files, who);
  const vocabSize = library.vocab.length;
  const special = new Set(library.specialIds);

  // What the tokenizer's own template puts around an empty text.
  const template = library.encode('', true);
  const bosId = library.bosId ?? (template.length > 0 ? template[0] : undefined);
  const templated = bosId !== undefined && template[0] === bosId;
  const bosByDefault = bosId !== undefined && (addBosToken ?? templated);
  const bosPolicy = describePolicy(bosId, addBosToken, templated);

  const encodePlain = (text: string): number[] => {
    const ids = library.encode(text, false);
    const unknown = unknownWords(library, text, ids);
    if (unknown.length > 0) {
      throw fail(
        'input',
        who,
        `${unknown.slice(0, 8).map(quote).join(', ')}${unknown.length > 8 ? ` and ${unknown.length - 8} more` : ''} ${unknown.length === 1 ? 'is' : 'are'} not in the vocabulary of ${vocabSize} tokens; use words that are.`,
      );
    }
    return ids;
  };
  const encode = (text: string, { bos = bosByDefault }: EncodeOptions = {}): number[] => {
    const ids = encodePlain(text);
    if (!bos) return ids;
    if (bosId === undefined)
      throw fail('input', who, 'bos: true was asked for, but the tokenizer has no BOS token; leave bos out.');
    return templated ? library.encode(text, true) : [bosId, ...ids];
  };
  const checked = (ids: readonly number[]): number[] => {
    for (const id of ids) {
      if (library.vocab[id] === undefined)
        throw fail('input', who, `there is no token with id ${id}; ids are integers in [0, ${vocabSize}).`);
    }
    return [...ids];
  };
  const decode = (ids: readonly number[], options: DecodeOptions = {}): string =>
    library.decode(checked(ids), options.special ?? false);

  // A token's text depends on whether something stands before it ("Mary", " Mary"), so it is what
  // the token adds to the one before. Where that fails (bytes of one character cut in two) it is decoded alone.
  const strTokens = (ids: readonly number[]): string[] =>
    checked(ids).map((id, i) => {
      if (special.has(id)) return library.vocab[id];
      const alone = library.decode([id], true);
      if (i === 0 || special.has(ids[i - 1])) return alone;
      const before = library.decode([ids[i - 1]], true);
      const both = library.decode([ids[i - 1], id], true);
      return both.startsWith(before) && !before.endsWith('\uFFFD') ? both.slice(before.length) : alone;
    });
  const toStrTokens = (input: string | readonly number[], options: EncodeOptions = {}): string[] =>
    strTokens(typeof input === 'string' ? encode(input, options) : input);

  const toSingleToken = (text: string): number => {
    const ids = encodePlain(text);
    if (ids.length === 1) return ids[0];
    if (ids.length === 0) throw fail('input', who, `${quote(text)} is no token at all; pass a text that is one token.`);
    const pieces = strTokens(ids).slice(0, 12).map(quote).join(', ');
    const other = text.startsWith(' ') ? text.slice(1) : ` ${text}`;
    const otherIds = library.encode(other, false);
    const hint =
      otherIds.length === 1 && unknownWords(library, other, otherIds).length === 0
        ? `${quote(other)} ${text.startsWith(' ') ? 'without the' : 'with a'} leading space is one.`
        : `with and without a leading space it is ${ids.length} and ${otherIds.length}; choose a text that is one token.`;
    throw fail('input', who, `${quote(text)} is ${ids.length} tokens (${pieces}), not one; ${hint}`);
  };

  return {
    kind,
    vocabSize,
    bosId,
    eosId: library.eosId,
    bosByDefault,
    bosPolicy,
    encode,
    decode,
    toStrTokens,
    toSingleToken,
  };
}

function describePolicy(bosId: number | undefined, addBosToken: boolean | undefined, templated: boolean): string {
  if (bosId === undefined) return 'the tokenizer has no BOS token';
  if (addBosToken !== undefined) return `add_bos_token is ${addBosToken} in tokenizer_config.json`;
  return templated ? "the tokenizer's own template begins with BOS" : "the tokenizer's own template adds no BOS";
}

/** The words of `text` that `ids` hold no token for; empty when everything is known. */
function unknownWords(library: LibraryTokenizer, text: string, ids: readonly number[]): string[] {
  const isUnknown = (list: readonly number[]): boolean => list.some((id) => id === undefined || id === library.unkId);
  if (!isUnknown(ids)) return [];
  // The unknown token itself may be written in the text, as GPT-2's <|endoftext|> is.
  const unkToken = library.unkId === undefined ? undefined : library.vocab[library.unkId];
  const written = unkToken === undefined ? 0 : text.split(unkToken).length - 1;
  if (ids.filter((id) => id === undefined || id === library.unkId).length <= written) return [];
  const pieces = library.unknownPieces(text);
  if (pieces.length > 0) return [...new Set(pieces)];
  const words = text
    .split(/\s+/)
    .filter((word) => word !== '' && word !== unkToken && isUnknown(library.encode(word, false)));
  return words.length > 0 ? [...new Set(words)] : [text];
}
