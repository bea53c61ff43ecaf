/** One cell of bench/pilots.ts: a model, its prompts and an ablation; the pilot, and what comes out where nobody heeds it. */
import { findCircuit } from '../../src/circuit/find-circuit.ts';
import type { OnProgress } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import { behaviourOf } from '../../src/lens/behaviour.ts';
import { ABLATIONS, type AblationName } from '../../src/lens/components/ablations.ts';
import { parsePlayers } from '../../src/lens/components/components.ts';
import { METRICS } from '../../src/lens/metrics.ts';
import { readPrompts, toTasks, type Prompt } from '../../src/lens/prompts.ts';
import { promptsOfTask, taskOf } from '../../src/lens/tasks/task.ts';
import { TASKS } from '../../src/lens/tasks/tasks.ts';
import { openComponents } from '../../src/measure/open-game.ts';
import { tokenizerOf, type Model } from '../../src/model/model.ts';
import { pilot, type Pilot } from '../../src/pilot.ts';
import { autoSolver } from '../../src/solve/auto.ts';
import { solve } from '../../src/solve/solve.ts';

/** Ablations in the order in which a run without --ablation tries them. */
export const ORDER: readonly AblationName[] = ['resample', 'mean', 'zero'];

/** Prompts that are asked whether the model is right, and that the mean is over: as many as eight pairs. */
const ASKED_PAIRS = 8;
/** A circuit is measured at few sizes, beside few random sets: it is asked for 80 % only. */
const CIRCUIT = { target: 0.8, maxSizes: 12, randomSets: 20, randomOnCurve: 2 };

export interface CellOptions {
  readonly folder: string;
  /** A task of the literature, or `own` for the prompts of the model's folder. */
  readonly task: string;
  readonly ablation: AblationName;
  readonly pairs: number;
  readonly budget: number;
  readonly heldOut: number;
  readonly signal: AbortSignal;
  readonly onProgress?: OnProgress | undefined;
}

/** Plain JSON. */
export interface Cell {
  readonly model: string;
  readonly task: string;
  readonly ablation: AblationName;
  readonly players: number;
  /** Share of 16 prompts that are right. */
  readonly right: number;
  readonly pilot: Omit<Pilot, 'distance'>;
  /** On masks that were not fitted. */
  readonly r2: number;
  /** Absent where every mask was measured and nothing is left to predict. */
  readonly firstOrder?: number | undefined;
  /** The smallest measured set for 80 %; absent where there is none that deserves the name. */
  readonly circuit?: {
    readonly size: number;
    readonly kept: number;
    readonly random: number;
    readonly removed: number;
  };
  /** Why there is none. */
  readonly none?: string;
}

export async function measureCell(model: Model, options: CellOptions): Promise<Cell> {
  const { task, ablation, pairs, budget, heldOut, signal, onProgress } = options;
  const metric = METRICS['logit-diff'];
  const tasks = toTasks(model, await promptsOf(model, options), { metric, corrupted: true });
  const behaviour = await behaviourOf(model, tasks, signal);
  const players = parsePlayers('heads', model.config);
  const asked = { players, tasks: tasks.slice(0, 2 * pairs), metric, ablation: ABLATIONS[ablation] };
  const game = openComponents({ ...asked, meanOver: tasks.map(({ tokens }) => tokens) }, model, {});
  try {
    const { distance: _distance, ...tested } = await pilot(game, { seed: 0, better: 1, signal, onProgress });
    const ledger = openLedger(game);
    const solved = await solve(ledger, { solver: autoSolver, budget, heldOut, seed: 0, signal, onProgress });
    const { solution } = solved;
    const known = {
      model: model.name,
      task,
      ablation,
      players: players.length,
      right: behaviour?.accuracy ?? 0,
      pilot: tested,
      r2: solved.heldOut?.r2 ?? 1,
      firstOrder: solved.heldOut?.firstOrder.r2,
    };
    if (tested.clean === tested.ablated) return { ...known, none: 'no signal' };
    const circuit = await findCircuit(solution.spectrum, ledger, {
      ...CIRCUIT,
      seed: 0,
      moreIsBetter: true,
      signal,
      onProgress,
    });
    const { size, kept, removed, random } = circuit.chosen;
    if (circuit.verdict.kind !== 'found') return { ...known, none: circuit.verdict.kind };
    return {
      ...known,
      circuit: { size, kept: kept.faithfulness, removed: removed.faithfulness, random: random?.mean ?? 1 },
    };
  } finally {
    game[Symbol.dispose]();
  }
}

async function promptsOf(model: Model, { task, folder }: CellOptions): Promise<readonly Prompt[]> {
  if (task !== 'own') return promptsOfTask(taskOf(task, TASKS), tokenizerOf(model), ASKED_PAIRS, 0);
  return (await readPrompts(`${folder}/prompts.jsonl`)).slice(0, 2 * ASKED_PAIRS);
}
