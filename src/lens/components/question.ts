/**
 * A game over parts or edges of a model and its question: what a study, a thread or a job holds of it, and back.
 *
 * Metrics and ablations that are not known by their names stand in the question by the hash of their source: such a game can be
 * named but not made again from its question.
 */
import { fail } from '../../errors.ts';
import { sha256 } from '../../platform/hash.ts';
import type { ComponentsQuestion } from '../../study.ts';
import { isNamedMetric, metricOf, type Metric } from '../metrics.ts';
import type { Task } from '../prompts.ts';
import { ablationOf, ABLATIONS, type Ablation, type AblationName } from './ablations.ts';
import { modelPlayersAt, type ModelGameOptions } from './model-game.ts';

/** What is asked by these options; how it is measured (batch, savings) is no part of it. */
export function questionOf(options: ModelGameOptions): ComponentsQuestion {
  const { players, tasks, metric, ablation, rescale = false, meanOver } = options;
  const { data, corrupted } = ablation.needs;
  return {
    lens: 'components',
    players: players.map(({ name, place }) => ({ name, place })),
    prompts: tasks.map((task) => ({
      tokens: [...task.tokens],
      correct: task.correct ?? null,
      incorrect: task.incorrect ?? null,
      position: task.position ?? null,
      corrupted: corrupted ? [...(task.corrupted ?? [])] : null,
    })),
    metric: { name: metric.name, definition: isNamedMetric(metric) ? null : definitionOf(metric) },
    ablation: {
      name: ablation.name,
      definition: isNamedAblation(ablation) ? null : definitionOf(ablation),
      rescale,
      data: data ? (meanOver ?? tasks.map(({ tokens }) => tokens)).map((row) => [...row]) : null,
    },
  };
}

/** The options that a question asks for. @throws 'input' for a metric or an ablation that is not known by its name. */
export function optionsOf({ players, prompts, metric, ablation }: ComponentsQuestion): ModelGameOptions {
  for (const [what, { name, definition }] of Object.entries({ metric, ablation }))
    if (definition !== null)
      throw fail(
        'input',
        what,
        `"${name}" is a function of somebody's program; only ones known by name can be made again.`,
      );
  return {
    players: modelPlayersAt(players),
    tasks: prompts.map(taskOf),
    metric: metricOf(metric.name),
    ablation: ablationOf(ablation.name),
    rescale: ablation.rescale,
    meanOver: ablation.data ?? undefined,
  };
}

/** Whether the options can be made again from their question alone. */
export function isPlain({ metric, ablation }: Pick<ModelGameOptions, 'metric' | 'ablation'>): boolean {
  return isNamedMetric(metric) && isNamedAblation(ablation);
}

function isNamedAblation(ablation: Ablation): boolean {
  return Object.hasOwn(ABLATIONS, ablation.name) && ABLATIONS[ablation.name as AblationName] === ablation;
}

function taskOf(prompt: ComponentsQuestion['prompts'][number], index: number): Task {
  const { tokens, correct, incorrect, position, corrupted } = prompt;
  return {
    tokens,
    correct: correct ?? undefined,
    incorrect: incorrect ?? undefined,
    position: position ?? undefined,
    corrupted: corrupted ?? undefined,
    label: `prompt ${index + 1}`,
    text: { prompt: `prompt ${index + 1}` },
    strTokens: [],
  };
}

/** SHA-256 of the source of an object's functions and the rest of it as JSON: the same text is taken for the same. */
function definitionOf(object: Metric | Ablation): string {
  const parts = Object.entries(object).map(([key, value]) => {
    const source: unknown = typeof value === 'function' ? (value as () => unknown).toString() : value;
    return `${key}: ${typeof source === 'string' ? source : JSON.stringify(source)}\n`;
  });
  return sha256(...parts);
}
