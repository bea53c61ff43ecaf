/**
 * The border to `@xenova/transformers`: checked files in, a small typed tokenizer out.
 *
 * Everything that knows the library's inside is here. Its tokenizers are an untyped module reached
 * by path, because the package's front door loads its models and image code too. It mends or
 * ignores what it does not understand with a console.warn and fails on damaged files with errors
 * of its own; here warnings are errors, and every error blames the files.
 */
import { fail } from '../errors.ts';
import type { TokenizerFiles } from './tokenizer-files.ts';

/** What the rest needs of a library tokenizer. */
export interface LibraryTokenizer {
  /** Token by id; an id without a token is undefined. */
  readonly vocab: readonly string[];
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly unkId: number | undefined;
  readonly specialIds: readonly number[];
  /** Ids, with the special tokens of the template or without; an unknown piece is `unkId`, or undefined when there is none. */
  encode(text: string, template: boolean): number[];
  /** The text of `ids`, special tokens written out or left out. */
  decode(ids: readonly number[], special: boolean): string;
  /** The pieces that a word-level model looks up and does not find. */
  unknownPieces(text: string): string[];
}

/** The library's base class, as far as we use it. */
interface PreTrainedTokenizer {
  readonly model: { readonly vocab: string[]; readonly tokens_to_ids: ReadonlyMap<string, number> };
  readonly all_special_ids: readonly number[];
  /** Pieces before the look-up; null where a model without unknown token met an unknown piece. */
  _encode_text(text: string): (string | null | undefined)[];
  encode(text: string, pair: null, options: { add_special_tokens: boolean }): number[];
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
}
type TokenizerClass = new (tokenizer: object, config: object) => PreTrainedTokenizer;
interface TokenizersModule {
  readonly PreTrainedTokenizer: TokenizerClass;
  readonly AutoTokenizer: { readonly TOKENIZER_CLASS_MAPPING: Readonly<Record<string, TokenizerClass>> };
}

/**
 * The library's tokenizer for `files`; classes it does not know run as the base class.
 *
 * @throws 'checkpoint' when the files do not describe a tokenizer that it can run.
 */
export async function buildTokenizer(files: TokenizerFiles, who: string): Promise<LibraryTokenizer> {
  const { PreTrainedTokenizer, AutoTokenizer } = await importTokenizers(who);
  const known = AutoTokenizer.TOKENIZER_CLASS_MAPPING;
  const name = files.kind.replace(/Fast$/, '');
  const Class = Object.hasOwn(known, name) ? known[name] : PreTrainedTokenizer;

  const tokenizer = strictly(who, () => new Class(files.tokenizer, files.config));
  const { vocab, tokens_to_ids: ids } = tokenizer.model;
  const idOf = (token: string | null): number | undefined => (token === null ? undefined : ids.get(token));
  return {
    vocab,
    bosId: idOf(files.specials.bos_token ?? files.specials.cls_token),
    eosId: idOf(files.specials.eos_token),
    unkId: idOf(files.specials.unk_token),
    specialIds: tokenizer.all_special_ids,
    encode: (text, template) => strictly(who, () => tokenizer.encode(text, null, { add_special_tokens: template })),
    decode: (list, special) => {
      if (list.length === 0) return '';
      // Spaces are cleaned up only where the file's own decoder does it: tokens must give the text back.
      const options = { skip_special_tokens: !special, clean_up_tokenization_spaces: false };
      return strictly(who, () => tokenizer.decode([...list], options));
    },
    unknownPieces: (text) => {
      const pieces = strictly(who, () => tokenizer._encode_text(text));
      return pieces.filter((piece) => typeof piece === 'string').filter((piece) => !ids.has(piece));
    },
  };
}

async function importTokenizers(who: string): Promise<TokenizersModule> {
  // A variable keeps the type checker from following the path into untyped sources.
  const path: string = '@xenova/transformers/src/tokenizers.js';
  try {
    return (await import(path)) as TokenizersModule;
  } catch (error) {
    throw fail('checkpoint', who, `@xenova/transformers could not be loaded (${message(error)}); install it.`);
  }
}

/** Runs `work` with the library's warnings turned into errors: it warns where it goes on with something else. */
function strictly<T>(who: string, work: () => T): T {
  const warn = console.warn;
  const warnings: string[] = [];
  console.warn = (...words: unknown[]) => void warnings.push(words.map(String).join(' '));
  let result: T;
  try {
    result = work();
  } catch (error) {
    throw fail('checkpoint', who, `the tokenizer files cannot be used (${message(error)}).`);
  } finally {
    console.warn = warn;
  }
  if (warnings.length === 0) return result;
  throw fail('checkpoint', who, `the tokenizer files ask for what the library does not do (${message(warnings[0])}).`);
}

function message(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ').slice(0, 200);
}
