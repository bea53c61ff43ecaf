/**
 * The seam: what is asked, as plain JSON. Whoever holds a study and the model it names can measure the same values.
 *
 * Its hash is the identity of a run: the log's, a record's, a job's. Every field of it changes the hash, and everything that
 * a value depends on is a field of it: the model's weights, configuration and tokenizer, where it computes, and the question
 * (players, prompts as token ids, metric, what stands in for an absent player and over which data).
 */
import { z } from 'zod';
import { fail } from './errors.ts';
import type { Frozen } from './frozen.ts';
import { placeSchema } from './place.ts';
import { sha256 } from './platform/hash.ts';

export const STUDY_VERSION = 'study/1';

const count = z.int().min(0);
const tokens = z.array(count).min(1);
const sha = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in hex');

const model = z.strictObject({
  /** Folder name or hub id: what a reader calls it. */
  id: z.string(),
  /** SHA-256 of the weight files, or of the tensors of a model in memory. */
  weights: sha,
  /** SHA-256 of the configuration record. */
  configuration: sha,
  /** SHA-256 of tokenizer.json; null without one. */
  tokenizer: sha.nullable(),
  /** How matrices are held on the device: float32, float16, bfloat16. */
  storage: z.string(),
});

const prompt = z.strictObject({
  tokens,
  correct: count.nullable(),
  incorrect: count.nullable(),
  /** Where the answer is read; null for the last position. */
  position: count.nullable(),
  /** The corrupted prompt, where its activations are put in; else null. */
  corrupted: tokens.nullable(),
});

const components = z.strictObject({
  lens: z.literal('components'),
  players: z.array(z.strictObject({ name: z.string(), place: placeSchema })).min(1),
  prompts: z.array(prompt).min(1),
  /** `definition`: SHA-256 of the source of a metric that is not known by its name. */
  metric: z.strictObject({ name: z.string(), definition: sha.nullable() }),
  ablation: z.strictObject({
    name: z.string(),
    definition: sha.nullable(),
    rescale: z.boolean(),
    /** Token rows that it averages over; null where it does not. */
    data: z.array(tokens).nullable(),
  }),
});

const promptQuestion = z.strictObject({
  lens: z.literal('tokens'),
  players: z.array(z.strictObject({ name: z.string(), place: placeSchema })).min(1),
  tokens,
  /** By token: its player's number, or -1 for one that is always kept. */
  owners: z.array(z.int().min(-1)).min(1),
  /** Where a masked-LM model is asked; null for after the last token. */
  position: count.nullable(),
  answer: z.array(count),
  against: z.array(count),
  /** `definition`: SHA-256 of the source of a value that is not known by its name. */
  value: z.strictObject({ name: z.string(), definition: sha.nullable() }),
  absence: z.strictObject({
    name: z.string(),
    /** What stands in for an absent token: ids by token, the mean embedding of token rows, or itself, unseen. */
    standIn: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('tokens'), tokens: z.array(z.array(count)) }),
      z.strictObject({ kind: z.literal('embedding'), data: z.array(tokens).min(1) }),
      z.strictObject({ kind: z.literal('attention') }),
    ]),
  }),
});

/** What is asked of a model, by lens. */
export const questionSchema = z.discriminatedUnion('lens', [components, promptQuestion]);

const schema = z.strictObject({
  spexlens: z.literal(STUDY_VERSION),
  model,
  /** The backend that computes: two of them agree up to rounding, not to the last bit. */
  backend: z.string(),
  question: questionSchema,
});

/** What is asked, as plain JSON: model, backend, and the question. */
export type Study = Frozen<z.infer<typeof schema>>;
export type Question = Study['question'];
export type ComponentsQuestion = Frozen<z.infer<typeof components>>;
export type PromptQuestion = Frozen<z.infer<typeof promptQuestion>>;
export type ModelIdentity = Study['model'];

/** The study in a value parsed from JSON. @throws 'input' naming the first field that is wrong. */
export function parseStudy(json: unknown, who = 'study'): Study {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw fail('input', who, `${issue.path.map(String).join('.') || 'the study'}: ${issue.message}.`);
}

/** What a game of somebody's own is asked: its players' names and, as JSON, all else that its values depend on. */
export interface OwnStudy {
  readonly players: readonly string[];
  readonly [field: string]: unknown;
}

/** SHA-256 of the study's canonical JSON (keys sorted), as hex. */
export function hashStudy(study: Study | OwnStudy): string {
  return sha256(canonicalJson(study));
}

/** JSON with sorted keys and without undefined fields: equal for equal values. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const record = value as Readonly<Record<string, unknown>>;
  const fields = Object.keys(record)
    .filter((key) => record[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(record[key])}`);
  return `{${fields.join(',')}}`;
}

/** How many players a study has. */
export function playersOf(study: Study | OwnStudy): number {
  return isOwn(study) ? study.players.length : study.question.players.length;
}

function isOwn(study: Study | OwnStudy): study is OwnStudy {
  return 'players' in study;
}

/** Where two studies differ, `question.metric.name was "logit", now "prob"`, at most `most` places; empty for equal ones. */
export function differencesOf(was: unknown, now: unknown, most = 2, path = ''): string[] {
  if (canonicalJson(was) === canonicalJson(now)) return [];
  if (!isRecord(was) || !isRecord(now)) return [`${path || 'the study'} was ${brief(was)}, now ${brief(now)}`];
  const keys = [...new Set([...Object.keys(was), ...Object.keys(now)])];
  const found: string[] = [];
  for (const key of keys) {
    if (found.length >= most) break;
    found.push(...differencesOf(was[key], now[key], most - found.length, path === '' ? key : `${path}.${key}`));
  }
  return found;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? 'absent';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
