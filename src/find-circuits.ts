/**
 * The main job as one function: a model and prompts in, a Result out.
 *
 * ask (which parts, which prompts, what stands in for an absent part) -> open the game -> its ledger -> explain -> record. The
 * command line (cli/circuits) and notebooks call this; it writes nothing but the run log.
 */
import { RANKINGS, spectrumOfRanking, type Interpolated, type RankingName } from './attribution/rankings.ts';
import type { Backend } from './backend/backend.ts';
import { fail } from './errors.ts';
import { settingsOf, type ExplainOptions } from './explain.ts';
import { explainOnThread } from './explain-on-thread.ts';
import { attentionPatterns, type AttentionPattern } from './hooks/heads/attention-patterns.ts';
import { openLedger, type Ledger, type ValueLog } from './ledger.ts';
import type { Doubt } from './circuit/findings.ts';
import { behaviourOf, type Behaviour } from './lens/behaviour.ts';
import type { Ablation } from './lens/components/ablations.ts';
import { brokenText } from './lens/components/broken-text.ts';
import { chooseAblation, twinned, type Choice } from './lens/components/choose-ablation.ts';
import {
  createModelGame,
  nameModelPlayers,
  parseModelPlayers,
  type ModelGame,
  type ModelGameOptions,
  type ModelPlayers,
} from './lens/components/model-game.ts';
import { questionOf } from './lens/components/question.ts';
import { METRICS, type Metric } from './lens/metrics.ts';
import { unspacedAnswers } from './lens/spaced-answers.ts';
import { requireTwins, toTasks, type Prompt, type Task } from './lens/prompts.ts';
import { disposeMeasured, type Elsewhere, type MeasuredGame } from './measure/elsewhere.ts';
import { openComponents, type Execution } from './measure/open-game.ts';
import { identifyModel } from './model/identity.ts';
import type { Model } from './model/model.ts';
import { toSequences } from './model/tokens.ts';
import { inNotebook } from './notebook/progress-line.ts';
import { headsOf } from './place.ts';
import { recordOf } from './report/record.ts';
import type { Result } from './report/result.ts';
import type { FourierSpectrum } from './spectrum/spectrum.ts';
import { measureFloor } from './solve/float-floor.ts';
import { backendFacts, modelFacts } from './run-facts.ts';
import { STUDY_VERSION, type Study } from './study.ts';

/** Which parts of a model are taken apart, on which prompts, and how. */
export interface AskedParts {
  readonly prompts: readonly Prompt[];
  /** The parts or edges to take apart, or their names (parsePlayers, parseEdges); default 'heads'. */
  readonly players?: ModelPlayers | string | undefined;
  /** Layers that keywords in `players` cover. */
  readonly layers?: readonly number[] | undefined;
  /** Default: by a pilot, the first sound one of what the prompts allow: resample, mean, zero. */
  readonly ablation?: Ablation | undefined;
  /** With zero ablation of whole heads: multiply a layer's heads that stay on by its heads / those on. Default false. */
  readonly rescale?: boolean | undefined;
  /** Prompts that mean ablation averages over; default `prompts`. */
  readonly meanPrompts?: readonly Prompt[] | undefined;
  /** Default METRICS['logit-diff']. */
  readonly metric?: Metric | undefined;
}

/** What findCircuits is asked: prompts, players, ablation, metric, and who measures. */
export interface FindCircuitsOptions extends AskedParts, ExplainOptions, Execution {
  /** Rankings by gradients whose sets are measured beside the circuit's; default none. */
  readonly rankings?: readonly RankingName[] | undefined;
  /** Who measures in place of this process; the pilot, and gradients between masks, are measured here all the same. */
  readonly elsewhere?: Elsewhere | undefined;
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
export function findCircuits(model: Model, backend: Backend, options: FindCircuitsOptions): Promise<Result> {
  return inNotebook(options, (told) => takeApart(model, backend, told));
}

async function takeApart(model: Model, backend: Backend, options: FindCircuitsOptions): Promise<Result> {
  const startedAt = new Date();
  const draft = ask(model, options);
  settingsOf(options, draft.players.length); // refuses what cannot be paid for before a pilot runs
  const behaviour = await behaviourOf(model, draft.tasks, options.signal);
  const choice = await chooseAblation(model, draft, { ...options, seed: options.seed ?? 0, asked: options.ablation });
  const asked = { ...draft, ablation: choice.ablation };
  const { elsewhere } = options;
  const study = await studyOf(model, { name: elsewhere?.backend ?? backend.name }, asked);
  const game: MeasuredGame =
    elsewhere === undefined ? openComponents(asked, model, options) : await elsewhere.open(study);
  let log: OpenedLog | undefined;
  try {
    log = await options.openLog?.(study);
    const findings = findingsOf(asked, choice, behaviour, options.narrow);
    const unspaced = unspacedAnswers(model, options.prompts);
    if (unspaced !== undefined) findings.push({ kind: 'answer without a space', text: unspaced });
    const floor = await measureFloor(game, { seed: options.seed ?? 0, signal: options.signal });
    const ledger = openLedger(game, log);
    const explanation = await explainOnThread(ledger, {
      ...options,
      floor,
      rivals: { ...options.rivals, ...(await rankingsOf(ledger, game, model, asked, options)) },
      findings,
      moreIsBetter: asked.metric.moreIsBetter,
    });
    const record = recordOf(explanation, {
      name: model.name,
      study,
      startedAt,
      command: options.command,
      options: optionsForRecord(asked, options),
      threads: game.threads,
      model: modelFacts(model, study),
      backend: backendFacts(backend, explanation, { model, study, game }),
      task: taskFacts(asked),
      behaviour: behaviour && behaviourFacts(behaviour),
      pilot: pilotFacts(choice, floor),
    });
    const attention = await attentionOf(model, record, asked.tasks, options.signal);
    return attention.length === 0 ? record : { ...record, attention };
  } finally {
    log?.close();
    await disposeMeasured(game);
  }
}

/** Heads whose patterns are recorded, and prompts on which they are. */
const [MOST_HEADS, MOST_SHOWN] = [24, 4];

/** What heads of the circuit, then of the interactions, attend to on the first prompts. */
function attentionOf(
  model: Model,
  { circuit, interactions, players }: Result,
  tasks: readonly Task[],
  signal: AbortSignal | undefined,
): Promise<AttentionPattern[]> {
  const heads = new Map<string, { readonly layer: number; readonly head: number }>();
  for (const player of [...(circuit?.chosen.players ?? []), ...interactions.flatMap(({ members }) => members)]) {
    for (const { layer, head } of headsOf(players[player].place))
      if (heads.size < MOST_HEADS) heads.set(`${layer}.${head}`, { layer, head });
  }
  const prompts = tasks.slice(0, MOST_SHOWN).map(({ tokens }) => tokens);
  return attentionPatterns(model, prompts, [...heads.values()], { signal });
}

/** The rankings that were asked for, as additive answers. What threads cannot differentiate between masks, this one does. */
async function rankingsOf(
  ledger: Ledger,
  game: MeasuredGame,
  model: Model,
  asked: ModelGameOptions,
  { rankings = [], seed = 0, signal }: FindCircuitsOptions,
): Promise<Record<string, FourierSpectrum>> {
  const rivals: Record<string, FourierSpectrum> = {};
  let own: ModelGame | undefined;
  const between = (): Interpolated =>
    (game.gradientsAt === undefined ? (own ??= createModelGame(model, asked)) : game) as Interpolated;
  try {
    for (const name of rankings) {
      const ranking = await RANKINGS[name]({ game: ledger, between, seed, signal });
      rivals[ranking.name] = spectrumOfRanking(ranking);
    }
  } finally {
    own?.[Symbol.dispose]();
  }
  return rivals;
}

/** The study of a question about `model`, whose values `backend` computes. */
export async function studyOf(
  model: Model,
  backend: { readonly name: string },
  asked: ModelGameOptions,
): Promise<Study> {
  return {
    spexlens: STUDY_VERSION,
    model: await identifyModel(model),
    backend: backend.name,
    question: questionOf(asked),
  };
}

/** Players, prompts as tokens, metric, and what an ablation may draw on. @throws 'input' for what does not fit the model. */
export function ask(model: Model, options: AskedParts): Omit<ModelGameOptions, 'ablation'> {
  const { metric = METRICS['logit-diff'], ablation, players = 'heads', rescale = false } = options;
  const given = toTasks(model, options.prompts, { metric, corrupted: false });
  const tasks = twinned(given);
  if (ablation?.needs.corrupted === true) requireTwins(tasks);
  const lengths = new Set(tasks.map((task) => task.tokens.length));
  const length = lengths.size === 1 ? tasks[0].tokens.length : undefined;
  const parts =
    typeof players === 'string'
      ? parseModelPlayers(players, model.config, { layers: options.layers, length })
      : players;
  const data = ablation === undefined ? options.meanPrompts !== undefined || tasks.length > 1 : ablation.needs.data;
  return { players: parts, tasks, metric, rescale, meanOver: data ? meanRows(model, options, tasks) : undefined };
}

/** Token rows of the data set that mean ablation averages over. */
function meanRows(model: Model, { meanPrompts }: AskedParts, tasks: readonly Task[]): readonly (readonly number[])[] {
  if (meanPrompts === undefined && tasks.length < 2)
    throw fail('input', 'mean ablation', 'needs a data set to average over; give mean prompts, or several prompts.');
  if (meanPrompts === undefined) return tasks.map(({ tokens }) => tokens);
  return meanPrompts.map(({ prompt }) => toSequences(model, prompt)[0]);
}

function taskFacts({ tasks, metric, ablation, rescale, players }: ModelGameOptions): Result['task'] {
  return {
    prompts: tasks.map(({ text: { prompt, ...texts }, strTokens }) => ({ text: prompt, tokens: strTokens, ...texts })),
    metric: metric.name,
    units: metric.unit,
    ablation: rescale === true ? `rescaled ${ablation.name}` : ablation.name,
    players: nameModelPlayers(players),
  };
}

function behaviourFacts({ prompts, accuracy, rank, probability }: Behaviour): Result['behaviour'] {
  return { prompts, accuracy, rank, probability };
}

function pilotFacts({ ablation, why, tried, rows }: Choice, floor: number): Result['pilot'] {
  const plain = tried.map(({ ablation: name, pilot: { distance, ...rest } }) => ({
    ablation: name,
    pilot: { ...rest, distance: Number.isFinite(distance) ? distance : null },
  }));
  return { ablation: ablation.name, why, rows, floor, tried: plain };
}

/** What the pilot and the prompts say against the question. */
function findingsOf(
  { tasks, metric }: ModelGameOptions,
  choice: Choice,
  behaviour: Behaviour | undefined,
  narrow = false,
): Doubt[] {
  const findings: Doubt[] = [];
  const broken = brokenText({ choice, behaviour, metric, narrow });
  if (broken !== undefined) findings.push({ kind: 'broken question', ...broken });
  if (tasks.length === 1)
    findings.push({
      kind: 'one prompt',
      text: 'One prompt: parts that merely favour its answer look like parts of the task. Give a pair whose answers are swapped, in which they cancel (those of a task are such pairs).',
    });
  return findings;
}

/** What was asked for, with defaults filled in, as JSON. */
function optionsForRecord(asked: ModelGameOptions, options: FindCircuitsOptions): Readonly<Record<string, unknown>> {
  const { players = 'heads', layers, budget = 1024, heldOut = 512, target = 0.9, seed = 0, adaptive, solver } = options;
  return {
    players: typeof players === 'string' ? players : players.map(({ name }) => name).join(','),
    layers: layers ?? null,
    ablation: asked.ablation.name,
    rescale: asked.rescale,
    metric: asked.metric.name,
    solver: solver?.name ?? 'auto',
    selector: options.selector?.name ?? 'auto',
    rankings: options.rankings ?? [],
    narrow: options.narrow ?? false,
    budget,
    insist: options.insist ?? false,
    adaptive: adaptive ?? null,
    heldOut,
    target,
    seed,
    keep: options.keep ?? 0.5,
    batchSize: options.batchSize ?? null,
    threads: options.threads ?? 'auto',
    prompts: options.prompts.length,
  };
}
