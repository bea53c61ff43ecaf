/**
 * An answer as the tokens that follow a prompt.
 *
 * They are those of the prompt and the answer tokenized together, less the prompt's own; where the two would grow together
 * (a prompt that ends in a space), those of the answer alone. A masked-LM model answers with the one token at its mask.
 */
import { fail, SpexlensError } from '../../errors.ts';
import { tokenizerOf, type Model } from '../../model/model.ts';
import { toSequences, toSingleToken } from '../../model/tokens.ts';
import type { PlayedText } from './text-players.ts';

/** Token ids of `text` after the prompt. @throws 'input' for an empty answer, or one that is not in the vocabulary. */
export function answerTokens(
  model: Model,
  { text: prompt, tokens }: Pick<PlayedText, 'text' | 'tokens'>,
  text: string,
  who: string,
  bos?: boolean,
): readonly number[] {
  if (text === '') throw fail('input', who, 'is empty; give the text that should follow, e.g. " positive".');
  try {
    if (model.config.mlmHead === true) return [toSingleToken(model, text)];
    const tokenizer = tokenizerOf(model);
    const together = encodedOr([], () => tokenizer.encode(prompt + text, bos === undefined ? {} : { bos }));
    const goesOn = together.length > tokens.length && tokens.every((id, i) => id === together[i]);
    const ids = goesOn ? together.slice(tokens.length) : tokenizer.encode(text, { bos: false, unknown: 'error' });
    return toSequences(model, [ids])[0];
  } catch (error) {
    if (!(error instanceof SpexlensError)) throw error;
    throw fail(error.kind, who, error.message.replace(/^[^:]*: /, ''));
  }
}

/** `otherwise` where the prompt's last word and the answer make one that no token stands for: the answer alone is looked up then. */
function encodedOr(otherwise: readonly number[], encode: () => readonly number[]): readonly number[] {
  try {
    return encode();
  } catch (error) {
    if (error instanceof SpexlensError) return otherwise;
    throw error;
  }
}

/** Both answers where a value needs them. @throws 'input' for one that is missing, not asked for, or the same as the other. */
export function checkAnswers(
  needs: { readonly answer: boolean; readonly against: boolean },
  value: string,
  answer: readonly number[],
  against: readonly number[],
): void {
  if (needs.answer && answer.length === 0)
    throw fail(
      'input',
      'answer',
      `${value} needs one; give the text that should follow, or have the model generate it.`,
    );
  if (needs.against && against.length === 0)
    throw fail('input', 'against', `${value} needs a second answer to compare with.`);
  if (!needs.against && against.length > 0)
    throw fail('input', 'against', `${value} looks at one answer; use contrast for two.`);
  if (against.length > 0 && against.join() === answer.join())
    throw fail('input', 'against', 'is the same as the answer; they must differ.');
}
