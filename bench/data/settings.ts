/** Games of training examples that several sections measure. */
import { readFileSync } from 'node:fs';
import { parseJsonl, type Example } from '../../src/lens/examples/data-set.ts';
import type { Asked } from '../../src/lens/examples/estimates/trained.ts';
import { clustersOf, groupsOf, type ExamplePlayer } from '../../src/lens/examples/example-players.ts';
import { RECIPES, type FreshRecipe, type RecipeSettings } from '../../src/lens/examples/recipes.ts';
import { TEST_VALUES } from '../../src/lens/examples/test-values.ts';
import type { Masks } from '../../src/masks.ts';

/** A table of markdown. */
export interface Table {
  readonly title?: string | undefined;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Setting {
  readonly title: string;
  readonly asked: Asked;
  readonly players: readonly ExamplePlayer[];
}

export function settingOf(
  title: string,
  recipe: FreshRecipe,
  all: readonly Example[],
  test: readonly Example[],
  players: (opened: ReturnType<FreshRecipe['open']>) => readonly ExamplePlayer[],
  change: Partial<RecipeSettings> = {},
  value: Asked['value'] = TEST_VALUES.margin,
): Setting {
  const settings = { ...recipe.defaults, ...change };
  const opened = recipe.open(all, test, settings);
  const seeds = Array.from({ length: settings.seeds }, (_, r) => r);
  return { title, asked: { ...opened, training: settings.training, value, seeds }, players: players(opened) };
}

/** Of few groups, whose every subset can be retrained. */
export function retrainedSettings(digits: readonly Example[]): Setting[] {
  const reviews = (file: string): Example[] => parseJsonl(readFileSync(`examples/reviews/${file}.jsonl`, 'utf8'), file);
  const clusters = (opened: ReturnType<FreshRecipe['open']>): ExamplePlayer[] =>
    clustersOf(opened.inputs, opened.width, 10, 0);
  return [
    settingOf('softmax, 300 digits in 10 clusters', RECIPES.softmax, digits.slice(0, 300), [digits[1007]], clusters),
    settingOf('mlp, 300 digits in 10 clusters', RECIPES.mlp, digits.slice(0, 300), [digits[1007]], clusters),
    settingOf(
      'transformer, reviews in 7 sources',
      RECIPES.transformer,
      reviews('train'),
      [reviews('test')[0]],
      () => groupsOf(reviews('train'), 'source'),
      { seeds: 1, dModel: 16, training: { ...RECIPES.transformer.defaults.training, epochs: 15 } },
      TEST_VALUES['log-odds'],
    ),
  ];
}

/** Of at most 32 players: each mask's bits, which number it among all. */
export function rowNumbers({ count, stride, words }: Masks): number[] {
  return Array.from({ length: count }, (_, row) => words[row * stride]);
}
