/** What is asked of training data as plain data: for a thread that opens the same game. */
import { createDataGame, type BatchedDataGame } from './data-game.ts';
import type { Example } from './data-set.ts';
import type { ExamplePlayer } from './example-players.ts';
import { recipeOf, type RecipeSettings } from './recipes.ts';
import { testValueOf } from './test-values.ts';

/** A question whose recipe and value are known by name. */
export interface PlainDataQuestion {
  readonly train: readonly Example[];
  readonly test: readonly Example[];
  readonly players: readonly ExamplePlayer[];
  readonly recipe: string;
  readonly settings: RecipeSettings;
  readonly value: string;
  readonly seeds: readonly number[];
  readonly modelsAtOnce: number | undefined;
}

/** Its game. The caller disposes it. @throws 'input' for a name that is none, and as createDataGame. */
export function openPlainQuestion(question: PlainDataQuestion): BatchedDataGame {
  const { train, test, players, settings, seeds, modelsAtOnce } = question;
  return createDataGame({
    ...recipeOf(question.recipe).open(train, test, settings),
    players,
    training: settings.training,
    value: testValueOf(question.value),
    seeds,
    modelsAtOnce,
  });
}
