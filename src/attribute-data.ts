/**
 * Which training examples act together: data and a recipe in, a Result out.
 *
 * encode -> who plays (each example, groups, clusters; thousands are screened by influence) -> open the game -> how noisy a training is
 * -> explain -> record. The command line (cli/data) and notebooks call this; it writes nothing but the run log.
 */
import { spectrumOfLeftOut } from './attribution/left-out.ts';
import type { Backend } from './backend/backend.ts';
import type { Finding } from './circuit/findings.ts';
import { fail } from './errors.ts';
import { settingsOf as checkedSettings, type ExplainOptions } from './explain.ts';
import { valuesOnly, type Game } from './game.ts';
import { explainOnThread } from './explain-on-thread.ts';
import type { OpenedLog } from './find-circuits.ts';
import { openLedger } from './ledger.ts';
import { createDataGame, type DataGameOptions } from './lens/examples/data-game.ts';
import type { Example } from './lens/examples/data-set.ts';
import { requireApart } from './lens/examples/duplicates.ts';
import { clustersOf, eachExample, groupsOf, type ExamplePlayer } from './lens/examples/example-players.ts';
import { estimateOf, ESTIMATES, type EstimateName } from './lens/examples/estimates/estimates.ts';
import { trainOnAll, type Trained } from './lens/examples/estimates/trained.ts';
import type { OpenedRecipe, Recipe, RecipeSettings } from './lens/examples/recipes.ts';
import { seedNoise, type SeedNoise } from './lens/examples/seed-noise.ts';
import { TEST_VALUES, type TestValue } from './lens/examples/test-values.ts';
import { inNotebook } from './notebook/progress-line.ts';
import { recordOf } from './report/record.ts';
import type { Result } from './report/result.ts';
import { backendFacts } from './run-facts.ts';
import { canonicalJson, type OwnStudy } from './study.ts';
import { sha256 } from './platform/hash.ts';
import type { FourierSpectrum } from './spectrum/spectrum.ts';

/** What attributeData is asked: the examples, who of them plays, how a model learns from them, what it is judged by. */
export interface AttributeDataOptions extends ExplainOptions {
  readonly train: readonly Example[];
  readonly test: readonly Example[];
  readonly recipe: Recipe;
  /** Over the recipe's defaults. */
  readonly settings?: Partial<RecipeSettings> | undefined;
  /** Who plays: every example (default), the values of a field (`label` too), or so many clusters of like examples. */
  readonly groups?: 'each' | { readonly field: string } | { readonly clusters: number } | undefined;
  /** Of single examples: how many play, the most influential ones; the others are always kept. */
  readonly screen?: number | undefined;
  /** Default margin. */
  readonly value?: TestValue | undefined;
  /** Estimates without retraining, whose sets are measured beside the answer's. */
  readonly estimates?: readonly EstimateName[] | undefined;
  /** What reports call the data; default the recipe. */
  readonly name?: string | undefined;
  readonly modelsAtOnce?: number | undefined;
  readonly command?: string | undefined;
  /** Opens the log that measured values go to, for this study. */
  readonly openLog?: ((study: OwnStudy) => Promise<OpenedLog> | OpenedLog) | undefined;
}

/** Shares of n log2 n up to which gradients predict better than the values that their time buys (bench/data.ts, prior). */
const SLOPED = 0.5;

/** Players of single examples at most, before they are screened. */
const MOST_SINGLE = 4096;

/**
 * Finds which training examples, or groups of them, make a model answer the test examples as it does.
 *
 * @example const result = await attributeData(backend, { train, test, recipe: RECIPES.softmax, groups: { field: 'source' } });
 * @throws SpexlensError on data that cannot be learned from, training that diverges, a budget too small, a log of another run, an abort.
 */
export function attributeData(backend: Backend, options: AttributeDataOptions): Promise<Result> {
  return inNotebook(options, (told) => takeApart(backend, told));
}

async function takeApart(backend: Backend, options: AttributeDataOptions): Promise<Result> {
  const startedAt = new Date();
  const { train, test, recipe, seed = 0, signal, onProgress, value = TEST_VALUES.margin } = options;
  const settings = settingsOf(recipe, options.settings);
  if (test.length === 0) throw fail('input', 'test', 'holds no example; one at least is needed.');
  requireApart(train, test);
  const opened = recipe.open(train, test, settings);
  const seeds = Array.from({ length: settings.seeds }, (_, r) => seed + r);
  const question = { ...opened, training: settings.training, value, seeds };
  const needsTrained = options.screen !== undefined || (options.estimates ?? []).length > 0;
  const trained = needsTrained ? await trainOnAll({ ...question, signal }) : undefined;
  try {
    const players = await playersOf(options, opened, trained);
    checkedSettings(options, players.length);
    const study = studyOf(backend, options, settings, players, value, seeds);
    const asked: DataGameOptions = { ...question, players, modelsAtOnce: options.modelsAtOnce };
    const game = createDataGame(asked);
    let log: OpenedLog | undefined;
    try {
      log = await options.openLog?.(study);
      const rivals = { ...options.rivals, ...(await rivalsOf(options, players, trained)) };
      onProgress?.({ stage: 'seed noise', done: 0, total: 1 });
      const noise = await seedNoise(asked, { seed, signal });
      onProgress?.({ stage: 'seed noise', done: 1, total: 1 });
      const explanation = await explainOnThread(openLedger(asAsked(game, options), log), {
        ...options,
        rivals,
        findings: [...(options.findings ?? []), ...noiseFinding(noise)],
        moreIsBetter: value.moreIsBetter,
      });
      return recordOf(explanation, {
        name: options.name ?? recipe.name,
        study,
        startedAt,
        command: options.command,
        options: optionsForRecord(options, settings, value),
        backend: backendFacts(backend, explanation),
        task: {
          prompts: promptsOf(test),
          metric: value.name,
          units: value.unit,
          ablation: 'left out of training',
          players: nounOf(options),
        },
        examples: examplesOf(players, train),
        seedNoise: noise,
      });
    } finally {
      log?.close();
      game[Symbol.dispose]();
    }
  } finally {
    trained?.[Symbol.dispose]();
  }
}

function settingsOf({ defaults }: Recipe, given: Partial<RecipeSettings> = {}): RecipeSettings {
  const settings = { ...defaults, ...given, training: { ...defaults.training, ...given.training } };
  const { seeds } = settings;
  if (!Number.isInteger(seeds) || seeds < 1 || seeds > 1000)
    throw fail('input', 'seeds', `${seeds}; a whole number from 1 to 1,000 is needed.`);
  return settings;
}

/** The game without its gradients, where a budget buys enough values: seven trainings for a gradient is dear. */
function asAsked(game: Game, { solver, budget = 1024, adaptive }: AttributeDataOptions): Game {
  const n = game.players.length;
  if (solver?.name === 'gradspex' || (adaptive?.maxBudget ?? budget) <= SLOPED * n * Math.log2(n)) return game;
  return valuesOnly(game);
}

async function playersOf(
  { train, groups = 'each', screen, seed = 0, signal }: AttributeDataOptions,
  opened: OpenedRecipe,
  trained: Trained | undefined,
): Promise<ExamplePlayer[]> {
  if (groups !== 'each') {
    if (screen !== undefined) throw fail('input', 'screen', 'chooses among single examples; leave the groups out.');
    return 'field' in groups
      ? groupsOf(train, groups.field)
      : clustersOf(opened.inputs, opened.width, groups.clusters, seed);
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
  const { scores } = await ESTIMATES.influence.scores(trained as Trained, { signal });
  const order = Array.from(scores.keys()).sort((a, b) => Math.abs(scores[b]) - Math.abs(scores[a]) || a - b);
  return eachExample(
    train,
    order.slice(0, screen).sort((a, b) => a - b),
  );
}

async function rivalsOf(
  { estimates = [], signal }: AttributeDataOptions,
  players: readonly ExamplePlayer[],
  trained: Trained | undefined,
): Promise<Record<string, FourierSpectrum>> {
  const rivals: Record<string, FourierSpectrum> = {};
  for (const name of estimates)
    rivals[name] = spectrumOfLeftOut(await estimateOf(name, trained as Trained, players, { signal }));
  return rivals;
}

function studyOf(
  backend: Backend,
  { train, test, name, recipe }: AttributeDataOptions,
  settings: RecipeSettings,
  players: readonly ExamplePlayer[],
  value: TestValue,
  seeds: readonly number[],
): OwnStudy {
  return {
    players: players.map((player) => player.name),
    lens: 'examples',
    data: name ?? recipe.name,
    train: sha256(canonicalJson(train)),
    test: sha256(canonicalJson(test)),
    rows: players.map(({ place }) => [...place.rows]),
    recipe: recipe.name,
    settings,
    value: value.name,
    seeds: [...seeds],
    backend: backend.name,
  };
}

function noiseFinding(noise: SeedNoise): Finding[] {
  const { sd, spread, ceiling, seeds, trainings } = noise;
  if (!(sd > 0)) return [];
  const many = seeds === 1 ? 'one training' : `the mean of ${seeds} trainings`;
  return [
    {
      kind: 'seed noise',
      text: `Other seeds move a value (${many}) by ${short(sd)}, where masks move it by ${short(spread)} (standard deviations, from ${trainings} trainings): no answer can have R² much above ${ceiling.toFixed(2)}.`,
    },
  ];
}

const short = (x: number): string => x.toPrecision(2);

const SHOWN = 8;

function promptsOf(test: readonly Example[]): Result['task']['prompts'] {
  return test.slice(0, SHOWN).map(({ text, vector, label }) => ({
    text: text ?? `a vector of ${vector?.length ?? 0} numbers`,
    tokens: [],
    correct: label,
  }));
}

/** Examples of a player that a page shows. */
const MOST_SHOWN = 4;

function examplesOf(players: readonly ExamplePlayer[], train: readonly Example[]): NonNullable<Result['examples']> {
  return players.map(({ place: { rows } }) => ({
    count: rows.length,
    shown: rows.slice(0, MOST_SHOWN).map((row) => {
      const { text, vector, label } = train[row];
      return {
        row,
        label,
        ...(text === undefined ? {} : { text }),
        ...(vector === undefined ? {} : { vector: [...vector] }),
      };
    }),
  }));
}

function nounOf({ groups = 'each' }: AttributeDataOptions): string {
  if (groups === 'each') return 'training examples';
  return 'field' in groups ? 'groups of examples' : 'clusters of examples';
}

function optionsForRecord(
  options: AttributeDataOptions,
  settings: RecipeSettings,
  value: TestValue,
): Readonly<Record<string, unknown>> {
  const { budget = 1024, heldOut = 512, target = 0.9, seed = 0, adaptive, solver, groups = 'each' } = options;
  return {
    recipe: options.recipe.name,
    settings,
    groups,
    screen: options.screen ?? null,
    value: value.name,
    estimates: options.estimates ?? [],
    solver: solver?.name ?? 'auto',
    selector: options.selector?.name ?? 'auto',
    budget,
    adaptive: adaptive ?? null,
    heldOut,
    target,
    seed,
    modelsAtOnce: options.modelsAtOnce ?? null,
  };
}
