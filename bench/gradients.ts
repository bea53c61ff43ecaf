/**
 * What gradients bring: GradSPEX beside everything that only has values, at equal cost, on one model and task.
 *
 *     npx tsx bench/gradients.ts --model FOLDER|FILE.gguf|ID [--task ioi | --prompts FILE] [--players heads] [--pairs 1]
 *         [--ablation resample] [--budgets 96,192,384,768] [--seeds 3] [--held-out 600] [--backend auto] [--circuit 384]
 *
 * A budget is in masks; a gradient counts three. `values` is the best that auto finds without gradients (first order, ProxySPEX,
 * stack, SPEX), `first order` its additive baseline; `mean gradient` is the additive answer whose coefficients are the means of
 * B/3 gradients; `gradients alone` is the gradient process on B/3 gradients; `gradspex` is what ships, B/4 gradients and B/4
 * values. R² on masks that none of them fitted: the mean over seeds, and the range.
 * The second table has circuits, measured on the model: sets proposed by gradspex from one budget and, beside them, by rankings of
 * the field, expected gradients having a third of that budget.
 */
import { Command } from 'commander';
import { runCommand, terminal, whole } from '../cli/command.ts';
import {
  attributionPatching,
  expectedGradients,
  integratedGradients,
  spectrumOfRanking,
} from '../src/attribution/rankings.ts';
import { findCircuit } from '../src/circuit/find-circuit.ts';
import { GRADIENT_ROWS, valuesOnly } from '../src/game.ts';
import { openLedger } from '../src/ledger.ts';
import { ablationOf } from '../src/lens/components/ablations.ts';
import { createComponentGame } from '../src/lens/components/component-game.ts';
import { parsePlayers } from '../src/lens/components/components.ts';
import { METRICS } from '../src/lens/metrics.ts';
import { readPrompts, toTasks } from '../src/lens/prompts.ts';
import { promptsOfTask, taskOf } from '../src/lens/tasks/task.ts';
import { TASKS } from '../src/lens/tasks/tasks.ts';
import { loadModel, tokenizerOf } from '../src/model/model.ts';
import { openBackend } from '../src/open-backend.ts';
import { fitBest } from '../src/proxy/best.ts';
import { fitBestAdditive } from '../src/proxy/first-order.ts';
import { createGradientCandidate } from '../src/proxy/gradients/gradient-candidate.ts';
import { gradspexSolver } from '../src/proxy/gradients/gradspex.ts';
import { createRandom } from '../src/random.ts';
import { autoSolver } from '../src/solve/auto.ts';
import { evaluate, type FourierSpectrum } from '../src/spectrum/spectrum.ts';
import { r2 } from '../src/spectrum/r2.ts';
import { uniformMasks } from '../src/uniform-masks.ts';
import { linesOfCircuit, textOfRange } from './gradients/rows.ts';

interface Flags {
  readonly model: string;
  readonly task: string;
  readonly prompts?: string;
  readonly players: string;
  readonly pairs: string;
  readonly ablation: string;
  readonly budgets: string;
  readonly seeds: string;
  readonly heldOut: string;
  readonly backend: string;
  readonly circuit: string;
  readonly debug?: boolean;
}

const METHODS = ['first order', 'values', 'mean gradient', 'gradients alone', 'gradspex'] as const;
const SIZES = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 27, 40, 60, 80];

const command = new Command('gradients')
  .requiredOption('--model <folder|file|id>', 'the model')
  .option('--task <name>', 'a task of the literature', 'ioi')
  .option('--prompts <file>', 'prompts instead of a task')
  .option('--players <spec>', 'the parts', 'heads')
  .option('--pairs <n>', 'pairs of prompts', '1')
  .option('--ablation <name>', 'what stands in for an absent part', 'resample')
  .option('--budgets <list>', 'masks', '96,192,384,768')
  .option('--seeds <n>', 'seeds', '3')
  .option('--held-out <n>', 'masks to score on', '600')
  .option('--circuit <n>', 'masks of the circuit; 0 for none', '384')
  .option('--backend <name>', 'where to run', 'auto');

process.exitCode = await runCommand(command, process.argv.slice(2), terminal, async (flags: Flags, { signal }) => {
  const backend = await openBackend(flags.backend);
  const model = await loadModel(flags.model);
  const pairs = whole('--pairs', flags.pairs);
  const prompts =
    flags.prompts === undefined
      ? promptsOfTask(taskOf(flags.task, TASKS), tokenizerOf(model), pairs, 0)
      : (await readPrompts(flags.prompts)).slice(0, 2 * pairs);
  const metric = METRICS['logit-diff'];
  const ablation = ablationOf(flags.ablation);
  const tasks = toTasks(model, prompts, { metric, corrupted: true });
  const players = parsePlayers(flags.players, model.config);
  const parts = createComponentGame(model, { players, tasks, metric, ablation });
  const ledger = openLedger(parts);
  const n = players.length;
  terminal.out(
    `${model.name} on ${backend.device}: ${flags.prompts ?? flags.task}, ${n} players, ${ablation.name}, ${tasks.length} prompts\n\n`,
  );
  const held = whole('--held-out', flags.heldOut);
  const unseen = uniformMasks(n, n < 12 ? Math.min(held, 2 ** n) : held, createRandom(1e6, 'unseen'));
  const truth = await ledger.value(unseen, { signal });
  const score = (spectrum: FourierSpectrum): number => r2(truth, evaluate(spectrum, unseen));

  terminal.out(`| masks | ${METHODS.join(' | ')} |\n|---|${'---|'.repeat(METHODS.length)}\n`);
  for (const budget of flags.budgets.split(',').map((text) => whole('--budgets', text))) {
    const scores = METHODS.map((): number[] => []);
    for (let seed = 0; seed < whole('--seeds', flags.seeds); seed++) {
      const options = { budget, seed, signal };
      const measured = openLedger(valuesOnly(ledger));
      const byValues = await autoSolver.solve(measured, options);
      const { masks, values } = measured.seen();
      const sloped = uniformMasks(n, Math.floor(budget / GRADIENT_ROWS), createRandom(seed, 'bench'));
      const { values: own, gradients } = await ledger.gradients!(sloped, { signal });
      const mean = expectedOf(gradients, n, own);
      const alone = await fitBest(sloped, own, options, [createGradientCandidate({ masks: sloped, gradients })]);
      const ours = await gradspexSolver.solve(ledger, options);
      [
        score(fitBestAdditive(masks, values, seed).spectrum),
        score(byValues.spectrum),
        score(mean),
        score(alone.spectrum),
        score(ours.spectrum),
      ].forEach((value, k) => scores[k].push(value));
    }
    terminal.out(`| ${budget} | ${scores.map(textOfRange).join(' | ')} |\n`);
  }

  const budget = whole('--circuit', flags.circuit);
  if (budget > 0) {
    const { spectrum } = await gradspexSolver.solve(ledger, { budget, seed: 0, signal });
    const rankings = [
      await attributionPatching(parts, { signal }),
      await integratedGradients(parts, { signal }),
      await expectedGradients(ledger, { samples: Math.floor(budget / GRADIENT_ROWS), seed: 0, signal }),
    ];
    const rivals = Object.fromEntries(rankings.map((ranking) => [ranking.name, spectrumOfRanking(ranking)]));
    const circuit = await findCircuit(spectrum, ledger, {
      target: 0.8,
      seed: 0,
      rivals,
      maxSizes: 60,
      randomSets: 10,
      signal,
    });
    const members = circuit.members.map(({ name }) => name).join(' ');
    const kept = (100 * circuit.chosen.kept.faithfulness).toFixed(0);
    terminal.out(
      `\nfrom ${budget} masks, for 80 %: ${circuit.chosen.size} of ${n} keep ${kept} % (${members}); the smallest measured set that does has ${circuit.smallestMeasuredSize}\n\n`,
    );
    for (const line of linesOfCircuit(circuit, SIZES)) terminal.out(`${line}\n`);
  }
  parts[Symbol.dispose]();
  model[Symbol.dispose]();
  backend.close();
});

/** The additive answer of mean gradients: F({i}) = -½ E ∂f/∂m_i, the constant that of the values. */
function expectedOf(gradients: Float32Array, n: number, values: Float64Array): FourierSpectrum {
  const rows = gradients.length / n;
  const scores = new Float64Array(n);
  gradients.forEach((value, e) => (scores[e % n] += value / rows));
  const { terms, ...rest } = spectrumOfRanking({ scores });
  const centre = values.reduce((sum, value) => sum + value / values.length, 0);
  return { ...rest, terms: terms.map((term) => (term.members.length === 0 ? { members: [], value: centre } : term)) };
}
