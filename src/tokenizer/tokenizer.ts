/**
 * Text to token ids and back, with Hugging Face's ids, from the files that stand beside a model.
 *
 * The pipeline of tokenizer.json runs here (pipeline/); nothing touches the network. What is ours is the policy: BOS
 * is never implicit (`bosByDefault` says what `encode` does, `{ bos }` overrides it), and what a vocabulary does not
 * know never disappears silently: it is the unknown token where the model learned with one, else an error.
 */
import { quote } from '../checkpoint/strict-json.ts';
import { fail } from '../errors.ts';
import type { EncodedToken, Engine } from './engine.ts';
import { isPeerTokenizer, peerEngine } from './peer.ts';
import type { AddedToken } from './pipeline/added-tokens.ts';
import { pipelineOf } from './pipeline/pipeline.ts';
import { parseTokenizerConfig, parseTokenizerFiles, type Special, type TokenizerConfig } from './tokenizer-files.ts';
import { readTokenizerFolder } from './tokenizer-folder.ts';

export interface EncodeOptions {
  /** Whether special tokens that begin a sequence (BERT: and end it) are put around; default `bosByDefault`. */
  readonly bos?: boolean;
  /**
   * What becomes of text that the vocabulary does not know: the unknown token, as in Hugging Face's tokenizers (a
   * character without one is left out), or an error that names it. Default: the token where there is one and the model
   * cuts words into pieces; an error for word-level vocabularies, whose models never saw their unknown token.
   */
  readonly unknown?: 'token' | 'error';
}

export interface DecodeOptions {
  /** Whether special tokens such as BOS are written out; default false. */
  readonly special?: boolean;
}

export interface Encoding {
  readonly ids: number[];
  /**
   * For each id where its text stands: `text.slice(start, end)`, in UTF-16 units. Several tokens of one character each
   * have the whole character; special tokens that were added have [0, 0].
   */
  readonly offsets: (readonly [start: number, end: number])[];
}

/** Text to token ids and back, as the model's own files say. */
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
  /** Tokens added to the vocabulary of the model, by id: special ones, and ones that users added. */
  readonly addedTokens: readonly AddedToken[];
  /** bos_token, eos_token, ... of tokenizer_config.json. */
  readonly specialTokens: Readonly<Partial<Record<Special, string>>>;
  /** Jinja templates of conversations, by name (see chatPrompt); empty for a model that has none. */
  readonly chatTemplates: ReadonlyMap<string, string>;
  /** @throws 'input' for text that the vocabulary lacks (see `unknown`), and for `bos: true` without a BOS token. */
  encode(text: string, options?: EncodeOptions): number[];
  /** The ids of `encode`, and the text of each. @throws 'input' as `encode`, and for an object without offsets. */
  encodeWithOffsets(text: string, options?: EncodeOptions): Encoding;
  /** @throws 'input' for an id outside the vocabulary. */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  /** One string per token, leading spaces kept: ["<|bos|>", "When", " Mary"]. Text is encoded as by `encode`. */
  toStrTokens(input: string | readonly number[], options?: EncodeOptions): string[];
  /** The id of a text that is exactly one token. @throws 'input' when it is not, showing what it became. */
  toSingleToken(text: string): number;
}

/**
 * The tokenizer of the model in `folder`: tokenizer.json, and tokenizer_config.json and chat_template.jinja when they
 * are there.
 *
 * @throws 'checkpoint' when a file is missing, damaged, too large, or asks for what is not supported, naming it.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const who = `tokenizer ${folder}`;
  const { json, config } = await readTokenizerFolder(folder, who);
  return createTokenizer(json, config, who);
}

/**
 * A tokenizer from the contents of tokenizer.json and tokenizer_config.json, or from a tokenizer object of
 * `@xenova/transformers` (whose own configuration is used when `config` is left out).
 *
 * @throws 'checkpoint' as `loadTokenizer`.
 */
export async function createTokenizer(json: object, config?: object, who = 'tokenizer'): Promise<Tokenizer> {
  if (isPeerTokenizer(json))
    return tokenizerOf(peerEngine(json, who), parseTokenizerConfig(config ?? json._tokenizer_config ?? {}, who), who);
  const files = parseTokenizerFiles(json, config ?? {}, who);
  return tokenizerOf(pipelineOf(files, who), files, who);
}

function tokenizerOf(engine: Engine, config: TokenizerConfig, who: string): Tokenizer {
  const { kind, specials, addBosToken } = config;
  const vocabSize = engine.tokens.length;
  const { special } = engine;
  const idOf = (name: Special): number | undefined => {
    const token = specials[name];
    return token === undefined ? undefined : engine.ids.get(token);
  };

  // What the tokenizer's own template puts around an empty text.
  const template = engine.encode('', true);
  const bosId = idOf('bos_token') ?? idOf('cls_token') ?? template[0]?.id;
  const templated = bosId !== undefined && template[0]?.id === bosId;
  const bosByDefault = bosId !== undefined && (addBosToken ?? templated);
  const bosPolicy = describePolicy(bosId, addBosToken, templated);
  const unknownByDefault = engine.wordLevel || engine.unkId === undefined ? 'error' : 'token';

  const encodeTokens = (
    text: string,
    { bos = bosByDefault, unknown = unknownByDefault }: EncodeOptions,
  ): readonly (EncodedToken & { readonly id: number })[] => {
    if (bos && bosId === undefined)
      throw fail('input', who, 'bos: true was asked for, but the tokenizer has no BOS token; leave bos out.');
    const tokens = engine.encode(text, bos && templated);
    const words = unknown === 'error' ? unknownWords(tokens, text, engine.offsets) : [];
    if (words.length > 0) {
      const more = words.length > 8 ? ` and ${words.length - 8} more` : '';
      const are = words.length === 1 ? 'is' : 'are';
      throw fail(
        'input',
        who,
        `${words.slice(0, 8).map(quote).join(', ')}${more} ${are} not in the vocabulary of ${vocabSize} tokens; ` +
          'use words that are.',
      );
    }
    const known = tokens.filter((token): token is EncodedToken & { readonly id: number } => token.id !== undefined);
    if (!bos || templated || bosId === undefined) return known;
    return [{ id: bosId, unknown: false, text: engine.tokens[bosId] ?? '', offsets: [0, 0] }, ...known];
  };
  const encode = (text: string, options: EncodeOptions = {}): number[] =>
    encodeTokens(text, options).map(({ id }) => id);
  const encodeWithOffsets = (text: string, options: EncodeOptions = {}): Encoding => {
    if (!engine.offsets)
      throw fail(
        'input',
        who,
        "the tokenizer object that was passed has no offsets; pass the files' contents instead.",
      );
    const tokens = encodeTokens(text, options);
    return { ids: tokens.map(({ id }) => id), offsets: tokens.map(({ offsets }) => offsets) };
  };
  const checked = (ids: readonly number[]): number[] => {
    for (const id of ids) {
      if (engine.tokens[id] === undefined)
        throw fail('input', who, `there is no token with id ${id}; ids are integers in [0, ${vocabSize}).`);
    }
    return [...ids];
  };
  const decode = (ids: readonly number[], options: DecodeOptions = {}): string =>
    engine.decode(checked(ids), options.special ?? false);

  // A token's text depends on whether something stands before it ("Mary", " Mary"), so it is what
  // the token adds to the one before. Where that fails (bytes of one character cut in two) it is decoded alone.
  const strTokens = (ids: readonly number[]): string[] =>
    checked(ids).map((id, i) => {
      if (special.has(id)) return engine.tokens[id] ?? '';
      const alone = engine.decode([id], true);
      if (i === 0 || special.has(ids[i - 1])) return alone;
      const before = engine.decode([ids[i - 1]], true);
      const both = engine.decode([ids[i - 1], id], true);
      return both.startsWith(before) && !before.endsWith('\uFFFD') ? both.slice(before.length) : alone;
    });
  const toStrTokens = (input: string | readonly number[], options: EncodeOptions = {}): string[] =>
    strTokens(typeof input === 'string' ? encode(input, options) : input);

  const toSingleToken = (text: string): number => {
    const plain = { bos: false, unknown: 'error' } as const;
    const ids = encode(text, plain);
    if (ids.length === 1) return ids[0];
    if (ids.length === 0) throw fail('input', who, `${quote(text)} is no token at all; pass a text that is one token.`);
    const pieces = strTokens(ids).slice(0, 12).map(quote).join(', ');
    const spaced = text.startsWith(' ');
    const other = spaced ? text.slice(1) : ` ${text}`;
    const count = engine.encode(other, false).filter(({ unknown }) => !unknown).length;
    const hint =
      count === 1
        ? `${quote(other)} ${spaced ? 'without the' : 'with a'} leading space is one.`
        : `with and without a leading space it is ${ids.length} and ${count}; choose a text that is one token.`;
    throw fail('input', who, `${quote(text)} is ${ids.length} tokens (${pieces}), not one; ${hint}`);
  };

  return {
    kind,
    vocabSize,
    bosId,
    eosId: idOf('eos_token'),
    bosByDefault,
    bosPolicy,
    addedTokens: engine.added,
    specialTokens: specials,
    chatTemplates: config.chatTemplates,
    encode,
    encodeWithOffsets,
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

/** The parts of `text` that no token stands for, each once; empty when everything is known. */
function unknownWords(tokens: readonly EncodedToken[], text: string, offsets: boolean): string[] {
  const unknown = tokens.filter((token) => token.unknown);
  if (unknown.length === 0) return [];
  return offsets ? [...new Set(unknown.map(({ offsets: [start, end] }) => text.slice(start, end)))] : [text];
}
