/**
 * What is asked of training data, made ready: who plays, what is trained, and how a game of it is opened.
 *
 * A recipe is encoded and opened, and where estimates or a screening want it, trained on everything once; a function of somebody's own
 * (own-recipe.ts) is taken as it is.
 */
import { fail } from '../../errors.ts';
import { sha256 } from '../../platform/hash.ts';
import { canonicalJson, type OwnStudy } from '../../study.ts';
import { createDataGame, type DataGame } from './data-game.ts';
import type { Example } from './data-set.ts';
import { requireApart } from './duplicates.ts';
import { clustersOf, eachExample, groupsOf, type ExamplePlayer } from './example-players.ts';
import type { PriorName } from './estimates/estimate-prior.ts';
import { ESTIMATES, type EstimateName, type ScoreName } from './estimates/estimates.ts';
import { trainOnAll, type Trained } from './estimates/trained.ts';
import { createOwnDataGame, type TrainFunction } from './own-recipe.ts';
import type { PlainDataQuestion } from './plain-question.ts';
import { RECIPES, type OpenedRecipe, type Recipe, type RecipeSettings } from './recipes.ts';
import { TEST_VALUES, type TestValue } from './test-values.ts';

/** The examples, who of them plays, how a model learns from them, what it is judged by. */
export interface DataQuestionOptions {
  readonly train: readonly Example[];
  readonly test: readonly Example[];
  /** What is trained; or any function that trains on examples and gives a value. */
  readonly recipe: Recipe | TrainFunction;
  /** Over the recipe's defaults; of a function `seeds` alone. */
  readonly settings?: Partial<RecipeSettings> | undefined;
  /** Who plays: every example (default), the values of a field (`label` too), or so many clusters of like examples. */
  readonly groups?: 'each' | { readonly field: string } | { readonly clusters: number } | undefined;
  /** Of single examples: how many play, those that an estimate gives the largest scores, whatever their sign; the others are always kept. */
  readonly screen?: number | undefined;
  /** The estimate that says which those are; default influence. */
  readonly screenBy?: ScoreName | undefined;
  /** Default margin; a function has a value of its own. */
  readonly value?: TestValue | undefined;
  /** Estimates without retraining, whose sets are measured beside the answer's. */
  readonly estimates?: readonly EstimateName[] | undefined;
  /** Estimates that foretell values; the proxy learns what they leave. */
  readonly prior?: readonly PriorName[] | undefined;
  /** What reports call the data; default the recipe. */
  readonly name?: string | undefined;
  readonly modelsAtOnce?: number | undefined;
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A question that games can be opened of. */
export interface DataQuestion extends Disposable {
  readonly players: readonly ExamplePlayer[];
  readonly recipe: string;
  /** Of a recipe; a function has its seeds alone. */
  readonly settings: Partial<RecipeSettings>;
  readonly value: Pick<TestValue, 'name' | 'unit'> & { readonly moreIsBetter: boolean | undefined };
  readonly seeds: readonly number[];
  /** The models trained on everything, where an estimate, a prior or a screening wants them. */
  readonly trained: Trained | undefined;
  /** What values depend on, but for the backend. */
  readonly study: OwnStudy;
  /** The same as plain data; undefined where the recipe or the value is not one by name. */
  readonly plain: PlainDataQuestion | undefined;
  /** A game whose values are means over these seeds. The caller disposes it. */
  readonly open: (seeds: readonly number[]) => DataGame;
}

/** Players of single examples at most, before they are screened. */
const MOST_SINGLE = 4096;

/** The caller disposes it. @throws 'input' on data that cannot be learned from, or settings that are none. */
export async function openQuestion(options: DataQuestionOptions): Promise<DataQuestion> {
  const { train, test, recipe } = options;
  if (test.length === 0) throw fail('input', 'test', 'holds no example; one at least is needed.');
  requireApart(train, test);
  return typeof recipe === 'function' ? ownQuestion(options, recipe) : recipeQuestion(options, recipe);
}

async function recipeQuestion(options: DataQuestionOptions, recipe: Recipe): Promise<DataQuestion> {
  const { train, test, seed = 0, signal, value = TEST_VALUES.margin, modelsAtOnce } = options;
  const settings = settingsOf(recipe, options.settings);
  const opened = await recipe.open(train, test, settings);
  const seeds = seedsOf(settings.seeds, seed);
  const asked = { ...opened, training: settings.training, value, seeds };
  const isTrained = [options.estimates, options.prior].some((names) => names !== undefined && names.length > 0);
  const trained = isTrained || options.screen !== undefined ? await trainOnAll({ ...asked, signal }) : undefined;
  try {
    const players = await playersOf(options, opened, trained);
    return {
      players,
      recipe: recipe.name,
      settings,
      value,
      seeds,
      trained,
      study: {
        ...studyOf(options, recipe.name, players, seeds),
        settings,
        value: value.name,
        ...(recipe.model === undefined ? {} : { model: await recipe.model() }),
      },
      plain:
        hasOwn(RECIPES, recipe) && hasOwn(TEST_VALUES, value)
          ? { train, test, players, recipe: recipe.name, settings, value: value.name, seeds, modelsAtOnce }
          : undefined,
      open: (some) => createDataGame({ ...asked, players, modelsAtOnce, seeds: some }),
      [Symbol.dispose]: () => trained?.[Symbol.dispose](),
    };
  } catch (error) {
    trained?.[Symbol.dispose]();
    throw error;
  }
}

async function ownQuestion(options: DataQuestionOptions, recipe: TrainFunction): Promise<DataQuestion> {
  const { train, test, settings = {}, seed = 0 } = options;
  for (const field of ['screen', 'screenBy', 'value', 'estimates', 'prior', 'modelsAtOnce'] as const)
    if (options[field] !== undefined) throw fail('input', field, 'is for recipes; a function trains as it likes.');
  const [other] = Object.keys(settings).filter((key) => key !== 'seeds');
  if (other !== undefined) throw fail('input', 'settings', `${other} is for recipes; a function takes seeds alone.`);
  const name = recipe.name === '' ? 'own recipe' : recipe.name;
  const seeds = seedsOf(settings.seeds ?? 1, seed);
  const players = await playersOf(options, undefined, undefined);
  return {
    players,
    recipe: name,
    settings: { seeds: seeds.length },
    value: { name: 'value', unit: '', moreIsBetter: undefined },
    seeds,
    trained: undefined,
    study: { ...studyOf(options, name, players, seeds), definition: sha256(String(recipe)) },
    plain: undefined,
    open: (some) => createOwnDataGame({ name, train, test, players, recipe, seeds: some }),
    [Symbol.dispose]: () => undefined,
  };
}

/** Whether `one` is the table's own of its name. */
function hasOwn(table: Readonly<Record<string, unknown>>, one: { readonly name: string }): boolean {
  return Object.hasOwn(table, one.name) && table[one.name] === one;
}

function settingsOf({ defaults }: Recipe, given: Partial<RecipeSettings> = {}): RecipeSettings {
  return { ...defaults, ...given, training: { ...defaults.training, ...given.training } };
}

function seedsOf(count: number, first: number): number[] {
  if (!Number.isInteger(count) || count < 1 || count > 1000)
    throw fail('input', 'seeds', `${count}; a whole number from 1 to 1,000 is needed.`);
  return Array.from({ length: count }, (_, r) => first + r);
}

async function playersOf(
  given: DataQuestionOptions,
  opened: OpenedRecipe | undefined,
  trained: Trained | undefined,
): Promise<ExamplePlayer[]> {
  const { train, groups = 'each', screen, screenBy = 'influence', seed = 0, signal } = given;
  if (screen === undefined && given.screenBy !== undefined)
    throw fail('input', 'screenBy', 'says by what is screened; say with screen how many are to play.');
  if (groups !== 'each') {
    if (screen !== undefined) throw fail('input', 'screen', 'chooses among single examples; leave the groups out.');
    if ('field' in groups) return requireTwo(groupsOf(train, groups.field), groups.field);
    if (opened === undefined) throw fail('input', 'groups', 'of like examples need a recipe that encodes them.');
    return clustersOf(opened.inputs, opened.width, groups.clusters, seed);
  }
  if (screen === undefined) {
    if (train.length > MOST_SINGLE)
      throw fail(
        'input',
        'groups',
        `${train.length} single examples; at most ${MOST_SINGLE} play. Group them, or screen them by influence.`,
      );
    return eachExample(train);
  }
  if (!Number.isInteger(screen) || screen < 1 || screen > train.length)
    throw fail('input', 'screen', `${screen} of ${train.length} examples; a whole number from 1 on is needed.`);
  const { scores } = await ESTIMATES[screenBy].scores(trained as Trained, { signal });
  const order = Array.from(scores.keys()).sort((a, b) => Math.abs(scores[b]) - Math.abs(scores[a]) || a - b);
  return eachExample(
    train,
    order.slice(0, screen).sort((a, b) => a - b),
  );
}

/** @throws 'input' where all examples that have the field have the same. */
function requireTwo(players: ExamplePlayer[], field: string): ExamplePlayer[] {
  if (players.length < 2)
    throw fail(
      'input',
      'groups',
      `every example's "${field}" is "${players[0].name}"; groups of two names at least are needed.`,
    );
  return players;
}

/** What any values depend on. */
function studyOf(
  { train, test, name }: DataQuestionOptions,
  recipe: string,
  players: readonly ExamplePlayer[],
  seeds: readonly number[],
): OwnStudy {
  return {
    players: players.map((player) => player.name),
    lens: 'examples',
    data: name ?? recipe,
    train: sha256(canonicalJson(train)),
    test: sha256(canonicalJson(test)),
    rows: players.map(({ place }) => [...place.rows]),
    recipe,
    seeds: [...seeds],
  };
}
