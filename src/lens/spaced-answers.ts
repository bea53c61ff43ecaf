/** Answers that were given without the space that their prompts' next word would begin with. */
import type { Model } from '../model/model.ts';
import type { Prompt } from './prompts.ts';

/**
 * Which of the prompts' answers begin with a letter where the text before them ends without a space, although the answer with one is a
 * single token as well: one sentence, or undefined where none does. `Mary` and ` Mary` are two tokens, and a text goes on with the second.
 */
export function unspacedAnswers(
  { tokenizer }: Pick<Model, 'tokenizer'>,
  prompts: readonly Prompt[],
): string | undefined {
  if (tokenizer === undefined) return undefined;
  const single = (text: string): number | undefined => {
    try {
      return tokenizer.toSingleToken(text);
    } catch {
      return undefined;
    }
  };
  const unspaced = new Set<string>();
  for (const { prompt, correct, incorrect } of prompts) {
    if (typeof prompt !== 'string' || !/\S$/u.test(prompt)) continue;
    for (const answer of [correct, incorrect]) {
      if (typeof answer !== 'string' || !/^\p{L}/u.test(answer)) continue;
      const [bare, spaced] = [single(answer), single(` ${answer}`)];
      if (bare !== undefined && spaced !== undefined && bare !== spaced) unspaced.add(answer);
    }
  }
  if (unspaced.size === 0) return undefined;
  const names = [...unspaced].slice(0, 4).map((answer) => JSON.stringify(answer));
  const [first] = unspaced;
  return `The answers ${names.join(', ')} have no space before them, as a word after a text does; with one they are single tokens too, other ones: give " ${first}".`;
}
