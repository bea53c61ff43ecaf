/** Sentences: those that come along, the twin of one with other people in it, its pair with the answers swapped, and the words that a question is about. */
import type { Prompt } from '../src/index.ts';
import { likeliest } from './next-words.ts';
import type { Look } from './run.ts';

const CAPITAL = /^ ?[A-Z][a-z]+$/;

/** The words that name people: those that the sentences say with a capital, but for their first. */
export function namesIn(prompts: readonly Prompt[]): string[] {
  const texts = prompts.flatMap(({ prompt, corrupted }) => [prompt, corrupted ?? '']);
  const words = texts.flatMap((text) => (typeof text === 'string' ? text.split(/\W+/).slice(1) : []));
  return [...new Set(words.filter((word) => CAPITAL.test(word)))];
}

/** `text` with another person at every name; undefined where none of `names` is in it, or too few are left. */
export function twinOf(text: string, names: readonly string[]): string | undefined {
  const own = new Set(text.split(/\W+/));
  const others = names.filter((name) => !own.has(name));
  let next = 0;
  const twin = text.replace(/[A-Z][a-z]+/g, (word) => (names.includes(word) ? (others[next++] ?? word) : word));
  return next > 0 && next <= others.length ? twin : undefined;
}

/**
 * `text` with the one of both answers that it says last, again, in place of the other: a sentence whose answers are swapped. Undefined
 * where it does not say both, or says neither again.
 */
export function pairOf(text: string, answers: readonly [string, string]): string | undefined {
  const said = [...text.matchAll(/\p{L}+/gu)].filter(([word]) => answers.includes(word));
  const last = said.at(-1);
  if (last === undefined || said.length < 3 || new Set(said.map(([word]) => word)).size < 2) return undefined;
  const other = answers.find((word) => word !== last[0]) as string;
  return text.slice(0, last.index) + other + text.slice(last.index + last[0].length);
}

/** Words to ask about: the likeliest answers and the names of the sentence, the likeliest first; and which of them is to be the wrong one. */
export function answersOf(
  look: Look,
  wordOf: (token: number) => string,
): { readonly words: readonly number[]; readonly correct: number; readonly incorrect: number } {
  const named = look.tokens.filter((token) => CAPITAL.test(wordOf(token)));
  const words = [...new Set([...likeliest(look, 8), ...named])].sort(
    (a, b) => look.probabilities[b] - look.probabilities[a],
  );
  const correct = words[0];
  const rivals = words.filter((token) => token !== correct);
  // a name of the sentence before any other word, and not its first word
  const rival = rivals.find((token) => look.tokens.slice(2).includes(token) && CAPITAL.test(wordOf(token)));
  return { words, correct, incorrect: rival ?? rivals[0] };
}
