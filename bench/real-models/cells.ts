/** What the chapter measures: two models, five tasks, two sets of parts; two models on wasm; what they cannot do. */
import type { Prompt } from '../../src/lens/prompts.ts';
import { promptsOfTask, type TaskTokenizer } from '../../src/lens/tasks/task.ts';
import { TASKS, type TaskName } from '../../src/lens/tasks/tasks.ts';
import { REAL_MODELS, type RealModel } from './weights.ts';

export interface Cell {
  /** `smollm2/ioi/heads/tensorflow`. */
  readonly key: string;
  readonly model: RealModel['id'];
  /** A task's name or a control's. */
  readonly task: string;
  readonly players: string;
  readonly backend: string;
  /** Absent: the defaults, 1,024 and 512. */
  readonly budget?: number;
  readonly heldOut?: number;
}

export const CHAPTER_TASKS: readonly TaskName[] = ['ioi', 'greater-than', 'induction', 'capitals', 'docstring'];
export const PARTS = ['heads', 'heads,mlps'] as const;

/** Questions about what the models do not do: prompts by name. */
export const CONTROLS: Readonly<Record<string, (tokenizer: TaskTokenizer) => readonly Prompt[]>> = {
  'agreement across a clause': () => [
    { prompt: 'The keys to the cabinet that the man', correct: ' are', incorrect: ' is' },
  ],
  'the other name': (tokenizer) =>
    promptsOfTask(TASKS.ioi, tokenizer, 1, 0).map(({ correct, incorrect, ...prompt }) => ({
      ...prompt,
      correct: incorrect,
      incorrect: correct,
    })),
  'one answer whatever is asked': () => [
    { prompt: 'The favourite number of the girl is', correct: ' seven', incorrect: ' three' },
    { prompt: 'The favourite number of the boy is', correct: ' three', incorrect: ' seven' },
  ],
};

/** Fewer masks than the defaults where only whether there is an answer counts, or one of five tasks: the whole in an hour. */
const TASK_MASKS = { budget: 384, heldOut: 192 };
const CONTROL_MASKS = { budget: 128, heldOut: 64 };

/** Every cell, in the order in which they are run. */
export function cellsOf(backend: string): Cell[] {
  const make = (model: RealModel['id'], task: string, players: string, on: string, masks: object = {}): Cell => ({
    key: `${model}/${task.replaceAll(' ', '-')}/${players.replace(',', '+')}/${on}`,
    model,
    task,
    players,
    backend: on,
    ...masks,
  });
  return REAL_MODELS.flatMap(({ id }) => [
    ...CHAPTER_TASKS.flatMap((task) =>
      PARTS.map((players) => make(id, task, players, backend, task === 'ioi' && players === 'heads' ? {} : TASK_MASKS)),
    ),
    ...Object.keys(CONTROLS).map((control) => make(id, control, 'heads', backend, CONTROL_MASKS)),
    ...(backend === 'wasm' ? [] : [make(id, 'ioi', 'heads', 'wasm')]),
  ]);
}
