/** Games of the lenses on threads: the same answers up to rounding. */
import { fail } from '../errors.ts';
import { createModelGame, type ModelGame, type ModelGameOptions } from '../lens/components/model-game.ts';
import { isPlain, questionOf } from '../lens/components/question.ts';
import type { BatchedDataGame } from '../lens/examples/data-game.ts';
import { openPlainQuestion, type PlainDataQuestion } from '../lens/examples/plain-question.ts';
import { createPromptGame, type PromptGame, type PromptGameOptions } from '../lens/tokens/prompt-game.ts';
import { promptQuestionOf } from '../lens/tokens/question.ts';
import { isNamedValue } from '../lens/tokens/text-values.ts';
import type { Model } from '../model/model.ts';
import { pooled, type Pooled, type PoolOptions } from './on-threads.ts';

export { canPool, type PoolOptions } from './on-threads.ts';

/** A game over parts of a model or its edges, on threads. */
export type PooledGame = Pooled<ModelGame>;

/**
 * createModelGame on threads; the same answers up to rounding. The caller disposes it, which ends the threads (the model stays the caller's).
 *
 * @throws as createModelGame; 'backend' where the backend has cores to itself already; 'input' for a metric that is not one by name.
 */
export function createPooledGame(model: Model, options: ModelGameOptions, pool: PoolOptions = {}): PooledGame {
  const open = (): ModelGame => {
    if (!isPlain(options))
      throw fail(
        'input',
        'threads',
        `take metrics and ablations that are known by name, and ${options.metric.name} with ${options.ablation.name} is not; use metricOf and ablationOf, or threads 1.`,
      );
    return createModelGame(model, options);
  };
  const { byteLimit, stateBytes, without } = options;
  return pooled<ModelGame>(
    model,
    {
      open,
      asked: ({ batchSize }) => ({
        lens: 'components',
        question: questionOf(options),
        execution: { batchSize, byteLimit, stateBytes, without },
      }),
    },
    pool,
  );
}

/** The parts of a prompt as players, on threads. */
export type PooledPromptGame = Pooled<PromptGame>;

/**
 * createPromptGame on threads. The caller disposes it, which ends the threads (the model stays the caller's).
 *
 * @throws as createPromptGame; 'backend' where the backend has cores to itself already; 'input' for a value that is not one by name.
 */
export function createPooledPromptGame(
  model: Model,
  options: PromptGameOptions,
  pool: PoolOptions = {},
): PooledPromptGame {
  const open = (): PromptGame => {
    if (!isNamedValue(options.value))
      throw fail(
        'input',
        'threads',
        `take values that are known by name, and ${options.value.name} is a function of your own; use threads 1.`,
      );
    return createPromptGame(model, options);
  };
  const { batchSize, byteLimit, without } = options;
  // What an absence is called matters to nobody there: its tokens are written out.
  const question = (): ReturnType<typeof promptQuestionOf> => promptQuestionOf(options, options.standIn.kind);
  return pooled<PromptGame>(
    model,
    {
      open,
      asked: () => ({ lens: 'tokens', question: question(), execution: { batchSize, byteLimit, without } }),
    },
    pool,
  );
}

/** Training examples as players, whose models are trained on threads. */
export type PooledDataGame = Pooled<BatchedDataGame>;

/**
 * The game of a question of training data on threads, each of which trains models many at once. The caller disposes it, which ends the threads.
 *
 * @throws as createDataGame; 'backend' where the backend has cores to itself already.
 */
export function createPooledDataGame(question: PlainDataQuestion, pool: PoolOptions = {}): PooledDataGame {
  const open = (): BatchedDataGame => openPlainQuestion(question);
  return pooled<BatchedDataGame>(undefined, { open, asked: () => ({ lens: 'examples', question }) }, pool);
}
