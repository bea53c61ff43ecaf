/** What stands around a prompt and is always kept: a template, the model's own chat template, what a pattern matches. */
import { fail } from './errors.ts';
import { tokenizerOf, type Model } from './model/model.ts';
import { chatPrompt } from './tokenizer/chat.ts';
import type { Piece } from './lens/tokens/cut-text.ts';
import { fillTemplate, matchesOf } from './lens/tokens/spans.ts';
import type { TextPlayersOptions } from './lens/tokens/text-players.ts';

export interface FramingOptions {
  readonly prompt: string;
  /** Text around the prompt that is always kept, with {} in its place: "Review: {}\nSentiment:". */
  readonly template?: string | undefined;
  /** Put the prompt into the model's own chat template, as what the user says; the template is kept. */
  readonly chat?: boolean | undefined;
  /** A regular expression: what it matches is always kept. */
  readonly keepText?: string | undefined;
}

export interface FramedPrompt {
  readonly text: string;
  /** What the frame brought, and what is kept by pattern. */
  readonly kept: readonly Piece[];
  /** undefined: the tokenizer's policy; a chat template writes its own. */
  readonly bos: boolean | undefined;
}

/** The text that the model reads, and what of it is always kept. */
export function framePrompt(
  model: Model,
  { prompt, template, chat, keepText, players }: FramingOptions & Pick<TextPlayersOptions, 'players'>,
): FramedPrompt {
  const spans = typeof players === 'object';
  if (spans && (template !== undefined || chat === true))
    throw fail('input', 'spans', 'count characters of the whole prompt; write the template into the prompt instead.');
  let [before, after] = ['', ''];
  let bos: boolean | undefined;
  const inner = template === undefined ? prompt : fillTemplate(template, prompt);
  if (template !== undefined) [before, after] = template.split('{}');
  let text = inner;
  if (chat === true) {
    ({ text } = chatPrompt(tokenizerOf(model), [{ role: 'user', content: inner }], { addGenerationPrompt: true }));
    bos = false;
    const at = text.indexOf(inner);
    if (at === -1 || text.indexOf(inner, at + 1) !== -1)
      throw fail(
        'input',
        'chat',
        `the template of ${model.name} changes the prompt's text; write the conversation as the prompt instead.`,
      );
    [before, after] = [text.slice(0, at) + before, after + text.slice(at + inner.length)];
  }
  const kept: Piece[] = [
    { start: 0, end: before.length },
    { start: text.length - after.length, end: text.length },
  ].filter(({ start, end }) => end > start);
  if (keepText !== undefined) kept.push(...matchesOf(text, keepText));
  return { text, kept, bos };
}
