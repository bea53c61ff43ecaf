/** Two runs of the same prompts, one of which gets activations of the other: what sweeps and paths have in common. */
import type { Backend } from './backend/backend.ts';
import { fail } from './errors.ts';
import { ABLATIONS } from './lens/components/ablations.ts';
import { createComponentGame } from './lens/components/component-game.ts';
import { parsePlayers } from './lens/components/components.ts';
import { METRICS, type Metric } from './lens/metrics.ts';
import { toTasks, type Prompt, type Task } from './lens/prompts.ts';
import { masksFromMembers } from './masks.ts';
import type { Execution } from './measure/open-game.ts';
import type { Model } from './model/model.ts';
import { PATCH_SCHEMA, type PatchRecord } from './report/patch-record.ts';

type Text = string | readonly number[];

/** Two runs and what they are judged by. */
export interface PatchedRuns extends Execution {
  /** Prompts, texts or token ids, each with a corrupted one of its length. */
  readonly clean: Text | readonly Text[];
  readonly corrupted: Text | readonly Text[];
  /** The answers that the metric reads: one for all prompts, or one for each. */
  readonly correct?: Answer | readonly Answer[] | undefined;
  readonly incorrect?: Answer | readonly Answer[] | undefined;
  /** Default METRICS['logit-diff']. A KL divergence is that from the run that is patched. */
  readonly metric?: Metric | undefined;
  /** denoise (default): the clean run's activations into the corrupted run; noise: the other way round. */
  readonly direction?: 'denoise' | 'noise' | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { stage: string; done: number; total: number }) => void) | undefined;
  /** The command that repeats the run, for the record. */
  readonly command?: string | undefined;
}
type Answer = string | number;

/** What every sweep over two runs records. */
export function recordOfRuns(
  model: Model,
  backend: Pick<Backend, 'name'>,
  { direction = 'denoise', command }: PatchedRuns,
  { metric, texts }: Runs,
): Pick<PatchRecord, 'schema' | 'model' | 'backend' | 'metric' | 'unit' | 'direction' | 'prompts' | 'command'> {
  return {
    schema: PATCH_SCHEMA,
    model: model.name,
    backend: backend.name,
    metric: metric.name,
    unit: metric.unit,
    direction,
    prompts: texts,
    ...(command === undefined ? {} : { command }),
  };
}

export interface Runs {
  readonly metric: Metric;
  /** The run that is patched; `corrupted` is the one that activations come from. */
  readonly tasks: readonly Task[];
  readonly texts: readonly { readonly clean: string; readonly corrupted: string }[];
}

/** The prompts as tasks. @throws 'input' naming the prompt that does not fit. */
export function patchedRuns(model: Model, options: PatchedRuns): Runs {
  const { metric = METRICS['logit-diff'], direction = 'denoise' } = options;
  const [clean, corrupted] = [listOf(options.clean), listOf(options.corrupted)];
  if (clean.length !== corrupted.length || clean.length === 0)
    throw fail(
      'input',
      'patching',
      `${clean.length} clean and ${corrupted.length} corrupted prompts were given; one of each, in pairs, is needed.`,
    );
  const [correct, incorrect] = [options.correct, options.incorrect].map((given) => answersOf(given, clean.length));
  const [into, from] = direction === 'denoise' ? [corrupted, clean] : [clean, corrupted];
  const prompts = into.map(
    (prompt, i): Prompt => ({ prompt, corrupted: from[i], correct: correct[i], incorrect: incorrect[i] }),
  );
  const tasks = toTasks(model, prompts, { metric, corrupted: true });
  const texts = tasks.map(({ text: { prompt, corrupted: other = '' } }) =>
    direction === 'denoise' ? { clean: other, corrupted: prompt } : { clean: prompt, corrupted: other },
  );
  return { metric, tasks, texts };
}

function listOf(given: Text | readonly Text[]): readonly Text[] {
  if (typeof given === 'string') return [given];
  return given.length > 0 && given.every((part) => typeof part === 'number') ? [given] : (given as readonly Text[]);
}

function answersOf(given: Answer | readonly Answer[] | undefined, count: number): readonly (Answer | undefined)[] {
  if (given === undefined || typeof given !== 'object') return Array.from({ length: count }, () => given);
  if (given.length === count) return given;
  throw fail('input', 'patching', `${given.length} answers were given for ${count} prompts; one for all or one each.`);
}

/** The metric of the run that is patched and of the other one. */
export async function endsOf(
  model: Model,
  { tasks, metric }: Runs,
): Promise<{ readonly base: number; readonly source: number }> {
  const other = tasks.map((task) => ({ ...task, tokens: task.corrupted as readonly number[], corrupted: task.tokens }));
  const [base, source] = await Promise.all([tasks, other].map(async (runs) => untouched(model, runs, metric)));
  return { base, source };
}

async function untouched(model: Model, tasks: readonly Task[], metric: Metric): Promise<number> {
  const players = parsePlayers('embed', model.config);
  const game = createComponentGame(model, { players, tasks, metric, ablation: ABLATIONS.zero });
  try {
    return (await game.value(masksFromMembers(1, [[0]])))[0];
  } finally {
    game[Symbol.dispose]();
  }
}
