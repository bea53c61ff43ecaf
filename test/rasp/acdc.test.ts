/** ACDC on compiled programs, whose circuits are known: what it keeps is the truth, edge for edge. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { measureEnds } from '../../src/evaluation/faithfulness.ts';
import { ABLATIONS } from '../../src/lens/components/ablations.ts';
import { createModelGame, parseModelPlayers } from '../../src/lens/components/model-game.ts';
import { METRICS } from '../../src/lens/metrics.ts';
import { readPrompts, toTasks } from '../../src/lens/prompts.ts';
import { acdc } from '../../src/methods/acdc.ts';
import { harmOf } from '../../src/methods/harm.ts';
import { receiverOrder } from '../../src/methods/receiver-order.ts';
import { loadModel } from '../../src/model/model.ts';
import { compile } from '../../src/rasp/compile.ts';
import { inputsOf } from '../../src/rasp/inputs.ts';
import { programOf } from '../../src/rasp/programs.ts';
import { truthOf } from '../../src/rasp/truth.ts';
import { writeProgram } from '../../src/write-program.ts';
import { open, TEST_BACKEND } from '../tensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'spexlens-acdc-'));
let close: () => void;
beforeAll(async () => {
  close = (await open(TEST_BACKEND)).close;
});
afterAll(() => {
  close();
  rmSync(folder, { recursive: true });
});

it.each(['shift_by_1', 'frac_prevs', 'hist', 'reverse'])(
  '%s: its edges under zero ablation and resampling are those that ACDC keeps',
  async (name) => {
    const known = programOf(name);
    const compiled = compile(known.make(known), known);
    const truth = truthOf(compiled, { inputs: inputsOf(known).inputs, pairs: 1 });
    const path = join(folder, name);
    await writeProgram(path, compiled, { truth, name, about: '' });
    using model = await loadModel(path);
    const metric = METRICS.l2;
    const tasks = toTasks(model, await readPrompts(join(path, 'prompts.jsonl')), { metric, corrupted: true });
    // Not under the mean, where an edge that is cut first can leave another one nothing to do: keys that are a mean, any query.
    for (const kind of ['zero', 'resample'] as const) {
      const players = parseModelPlayers('edges', model.config);
      using game = createModelGame(model, { players, tasks, metric, ablation: ABLATIONS[kind] });
      const ends = await measureEnds(game);
      const { kept } = await acdc(game, {
        threshold: 1e-6,
        harm: harmOf('divergence', ends),
        order: receiverOrder(players),
        value: ends.full,
      });
      const ofTokens = truth.edges[kind].filter((edge) => !edge.startsWith('positions'));
      expect(kept.map((player) => players[player].name).sort(), kind).toEqual([...ofTokens].sort());
    }
  },
  60_000,
);
