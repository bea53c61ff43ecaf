/**
 * What is trained, by name: a model and how it learns, every number of it in the record.
 *
 * A recipe is plain settings; `open` makes of them and of the data what the game trains. Somebody's own is an object of this kind.
 */
import { fail } from '../../errors.ts';
import type { Architecture } from '../../train/architecture.ts';
import { createPerceptron } from '../../train/perceptron.ts';
import type { Training } from '../../train/schedule.ts';
import { createTinyTransformer } from '../../train/tiny-transformer.ts';
import type { Example } from './data-set.ts';
import { encodeVectors, encodeWords, type Encoded } from './encode.ts';

/** Everything that a recipe can be told. */
export interface RecipeSettings {
  readonly training: Training;
  /** Trainings of a mask, whose mean counts. */
  readonly seeds: number;
  /** Widths of hidden layers. */
  readonly hidden?: readonly number[] | undefined;
  readonly activation?: 'silu' | 'tanh' | 'relu' | undefined;
  /** Vectors as they are, or each column to mean 0 and deviation 1. */
  readonly scale?: 'none' | 'standard' | undefined;
  readonly layers?: number | undefined;
  readonly dModel?: number | undefined;
  readonly heads?: number | undefined;
  /** Of a transformer: what the loss at a word counts where the answer's counts 1. */
  readonly wordWeight?: number | undefined;
}

export interface OpenedRecipe extends Encoded {
  readonly architecture: Architecture;
}

/** A model that learns from examples, and how. */
export interface Recipe {
  readonly name: string;
  /** What it is, for --help. */
  readonly about: string;
  readonly defaults: RecipeSettings;
  /** @throws 'input' on data that it cannot learn from. */
  open(train: readonly Example[], test: readonly Example[], settings: RecipeSettings): OpenedRecipe;
}

const vectors = (name: string, about: string, defaults: RecipeSettings): Recipe => ({
  name,
  about,
  defaults,
  open(train, test, { hidden = [], activation, scale = 'standard' }) {
    const encoded = encodeVectors(train, test, { scale });
    const { width, classes } = encoded;
    return {
      ...encoded,
      architecture: createPerceptron({ inputs: width, classes: classes.length, hidden, activation }),
    };
  },
});

/** The recipes by name. */
export const RECIPES = {
  softmax: vectors('softmax', 'softmax regression on vectors, or on the words of a text', {
    training: {
      optimiser: { kind: 'sgd', learningRate: 0.5, momentum: 0.9, weightDecay: 0.001 },
      epochs: 100,
    },
    seeds: 1,
    scale: 'standard',
  }),
  mlp: vectors('mlp', 'a perceptron with hidden layers, on the same', {
    training: {
      optimiser: { kind: 'sgd', learningRate: 0.1, momentum: 0.9, weightDecay: 0.0005 },
      epochs: 20,
      batchSize: 64,
      schedule: 'cosine',
    },
    seeds: 3,
    hidden: [32],
    activation: 'silu',
    scale: 'standard',
  }),
  transformer: {
    name: 'transformer',
    about: 'a small transformer on texts of words, each answered by its label',
    defaults: {
      training: {
        optimiser: { kind: 'adamw', learningRate: 0.003, betas: [0.9, 0.98], eps: 1e-4, weightDecay: 0.01 },
        epochs: 40,
        batchSize: 32,
        schedule: 'cosine',
      },
      seeds: 3,
      layers: 2,
      dModel: 32,
      heads: 2,
      wordWeight: 0.1,
    },
    open(train, test, { layers = 2, dModel = 32, heads = 2, wordWeight = 0.1 }) {
      const encoded = encodeWords(train, test, { wordWeight });
      const { classes, context } = encoded;
      return {
        ...encoded,
        architecture: createTinyTransformer({ vocabulary: classes.length, context, layers, dModel, heads }),
      };
    },
  },
} as const satisfies Readonly<Record<string, Recipe>>;

/** @throws 'input' for a name that is none. */
export function recipeOf(name: string): Recipe {
  if (!Object.hasOwn(RECIPES, name))
    throw fail('input', 'recipe', `"${name}" is unknown; there are ${Object.keys(RECIPES).join(', ')}.`);
  return RECIPES[name as keyof typeof RECIPES];
}
