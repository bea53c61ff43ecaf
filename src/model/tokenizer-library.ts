/**
 * The border to `@xenova/transformers`: checked JSON in, a small typed tokenizer out.
 *
 * Everything that knows the library's inside is here. It is an untyped module reached by path (the
 * package's front door also loads onnxruntime's and sharp's image code), it mends or ignores what it does not
 * understand with a console.warn, and it fails on damaged files with errors of its own; here
 * warnings are errors, and all errors name the file's fault.
 */
import { z } from 'zod';
import { fail } from '../errors.ts';
import { quote } from './strict-json.ts';

/** What the rest needs of a library tokenizer. */
export interface LibraryTokenizer {
  /** Token by id; an id without a token is undefined. */
  readonly vocab: readonly string[];
  readonly bosId: number | undefined;
  readonly unkId: number | undefined;
  readonly unkToken: string | undefined;
  readonly specialIds: readonly number[];
  /** Ids; an unknown piece is `unkId`, or undefined when there is none. */
  encode(text: string, template: boolean): number[];
  decode(ids: readonly number[], special: boolean): string;
  /** Pieces of the text, as pre-tokenized by a word-level model, that are no token. */
  unknownPieces(text: string): string[];
}

export interface BuiltTokenizer {
  readonly library: LibraryTokenizer;
  /** The class named in tokenizer_config.json. */
  readonly kind: string;
  readonly addBosToken: boolean | undefined;
}

/** The library's class, as far as we use it. */
interface PreTrainedTokenizer {
  readonly model: {
    readonly vocab: string[];
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    readonly unk_token?: string | null;
  };
  readonly all_special_ids: readonly number[];
  /** Pieces before the look-up; null where a model without unknown token met an unknown piece. */
  _encode_text(text: string): (string | null | undefined)[];
  encode(text: string, pair: null, options: { add_special_tokens: boolean }): number[];
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces?: boolean }): string;
}
interface TokenizersModule {
  readonly PreTrainedTokenizer: new (json: object, config: object) => PreTrainedTokenizer;
  readonly AutoTokenizer: {
    readonly TOKENIZER_CLASS_MAPPING: Readonly<Record<string, TokenizersModule['PreTrainedTokenizer']>>;
  };
}

/** Far above every vocabulary in use (Gemma 3: 262,144); a larger id would make the library allocate its table. */
const ID_LIMIT = 4_000_000;
const id = z.number().int().min(0).max(ID_LIMIT);
// Not z.record: it drops the key "__proto__", which is a word like any other.
const vocabulary = z.custom<Readonly<Record<string, number>>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isId),
  `expected token: id pairs with ids that are integers in [0, ${ID_LIMIT}]`,
);
const part = z.looseObject({ type: z.string() }).nullish();
const tokenizerSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id, content: z.string().min(1) })).nullish(),
  normalizer: part,
  pre_tokenizer: part,
  post_processor: part,
  decoder: part,
  model: z.union([
    z.looseObject({ type: z.literal('Unigram'), vocab: z.array(z.tuple([z.string(), z.number()])) }),
    z.looseObject({
      type: z.enum(['BPE', 'WordPiece', 'WordLevel']).optional(),
      vocab: vocabulary,
      merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])).optional(),
      unk_token: z.string().nullish(),
    }),
  ]),
});
function isId(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= ID_LIMIT;
}
const specialToken = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish();
const SPECIALS = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'] as const;
const configSchema = z.looseObject({
  tokenizer_class: z.string().nullish(),
  add_bos_token: z.boolean().nullish(),
  ...(Object.fromEntries(SPECIALS.map((name) => [name, specialToken])) as Record<
    (typeof SPECIALS)[number],
    typeof specialToken
  >),
});

/**
 * Builds the library's tokenizer for the contents of tokenizer.json and tokenizer_config.json.
 *
 * @throws 'checkpoint' when they do not describe a tokenizer the library can run faithfully.
 */
export async function buildTokenizer(json: object, config: object, who: string): Promise<BuiltTokenizer> {
  const file = check(tokenizerSchema, json, 'tokenizer.json', who);
  const settings = check(configSchema, config, 'tokenizer_config.json', who);
  const { PreTrainedTokenizer, AutoTokenizer } = await importTokenizers(who);

  const specials = Object.fromEntries(SPECIALS.map((name) => [name, contentOf(settings[name])]));
  const model = { ...file.model } as Record<string, unknown>;
  // Type left out in old files: merges mean BPE; a vocabulary alone is word-level.
  if (model.type === undefined && model.merges !== undefined) model.type = 'BPE';
  if (Array.isArray(model.merges))
    model.merges = model.merges.map((merge: unknown) => (Array.isArray(merge) ? merge.join(' ') : merge));
  specials.unk_token ??= typeof model.unk_token === 'string' ? model.unk_token : null;

  const kind = settings.tokenizer_class ?? 'PreTrainedTokenizer';
  const known = AutoTokenizer.TOKENIZER_CLASS_MAPPING;
  const name = kind.replace(/Fast$/, '');
  const Class = Object.hasOwn(known, name) ? known[name] : PreTrainedTokenizer;
  const parts = {
    ...file,
    model,
    added_tokens: file.added_tokens ?? [],
    normalizer: file.normalizer ?? null,
    pre_tokenizer: file.pre_tokenizer ?? null,
    post_processor: file.post_processor ?? null,
    decoder: file.decoder ?? null,
  };
  const tokenizer = strictly(who, () => new Class(parts, { ...settings, ...specials }));
  const idOf = (token: string | null): number | undefined =>
    token === null ? undefined : tokenizer.model.tokens_to_ids.get(token);
  return {
    library: wrap(
      tokenizer,
      idOf(specials.bos_token ?? specials.cls_token),
      idOf(specials.unk_token),
      specials.unk_token,
      who,
    ),
    kind,
    addBosToken: settings.add_bos_token ?? undefined,
  };
}

function wrap(
  tokenizer: PreTrainedTokenizer,
  bosId: number | undefined,
  unkId: number | undefined,
  unkToken: string | null,
  who: string,
): LibraryTokenizer {
  const { vocab, tokens_to_ids: ids } = tokenizer.model;
  return {
    vocab,
    bosId,
    unkId,
    unkToken: unkToken ?? undefined,
    specialIds: tokenizer.all_special_ids,
    encode: (text, template) => strictly(who, () => tokenizer.encode(text, null, { add_special_tokens: template })),
    // Spaces are cleaned up only where the file's own decoder does: tokens must give the text back.
    decode: (list, special) =>
      list.length === 0
        ? ''
        : strictly(who, () =>
            tokenizer.decode([...list], { skip_special_tokens: !special, clean_up_tokenization_spaces: false }),
          ),
    unknownPieces: (text) =>
      strictly(
        who,
        () => tokenizer._encode_text(text).filter((piece) => typeof piece === 'string' && !ids.has(piece)) as string[],
      ),
  };
}

async function importTokenizers(who: string): Promise<TokenizersModule> {
  // A variable keeps the type checker from following the path into untyped sources.
  const path: string = '@xenova/transformers/src/tokenizers.js';
  try {
    return (await import(path)) as TokenizersModule;
  } catch (error) {
    throw fail(
      'checkpoint',
      who,
      `the package @xenova/transformers could not be loaded (${message(error)}); install it.`,
    );
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
  if (warnings.length > 0)
    throw fail(
      'checkpoint',
      who,
      `the tokenizer files ask for what the library does not do (${warnings[0].slice(0, 200)}).`,
    );
  return result;
}

function check<T>(schema: z.ZodType<T>, value: object, name: string, who: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw fail(
    'checkpoint',
    who,
    `${name} at ${issue.path.length === 0 ? 'its top' : quote(issue.path.join('.'))}: ${issue.message.replaceAll(/\s+/g, ' ').slice(0, 200)}.`,
  );
}

function contentOf(token: z.infer<typeof specialToken>): string | null {
  return typeof token === 'object' && token !== null ? token.content : (token ?? null);
}

function message(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ').slice(0, 200);
}
