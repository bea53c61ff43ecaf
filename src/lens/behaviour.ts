/**
 * Whether a model does what its prompts ask at all: before its parts are blamed or praised for it.
 *
 * One forward row per prompt, at the position where the answer is read.
 */
import * as tf from '@tensorflow/tfjs-core';
import { forward } from '../model/forward/forward.ts';
import type { Model } from '../model/model.ts';
import { notFiniteIn } from '../model/not-finite.ts';
import type { Task } from './prompts.ts';
import { turn } from './turn.ts';

export interface Behaviour {
  /** Prompts that have a right answer; the rest are not counted. */
  readonly prompts: number;
  /** Of those, prompts that have a wrong one beside it: there guessing is right on half of them. */
  readonly contrasts: number;
  /** Share on which the right answer has a larger logit than the wrong one; without a wrong one, than every other. */
  readonly accuracy: number;
  /** Tokens that the model chooses among. */
  readonly vocabulary: number;
  /** Rank of the right answer among all tokens, 1 = the model's first choice; the median. */
  readonly rank: number;
  /** Probability of the right answer, the mean. */
  readonly probability: number;
  /** By prompt. */
  readonly answers: readonly Answer[];
}

export interface Answer {
  readonly right: boolean;
  /** Whether there is a wrong answer that it is compared with. */
  readonly contrasted: boolean;
  readonly vocabulary: number;
  readonly rank: number;
  readonly probability: number;
  /** The model's first choice: its id. */
  readonly first: number;
}

/** The behaviour of `model` on those of `tasks` that have a right answer; undefined where none has. */
export async function behaviourOf(
  model: Model,
  tasks: readonly Task[],
  signal?: AbortSignal,
): Promise<Behaviour | undefined> {
  const answers: Answer[] = [];
  for (const task of tasks) {
    if (task.correct === undefined) continue;
    answers.push(await answerOf(model, task, task.correct));
    await turn(signal, model.name);
  }
  if (answers.length === 0) return undefined;
  const ranks = answers.map(({ rank }) => rank).sort((a, b) => a - b);
  const mean = (of: (answer: Answer) => number): number =>
    answers.reduce((sum, each) => sum + of(each), 0) / answers.length;
  return {
    prompts: answers.length,
    contrasts: answers.filter(({ contrasted }) => contrasted).length,
    vocabulary: answers[0].vocabulary,
    accuracy: mean(({ right }) => Number(right)),
    rank: ranks[Math.floor((ranks.length - 1) / 2)],
    probability: mean(({ probability }) => probability),
    answers,
  };
}

/** Contrasts from which on more than half of them right has to be more than chance makes of guessing. */
const COUNTED = 16;
/** Standard errors that chance makes of guessing in one case of twenty. */
const BY_CHANCE = 1.645;
/** Without wrong answers: the share right, and the rank of the right answer (of the vocabulary's tenth at most), that are none. */
const RARELY = 0.1;
const FAR_DOWN = 100;

/**
 * Whether the answers are what guessing gives. Beside wrong answers: right on no more than half of the prompts, or on no more
 * than chance makes of a half where there are 16 or more. Without: hardly ever the first choice, and far from it.
 */
export function isGuessing({ prompts, contrasts, accuracy, rank, vocabulary }: Behaviour): boolean {
  if (contrasts < prompts) return accuracy <= RARELY && rank > Math.min(FAR_DOWN, vocabulary / 10);
  const chance = prompts < COUNTED ? 0 : (BY_CHANCE * Math.sqrt(prompts)) / 2;
  return accuracy * prompts <= prompts / 2 + chance;
}

async function answerOf(model: Model, task: Task, correct: number): Promise<Answer> {
  const { config, parameters } = model;
  const position = task.position ?? task.tokens.length - 1;
  const logits = tf.tidy(() => {
    const tokens = tf.tensor2d([[...task.tokens]], undefined, 'int32');
    return tf.reshape(forward(config, parameters, tokens, { scored: [position] }), [-1]);
  });
  const values = await logits.data();
  logits.dispose();
  const cause = values.every((value) => Number.isFinite(value)) ? undefined : await notFiniteIn(model, task.tokens);
  if (cause !== undefined) throw cause;
  let [rank, first, total] = [1, 0, 0];
  values.forEach((value, id) => {
    if (value > values[correct]) rank++;
    if (value > values[first]) first = id;
  });
  values.forEach((value) => (total += Math.exp(value - values[first])));
  const { incorrect } = task;
  return {
    right: incorrect === undefined ? rank === 1 : values[correct] > values[incorrect],
    contrasted: incorrect !== undefined,
    vocabulary: values.length,
    rank,
    probability: Math.exp(values[correct] - values[first]) / total,
    first,
  };
}
