/**
 * The game that a study asks for, on this thread or on several: the one place that knows which lens a question belongs to.
 */
import { fail } from '../errors.ts';
import { createModelGame, type ModelGame, type ModelGameOptions } from '../lens/components/model-game.ts';
import { isPlain, optionsOf } from '../lens/components/question.ts';
import type { DataGame } from '../lens/examples/data-game.ts';
import type { DataQuestion } from '../lens/examples/question.ts';
import { RECIPES } from '../lens/examples/recipes.ts';
import { createPromptGame, type PromptGame, type PromptGameOptions } from '../lens/tokens/prompt-game.ts';
import { promptOptionsOf } from '../lens/tokens/question.ts';
import { isNamedValue } from '../lens/tokens/text-values.ts';
import type { Model } from '../model/model.ts';
import type { Question } from '../study.ts';
import {
  canPool,
  createPooledDataGame,
  createPooledGame,
  createPooledPromptGame,
  type PooledGame,
} from './pooled-game.ts';

/** How it is measured; no value depends on it beyond rounding. */
export interface Execution {
  /** Masks per forward pass; from the byte estimate when absent. */
  readonly batchSize?: number | undefined;
  /** Threads that measure, on wasm and cpu; default 'auto': this one, and the machine's cores once that is worth it. */
  readonly threads?: number | 'auto' | undefined;
}

/** A game that owns what it measures with. */
export type OpenedGame = ModelGame & Partial<Pick<PooledGame, 'threads' | 'alone'>>;

/** The same of a text. */
export type OpenedPrompt = PromptGame & Partial<Pick<PooledGame, 'threads' | 'alone'>>;

/**
 * Makes the game of `question` over `model`; the caller disposes it (the model stays the caller's).
 * @throws 'input' for a metric or an ablation that no name is known of, and what the lens's game throws.
 */
export function openGame(question: Question, model: Model, execution: Execution = {}): OpenedGame | OpenedPrompt {
  switch (question.lens) {
    case 'components':
      return openComponents(optionsOf(question), model, execution);
    case 'tokens':
      return openPrompt(promptOptionsOf(question), model, execution);
    default:
      return question satisfies never;
  }
}

/** The game over parts or edges of `options`. Backends that use every core themselves, and what only a program knows, have this thread. */
export function openComponents(
  options: ModelGameOptions,
  model: Model,
  { batchSize, threads = 'auto' }: Execution,
): OpenedGame {
  const own = { ...options, batchSize };
  return threads === 1 || (threads === 'auto' && (!canPool() || !isPlain(options)))
    ? createModelGame(model, own)
    : createPooledGame(model, own, { threads });
}

/** The game over the parts of a prompt, as openComponents. */
export function openPrompt(
  options: PromptGameOptions,
  model: Model,
  { batchSize, threads = 'auto' }: Execution,
): OpenedPrompt {
  const own = { ...options, batchSize };
  return threads === 1 || (threads === 'auto' && (!canPool() || !isNamedValue(options.value)))
    ? createPromptGame(model, own)
    : createPooledPromptGame(model, own, { threads });
}

/** A game of training data. */
export type OpenedData = DataGame & Partial<Pick<PooledGame, 'threads' | 'alone'>>;

/**
 * The game of training data that `question` asks; the caller disposes it. A recipe or a value that only a program knows has this thread.
 * @throws 'input' where threads are asked for and it has none by name.
 */
export function openData(
  { recipe, plain, seeds, open }: Pick<DataQuestion, 'recipe' | 'plain' | 'seeds' | 'open'>,
  { threads = 'auto' }: Pick<Execution, 'threads'> = {},
): OpenedData {
  if (threads === 1 || (threads === 'auto' && (plain === undefined || !canPool()))) return open(seeds);
  if (plain === undefined)
    throw fail(
      'input',
      'threads',
      `train recipes and values that are known by name (${Object.keys(RECIPES).join(', ')}), and ${recipe} or its value is not; leave them out.`,
    );
  return createPooledDataGame(plain, { threads });
}
