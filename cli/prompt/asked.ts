/** What the options of the prompt command ask of one prompt. */
import { readFileSync } from 'node:fs';
import { fail } from '../../src/errors.ts';
import type { ExplainPromptOptions } from '../../src/explain-prompt.ts';
import { absenceOf } from '../../src/lens/tokens/absences.ts';
import { UNITS, type Unit } from '../../src/lens/tokens/cut-text.ts';
import { parseSpans, unmark, type Span } from '../../src/lens/tokens/spans.ts';
import { textValueOf } from '../../src/lens/tokens/text-values.ts';
import type { QueueFlags } from '../queue-options.ts';
import {
  optional,
  runOptionsOf,
  solveOptionsOf,
  type OutputFlags,
  type RunFlags,
  type SolveFlags,
} from '../shared-options.ts';

export interface PromptFlags extends QueueFlags, SolveFlags, RunFlags, OutputFlags {
  readonly model: string;
  readonly prompt?: string;
  readonly promptFile?: string;
  readonly prompts?: string;
  readonly template?: string;
  readonly chat?: boolean;
  readonly answer?: string;
  readonly against?: string;
  readonly generate?: string;
  readonly value?: string;
  readonly players: string;
  readonly separator?: string;
  readonly spans?: string;
  readonly keepText?: string;
  readonly absent: string;
  readonly replace?: string;
  readonly corrupted?: string;
  readonly backend: string;
  readonly insist?: boolean;
}

/** The one prompt of a command without a list. */
export function promptOf({ prompt, promptFile }: PromptFlags): string {
  if ((prompt === undefined) === (promptFile === undefined))
    throw fail('input', '--prompt', 'or --prompt-file or --prompts is needed, and only one of them.');
  return prompt ?? readInput('--prompt-file', promptFile as string).replace(/\n$/, '');
}

/** What the flags ask of every prompt. @throws 'input' naming the option. */
export function askedOf(flags: PromptFlags): Omit<ExplainPromptOptions, 'prompt' | 'players'> {
  return {
    template: flags.template,
    chat: flags.chat,
    keepText: flags.keepText,
    separator: flags.separator?.replaceAll('\\n', '\n'),
    answer: flags.answer,
    against: flags.against,
    generate: optional('--generate', flags.generate),
    value: flags.value === undefined ? undefined : textValueOf(flags.value),
    absent: flags.absent === 'auto' ? undefined : absenceOf(flags.absent),
    replacement: flags.replace,
    corrupted: flags.corrupted,
    ...solveOptionsOf(flags),
    insist: flags.insist === true,
    ...runOptionsOf(flags),
  };
}

/** Spans of a file for every prompt. */
export function spansOf({ players, spans }: PromptFlags): Span[] | undefined {
  if (spans === undefined) return undefined;
  if (players !== 'words') throw fail('input', '--spans', `says what the players are; leave --players ${players} out.`);
  return parseSpans(readInput('--spans', spans), '--spans');
}

/** A prompt's text and its players. */
export function textOf(
  text: string,
  { players }: Pick<PromptFlags, 'players'>,
  spans: readonly Span[] | undefined,
): Pick<ExplainPromptOptions, 'prompt' | 'players'> {
  if (spans !== undefined) return { prompt: text, players: spans };
  if (players === 'marks') {
    const marked = unmark(text);
    return { prompt: marked.text, players: marked.spans };
  }
  if (players !== 'tokens' && !(UNITS as readonly string[]).includes(players))
    throw fail('input', '--players', `"${players}" is unknown; there are tokens, ${UNITS.join(', ')} and marks.`);
  return { prompt: text, players: players as Unit | 'tokens' };
}

/** A file's text. @throws 'input' in the name of `option`. */
export function readInput(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw fail('input', option, `${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}
