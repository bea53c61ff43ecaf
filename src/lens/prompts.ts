/**
 * The task: prompts with their right and wrong answers, as text or token ids, and then as tokens.
 *
 * A prompts file is JSONL, one object a line: {"prompt", "correct"?, "incorrect"?, "corrupted"?}. Everywhere a text may stand
 * the token ids may: [1, 2, 3] for a prompt, 7 for an answer; they are taken as they are.
 */
import { z } from 'zod';
import { fail, SpexlensError } from '../errors.ts';
import { tokenizerOf, type Model } from '../model/model.ts';
import { toSequences } from '../model/tokens.ts';
import { readTextFile } from '../platform/files.ts';
import type { Metric, Target } from './metrics.ts';

/** A prompt with its answers, as texts or token ids. */
export interface Prompt {
  readonly prompt: string | readonly number[];
  /** The token that should follow, e.g. " Mary". */
  readonly correct?: string | number | undefined;
  readonly incorrect?: string | number | undefined;
  /** A prompt of as many tokens whose activations resample ablation puts in. */
  readonly corrupted?: string | readonly number[] | undefined;
}

/** A prompt as tokens, checked against a model, a metric and an ablation. */
export interface Task extends Target {
  /** How errors call it: its text, quoted and cut. */
  readonly label: string;
  /** What a reader is shown. */
  readonly text: TaskText;
  /** The tokens as text. */
  readonly strTokens: readonly string[];
  readonly corrupted: readonly number[] | undefined;
}

export interface TaskText {
  readonly prompt: string;
  readonly correct?: string | undefined;
  readonly incorrect?: string | undefined;
  readonly corrupted?: string | undefined;
}

const tokenId = z.int().min(0);
const text = z.union([z.string().min(1), z.array(tokenId).min(1)]);
const answer = z.union([z.string(), tokenId]);
const schema = z.strictObject({
  prompt: text,
  correct: answer.optional(),
  incorrect: answer.optional(),
  corrupted: text.optional(),
});

const LINE = '{"prompt", "correct", "incorrect", "corrupted"?}';

/** The prompts in a JSONL file; blank lines are skipped. @throws 'input' naming the line. */
export async function readPrompts(path: string): Promise<Prompt[]> {
  return parsePrompts(await readTextFile(path, 'prompts', `a JSONL file of ${LINE} is needed.`), `prompts ${path}`);
}

/** The prompts in the text of a JSONL file. @throws 'input' naming the line. */
export function parsePrompts(jsonl: string, who: string): Prompt[] {
  const prompts: Prompt[] = [];
  jsonl.split('\n').forEach((line, i) => {
    if (line.trim() === '') return;
    const at = `${who} line ${i + 1}`;
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch {
      throw fail('input', at, `is not JSON; one object ${LINE} a line is needed.`);
    }
    const parsed = schema.safeParse(json);
    if (parsed.success) return void prompts.push(parsed.data);
    const [issue] = parsed.error.issues;
    throw fail('input', at, `${issue.path.join('.') || 'object'}: ${issue.message}.`);
  });
  if (prompts.length === 0) throw fail('input', who, 'has no prompts; at least one line is needed.');
  return prompts;
}

/** Prompts of one question at most: a thousand masks of so many are ten million rows. */
const MOST_PROMPTS = 10_000;

export interface TaskOptions {
  readonly metric: Metric;
  /** Whether every prompt needs a corrupted one of its length. */
  readonly corrupted: boolean;
}

/**
 * Tokens of every prompt, checked against what the metric and the ablation need.
 * @throws 'input' naming the prompt: too long, an answer that is not one token or missing, a corrupted prompt of another length.
 */
export function toTasks(model: Model, prompts: readonly Prompt[], { metric, corrupted }: TaskOptions): Task[] {
  if (prompts.length > MOST_PROMPTS)
    throw fail(
      'input',
      'prompts',
      `${prompts.length} prompts; every mask runs each of them, so at most ${MOST_PROMPTS} are taken. Give a sample.`,
    );
  const tasks = prompts.map((prompt, i) => {
    const who = whoOf(i, prompts.length);
    const target = targetOf(model, prompt, metric, who);
    const twin =
      prompt.corrupted === undefined ? undefined : encode(model, prompt.corrupted, `${who}, corrupted`, 'corrupted');
    const shown = textOf(model, prompt, target);
    const label = JSON.stringify(shown.prompt.length > 60 ? `${shown.prompt.slice(0, 57)}...` : shown.prompt);
    return { ...target, label, text: shown, corrupted: twin, strTokens: strTokensOf(model, target.tokens) };
  });
  if (corrupted) requireTwins(tasks);
  return tasks;
}

/** @throws 'input' naming the prompt that has no corrupted one, or one of another length. */
export function requireTwins(tasks: readonly Task[]): void {
  tasks.forEach(({ tokens, corrupted }, i) => {
    const who = whoOf(i, tasks.length);
    if (corrupted === undefined)
      throw fail('input', who, 'resample ablation needs a corrupted prompt; give one as its "corrupted".');
    if (corrupted.length !== tokens.length)
      throw fail(
        'input',
        who,
        `the corrupted prompt has ${corrupted.length} tokens, the prompt ${tokens.length}; resample ablation needs equal lengths.`,
      );
  });
}

function whoOf(index: number, count: number): string {
  return count === 1 ? 'prompt' : `prompt ${index + 1}`;
}

function targetOf(model: Model, prompt: Prompt, metric: Metric, who: string): Target {
  if (prompt.prompt === '')
    throw fail('input', who, 'is an empty text; give one, or the id of the token to begin with ([0]).');
  const tokens = encode(model, prompt.prompt, `${who}, text`, 'prompt');
  if (tokens.length > model.config.nCtx)
    throw fail('input', who, `has ${tokens.length} tokens; the context of ${model.name} holds ${model.config.nCtx}.`);
  if (tokens.length === 0) throw fail('input', who, 'has no tokens.');
  const single = (field: 'correct' | 'incorrect'): number | undefined => {
    const given = prompt[field];
    if (given !== undefined) {
      const id =
        typeof given === 'number' ? given : named(`${who}, ${field}`, () => tokenizerOf(model).toSingleToken(given));
      return answerId(model, id, `${who}, ${field}`);
    }
    if (!metric.needs[field]) return undefined;
    const what = field === 'correct' ? 'a correct' : 'an incorrect';
    throw fail(
      'input',
      who,
      `metric ${metric.name} needs ${what} token; give --${field} or "${field}" in the prompts file.`,
    );
  };
  const correct = single('correct');
  const incorrect = single('incorrect');
  if (correct !== undefined && correct === incorrect) {
    const both = `${JSON.stringify(prompt.correct)}, ${JSON.stringify(prompt.incorrect)}`;
    throw fail('input', who, `correct and incorrect are the same token (${both}); they must differ.`);
  }
  const position = model.config.mlmHead === true ? maskedPosition(model, tokens, who) : undefined;
  const target = { tokens, correct, incorrect, position };
  metric.check?.(target, who);
  return target;
}

/** A token id as an answer: a column of the logits. @throws 'input' where the model has none of it. */
function answerId({ name, config: { dVocabOut } }: Model, id: number, who: string): number {
  if (Number.isInteger(id) && id >= 0 && id < dVocabOut) return id;
  throw fail('input', who, `token id ${id} is no answer of ${name}; its logits are 0..${dVocabOut - 1}.`);
}

/** Token ids of a text, or ids that are in the vocabulary. */
function encode(model: Model, given: string | readonly number[], who: string, what: string): number[] {
  return typeof given === 'string'
    ? named(who, () => tokenizerOf(model).encode(given))
    : named(who, () => [...toSequences(model, given)[0]], what);
}

/** Runs `make`; an error of ours is `who`'s. */
function named<T>(who: string, make: () => T, what = ''): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof SpexlensError)) throw error;
    throw fail(error.kind, who, `${what === '' ? '' : `${what}: `}${error.message.replace(/^[^:]*: /, '')}`);
  }
}

/** The texts for a reader; an answer given as text as its token is written after the prompt, which tells ` Mary` from `Mary`. */
function textOf(model: Model, { prompt, correct, incorrect, corrupted }: Prompt, target: Target): TaskText {
  const readable = (given: string | number | readonly number[] | undefined): string | undefined =>
    given === undefined || typeof given === 'string'
      ? given
      : strTokensOf(model, typeof given === 'number' ? [given] : given).join('');
  const answered = (given: Prompt['correct'], id: number | undefined): string | undefined =>
    typeof given === 'string' && id !== undefined ? strTokensOf(model, [...target.tokens, id]).at(-1) : readable(given);
  return {
    prompt: readable(prompt) as string,
    correct: answered(correct, target.correct),
    incorrect: answered(incorrect, target.incorrect),
    corrupted: readable(corrupted),
  };
}

/** The tokens as text; ids in brackets where the model has no tokenizer. */
function strTokensOf({ tokenizer }: Model, tokens: readonly number[]): readonly string[] {
  return tokenizer === undefined ? tokens.map((id) => `[${id}]`) : tokenizer.toStrTokens(tokens);
}

/** Where a masked-LM model is asked: its one [MASK]. @throws 'input' for none or several. */
function maskedPosition(model: Model, tokens: readonly number[], who: string): number {
  const mask = tokenizerOf(model).toSingleToken('[MASK]');
  const count = tokens.filter((token) => token === mask).length;
  if (count !== 1)
    throw fail(
      'input',
      who,
      `has ${count} [MASK] tokens; ${model.name} is a masked-LM model and needs exactly one, where the answer belongs.`,
    );
  return tokens.indexOf(mask);
}
