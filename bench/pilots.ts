/**
 * Which ablation to ask a model with: pilots of every task of the literature under every ablation, one row each.
 *
 *     npx tsx bench/pilots.ts --model FOLDER|FILE.gguf|ID [--pairs 1 --halves 30 --backend auto]
 *
 * A row has the metric with everything kept and everything ablated, its mean and spread over random halves, what those leave of
 * the range, and the pilot's verdict; a task has the share of prompts on which the model is right, over eight pairs.
 */
import { Command } from 'commander';
import { runCommand, terminal, whole } from '../cli/command.ts';
import { behaviourOf } from '../src/lens/behaviour.ts';
import { ABLATIONS } from '../src/lens/components/ablations.ts';
import { createComponentGame } from '../src/lens/components/component-game.ts';
import { parsePlayers } from '../src/lens/components/components.ts';
import { METRICS } from '../src/lens/metrics.ts';
import { toTasks } from '../src/lens/prompts.ts';
import { promptsOfTask } from '../src/lens/tasks/task.ts';
import { TASKS } from '../src/lens/tasks/tasks.ts';
import { loadModel, tokenizerOf } from '../src/model/model.ts';
import { openBackend } from '../src/open-backend.ts';
import { pilot } from '../src/pilot.ts';

/** Pairs over which the model is asked whether it is right. */
const ASKED_PAIRS = 8;

interface Flags {
  readonly model: string;
  readonly pairs: string;
  readonly halves: string;
  readonly debug?: boolean;
  readonly backend: string;
}

const command = new Command('pilots')
  .requiredOption('--model <folder|file|id>', 'the model')
  .option('--pairs <n>', 'pairs of prompts a pilot measures', '1')
  .option('--halves <n>', 'random halves', '30')
  .option('--backend <name>', 'where to run', 'auto');

process.exitCode = await runCommand(command, process.argv.slice(2), terminal, async (flags: Flags, { signal }) => {
  const backend = await openBackend(flags.backend);
  const model = await loadModel(flags.model);
  const metric = METRICS['logit-diff'];
  const players = parsePlayers('heads', model.config);
  terminal.out(`${model.name} on ${backend.device}, ${players.length} heads, ${metric.name}\n\n`);
  terminal.out('| task | right | ablation | all kept | all ablated | halves, mean | sd | left | verdict |\n');
  terminal.out('|---|---|---|---|---|---|---|---|---|\n');
  for (const template of Object.values(TASKS)) {
    const prompts = promptsOfTask(template, tokenizerOf(model), ASKED_PAIRS, 0);
    const tasks = toTasks(model, prompts, { metric, corrupted: true });
    const behaviour = await behaviourOf(model, tasks);
    const right = `${(100 * (behaviour?.accuracy ?? 0)).toFixed(0)} %`;
    for (const ablation of [ABLATIONS.resample, ABLATIONS.mean, ABLATIONS.zero]) {
      const measured = tasks.slice(0, 2 * whole('--pairs', flags.pairs));
      const meanOver = tasks.map(({ tokens }) => tokens);
      const game = createComponentGame(model, { players, tasks: measured, metric, ablation, meanOver });
      const { clean, ablated, half, left, verdict } = await pilot(game, {
        seed: 0,
        halves: whole('--halves', flags.halves),
        better: 1,
        signal,
      });
      game[Symbol.dispose]();
      const cells = [clean, ablated, half.mean, half.sd, left].map((value) => value.toFixed(2));
      terminal.out(`| ${template.name} | ${right} | ${ablation.name} | ${cells.join(' | ')} | ${verdict} |\n`);
    }
  }
  model[Symbol.dispose]();
  backend.close();
});
