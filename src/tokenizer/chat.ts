/**
 * A conversation as the text, and ids, that a chat model was trained on: its own Jinja template, rendered.
 *
 * The template is the checkpoint's (tokenizer_config.json or chat_template.jinja), run by @huggingface/jinja, which
 * answers as transformers' apply_chat_template does. It is a program of the file's author: it runs bounded, and what
 * it refuses (roles that must alternate, say) is its own message. The text holds its special tokens as such, so
 * nothing is added around it.
 */
import { Template } from '@huggingface/jinja';
import { quote } from '../checkpoint/strict-json.ts';
import { fail } from '../errors.ts';
import { within } from '../platform/runtime.ts';
import type { Tokenizer } from './tokenizer.ts';

/** What one side of a conversation says. */
export interface ChatMessage {
  /** `user`, `assistant`, `system`, or what else the template knows. */
  readonly role: string;
  readonly content: string;
}

export interface ChatOptions {
  /** Whether the text ends where the assistant begins to answer; default false, as in transformers. */
  readonly addGenerationPrompt?: boolean;
  /** Which of several templates; default `default`, and `tool_use` where tools are given and it exists. */
  readonly template?: string;
  /** Functions that the model may call, as JSON schemas. */
  readonly tools?: readonly object[];
  /** Further variables of the template, e.g. `{ enable_thinking: false }`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

export interface ChatPrompt {
  readonly text: string;
  /** Special tokens of the text as such; BOS only where the template writes it. */
  readonly ids: number[];
  /** The name of the template. */
  readonly template: string;
}

/** A conversation renders in a millisecond; a template that takes longer than this does not end. */
const DEADLINE_MS = 5000;
const LENGTH_LIMIT = 16 << 20;

/**
 * The text and ids of `messages` by the tokenizer's own template.
 *
 * @example chatPrompt(tokenizer, [{ role: 'user', content: 'Who are you?' }], { addGenerationPrompt: true })
 * @throws 'input' for a tokenizer without a template, a name that is none of its templates, and what the template
 * itself refuses; 'checkpoint' for a template that cannot be run or does not end.
 */
export function chatPrompt(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  { addGenerationPrompt = false, template, tools, variables = {} }: ChatOptions = {},
): ChatPrompt {
  const name = templateName(tokenizer, template, tools !== undefined);
  const source = tokenizer.chatTemplates.get(name);
  if (source === undefined) {
    const names = [...tokenizer.chatTemplates.keys()].map(quote).join(', ');
    throw fail('input', 'chatPrompt', `there is no chat template ${quote(name)}; there are ${names}.`);
  }
  const text = render(source, {
    ...tokenizer.specialTokens,
    messages,
    tools: tools ?? null,
    documents: null,
    add_generation_prompt: addGenerationPrompt,
    ...variables,
  });
  return { text, ids: tokenizer.encode(text, { bos: false }), template: name };
}

function templateName({ chatTemplates }: Tokenizer, asked: string | undefined, tools: boolean): string {
  if (chatTemplates.size === 0) {
    throw fail(
      'input',
      'chatPrompt',
      'the tokenizer has no chat template; it should be in tokenizer_config.json or chat_template.jinja.',
    );
  }
  if (asked !== undefined) return asked;
  return tools && chatTemplates.has('tool_use') ? 'tool_use' : 'default';
}

const compiled = new Map<string, Template>();

function render(source: string, variables: Readonly<Record<string, unknown>>): string {
  let template = compiled.get(source);
  if (template === undefined) {
    try {
      template = new Template(source);
    } catch (error) {
      throw fail('checkpoint', 'chat template', `cannot be read: ${messageOf(error)}.`);
    }
    if (compiled.size > 16) compiled.clear();
    compiled.set(source, template);
  }
  const ready = template;
  let rendered: { readonly done: unknown } | undefined;
  try {
    rendered = within(DEADLINE_MS, () => ready.render({ ...variables }));
  } catch (error) {
    throw fail('input', 'chat template', `refuses these messages: ${messageOf(error)}.`);
  }
  if (rendered === undefined)
    throw fail('checkpoint', 'chat template', `did not end within ${DEADLINE_MS / 1000} s; it is damaged.`);
  const text = rendered.done;
  if (typeof text !== 'string' || text.length > LENGTH_LIMIT)
    throw fail('checkpoint', 'chat template', `made a text of more than ${LENGTH_LIMIT} characters; it is damaged.`);
  return text;
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ').slice(0, 300);
}
