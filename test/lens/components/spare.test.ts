/** A trained model with spares: no one head matters, in each layer both together do. Removal and gradients miss what spectra find. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { activationPatching, attributionPatching } from '../../../src/attribution/rankings.ts';
import { openLedger } from '../../../src/ledger.ts';
import { ABLATIONS } from '../../../src/lens/components/ablations.ts';
import { createComponentGame, type ComponentGame } from '../../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../../src/lens/components/components.ts';
import { METRICS } from '../../../src/lens/metrics.ts';
import { readPrompts, toTasks } from '../../../src/lens/prompts.ts';
import { masksFromMembers } from '../../../src/masks.ts';
import { loadModel, type Model } from '../../../src/model/model.ts';
import { SOLVERS } from '../../../src/solve/solve.ts';
import { topInteractions } from '../../../src/spectrum/energy.ts';
import { open, TEST_BACKEND } from '../../tensors.ts';

const FOLDER = 'models/induction-2l-h2-spare';
const [FIRST, SECOND] = [
  [0, 1],
  [2, 3],
];

describe('the probability of the right letter, and heads that stand in for each other', () => {
  let close: () => void;
  let model: Model;
  let game: ComponentGame;
  beforeAll(async () => {
    close = (await open(TEST_BACKEND)).close;
    model = await loadModel(FOLDER);
    const metric = METRICS.prob;
    const tasks = toTasks(model, await readPrompts(`${FOLDER}/prompts.jsonl`), { metric, corrupted: false });
    const players = parsePlayers('heads', model.config);
    game = createComponentGame(model, { players, tasks, metric, ablation: ABLATIONS.zero });
  });
  afterAll(() => {
    game[Symbol.dispose]();
    model[Symbol.dispose]();
    close();
  });

  it('without any one of them it is hardly less, without both of a layer it is gone', async () => {
    const sets = [[0, 1, 2, 3], FIRST, SECOND];
    const [all, ...alone] = await game.value(masksFromMembers(4, sets));
    expect(all).toBeGreaterThan(0.99);
    for (const value of alone) expect(value).toBeLessThan(0.15);
    for (const score of (await activationPatching(game)).scores) expect(Math.abs(score)).toBeLessThan(0.02);
    for (const score of (await attributionPatching(game)).scores) expect(Math.abs(score)).toBeLessThan(0.001);
  });

  it.each(['spex', 'proxyspex'] as const)('%s: the two pairs are what acts together most', async (name) => {
    const { spectrum } = await SOLVERS[name].solve(openLedger(game), { budget: 16, seed: 0 });
    const top = topInteractions(spectrum, 2);
    expect(new Set(top.map(({ members }) => members.join()))).toEqual(new Set([FIRST.join(), SECOND.join()]));
    for (const { value } of top) expect(value).toBeLessThan(-0.15);
  });
});
