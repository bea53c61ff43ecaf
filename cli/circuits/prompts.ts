/** Which prompts a run is about: of the command line, a file, a task of the literature, or the model's folder. */
import type { Command } from 'commander';
import { fail } from '../../src/errors.ts';
import { readPrompts, type Prompt } from '../../src/lens/prompts.ts';
import { promptsOfTask, taskOf } from '../../src/lens/tasks/task.ts';
import { TASKS } from '../../src/lens/tasks/tasks.ts';
import { tokenizerOf, type Model } from '../../src/model/model.ts';
import { chatPrompt } from '../../src/tokenizer/chat.ts';
import { whole } from '../command.ts';
import { namesOf } from '../shared-options.ts';

export interface PromptFlags {
  readonly model: string;
  readonly prompt?: string;
  readonly correct?: string;
  readonly incorrect?: string;
  readonly corrupted?: string;
  readonly prompts?: string;
  readonly task?: string;
  readonly pairs: string;
  readonly seed: string;
  readonly ids?: boolean;
  readonly chat?: boolean;
  readonly meanPrompts?: string;
}

export function addPromptOptions(command: Command): Command {
  return command
    .option('--prompt <text>', "prompt (default: the first 2 of the model folder's prompts.jsonl)")
    .option('--correct <token>', 'the token that should follow, e.g. " Mary"')
    .option('--incorrect <token>', 'the token it is compared with, e.g. " John"')
    .option('--corrupted <text>', 'prompt of as many tokens (default: of a pair whose answers are swapped, the other)')
    .option('--ids', '--prompt, --corrupted and the answers are token ids: --prompt 12,7,9 --correct 4')
    .option('--chat', "put every prompt through the model's own chat template, as what the user says")
    .option(
      '--prompts <file>',
      'JSONL of {prompt, correct, incorrect, corrupted?}; the value of a mask is the mean over them',
    )
    .option('--task <name>', `prompts of a task of the literature, for this tokenizer: ${namesOf(TASKS)}`)
    .option('--pairs <n>', 'pairs of prompts that --task makes', '1');
}

/** Lines of prompts.jsonl that a run without --prompt takes: a pair in which what merely favours one answer cancels. */
const DEFAULT_PROMPTS = 2;

/** The prompts that `flags` ask for. @throws 'input' for flags that exclude each other, and what their sources throw. */
export async function promptsOf(flags: PromptFlags, model: Model): Promise<Prompt[]> {
  const prompts = await given(flags, model);
  return flags.chat === true ? prompts.map((prompt) => inChat(prompt, model)) : prompts;
}

async function given(flags: PromptFlags, model: Model): Promise<Prompt[]> {
  if (flags.task !== undefined) {
    refuse(flags, '--task', 'makes its own prompts; leave --%s out.', [
      'prompts',
      'prompt',
      'correct',
      'incorrect',
      'corrupted',
    ]);
    const pairs = whole('--pairs', flags.pairs);
    return promptsOfTask(taskOf(flags.task, TASKS), tokenizerOf(model), pairs, whole('--seed', flags.seed));
  }
  if (flags.prompts !== undefined) {
    refuse(flags, '--prompts', 'cannot be combined with --%s; put it into the file.', [
      'prompt',
      'correct',
      'incorrect',
      'corrupted',
    ]);
    return readPrompts(flags.prompts);
  }
  const { prompt, correct, incorrect, corrupted } = flags;
  if (prompt === undefined) return bundled(flags);
  if (flags.ids !== true) return [{ prompt, correct, incorrect, corrupted }];
  return [
    {
      prompt: idsOf('--prompt', prompt),
      correct: correct === undefined ? undefined : whole('--correct', correct),
      incorrect: incorrect === undefined ? undefined : whole('--incorrect', incorrect),
      corrupted: corrupted === undefined ? undefined : idsOf('--corrupted', corrupted),
    },
  ];
}

async function bundled(flags: PromptFlags): Promise<Prompt[]> {
  const clash = (['correct', 'incorrect', 'corrupted'] as const).find((name) => flags[name] !== undefined);
  if (clash !== undefined) throw fail('input', `--${clash}`, 'needs --prompt beside it.');
  const prompts = await readPrompts(`${flags.model}/prompts.jsonl`).catch(() => []);
  if (prompts.length > 0) return prompts.slice(0, DEFAULT_PROMPTS);
  throw fail(
    'input',
    '--prompt',
    `is missing, and ${flags.model} has no prompts.jsonl to take one from; give --prompt, --prompts or --task (spexlens tasks lists them).`,
  );
}

/** @throws 'input' when one of `others` is given beside `option`; %s in `what` is its name. */
function refuse(flags: PromptFlags, option: string, what: string, others: readonly (keyof PromptFlags)[]): void {
  const clash = others.find((name) => flags[name] !== undefined);
  if (clash !== undefined) throw fail('input', option, what.replace('%s', clash));
}

/** Token ids from `12,7 9`. */
function idsOf(option: string, text: string): number[] {
  return text
    .trim()
    .split(/[\s,]+/)
    .map((id) => whole(option, id.replace(/[[\]]/g, '')));
}

/** The prompt as what a user says to a chat model, up to where the model answers. Answers and ids stay as they are. */
function inChat(prompt: Prompt, model: Model): Prompt {
  const asSaid = (text: Prompt['prompt']): Prompt['prompt'] =>
    typeof text === 'string'
      ? chatPrompt(tokenizerOf(model), [{ role: 'user', content: text }], { addGenerationPrompt: true }).ids
      : text;
  return {
    ...prompt,
    prompt: asSaid(prompt.prompt),
    ...(prompt.corrupted === undefined ? {} : { corrupted: asSaid(prompt.corrupted) }),
  };
}

/** What mean ablation averages over: the file given, else several prompts themselves, else the model folder's. */
export async function meanPromptsOf(flags: PromptFlags, prompts: readonly Prompt[]): Promise<Prompt[] | undefined> {
  if (flags.meanPrompts !== undefined) return readPrompts(flags.meanPrompts);
  if (prompts.length > 1) return undefined;
  return readPrompts(`${flags.model}/prompts.jsonl`).catch(() => undefined);
}
