/** The known circuits of the bundled induction models, read from exact spectra of accuracy over their prompts. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { masksFromMembers } from '../../../src/masks.ts';
import { openLedger } from '../../../src/ledger.ts';
import { createComponentGame } from '../../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../../src/lens/components/components.ts';
import { metricOf } from '../../../src/lens/metrics.ts';
import { readPrompts, toTasks } from '../../../src/lens/prompts.ts';
import { loadModel } from '../../../src/model/model.ts';
import { energyByOrder } from '../../../src/spectrum/energy.ts';
import { exactSolver } from '../../../src/spectrum/exact.ts';
import { open, TEST_BACKEND } from '../../tensors.ts';
import { ABLATIONS } from '../../../src/lens/components/ablations.ts';

async function study(name: string) {
  const model = await loadModel(join('models', name));
  const metric = metricOf('accuracy');
  const tasks = toTasks(model, await readPrompts(join('models', name, 'prompts.jsonl')), {
    metric,
    corrupted: false,
  });
  const game = openLedger(
    createComponentGame(model, {
      players: parsePlayers('heads', model.config),
      tasks,
      metric,
      ablation: ABLATIONS.zero,
    }),
  );
  const n = game.players.length;
  const { spectrum } = await exactSolver.solve(game, { budget: 2 ** n, seed: 0 });
  const energy = energyByOrder(spectrum);
  const total = energy.reduce((a, b) => a + b, 0);
  const without = async (...off: string[]): Promise<number> =>
    (
      await game.value(
        masksFromMembers(n, [game.players.map((_, i) => i).filter((i) => !off.includes(game.players[i].name))]),
      )
    )[0];
  return { spectrum, shares: energy.map((e) => e / total), without };
}

describe('the induction models', () => {
  beforeAll(async () => {
    await open(TEST_BACKEND);
  });

  it('h1: both heads are needed, and their interaction carries over a fifth of the variance', async () => {
    const { shares, without } = await study('induction-2l-h1');
    expect(await without()).toBeGreaterThan(0.97);
    expect(await without('L0H0')).toBeLessThan(0.2);
    expect(await without('L1H0')).toBeLessThan(0.1);
    expect(shares[2]).toBeGreaterThan(0.2);
  });

  it('h4: no head or pair of layer 1 is missed, the four together are; orders above 2 show', async () => {
    const { shares, without } = await study('induction-2l-h4');
    const layer = ['L1H0', 'L1H1', 'L1H2', 'L1H3'];
    const clean = await without();
    for (const [i, a] of layer.entries()) {
      expect(clean - (await without(a))).toBeLessThan(0.05);
      for (const b of layer.slice(i + 1)) expect(clean - (await without(a, b))).toBeLessThan(0.15);
    }
    expect(clean - (await without(...layer))).toBeGreaterThan(0.85);
    expect(shares.slice(3).reduce((a, b) => a + b, 0)).toBeGreaterThan(0.02);
  });
});
