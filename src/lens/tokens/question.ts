/**
 * A prompt game and its question: what a study holds of it, and back.
 *
 * What stands in for an absent token is written out id by id, so that an absence of somebody's own can be made again too; a
 * value that is not known by its name stands there by the hash of its source, and cannot.
 */
import { fail } from '../../errors.ts';
import { sha256 } from '../../platform/hash.ts';
import type { PromptQuestion } from '../../study.ts';
import type { PromptGameOptions } from './prompt-game.ts';
import { isNamedValue, textValueOf, type TextValue } from './text-values.ts';

/** What is asked by these options under an absence of this name. */
export function promptQuestionOf(options: PromptGameOptions, absence: string): PromptQuestion {
  const { players, tokens, owners, position, standIn, value, answer, against } = options;
  return {
    lens: 'tokens',
    players: players.map(({ name, place }) => ({ name, place })),
    tokens: [...tokens],
    owners: [...owners],
    position: position ?? null,
    answer: [...answer],
    against: [...against],
    value: { name: value.name, definition: isNamedValue(value) ? null : definitionOf(value) },
    absence: { name: absence, standIn },
  };
}

/** The options that a question asks for. @throws 'input' for a value that is not known by its name, and parts that do not fit. */
export function promptOptionsOf(question: PromptQuestion): PromptGameOptions {
  const { players, tokens, owners, position, answer, against, value, absence } = question;
  if (value.definition !== null)
    throw fail(
      'input',
      'value',
      `"${value.name}" is a function of somebody's program; only ones known by name can be made again.`,
    );
  if (owners.length !== tokens.length || owners.some((owner) => owner >= players.length))
    throw fail(
      'input',
      'question',
      `has ${owners.length} owners among ${players.length} players for ${tokens.length} tokens.`,
    );
  return {
    players: players.map(({ name, place }) => {
      if (place.kind !== 'span')
        throw fail('input', 'question', `player "${name}" is a ${place.kind}, not a span of the text.`);
      return { name, place };
    }),
    tokens,
    owners,
    position: position ?? undefined,
    standIn: absence.standIn,
    value: textValueOf(value.name),
    answer,
    against,
  };
}

/** SHA-256 of the source of a value's functions and the rest of it as JSON. */
function definitionOf(value: TextValue): string {
  const parts = Object.entries(value).map(([key, part]: [string, unknown]) => {
    const source = typeof part === 'function' ? String(part as () => unknown) : JSON.stringify(part);
    return `${key}: ${source}\n`;
  });
  return sha256(...parts);
}
