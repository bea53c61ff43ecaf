/**
 * tokenizer.json and tokenizer_config.json, checked and brought to one form.
 *
 * Files in the wild differ by the version that wrote them: merges as "a b" or as ["a", "b"], the
 * model's type left out, absent parts missing or null, special tokens as strings or objects. After
 * this every part is there (null when absent), merges are strings and special tokens are strings.
 */
import { z } from 'zod';
import { fail } from '../errors.ts';
import { quote } from '../checkpoint/strict-json.ts';

const SPECIALS = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'] as const;
type Special = (typeof SPECIALS)[number];

export interface TokenizerFiles {
  /** Content of tokenizer.json in the one form. */
  readonly tokenizer: object;
  /** Content of tokenizer_config.json in the one form. */
  readonly config: object;
  /** The special tokens of the config; the unknown token is the model's when the config has none. */
  readonly specials: Readonly<Record<Special, string | null>>;
  /** `tokenizer_class`, or PreTrainedTokenizer. */
  readonly kind: string;
  readonly addBosToken: boolean | undefined;
}

/** Far above every vocabulary in use (Gemma 3: 262,144); tables by id are allocated up to the largest. */
const ID_LIMIT = 4_000_000;
const isId = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= ID_LIMIT;
const idRange = `ids that are integers in [0, ${ID_LIMIT}]`;

const part = z.looseObject({ type: z.string() }).nullish();
const tokenizerSchema = z.looseObject({
  added_tokens: z
    .array(z.looseObject({ id: z.custom<number>(isId, `expected ${idRange}`), content: z.string().min(1) }))
    .nullish(),
  normalizer: part,
  pre_tokenizer: part,
  post_processor: part,
  decoder: part,
  model: z.looseObject({
    type: z.enum(['BPE', 'WordPiece', 'WordLevel', 'Unigram']).optional(),
    vocab: z.union([
      z.array(z.tuple([z.string(), z.number()])),
      // Not z.record: it drops the key "__proto__", which is a word like any other.
      z.custom<Readonly<Record<string, number>>>(isVocabulary, `expected token: id pairs with ${idRange}`),
    ]),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])).optional(),
    continuing_subword_prefix: z.string().nullish(),
    unk_token: z.string().nullish(),
  }),
});
const specialToken = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish();
const configSchema = z.looseObject({
  tokenizer_class: z.string().nullish(),
  add_bos_token: z.boolean().nullish(),
  bos_token: specialToken,
  eos_token: specialToken,
  unk_token: specialToken,
  sep_token: specialToken,
  pad_token: specialToken,
  cls_token: specialToken,
  mask_token: specialToken,
} satisfies Record<Special, unknown> & Record<string, unknown>);

/**
 * Checks the contents of the two files and brings them to one form.
 *
 * @throws 'checkpoint' naming the place that is not as it should be.
 */
export function parseTokenizerFiles(tokenizer: object, config: object, who: string): TokenizerFiles {
  const file = check(tokenizerSchema, tokenizer, 'tokenizer.json', who);
  const settings = check(configSchema, config, 'tokenizer_config.json', who);
  const specials = Object.fromEntries(SPECIALS.map((name) => [name, contentOf(settings[name])])) as Record<
    Special,
    string | null
  >;
  specials.unk_token ??= file.model.unk_token ?? null;
  return {
    tokenizer: {
      ...file,
      added_tokens: file.added_tokens ?? [],
      normalizer: file.normalizer ?? null,
      pre_tokenizer: file.pre_tokenizer ?? null,
      post_processor: file.post_processor ?? null,
      decoder: file.decoder ?? null,
      model: {
        ...file.model,
        type: modelType(file.model),
        ...(file.model.merges && { merges: joinMerges(file.model.merges, who) }),
      },
    },
    config: { ...settings, ...specials },
    specials,
    kind: settings.tokenizer_class ?? 'PreTrainedTokenizer',
    addBosToken: settings.add_bos_token ?? undefined,
  };
}

/**
 * Merges in the form "a b", which the library looks pairs up by. Newer files write pairs, since tokens may hold spaces.
 *
 * @throws 'checkpoint' for two pairs that join to the same text: the library would take one for the other.
 */
function joinMerges(merges: readonly (string | readonly [string, string])[], who: string): string[] {
  const spaced = new Map<string, string>();
  return merges.map((merge) => {
    if (typeof merge === 'string') return merge;
    const joined = merge.join(' ');
    if (joined.indexOf(' ') === joined.lastIndexOf(' ')) return joined;
    const pair = JSON.stringify(merge);
    const other = spaced.get(joined) ?? pair;
    if (other !== pair)
      throw fail(
        'checkpoint',
        who,
        `merges ${other} and ${pair} cannot be told apart here; such a tokenizer is not supported.`,
      );
    spaced.set(joined, pair);
    return joined;
  });
}

/** Old files leave the type out; the fields tell it, as they do in the Rust library. */
function modelType(model: z.infer<typeof tokenizerSchema>['model']): string {
  if (model.type !== undefined) return model.type;
  if (model.merges !== undefined) return 'BPE';
  if (Array.isArray(model.vocab)) return 'Unigram';
  return typeof model.continuing_subword_prefix === 'string' ? 'WordPiece' : 'WordLevel';
}

function isVocabulary(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isId);
}

function contentOf(token: z.infer<typeof specialToken>): string | null {
  return typeof token === 'object' && token !== null ? token.content : (token ?? null);
}

function check<T>(schema: z.ZodType<T>, value: object, name: string, who: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue.path.length === 0 ? 'its top' : quote(issue.path.join('.'));
  throw fail('checkpoint', who, `${name} at ${place}: ${issue.message.replaceAll(/\s+/g, ' ').slice(0, 200)}.`);
}
