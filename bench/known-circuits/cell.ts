/** One cell: every method on one program, for one kind of ablation, over nodes or edges. */
import { join } from 'node:path';
import { auroc } from '../../src/evaluation/auroc.ts';
import { measureEnds } from '../../src/evaluation/faithfulness.ts';
import { eapNodeOf } from '../../src/circuit/eap-graph.ts';
import { ABLATIONS } from '../../src/lens/components/ablations.ts';
import { createModelGame, parseModelPlayers } from '../../src/lens/components/model-game.ts';
import { METRICS } from '../../src/lens/metrics.ts';
import { readPrompts, toTasks } from '../../src/lens/prompts.ts';
import { METHODS, methodOf, runMethod } from '../../src/methods/methods.ts';
import { loadModel } from '../../src/model/model.ts';
import { compile } from '../../src/rasp/compile.ts';
import { inputsOf } from '../../src/rasp/inputs.ts';
import { programOf } from '../../src/rasp/programs.ts';
import { truthOf, type AblationKind } from '../../src/rasp/truth.ts';
import { SpexlensError } from '../../src/errors.ts';
import { writeProgram } from '../../src/write-program.ts';

export interface Asked {
  readonly folder: string;
  readonly program: string;
  readonly players: 'nodes' | 'edges';
  readonly ablation: AblationKind;
  readonly methods: readonly string[] | undefined;
  /** What was measured of this cell before, which is not measured again. */
  readonly kept: Cell | undefined;
  /** Called with the cell after every method. */
  readonly save: (cell: Cell) => void;
}

export interface Answer {
  readonly method: string;
  /** Null where no players are true, or all, and where the method cannot be run. */
  readonly auroc: number | null;
  readonly masks: number;
  readonly seconds: number;
  readonly refused?: string;
}

export interface Cell {
  readonly program: string;
  readonly players: 'nodes' | 'edges';
  readonly ablation: AblationKind;
  /** Players, and those that are true. */
  readonly count: number;
  readonly true: number;
  readonly prompts: number;
  readonly budget: number;
  readonly results: readonly Answer[];
}

/** Whether some players are true and some are not. */
const isDecided = (cell: Pick<Cell, 'true' | 'count'>): boolean => cell.true > 0 && cell.true < cell.count;

/** Masks of a method: three for each player, and no fewer than these. */
const LEAST_BUDGET = 512;

/** The cell with the answers of `methods`, default all. */
export async function measureCell(asked: Asked): Promise<Cell> {
  const { folder, program, players: what, ablation, kept, save } = asked;
  const methods = asked.methods?.map(methodOf) ?? Object.values(METHODS);
  const left = methods.filter(({ name }) => kept?.results.some(({ method }) => method === name) !== true);
  if (kept !== undefined && (left.length === 0 || !isDecided(kept))) return kept;
  const known = programOf(program);
  const compiled = compile(known.make(known), known);
  const truth = truthOf(compiled, { inputs: inputsOf({ ...known, most: 2000 }).inputs, pairs: 1 });
  const path = join(folder, program);
  await writeProgram(path, compiled, { truth, name: program, about: known.about });
  using model = await loadModel(path);
  const metric = METRICS.l2;
  const tasks = toTasks(model, await readPrompts(join(path, 'prompts.jsonl')), { metric, corrupted: true });
  const text = what === 'edges' ? 'edges' : model.config.dMlp === 0 ? 'heads' : 'heads,mlps';
  const players = parseModelPlayers(text, model.config);
  const names = players.map((player) => (what === 'edges' ? player.name : (eapNodeOf(player) as string)));
  const members = what === 'edges' ? truth.edges[ablation] : truth.parts[ablation];
  const circuit = names.flatMap((name, i) => (members.includes(name) ? [i] : []));
  using game = createModelGame(model, {
    players,
    tasks,
    metric,
    ablation: ABLATIONS[ablation],
    meanOver: tasks.map(({ tokens }) => tokens),
  });
  const budget = Math.max(LEAST_BUDGET, 3 * players.length);
  const results: Answer[] = [...(kept?.results ?? [])];
  const facts = {
    program,
    players: what,
    ablation,
    count: players.length,
    true: circuit.length,
    prompts: tasks.length,
    budget,
  };
  save({ ...facts, results });
  if (!isDecided(facts)) return { ...facts, results };
  const ends = await measureEnds(game);
  for (const method of left) {
    try {
      const { found, spent } = await runMethod(method, game, { budget, ends, harm: 'divergence', seed: 0 });
      const score = auroc(found.scores.map(Math.abs), circuit);
      results.push({ method: method.name, auroc: score, masks: spent.masks, seconds: spent.seconds });
    } catch (error) {
      if (!(error instanceof SpexlensError)) throw error;
      results.push({ method: method.name, auroc: null, masks: 0, seconds: 0, refused: error.message });
    }
    save({ ...facts, results });
  }
  return { ...facts, results };
}
