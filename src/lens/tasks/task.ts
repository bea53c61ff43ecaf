/**
 * Tasks of the literature as prompts for whatever tokenizer a model has: a template draws two texts that differ in what decides
 * the answer, and is asked for as many pairs as are wanted.
 *
 * Each pair gives two prompts: what merely favours one answer cancels over the pair. Their corrupted prompt is a text in which
 * nothing decides the answer, as the literature has it, or else each is the other's. The
 * tokenizer decides where a prompt ends: the longest common beginning of the text with the right and with the wrong answer, so
 * that both answers are single tokens that stand at the same place, whether a space is theirs or the prompt's. Pairs whose
 * prompts differ in length, or have a word that the tokenizer does not know, are drawn again.
 */
import { closest, fail, SpexlensError } from '../../errors.ts';
import { createRandom, type Random } from '../../random.ts';
import type { Prompt } from '../prompts.ts';

/** What a task needs of a tokenizer. */
export interface TaskTokenizer {
  encode(text: string): number[];
  decode(ids: readonly number[]): string;
}

/** One text and how it goes on, rightly and wrongly. */
export interface Continuation {
  readonly text: string;
  readonly correct: string;
  readonly incorrect: string;
  /** Whether the first tokens of the answers say enough, where a tokenizer cuts them, and may hold the text's end: numbers. */
  readonly byFirstToken?: boolean;
}

export interface TaskTemplate {
  readonly name: string;
  /** What the model has to do, in one line. */
  readonly about: string;
  /** Paper. */
  readonly source: string;
  /** Two texts that differ in what decides the answer, and one in which nothing decides it; without that, each is the other's twin. */
  draw(random: Random): Draw;
}

export interface Draw {
  readonly pair: readonly [Continuation, Continuation];
  readonly neutral?: string | undefined;
}

/** Pairs drawn per pair wanted, at most: beyond, the tokenizer does not have the words, or not as single tokens. */
const TRIES = 60;

/**
 * `pairs` pairs of prompts of `template`, two prompts each, all different.
 * @throws 'input' when the tokenizer does not know the template's words, or cuts them so that no pair fits.
 */
export function promptsOfTask(template: TaskTemplate, tokenizer: TaskTokenizer, pairs: number, seed: number): Prompt[] {
  if (!Number.isInteger(pairs) || pairs < 1 || pairs > 1000)
    throw fail('input', 'pairs', `${pairs}; a whole number from 1 to 1,000 is needed.`);
  const random = createRandom(seed, `task ${template.name}`);
  const seen = new Set<string>();
  const prompts: Prompt[] = [];
  let unknown: string | undefined;
  for (let tries = 0; prompts.length < 2 * pairs; tries++) {
    if (tries === TRIES * pairs) {
      const what = `${prompts.length / 2} of ${pairs} pairs fit this tokenizer after ${tries} draws`;
      const last = unknown === undefined ? '' : ` (${unknown.replace(/\.$/, '')})`;
      throw fail('input', `task ${template.name}`, `${what}${last}; ask for fewer pairs, or use another task.`);
    }
    const drawn = template.draw(random);
    let settled: ReturnType<typeof settlePair>;
    try {
      settled = settlePair(tokenizer, drawn);
    } catch (error) {
      // A tokenizer of whole words does not know them all: what it does not is drawn again, as what another one cuts.
      if (!(error instanceof SpexlensError && error.kind === 'input')) throw error;
      unknown = error.message;
      continue;
    }
    if (settled === undefined || seen.has(settled.key)) continue;
    seen.add(settled.key);
    prompts.push(...settled.prompts);
  }
  return prompts;
}

/** The two prompts of a draw, and what tells it from others; undefined where it does not fit the tokenizer. @throws 'input' on a word it does not know. */
function settlePair(
  tokenizer: TaskTokenizer,
  { pair, neutral }: Draw,
): { readonly key: string; readonly prompts: readonly Prompt[] } | undefined {
  const [a, b] = pair.map((each) => settle(tokenizer, each));
  if (a === undefined || b === undefined || a.ids.length !== b.ids.length) return undefined;
  const third = neutral === undefined ? undefined : neutralOf(tokenizer, neutral, pair[0], a);
  if (neutral !== undefined && third === undefined) return undefined;
  if (a.ids.join() === b.ids.join()) return undefined;
  return {
    key: [a.ids.join(), b.ids.join()].sort().join('|'),
    prompts: [
      { ...a.prompt, corrupted: third ?? b.prompt.prompt },
      { ...b.prompt, corrupted: third ?? a.prompt.prompt },
    ],
  };
}

interface Settled {
  readonly ids: readonly number[];
  readonly prompt: { readonly prompt: string | number[]; readonly correct: number; readonly incorrect: number };
}

/** The prompt and the two answer tokens; undefined where an answer is cut, begins in the midst of a token, or like the other. */
function settle(
  tokenizer: TaskTokenizer,
  { text, correct, incorrect, byFirstToken }: Continuation,
): Settled | undefined {
  const [right, wrong] = [correct, incorrect].map((answer) => tokenizer.encode(text + answer));
  let shared = 0;
  while (shared < right.length && shared < wrong.length && right[shared] === wrong[shared]) shared++;
  if (shared === 0 || right[shared] === undefined || wrong[shared] === undefined) return undefined;
  const own = tokenizer.encode(text);
  const ids = right.slice(0, shared);
  const isText = own.length === shared && own.every((id, i) => id === ids[i]);
  if (byFirstToken !== true) {
    const whole = right.length === shared + 1 && wrong.length === shared + 1;
    const begins = own.length <= shared && own.every((id, i) => id === ids[i]);
    if (!whole || !begins || tokenizer.decode(ids.slice(own.length)).trim() !== '') return undefined;
  }
  return { ids, prompt: { prompt: isText ? text : ids, correct: right[shared], incorrect: wrong[shared] } };
}

/** The text in which nothing decides, cut where the pair is cut; undefined where it has another length. */
function neutralOf(
  tokenizer: TaskTokenizer,
  text: string,
  { correct }: Continuation,
  { ids, prompt }: Settled,
): string | number[] | undefined {
  if (typeof prompt.prompt === 'string') return tokenizer.encode(text).length === ids.length ? text : undefined;
  const cut = tokenizer.encode(text + correct).slice(0, ids.length);
  return cut.length === ids.length && tokenizer.encode(text).length <= ids.length ? cut : undefined;
}

/** A task by name. @throws 'input' for an unknown one, with suggestions. */
export function taskOf(name: string, tasks: Readonly<Record<string, TaskTemplate>>): TaskTemplate {
  if (Object.hasOwn(tasks, name)) return tasks[name];
  const names = Object.keys(tasks);
  throw fail(
    'input',
    'task',
    `"${name}" is unknown; did you mean ${closest(name, names)[0]}? There are ${names.join(', ')}.`,
  );
}
