/**
 * What is trained, by name: a model and how it learns, every number of it in the record.
 *
 * A recipe is plain settings; `open` makes of them and of the data what the game trains. Somebody's own is an object of this kind.
 */
import { fail } from '../../errors.ts';
import type { ModelIdentity } from '../../study.ts';
import type { Architecture } from '../../train/architecture.ts';
import { createPerceptron } from '../../train/perceptron.ts';
import type { Training } from '../../train/schedule.ts';
import { createTinyTransformer } from '../../train/tiny-transformer.ts';
import type { Example } from './data-set.ts';
import { encodeVectors, encodeWords, type Encoded } from './encode.ts';
import type { Tuning } from './tuned-model.ts';

/** What goes on training a loaded model is called (fine-tune.ts): it needs one, so it is not among RECIPES. */
export const FINE_TUNE = 'finetune';

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
  /** Of a transformer: how many; of a loaded model: how many are trained, from the last one. */
  readonly layers?: number | undefined;
  readonly dModel?: number | undefined;
  readonly heads?: number | undefined;
  /** Of texts: what the loss at a word counts where the answer's counts 1. */
  readonly wordWeight?: number | undefined;
  /** Of a loaded model: adapters, whole blocks, or all of it. */
  readonly tune?: Tuning | undefined;
  /** Of adapters. */
  readonly rank?: number | undefined;
  readonly alpha?: number | undefined;
}

export interface OpenedRecipe extends Omit<Encoded, 'classes'> {
  readonly architecture: Architecture;
}

/** A model that learns from examples, and how. */
export interface Recipe {
  readonly name: string;
  /** What it is, for --help. */
  readonly about: string;
  readonly defaults: RecipeSettings;
  /** Of one that starts from a loaded model: which that is, for the record. */
  readonly model?: (() => Promise<ModelIdentity>) | undefined;
  /** @throws 'input' on data that it cannot learn from. */
  open(
    train: readonly Example[],
    test: readonly Example[],
    settings: RecipeSettings,
  ): OpenedRecipe | Promise<OpenedRecipe>;
}

/** One that starts from nothing. */
export interface FreshRecipe extends Recipe {
  open(train: readonly Example[], test: readonly Example[], settings: RecipeSettings): OpenedRecipe;
}

const vectors = (name: string, about: string, defaults: RecipeSettings): FreshRecipe => ({
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
} as const satisfies Readonly<Record<string, FreshRecipe>>;

/** @throws 'input' for a name that is none. */
export function recipeOf(name: string): FreshRecipe {
  if (!Object.hasOwn(RECIPES, name))
    throw fail(
      'input',
      'recipe',
      `"${name}" is unknown; there are ${Object.keys(RECIPES).join(', ')} and, of a loaded model, ${FINE_TUNE}.`,
    );
  return RECIPES[name as keyof typeof RECIPES];
}
