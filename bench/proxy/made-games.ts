/**
 * Games of fixed seeds: three on bundled models, three whose spectrum is known by construction, a weighted majority.
 *
 * The values of a mask are the same for every method: the game is asked once and both sides get the numbers.
 */
import { join } from 'node:path';
import { hierarchical, orderThree, staircases } from '../synthetic.ts';
import { allMasks, isKept, type Masks } from '../../src/masks.ts';
import { ABLATIONS } from '../../src/lens/components/ablations.ts';
import { createComponentGame } from '../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../src/lens/components/components.ts';
import { metricOf } from '../../src/lens/metrics.ts';
import { readPrompts, toTasks } from '../../src/lens/prompts.ts';
import { loadModel } from '../../src/model/model.ts';
import { evaluate, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { fourierFromTable, spectrumOfDense } from '../../src/spectrum/walsh-hadamard.ts';
import { fromRoot } from '../../cli/package-root.ts';

export interface MadeGame {
  readonly name: string;
  readonly players: number;
  readonly value: (masks: Masks) => Promise<Float64Array>;
  /** Undefined where it cannot be known. */
  readonly truth: FourierSpectrum | undefined;
  readonly close: () => void;
}

export const MADE_GAMES: Readonly<Record<string, () => Promise<MadeGame>>> = {
  'ioi-tiny heads': async () => {
    const game = await onModel('ioi-tiny heads', 'ioi-tiny', 'heads', undefined, 2, 'logit-diff');
    const table = await game.value(allMasks(game.players));
    return { ...game, truth: spectrumOfDense('fourier', fourierFromTable(table), () => 0) };
  },
  'ioi-tiny neurons': () => onModel('ioi-tiny neurons', 'ioi-tiny', 'neurons', [3], 2, 'logit-diff'),
  'induction positions': () =>
    onModel('induction positions', 'induction-2l-h4', 'heads@positions', undefined, 1, 'logit'),
  f_SCH: async () => known('f_SCH', hierarchical(100, 0)),
  staircases: async () => known('staircases', staircases(100, 0)),
  'order three': async () => known('order three', orderThree(1000, 0)),
  // All terms of even order are exactly 0.
  'weighted majority': async () => {
    const weights = Array.from({ length: 20 }, (_, i) => 1 + ((7 * i) % 10));
    if (sum(weights) % 2 === 0) weights[0]++;
    return {
      name: 'weighted majority',
      players: 20,
      value: async (masks) =>
        Float64Array.from({ length: masks.count }, (_, row) =>
          2 * sum(weights.filter((_w, i) => isKept(masks, row, i))) > sum(weights) ? 1 : 0,
        ),
      truth: undefined,
      close: () => {},
    };
  },
};

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function known(name: string, truth: FourierSpectrum): MadeGame {
  return { name, players: truth.players, value: async (masks) => evaluate(truth, masks), truth, close: () => {} };
}

async function onModel(
  name: string,
  folder: string,
  players: string,
  layers: readonly number[] | undefined,
  prompts: number,
  metricName: string,
): Promise<MadeGame> {
  const model = await loadModel(fromRoot(`models/${folder}`));
  const metric = metricOf(metricName);
  const chosen = (await readPrompts(join(model.folder ?? '', 'prompts.jsonl'))).slice(0, prompts);
  const tasks = toTasks(model, chosen, { metric, corrupted: false });
  const parts = parsePlayers(players, model.config, { layers, length: tasks[0].tokens.length });
  const game = createComponentGame(model, { players: parts, tasks, metric, ablation: ABLATIONS.zero });
  return {
    name,
    players: parts.length,
    value: (masks) => game.value(masks),
    truth: undefined,
    close: () => {
      game[Symbol.dispose]();
      model[Symbol.dispose]();
    },
  };
}
