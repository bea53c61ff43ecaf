/**
 * Which ablation to ask with, where the user does not say: those that the prompts allow, in the order of how much of the model they
 * leave (corrupted prompts, means, zero), the first whose pilot is sound.
 *
 * docs/real-models.md has what each gives on real models: under zero or mean ablation half of the heads gone is a broken model,
 * under resampling it still is the model.
 */
import type { OnProgress } from '../../game.ts';
import { pilot, type Pilot } from '../../pilot.ts';
import type { Model } from '../../model/model.ts';
import type { Task } from '../prompts.ts';
import { ABLATIONS, type Ablation } from './ablations.ts';
import { createModelGame, type ModelGameOptions } from './model-game.ts';

export interface Tried {
  readonly ablation: string;
  readonly pilot: Pilot;
}

export interface Choice {
  readonly ablation: Ablation;
  /** The chosen one's. */
  readonly pilot: Pilot;
  /** One sentence: why this one. */
  readonly why: string;
  /** Every ablation that was tried, in order. */
  readonly tried: readonly Tried[];
  /** Forward rows that all pilots took. */
  readonly rows: number;
}

export interface ChoiceOptions {
  readonly seed: number;
  /** The only one to look at, where the user says which. */
  readonly asked?: Ablation | undefined;
  /** Whether halves will not be asked for: then the gentlest that only they break will do. */
  readonly narrow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** The ablation to use for `options`, by pilots of some thirty masks each; the model stays as it is. */
export async function chooseAblation(
  model: Model,
  options: Omit<ModelGameOptions, 'ablation'>,
  { seed, asked, narrow, signal, onProgress }: ChoiceOptions,
): Promise<Choice> {
  const willDo = ({ pilot: { verdict } }: Tried): boolean =>
    verdict === 'sound' || (narrow === true && verdict === 'broken at half');
  const candidates = asked === undefined ? candidatesFor(options) : [asked];
  const tried: Tried[] = [];
  let rows = 0;
  for (const ablation of candidates) {
    const game = createModelGame(model, { ...options, ablation });
    try {
      const better = options.metric.moreIsBetter ? 1 : -1;
      const tested = await pilot(game, { seed, better, signal, onProgress });
      tried.push({ ablation: ablation.name, pilot: tested });
      rows += tested.masks * options.tasks.length;
    } finally {
      game[Symbol.dispose]();
    }
    if (willDo(tried[tried.length - 1])) break;
  }
  const sound = tried.findIndex(willDo);
  const chosen = sound >= 0 ? sound : mostLeft(tried);
  return {
    ablation: candidates[chosen],
    pilot: tried[chosen].pilot,
    why: asked === undefined ? whyOf(tried, chosen, sound >= 0) : 'asked for',
    tried,
    rows,
  };
}

/** What the prompts allow, the gentlest first. Rescaling goes with zero alone. */
function candidatesFor({ tasks, rescale, meanOver }: Omit<ModelGameOptions, 'ablation'>): Ablation[] {
  if (rescale === true) return [ABLATIONS.zero];
  const twins = tasks.every(
    ({ tokens, corrupted }) => corrupted?.length === tokens.length && differs(tokens, corrupted),
  );
  const data = meanOver ?? tasks.map(({ tokens }) => tokens);
  return [...(twins ? [ABLATIONS.resample] : []), ...(data.length > 1 ? [ABLATIONS.mean] : []), ABLATIONS.zero];
}

function differs(a: Task['tokens'], b: Task['tokens']): boolean {
  return a.some((id, i) => id !== b[i]);
}

/** The one that leaves most of the metric with half of the players. */
function mostLeft(tried: readonly Tried[]): number {
  return tried.reduce((best, { pilot: each }, k) => (each.left > tried[best].pilot.left ? k : best), 0);
}

function whyOf(tried: readonly Tried[], chosen: number, sound: boolean): string {
  const said = ({ ablation, pilot: { left, verdict } }: Tried): string =>
    `${ablation} leaves ${(100 * left).toFixed(0)} % of the metric's range with half of the parts${verdict === 'sound' ? '' : ` (${verdict})`}`;
  const others = tried.filter((_, k) => k !== chosen).map(said);
  const own = said(tried[chosen]);
  if (!sound) return `none that the prompts allow is sound; ${[own, ...others].join('; ')}`;
  return others.length === 0 ? own : `${own}; ${others.join('; ')}`;
}

/**
 * Tasks whose neighbours are each other's corrupted twins: given in pairs of equal length whose answers are swapped, and without
 * corrupted prompts of their own. The same tasks where that is not so.
 */
export function twinned(tasks: readonly Task[]): readonly Task[] {
  if (tasks.length % 2 !== 0 || tasks.some(({ corrupted }) => corrupted !== undefined)) return tasks;
  const twin = (k: number): Task => tasks[k ^ 1];
  const paired = tasks.every(
    (task, k) =>
      task.tokens.length === twin(k).tokens.length &&
      task.correct !== undefined &&
      task.correct === twin(k).incorrect &&
      task.incorrect === twin(k).correct,
  );
  if (!paired) return tasks;
  return tasks.map((task, k) => ({
    ...task,
    corrupted: twin(k).tokens,
    text: { ...task.text, corrupted: twin(k).text.prompt },
  }));
}
