/**
 * Which training examples act together: data and a recipe in, a Result out.
 *
 * encode -> who plays (each example, groups, clusters; thousands are screened by influence) -> open the game -> how noisy a training is
 * -> explain -> record. The command line (cli/data) and notebooks call this; it writes nothing but the run log.
 */
import { spectrumOfLeftOut } from './attribution/left-out.ts';
import type { Backend } from './backend/backend.ts';
import type { Finding } from './circuit/findings.ts';
import { settingsOf as checkedSettings, type ExplainOptions } from './explain.ts';
import { fail } from './errors.ts';
import { valuesOnly, type Game } from './game.ts';
import { explainOnThread } from './explain-on-thread.ts';
import type { OpenedLog } from './find-circuits.ts';
import { openLedger } from './ledger.ts';
import type { Example } from './lens/examples/data-set.ts';
import type { ExamplePlayer } from './lens/examples/example-players.ts';
import { estimatePrior, type PriorName } from './lens/examples/estimates/estimate-prior.ts';
import { estimateOf, type EstimateOptions } from './lens/examples/estimates/estimates.ts';
import type { Trained } from './lens/examples/estimates/trained.ts';
import { openQuestion, type DataQuestion, type DataQuestionOptions } from './lens/examples/question.ts';
import { seedNoise, type SeedNoise } from './lens/examples/seed-noise.ts';
import { openData, type OpenedData } from './measure/open-game.ts';
import { inNotebook } from './notebook/progress-line.ts';
import type { Prior } from './proxy/prior/prior.ts';
import { recordOf } from './report/record.ts';
import type { Result } from './report/result.ts';
import { backendFacts } from './run-facts.ts';
import { autoSolver, withPrior } from './solve/auto.ts';
import type { Solver } from './solver.ts';
import type { OwnStudy } from './study.ts';
import type { FourierSpectrum } from './spectrum/spectrum.ts';

/** What attributeData is asked: the question, and how it is solved. */
export interface AttributeDataOptions
  extends DataQuestionOptions,
    Omit<ExplainOptions, 'seed' | 'signal' | 'bothWays'> {
  readonly command?: string | undefined;
  /** Threads that train, on wasm and cpu; default 'auto': this one, and the machine's cores once that is worth it. */
  readonly threads?: number | 'auto' | undefined;
  /** Opens the log that measured values go to, for this study. */
  readonly openLog?: ((study: OwnStudy) => Promise<OpenedLog> | OpenedLog) | undefined;
}

/** Shares of n log2 n up to which gradients predict better than the values that their time buys (bench/data.ts, prior). */
const SLOPED = 0.5;

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
  const { train, test, seed = 0, signal, onProgress } = options;
  const question = await openQuestion(options);
  const { players, value } = question;
  let [game, log]: [OpenedData | undefined, OpenedLog | undefined] = [undefined, undefined];
  try {
    checkedSettings(options, players.length);
    const study: OwnStudy = { ...question.study, backend: backend.name };
    game = openData(question, options);
    log = await options.openLog?.(study);
    const rivals = { ...options.rivals, ...(await rivalsOf(options, question)) };
    const solver = await solverOf(options, question);
    onProgress?.({ stage: 'seed noise', done: 0, total: 1 });
    const noise = await seedNoise(question, { seed, signal });
    onProgress?.({ stage: 'seed noise', done: 1, total: 1 });
    const explanation = await explainOnThread(openLedger(asAsked(game, options), log), {
      ...options,
      solver,
      rivals,
      findings: [...(options.findings ?? []), ...noiseFinding(noise)],
      moreIsBetter: value.moreIsBetter,
      bothWays: true,
    });
    return recordOf(explanation, {
      name: options.name ?? question.recipe,
      study,
      startedAt,
      command: options.command,
      options: optionsForRecord(options, question),
      threads: game.threads,
      backend: backendFacts(backend, explanation, { game }),
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
    game?.[Symbol.dispose]();
    question[Symbol.dispose]();
  }
}

/** The solver that was asked for; with a prior, the one that corrects it. @throws 'input' where a prior meets a solver that takes none. */
async function solverOf(
  { prior = [], solver, adaptive, signal }: AttributeDataOptions,
  { players, trained }: DataQuestion,
): Promise<Solver | undefined> {
  if (prior.length === 0) return solver;
  if (adaptive !== undefined || (solver !== undefined && solver !== autoSolver))
    throw fail('input', 'prior', 'goes with solver auto and a budget.');
  return withPrior(await priorOf(prior, trained as Trained, players, { signal }));
}

/** What estimates foretell, for withPrior: with their spectra, where they are games in closed form. */
export async function priorOf(
  names: readonly PriorName[],
  trained: Trained,
  players: readonly ExamplePlayer[],
  options: EstimateOptions = {},
): Promise<Prior> {
  const prior = await estimatePrior(names, trained, players, options);
  return { ...prior, spectra: prior.closed.map((closed) => closed && spectrumOfLeftOut(closed)) };
}

/** The game without its gradients, where a budget buys enough values: seven trainings for a gradient is dear. */
function asAsked(game: Game, { solver, prior = [], budget = 1024, adaptive }: AttributeDataOptions): Game {
  const n = game.players.length;
  if (prior.length > 0) return valuesOnly(game);
  if (solver?.name === 'gradspex' || (adaptive?.maxBudget ?? budget) <= SLOPED * n * Math.log2(n)) return game;
  return valuesOnly(game);
}

async function rivalsOf(
  { estimates = [], signal }: AttributeDataOptions,
  { players, trained }: DataQuestion,
): Promise<Record<string, FourierSpectrum>> {
  const rivals: Record<string, FourierSpectrum> = {};
  for (const name of estimates)
    rivals[name] = spectrumOfLeftOut(await estimateOf(name, trained as Trained, players, { signal }));
  return rivals;
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
  { recipe, settings, value }: DataQuestion,
): Readonly<Record<string, unknown>> {
  const { budget = 1024, heldOut = 512, target = 0.9, seed = 0, adaptive, solver, groups = 'each' } = options;
  return {
    recipe,
    settings,
    groups,
    screen: options.screen ?? null,
    screenBy: options.screenBy ?? null,
    value: value.name,
    estimates: options.estimates ?? [],
    prior: options.prior ?? [],
    solver: solver?.name ?? 'auto',
    selector: options.selector?.name ?? 'auto',
    budget,
    adaptive: adaptive ?? null,
    heldOut,
    target,
    seed,
    modelsAtOnce: options.modelsAtOnce ?? null,
    threads: options.threads ?? 'auto',
  };
}
