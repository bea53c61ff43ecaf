/** One cell of the chapter: a model, a task, a set of parts and a backend, run in this process; its record and what its heads do. */
import { join } from 'node:path';
import { createOutput } from '../../cli/circuits/output.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { findCircuits } from '../../src/find-circuits.ts';
import { headRoles, roleOf } from '../../src/hooks/heads/head-roles.ts';
import { behaviourOf } from '../../src/lens/behaviour.ts';
import { METRICS } from '../../src/lens/metrics.ts';
import { toTasks, type Prompt } from '../../src/lens/prompts.ts';
import { promptsOfTask } from '../../src/lens/tasks/task.ts';
import { TASKS, type TaskName } from '../../src/lens/tasks/tasks.ts';
import { loadModel, tokenizerOf, type Model } from '../../src/model/model.ts';
import type { Result } from '../../src/report/result.ts';
import { CONTROLS, type Cell } from './cells.ts';

/** Pairs over which the model is asked whether it is right, and whose patterns name heads. */
const ASKED_PAIRS = 8;

export interface Answered {
  readonly cell: Cell;
  /** Share of 16 prompts of the task that are right, and the chance of the right answer; null for a control. */
  readonly right: number | null;
  /** Seconds to load the model, and of the whole run after that. */
  readonly loading: number;
  readonly seconds: number;
  /** Peak memory of the process. */
  readonly mebibytes: number;
  readonly device: string;
  /** What heads of the circuit and of the interactions do, by name: `induction 0.62`. */
  readonly roles: Readonly<Record<string, string>>;
  readonly result: Result;
}

/** Runs a cell; what was measured before, in an earlier run of it, is taken from its log in `folder`. */
export async function answer(cell: Cell, file: string, backend: Backend, folder: string): Promise<Answered> {
  const start = performance.now();
  const model = await loadModel(file);
  const loaded = performance.now();
  const output = createOutput(join(folder, cell.key.replaceAll('/', '-')));
  try {
    const prompts = promptsOf(cell, model);
    const result = await output.write(
      await findCircuits(model, backend, {
        prompts,
        players: cell.players,
        budget: cell.budget,
        heldOut: cell.heldOut,
        openLog: output.openLog,
      }),
    );
    const seconds = (performance.now() - loaded) / 1000;
    const many =
      cell.task in TASKS ? promptsOfTask(TASKS[cell.task as TaskName], tokenizerOf(model), ASKED_PAIRS, 0) : undefined;
    return {
      cell,
      right: many === undefined ? null : await accuracyOf(model, many),
      loading: (loaded - start) / 1000,
      seconds,
      mebibytes: process.resourceUsage().maxRSS / 1024,
      device: backend.device,
      roles: await rolesOf(model, many ?? prompts),
      result,
    };
  } finally {
    await output.settle();
    model[Symbol.dispose]();
  }
}

function promptsOf({ task }: Cell, model: Model): readonly Prompt[] {
  if (task in CONTROLS) return CONTROLS[task](tokenizerOf(model));
  return promptsOfTask(TASKS[task as TaskName], tokenizerOf(model), 1, 0);
}

async function accuracyOf(model: Model, prompts: readonly Prompt[]): Promise<number> {
  const tasks = toTasks(model, prompts, { metric: METRICS['logit-diff'], corrupted: false });
  return (await behaviourOf(model, tasks))?.accuracy ?? 0;
}

/** What each head does on the prompts, by its name; heads without a role are left out. */
async function rolesOf(model: Model, prompts: readonly Prompt[]): Promise<Record<string, string>> {
  const tasks = toTasks(model, prompts, { metric: METRICS['logit-diff'], corrupted: false });
  const roles: Record<string, string> = {};
  (await headRoles(model, tasks)).forEach((heads, l) =>
    heads.forEach((scores, h) => {
      const found = roleOf(scores);
      if (found !== undefined) roles[`L${l}H${h}`] = `${found.role} ${found.score.toFixed(2)}`;
    }),
  );
  return roles;
}
