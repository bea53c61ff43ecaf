/**
 * tokenizer.json and tokenizer_config.json, checked and brought to one form.
 *
 * Files in the wild differ by the version that wrote them: the model's type left out, absent parts missing or null,
 * special tokens as strings or objects, in one file, the other or both. Added tokens are joined as transformers does:
 * those of tokenizer.json, then those that tokenizer_config.json knows beside, then its special tokens. Where an id of
 * a file is not the one that Hugging Face's tokenizers would give the token, the file is refused: it reads ids there
 * from the vocabulary and says so only in a log.
 */
import { z } from 'zod';
import { quote } from '../checkpoint/strict-json.ts';
import { fail } from '../errors.ts';
import type { AddedToken } from './pipeline/added-tokens.ts';

const SPECIALS = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'] as const;
export type Special = (typeof SPECIALS)[number];

export interface TokenizerFiles extends TokenizerConfig {
  readonly json: {
    readonly normalizer: unknown;
    readonly pre_tokenizer: unknown;
    readonly post_processor: unknown;
    readonly decoder: unknown;
    /** With its type. */
    readonly model: unknown;
  };
  /** By id. */
  readonly added: readonly AddedToken[];
}
/** What tokenizer_config.json says, as far as it matters here. */
export interface TokenizerConfig {
  /** `tokenizer_class`, or PreTrainedTokenizer. */
  readonly kind: string;
  readonly specials: Readonly<Partial<Record<Special, string>>>;
  readonly addBosToken: boolean | undefined;
  /** Jinja templates of conversations, by name; `default` is the one without. */
  readonly chatTemplates: ReadonlyMap<string, string>;
}

/** Far above every vocabulary in use (Gemma 3: 262,144); tables by id are allocated up to the largest. */
const ID_LIMIT = 4_000_000;
const isId = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= ID_LIMIT;
const idRange = `ids that are integers in [0, ${ID_LIMIT}]`;

const flag = z.boolean().nullish();
const flags = { single_word: flag, lstrip: flag, rstrip: flag, normalized: flag, special: flag };
const content = z.string().min(1);
const modelSchema = z.looseObject({
  type: z.enum(['BPE', 'WordPiece', 'WordLevel', 'Unigram']).optional(),
  vocab: z.custom<VocabularyJson>(isVocabulary, `expected token: id pairs with ${idRange}, or [token, score] pairs`),
  merges: z.custom<readonly unknown[]>(areMerges, 'expected a list of "a b" or of ["a", "b"]').optional(),
  continuing_subword_prefix: z.string().nullish(),
});
const tokenizerSchema = z.looseObject({
  added_tokens: z
    .array(z.looseObject({ id: z.custom<number>(isId, `expected ${idRange}`), content, ...flags }))
    .nullish(),
  model: modelSchema,
});
type VocabularyJson = Readonly<Record<string, number>> | readonly (readonly [string, number])[];

const token = z.looseObject({ content, ...flags });
const specialToken = z.union([z.string(), token]).nullish();
const configSchema = z.looseObject({
  tokenizer_class: z.string().nullish(),
  add_bos_token: z.boolean().nullish(),
  added_tokens_decoder: z.record(z.string().regex(/^\d{1,7}$/), token).nullish(),
  chat_template: z
    .union([
      z.string(),
      z.array(z.looseObject({ name: z.string(), template: z.string() })),
      z.record(z.string(), z.string()),
    ])
    .nullish(),
  bos_token: specialToken,
  eos_token: specialToken,
  unk_token: specialToken,
  sep_token: specialToken,
  pad_token: specialToken,
  cls_token: specialToken,
  mask_token: specialToken,
} satisfies Record<Special, unknown> & Record<string, unknown>);
type Config = z.infer<typeof configSchema>;

/** @throws 'checkpoint' naming the place that is not as it should be. */
export function parseTokenizerConfig(config: object, who: string): TokenizerConfig {
  return readConfig(check(configSchema, config, 'tokenizer_config.json', who));
}

/** @throws 'checkpoint' naming the place that is not as it should be. */
export function parseTokenizerFiles(tokenizer: object, config: object, who: string): TokenizerFiles {
  const file = check(tokenizerSchema, tokenizer, 'tokenizer.json', who);
  const settings = check(configSchema, config, 'tokenizer_config.json', who);
  const { normalizer, pre_tokenizer, post_processor, decoder } = file;
  const type = modelType(file.model);
  if (Array.isArray(file.model.vocab) !== (type === 'Unigram'))
    throw fail('checkpoint', who, `tokenizer.json at "model.vocab": a ${type} model has the other kind of vocabulary.`);
  return {
    json: { normalizer, pre_tokenizer, post_processor, decoder, model: { merges: [], ...file.model, type } },
    added: joinAdded(file, settings, who),
    ...readConfig(settings),
  };
}

function readConfig(settings: Config): TokenizerConfig {
  const specials: Partial<Record<Special, string>> = {};
  for (const name of SPECIALS) {
    const given = settings[name];
    if (given !== null && given !== undefined) specials[name] = typeof given === 'string' ? given : given.content;
  }
  const { chat_template: chat } = settings;
  const named: readonly (readonly [string, string])[] =
    chat === null || chat === undefined
      ? []
      : typeof chat === 'string'
        ? [['default', chat]]
        : Array.isArray(chat)
          ? chat.map(({ name, template }) => [name, template] as const)
          : Object.entries(chat);
  return {
    kind: settings.tokenizer_class ?? 'PreTrainedTokenizer',
    specials,
    addBosToken: settings.add_bos_token ?? undefined,
    chatTemplates: new Map(named),
  };
}

/** The added tokens of both files, as transformers joins them. */
function joinAdded(file: z.infer<typeof tokenizerSchema>, settings: Config, who: string): AddedToken[] {
  const { vocab } = file.model;
  const byWord = Array.isArray(vocab)
    ? new Map((vocab as readonly (readonly [string, number])[]).map(([word], id) => [word, id]))
    : undefined;
  const words = vocab as Readonly<Record<string, number>>;
  const size = byWord?.size ?? Object.keys(words).length;
  const inModel = (word: string): number | undefined =>
    byWord === undefined ? (Object.hasOwn(words, word) ? words[word] : undefined) : byWord.get(word);
  const byContent = new Map<string, AddedToken>();
  let next = size;
  const add = (given: z.infer<typeof token>, special: boolean, id: number | undefined, where: string): void => {
    const right = byContent.get(given.content)?.id ?? inModel(given.content) ?? next;
    if (id !== undefined && id !== right) {
      throw fail(
        'checkpoint',
        who,
        `${where} gives the added token ${quote(given.content)} the id ${id}; ` +
          `by the vocabulary of ${size} tokens and the added ones before it, it is ${right}.`,
      );
    }
    if (right === next && !byContent.has(given.content) && inModel(given.content) === undefined) next++;
    byContent.set(given.content, {
      id: right,
      content: given.content,
      single_word: given.single_word ?? false,
      lstrip: given.lstrip ?? false,
      rstrip: given.rstrip ?? false,
      normalized: given.normalized ?? !special,
      special,
    });
  };
  for (const given of file.added_tokens ?? []) add(given, given.special ?? false, given.id, 'tokenizer.json');
  const decoder = Object.entries(settings.added_tokens_decoder ?? {}).sort(([a], [b]) => Number(a) - Number(b));
  for (const [id, given] of decoder) add(given, given.special ?? false, Number(id), 'tokenizer_config.json');
  for (const name of SPECIALS) {
    const given = settings[name];
    if (given === null || given === undefined || given === '') continue;
    const own = typeof given === 'string' ? { content: given } : given;
    if (!byContent.has(own.content)) add({ normalized: false, ...own }, true, undefined, 'tokenizer_config.json');
  }
  return [...byContent.values()].sort((a, b) => a.id - b.id);
}

/** Old files leave the type out; the fields tell it, as they do in the Rust library. */
function modelType(model: z.infer<typeof modelSchema>): string {
  if (model.type !== undefined) return model.type;
  if (model.merges !== undefined) return 'BPE';
  if (Array.isArray(model.vocab)) return 'Unigram';
  return typeof model.continuing_subword_prefix === 'string' ? 'WordPiece' : 'WordLevel';
}

// Vocabularies and merges are checked by hand: a schema of half a million entries takes seconds.
function isVocabulary(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (!Array.isArray(value)) return Object.values(value).every(isId);
  return value.every(
    (pair: unknown) =>
      Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string' && typeof pair[1] === 'number',
  );
}

function areMerges(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  return value.every(
    (merge: unknown) =>
      typeof merge === 'string' ||
      (Array.isArray(merge) && merge.length === 2 && typeof merge[0] === 'string' && typeof merge[1] === 'string'),
  );
}

function check<T>(schema: z.ZodType<T>, value: object, name: string, who: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue.path.length === 0 ? 'its top' : quote(issue.path.join('.'));
  throw fail('checkpoint', who, `${name} at ${place}: ${issue.message.replaceAll(/\s+/g, ' ').slice(0, 200)}.`);
}
