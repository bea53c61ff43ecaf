/** Three heads of which two suffice: no first-order ranking sees any of them, the spectra see all three and that they act together. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  attributionPatching,
  expectedGradients,
  integratedGradients,
  type Interpolated,
} from '../../src/attribution/rankings.ts';
import { openLedger } from '../../src/ledger.ts';
import { ABLATIONS } from '../../src/lens/components/ablations.ts';
import { createComponentGame, type ComponentGame } from '../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../src/lens/components/components.ts';
import { METRICS } from '../../src/lens/metrics.ts';
import { readPrompts, toTasks } from '../../src/lens/prompts.ts';
import { masksFromMembers } from '../../src/masks.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { compile } from '../../src/rasp/compile.ts';
import { inputsOf } from '../../src/rasp/inputs.ts';
import { programOf } from '../../src/rasp/programs.ts';
import { truthOf } from '../../src/rasp/truth.ts';
import { SOLVERS } from '../../src/solve/solve.ts';
import { topInteractions } from '../../src/spectrum/energy.ts';
import { banzhaf } from '../../src/spectrum/indices.ts';
import { writeProgram } from '../../src/write-program.ts';
import { open, TEST_BACKEND } from '../tensors.ts';

const CORE = ['L1H0', 'L1H1', 'L1H2'];

describe('a redundancy in the core of a circuit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spexlens-redundancy-'));
  let close: () => void;
  let model: Model;
  let game: ComponentGame;
  beforeAll(async () => {
    close = (await open(TEST_BACKEND)).close;
    const known = programOf('two_of_three');
    const compiled = compile(known.make(known), known);
    const truth = truthOf(compiled, { inputs: inputsOf(known).inputs });
    await writeProgram(folder, compiled, { truth, name: known.name, about: known.about });
    model = await loadModel(folder);
    const metric = METRICS['logit-diff'];
    game = createComponentGame(model, {
      players: parsePlayers('heads', model.config),
      tasks: toTasks(model, await readPrompts(join(folder, 'prompts.jsonl')), { metric, corrupted: false }),
      metric,
      ablation: ABLATIONS.zero,
    });
  });
  afterAll(() => {
    game[Symbol.dispose]();
    model[Symbol.dispose]();
    close();
    rmSync(folder, { recursive: true });
  });

  const without = async (...off: string[]): Promise<number> => {
    const kept = game.players.map((_, i) => i).filter((i) => !off.includes(game.players[i].name));
    return (await game.value(masksFromMembers(game.players.length, [kept])))[0];
  };

  it('nothing is lost with any one of them, and all that they do with any two', async () => {
    const [all, none] = [await without(), await without(...CORE)];
    expect(all - none).toBeGreaterThan(0.4);
    for (const [i, one] of CORE.entries()) {
      expect(await without(one)).toBeCloseTo(all, 5);
      for (const two of CORE.slice(i + 1)) expect(await without(one, two)).toBeCloseTo(none, 5);
    }
  });

  it('is missed by every ranking that asks one part at a time', async () => {
    const all = await without();
    const singles = await Promise.all(game.players.map(async ({ name }) => all - (await without(name))));
    const rankings = [
      { name: 'exact patching', scores: Float64Array.from(singles) },
      await attributionPatching(game),
      await attributionPatching(game, { at: 'ablated' }),
      await integratedGradients(game as unknown as Interpolated),
      await expectedGradients(game, { seed: 0, samples: 64 }),
    ];
    for (const { name, scores } of rankings)
      game.players.forEach((player, i) => expect(Math.abs(scores[i]), `${name} ${player.name}`).toBeLessThan(1e-5));
  });

  it.each(['spex', 'proxyspex'])('is found by %s: the three alone, and that they act together', async (name) => {
    const { spectrum } = await SOLVERS[name as 'spex'].solve(openLedger(game), { budget: 1024, seed: 0 });
    const values = banzhaf(spectrum);
    const found = game.players.map((player, i) => ({ name: player.name, value: Math.abs(values[i]) }));
    const top = [...found].sort((a, b) => b.value - a.value);
    expect(
      top
        .slice(0, 3)
        .map((each) => each.name)
        .sort(),
    ).toEqual(CORE);
    expect(top[3].value).toBeLessThan(0.01 * top[2].value);
    const [together] = topInteractions(spectrum, 1);
    expect(together.members.map((i) => game.players[i].name).sort()).toEqual(CORE);
  });
});
