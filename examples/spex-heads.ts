/**
 * SPEX on the heads of two bundled models, beside the exact spectrum: what it finds, and the evidence it gives.
 *
 *     npx tsx examples/spex-heads.ts
 */
import { join } from 'node:path';
import {
  ABLATIONS,
  createComponentGame,
  loadModel,
  METRICS,
  openBackend,
  openLedger,
  parsePlayers,
  readPrompts,
  SOLVERS,
  toTasks,
  topInteractions,
  type Metric,
} from '../src/index.ts';
import { planSpex, spex, type SpexTerm } from '../src/solvers.ts';

const backend = await openBackend();

async function study(
  folder: string,
  metric: Metric,
  prompts: number,
  plan: { readonly b: number; readonly t: number },
): Promise<void> {
  const model = await loadModel(folder);
  const game = createComponentGame(model, {
    players: parsePlayers('heads', model.config),
    tasks: toTasks(model, (await readPrompts(join(folder, 'prompts.jsonl'))).slice(0, prompts), {
      metric,
      corrupted: false,
    }),
    metric,
    ablation: ABLATIONS.zero,
  });
  const n = game.players.length;
  const measured = openLedger(game); // the exact solver below measures only what SPEX did not
  const { masks } = planSpex(n, plan);
  const solution = await spex(plan).solve(measured, { budget: masks.unique, seed: 0 });
  const exact = await SOLVERS.exact.solve(measured, { budget: 2 ** n, seed: 0 });
  const truth = new Map(exact.spectrum.terms.map(({ members, value }) => [members.join(), value]));
  const evidence = new Map((solution.details['terms'] as SpexTerm[]).map((term) => [term.members.join(), term]));

  console.log(
    `${model.name}, ${metric.name} over ${prompts} prompt(s): ${n} heads, ${masks.raw} queries, ${solution.masks} distinct masks of ${2 ** n}`,
  );
  console.log('  interaction              F(S) by SPEX   exact     standard error   bins');
  for (const { members, value } of topInteractions(solution.spectrum, 8)) {
    const term = evidence.get(members.join());
    const name = members.map((i) => game.players[i].name).join(' x ');
    console.log(
      `  ${name.padEnd(24)} ${value.toFixed(4).padStart(8)}   ${(truth.get(members.join()) ?? 0).toFixed(4).padStart(8)}   ${(term?.standardError ?? 0).toFixed(4).padStart(10)}   ${String(term?.seenInBins ?? 0).padStart(8)}${term?.belowNoise === true ? '   below noise' : ''}`,
    );
  }
  game[Symbol.dispose]();
  model[Symbol.dispose]();
}

await study('models/induction-2l-h4', METRICS.accuracy, 64, { b: 4, t: 4 });
await study('models/ioi-tiny', METRICS['logit-diff'], 1, { b: 6, t: 5 });
backend.close();
