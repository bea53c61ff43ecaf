/**
 * The task: prompts with their right and wrong answers, as text and then as tokens.
 *
 * A prompts file is JSONL, one object a line: {"prompt", "correct"?, "incorrect"?, "corrupted"?}.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { fail, SpexlensError } from '../errors.ts';
import { tokenizerOf, type Model } from '../model/model.ts';
import type { Metric, Target } from './metrics.ts';

export interface Prompt {
  readonly prompt: string;
  /** The token that should follow, e.g. " Mary". */
  readonly correct?: string | undefined;
  readonly incorrect?: string | undefined;
  /** A prompt of as many tokens whose activations resample ablation puts in. */
  readonly corrupted?: string | undefined;
}

export interface Task extends Target {
  readonly prompt: Prompt;
  /** The tokens as text. */
  readonly strTokens: readonly string[];
  readonly corrupted: readonly number[] | undefined;
}

const schema = z.strictObject({
  prompt: z.string().min(1),
  correct: z.string().optional(),
  incorrect: z.string().optional(),
  corrupted: z.string().optional(),
});

/** The prompts in a JSONL file; blank lines are skipped. @throws 'input' naming the line. */
export async function readPrompts(path: string): Promise<Prompt[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw fail(
      'input',
      `prompts ${path}`,
      `cannot be read (${error.code ?? 'unreadable'}); a JSONL file of {"prompt", "correct", "incorrect", "corrupted"?} is needed.`,
    );
  });
  const prompts: Prompt[] = [];
  text.split('\n').forEach((line, i) => {
    if (line.trim() === '') return;
    const who = `prompts ${path} line ${i + 1}`;
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch {
      throw fail(
        'input',
        who,
        'is not JSON; one object {"prompt", "correct", "incorrect", "corrupted"?} a line is needed.',
      );
    }
    const parsed = schema.safeParse(json);
    if (!parsed.success)
      throw fail(
        'input',
        who,
        `${parsed.error.issues[0].path.join('.') || 'object'}: ${parsed.error.issues[0].message}.`,
      );
    prompts.push(parsed.data);
  });
  if (prompts.length === 0) throw fail('input', `prompts ${path}`, 'has no prompts; at least one line is needed.');
  return prompts;
}

/**
 * Tokens of every prompt, checked against what the metric and the ablation need.
 * @throws 'input' naming the prompt: too long, an answer that is not one token or missing, a corrupted prompt of another length.
 */
export function toTasks(model: Model, prompts: readonly Prompt[], metric: Metric, needsCorrupted: boolean): Task[] {
  const tokenizer = tokenizerOf(model);
  return prompts.map((prompt, i) => {
    const who = prompts.length === 1 ? 'prompt' : `prompt ${i + 1}`;
    const named = <T>(field: string, make: () => T): T => {
      try {
        return make();
      } catch (error) {
        if (error instanceof SpexlensError)
          throw fail(error.kind, `${who}, ${field}`, error.message.replace(/^[^:]*: /, ''));
        throw error;
      }
    };
    const tokens = named('text', () => tokenizer.encode(prompt.prompt));
    if (tokens.length > model.config.nCtx)
      throw fail('input', who, `has ${tokens.length} tokens; the context of ${model.name} holds ${model.config.nCtx}.`);
    if (tokens.length === 0) throw fail('input', who, 'has no tokens.');
    const single = (field: 'correct' | 'incorrect'): number | undefined => {
      const text = prompt[field];
      if (text === undefined) {
        if (metric.needs[field])
          throw fail(
            'input',
            who,
            `metric ${metric.name} needs ${field === 'correct' ? 'a correct' : 'an incorrect'} token; give --${field} or "${field}" in the prompts file.`,
          );
        return undefined;
      }
      return named(field, () => tokenizer.toSingleToken(text));
    };
    const correct = single('correct');
    const incorrect = single('incorrect');
    if (correct !== undefined && correct === incorrect)
      throw fail(
        'input',
        who,
        `correct and incorrect are the same token (${JSON.stringify(prompt.correct)}, ${JSON.stringify(prompt.incorrect)}); they must differ.`,
      );
    if (metric.name === 'cross-entropy' && correct === undefined && tokens.length < 2)
      throw fail('input', who, 'cross-entropy over a prompt needs at least 2 tokens.');
    const corrupted =
      prompt.corrupted === undefined
        ? undefined
        : named('corrupted', () => tokenizer.encode(prompt.corrupted as string));
    const position = model.config.mlmHead === true ? maskedPosition(model, tokens, who) : undefined;
    if (position !== undefined && metric.name === 'cross-entropy' && correct === undefined)
      throw fail(
        'input',
        who,
        'cross-entropy of a masked model needs a correct token; give --correct or "correct" in the prompts file.',
      );
    if (needsCorrupted && corrupted === undefined)
      throw fail(
        'input',
        who,
        'resample ablation needs a corrupted prompt; give --corrupted or "corrupted" in the prompts file.',
      );
    if (needsCorrupted && corrupted !== undefined && corrupted.length !== tokens.length) {
      throw fail(
        'input',
        who,
        `the corrupted prompt has ${corrupted.length} tokens, the prompt ${tokens.length}; resample ablation needs equal lengths.`,
      );
    }
    return { prompt, tokens, correct, incorrect, position, corrupted, strTokens: tokenizer.toStrTokens(tokens) };
  });
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
