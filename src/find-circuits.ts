/**
 * The main job as one function: a model and prompts in, a Result out.
 *
 * ask (which parts, which prompts, what stands in for an absent part) -> open the game -> its ledger -> explain -> record. The
 * command line (cli/circuits) and notebooks call this; it writes nothing but the run log.
 */
import type { Backend } from './backend/backend.ts';
import { explain, type ExplainOptions } from './explain.ts';
import { openLedger, type ValueLog } from './ledger.ts';
import { ABLATIONS, type Ablation } from './lens/components/ablations.ts';
import type { ComponentGameOptions } from './lens/components/component-game.ts';
import { nameParts, parsePlayers, type ComponentPlayer } from './lens/components/components.ts';
import { questionOf } from './lens/components/question.ts';
import { METRICS, type Metric } from './lens/metrics.ts';
import { toTasks, type Prompt, type Task } from './lens/prompts.ts';
import { openComponents, type Execution, type OpenedGame } from './measure/open-game.ts';
import { identifyModel } from './model/identity.ts';
import type { Model } from './model/model.ts';
import { toSequences } from './model/tokens.ts';
import { recordOf } from './report/record.ts';
import type { Result } from './report/result.ts';
import { STUDY_VERSION, type Study } from './study.ts';

export interface FindCircuitsOptions extends ExplainOptions, Execution {
  readonly prompts: readonly Prompt[];
  /** The parts to take apart, or their names (parsePlayers); default 'heads'. */
  readonly players?: readonly ComponentPlayer[] | string | undefined;
  /** Layers that keywords in `players` cover. */
  readonly layers?: readonly number[] | undefined;
  /** Default ABLATIONS.zero. */
  readonly ablation?: Ablation | undefined;
  /** With zero ablation of whole heads: multiply a layer's heads that stay on by its heads / those on. Default false. */
  readonly rescale?: boolean | undefined;
  /** Prompts that mean ablation averages over; default `prompts`. */
  readonly meanPrompts?: readonly Prompt[] | undefined;
  /** Default METRICS['logit-diff']. */
  readonly metric?: Metric | undefined;
  /** The command that repeats the run, for the record. */
  readonly command?: string | undefined;
  /** Opens the log that measured values go to, for this study. */
  readonly openLog?: ((study: Study) => Promise<OpenedLog> | OpenedLog) | undefined;
}

/** A log that the driver closes. */
export interface OpenedLog extends ValueLog {
  close(): void;
}

/**
 * Takes `model` apart on `prompts`.
 *
 * @example const result = await findCircuits(model, backend, { prompts, ablation: ABLATIONS.resample });
 * @throws SpexlensError on input that cannot be used, a budget too small, a log of another run, or an abort.
 */
export async function findCircuits(model: Model, backend: Backend, options: FindCircuitsOptions): Promise<Result> {
  const startedAt = new Date();
  const asked = ask(model, options);
  const study = await studyOf(model, backend, asked);
  const game = openComponents(asked, model, options);
  let log: OpenedLog | undefined;
  try {
    log = await options.openLog?.(study);
    const explanation = await explain(openLedger(game, log), options);
    return recordOf(explanation, {
      name: model.name,
      study,
      startedAt,
      command: options.command,
      options: optionsForRecord(asked, options),
      threads: game.threads,
      model: modelFacts(model, study),
      backend: backendFacts(backend, model, game),
      task: taskFacts(asked),
    });
  } finally {
    log?.close();
    game[Symbol.dispose]();
  }
}

/** The study of a question about `model`, whose values `backend` computes. */
export async function studyOf(
  model: Model,
  backend: Pick<Backend, 'name'>,
  asked: ComponentGameOptions,
): Promise<Study> {
  return {
    spexlens: STUDY_VERSION,
    model: await identifyModel(model),
    backend: backend.name,
    question: questionOf(asked),
  };
}

/** Players, prompts as tokens, metric and ablation, checked against the model. */
function ask(model: Model, options: FindCircuitsOptions): ComponentGameOptions {
  const { metric = METRICS['logit-diff'], ablation = ABLATIONS.zero, players = 'heads', rescale = false } = options;
  const tasks = toTasks(model, options.prompts, { metric, corrupted: ablation.needs.corrupted });
  const lengths = new Set(tasks.map((task) => task.tokens.length));
  const length = lengths.size === 1 ? tasks[0].tokens.length : undefined;
  return {
    players:
      typeof players === 'string' ? parsePlayers(players, model.config, { layers: options.layers, length }) : players,
    tasks,
    metric,
    ablation,
    rescale,
    meanOver: ablation.needs.data ? meanRows(model, options, tasks) : undefined,
  };
}

/** Token rows of the data set that mean ablation averages over. */
function meanRows(
  model: Model,
  { meanPrompts }: FindCircuitsOptions,
  tasks: readonly Task[],
): readonly (readonly number[])[] {
  if (meanPrompts === undefined) return tasks.map(({ tokens }) => tokens);
  return meanPrompts.map(({ prompt }) => toSequences(model, prompt)[0]);
}

function modelFacts({ config, parameterCount }: Model, study: Study): Result['model'] {
  const { family, nLayers, nHeads } = config;
  return { family, layers: nLayers, heads: nHeads, parameters: parameterCount, weightsHash: study.model.weights };
}

function backendFacts(backend: Backend, model: Model, { alone }: OpenedGame): Result['backend'] {
  const halves = model.storage === 'float32' ? '' : `; weights in ${model.storage}`;
  return {
    name: backend.name,
    reason: `${backend.device}; ${backend.why}${halves}`,
    notes: [
      ...backend.passedOver.map(({ name, why }) => `${name}: ${why}`),
      ...(alone === undefined ? [] : [`more threads: ${alone}`]),
    ],
    selfCheckError: backend.selfCheckError,
  };
}

function taskFacts({ tasks, metric, ablation, rescale, players }: ComponentGameOptions): Result['task'] {
  return {
    prompts: tasks.map(({ text: { prompt, ...texts }, strTokens }) => ({ text: prompt, tokens: strTokens, ...texts })),
    metric: metric.name,
    units: metric.unit,
    ablation: rescale === true ? `rescaled ${ablation.name}` : ablation.name,
    players: nameParts(players),
  };
}

/** What was asked for, with defaults filled in, as JSON. */
function optionsForRecord(
  asked: ComponentGameOptions,
  options: FindCircuitsOptions,
): Readonly<Record<string, unknown>> {
  const { players = 'heads', layers, budget = 1024, heldOut = 512, target = 0.9, seed = 0, adaptive, solver } = options;
  return {
    players: typeof players === 'string' ? players : players.map(({ name }) => name).join(','),
    layers: layers ?? null,
    ablation: asked.ablation.name,
    rescale: asked.rescale,
    metric: asked.metric.name,
    solver: solver?.name ?? 'auto',
    selector: options.selector?.name ?? 'auto',
    budget,
    adaptive: adaptive ?? null,
    heldOut,
    target,
    seed,
    batchSize: options.batchSize ?? null,
    threads: options.threads ?? 'auto',
    prompts: options.prompts.length,
  };
}
