/** One method on one question, measured in this process. */
import { compareCircuits } from '../../src/compare-circuits.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { ABLATIONS } from '../../src/lens/components/ablations.ts';
import { readPrompts, type Prompt } from '../../src/lens/prompts.ts';
import { promptsOfTask } from '../../src/lens/tasks/task.ts';
import { TASKS, type TaskName } from '../../src/lens/tasks/tasks.ts';
import { methodOf } from '../../src/methods/methods.ts';
import { tokenizerOf, type Model } from '../../src/model/model.ts';
import type { ComparisonRecord } from '../../src/report/comparison-record.ts';
import type { Lines, Question } from './cells.ts';

export interface Where {
  /** The folder or file that `model` was loaded from. */
  readonly path: string;
  readonly model: Model;
  readonly backend: Backend;
  readonly signal: AbortSignal;
}

/** The record of `method` alone, with what it found in `methods` or why it could not be run in `refusals`. */
export async function measure(question: Question, method: string, where: Where): Promise<ComparisonRecord> {
  const { prompts, players, budget, knockOuts } = question;
  const { model, backend, signal } = where;
  return compareCircuits(model, backend, {
    prompts: await promptsOf(prompts, where),
    judgePrompts: await judgePromptsOf(question, where),
    players,
    ablation: ABLATIONS.resample,
    methods: [methodOf(method)],
    budget,
    knockOuts,
    signal,
  });
}

async function promptsOf(asked: Lines | TaskName, { path, model }: Where): Promise<readonly Prompt[]> {
  if (typeof asked === 'string') return promptsOfTask(TASKS[asked], tokenizerOf(model), 1, 0);
  return (await readPrompts(`${path}/prompts.jsonl`)).slice(asked.from, asked.to);
}

async function judgePromptsOf({ prompts, judge }: Question, where: Where): Promise<readonly Prompt[] | undefined> {
  if (judge === undefined) return undefined;
  if (typeof judge !== 'number') return promptsOf(judge, where);
  return promptsOfTask(TASKS[prompts as TaskName], tokenizerOf(where.model), judge, 1);
}
