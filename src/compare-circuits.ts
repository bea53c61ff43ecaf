/**
 * Circuit finders beside each other on a model: the parts and prompts of find-circuits.ts, the comparison of compare-methods.ts.
 *
 * Every row is measured in this process: what a method takes and how long is part of what is compared, and values of a log would
 * take no time.
 */
import type { Backend } from './backend/backend.ts';
import { compareMethods, type CompareMethodsOptions } from './compare-methods.ts';
import { fail } from './errors.ts';
import { ask, studyOf, type AskedParts } from './find-circuits.ts';
import type { Player } from './game.ts';
import { chooseAblation } from './lens/components/choose-ablation.ts';
import { nameModelPlayers } from './lens/components/model-game.ts';
import type { Prompt } from './lens/prompts.ts';
import { openComponents, type Execution } from './measure/open-game.ts';
import type { Model } from './model/model.ts';
import { comparisonRecord, type ComparisonRecord } from './report/comparison-record.ts';
import { hashStudy } from './study.ts';

/** The question, the methods, and the budget of each. */
export interface CompareCircuitsOptions extends AskedParts, Omit<CompareMethodsOptions, 'truth' | 'judge'>, Execution {
  /** Prompts that what was found is judged on; default `prompts`. */
  readonly judgePrompts?: readonly Prompt[] | undefined;
  /** The players of the true circuit by name, where it is known. */
  readonly truth?: readonly string[] | undefined;
  /** The command that repeats the run, for the record. */
  readonly command?: string | undefined;
}

/**
 * Compares circuit finders on `model`.
 *
 * @example const record = await compareCircuits(model, backend, { prompts, players: 'heads,mlps', budget: 600 });
 * @throws SpexlensError on input that cannot be used, or an abort.
 */
export async function compareCircuits(
  model: Model,
  backend: Pick<Backend, 'name' | 'device'>,
  options: CompareCircuitsOptions,
): Promise<ComparisonRecord> {
  const { seed = 0, truth, command, judgePrompts, ...settings } = options;
  const draft = ask(model, options);
  const members = truth === undefined ? undefined : numbersOf(truth, draft.players);
  const { ablation } = await chooseAblation(model, draft, { ...options, seed, asked: options.ablation });
  const asked = { ...draft, ablation };
  const other =
    judgePrompts === undefined ? undefined : { ...ask(model, { ...options, prompts: judgePrompts }), ablation };
  const game = openComponents(asked, model, options);
  const judge = other === undefined ? undefined : openComponents(other, model, options);
  try {
    const comparison = await compareMethods(game, { ...settings, seed, truth: members, judge });
    const names = asked.players.map(({ name }) => name);
    return comparisonRecord(comparison, names, {
      name: model.name,
      task: {
        prompts: asked.tasks.map(({ text }) => text.prompt),
        judged: other === undefined ? null : other.tasks.map(({ text }) => text.prompt),
        metric: asked.metric.name,
        unit: asked.metric.unit,
        ablation: asked.rescale === true ? `rescaled ${ablation.name}` : ablation.name,
        players: nameModelPlayers(asked.players),
      },
      backend: `${backend.name}, ${backend.device}`,
      study: hashStudy(await studyOf(model, backend, asked)),
      ...(command === undefined ? {} : { command }),
    });
  } finally {
    game[Symbol.dispose]();
    judge?.[Symbol.dispose]();
  }
}

/** Players by their names. @throws 'input' naming one that is none of them. */
function numbersOf(names: readonly string[], players: readonly Player[]): number[] {
  const numbers = new Map(players.map(({ name }, i) => [name, i]));
  return names.map((name) => {
    const number = numbers.get(name);
    if (number === undefined) throw fail('input', 'truth', `"${name}" is none of the ${players.length} players.`);
    return number;
  });
}
