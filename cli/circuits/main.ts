/** The find-circuits command: its options, what they mean, and the order in which things happen. */
import { Command } from 'commander';
import { openBackend } from '../../src/open-backend.ts';
import { fail } from '../../src/errors.ts';
import { findCircuits } from '../../src/find-circuits.ts';
import { loadModel } from '../../src/model/model.ts';
import { printable } from '../../src/printable.ts';
import { rankingNamed, RANKINGS } from '../../src/attribution/rankings.ts';
import { selectorOf, SELECTORS } from '../../src/circuit/selectors.ts';
import { VERSION } from '../../src/version.ts';
import { runCommand, whole, type Streams } from '../command.ts';
import {
  addExecutionOptions,
  addQuestionOptions,
  executionOf,
  partsOf,
  type ExecutionFlags,
  type QuestionFlags,
} from '../question-options.ts';
import { addQueueOptions, elsewhereOf, withoutPassword, type QueueFlags } from '../queue-options.ts';
import {
  addOutputOptions,
  addInsistOption,
  addSolveOptions,
  namesOf,
  showResult,
  solveOptionsOf,
  type OutputFlags,
  type SolveFlags,
} from '../shared-options.ts';
import { createOutput } from './output.ts';
import { graphRankings, writeGraph } from './graph.ts';
import { meanPromptsOf, promptsOf } from './prompts.ts';
import { createProgress, hubOptions } from './progress.ts';

const describe = (): Command => {
  const command = new Command('circuits')
    .description(
      'Ablate parts of a transformer inside its forward pass, read from the values which parts act together (a sparse Fourier spectrum over masks), and re-measure the smallest set of parts that keeps the metric.',
    )
    .version(VERSION);
  addQuestionOptions(command);
  addSolveOptions(command, { heldOut: '512', target: 'share of the metric the circuit has to keep' });
  addInsistOption(command)
    .option(
      '--target-r2 <r2>',
      'instead of a budget: measure in rounds until the lower bound of held-out R² passes this, or will not',
    )
    .option('--max-budget <masks>', 'masks that --target-r2 may take (default: 16 n log2 n)')
    .option(
      '--keep <p>',
      'masks keep each player with this probability; the spectrum and R² are in that measure',
      '0.5',
    )
    .option('--selector <name>', `who proposes the circuit's sets: auto | ${namesOf(SELECTORS)}`, 'auto')
    .option(
      '--narrow',
      'narrow first: parts leave in rounds, by gradients around those that are left. The circuit is proposed so, or by the spectrum where that needs fewer, and the spectrum is that of masks around it',
    )
    .option(
      '--rankings <names>',
      `rankings by gradients whose sets are measured beside the circuit's, with commas between: ${namesOf(RANKINGS)}`,
    )
    .option('--beside <files>', 'graphs in the JSON of EAP-IG and MIB, whose scores are measured as rankings too');
  addExecutionOptions(command).option('--graph <file>', 'write the circuit there too, in the JSON of EAP-IG and MIB');
  addOutputOptions(command, '<model>-<hash of the run>');
  return addQueueOptions(command).addHelpText(
    'after',
    `
Examples:
  spexlens circuits                                          the bundled model, a pair of its prompts
  spexlens circuits --budget 65536                               every mask of its 16 heads: the exact spectrum
  spexlens circuits --target-r2 0.95                             as many masks as that takes
  spexlens circuits --players heads,mlps --ablation mean         heads and MLP layers, mean ablation
  spexlens circuits --model models/induction-2l-h2 --prompts models/induction-2l-h2/prompts.jsonl --metric accuracy
A run that was stopped goes on where it was when the same command is given again.`,
  );
};

interface Flags extends QueueFlags, QuestionFlags, SolveFlags, ExecutionFlags, OutputFlags {
  readonly model: string;
  readonly seed: string;
  readonly narrow?: boolean;
  readonly insist?: boolean;
  readonly rankings?: string;
  readonly selector: string;
  readonly targetR2?: string;
  readonly maxBudget?: string;
  readonly keep: string;
  readonly graph?: string;
  readonly beside?: string;
}

/** A probability other than ½, or undefined for ½. */
function probabilityOf(option: string, text: string): number | undefined {
  const value = Number(text);
  if (!(value > 0 && value < 1)) throw fail('input', option, `"${text}" is not a number between 0 and 1, e.g. 0.9.`);
  return value === 0.5 ? undefined : value;
}

/** The target and its limit, or undefined for a fixed budget. */
function adaptiveOf({
  budget,
  targetR2,
  maxBudget,
}: Flags): { targetR2: number; maxBudget: number | undefined } | undefined {
  if (targetR2 === undefined) {
    if (maxBudget !== undefined)
      throw fail(
        'input',
        '--max-budget',
        'limits --target-r2; give that too, or --budget for a fixed number of masks.',
      );
    return undefined;
  }
  if (budget !== undefined)
    throw fail(
      'input',
      '--target-r2',
      'takes as many masks as it needs; limit them by --max-budget instead of --budget.',
    );
  const target = Number(targetR2);
  if (!(target > 0 && target < 1))
    throw fail('input', '--target-r2', `"${targetR2}" is not a number between 0 and 1, e.g. 0.95.`);
  return { targetR2: target, maxBudget: maxBudget === undefined ? undefined : whole('--max-budget', maxBudget) };
}

/** Runs the command with `args`; the result is the exit code. */
export const circuitsCommand = (args: readonly string[], streams: Streams): Promise<number> =>
  runCommand(describe(), args, streams, async (flags: Flags, running) => {
    const solve = solveOptionsOf(flags);
    const adaptive = adaptiveOf(flags);
    const keep = probabilityOf('--keep', flags.keep);
    const asked = {
      ...partsOf(flags),
      ...solve,
      selector: flags.selector === 'auto' ? undefined : selectorOf(flags.selector),
      narrow: flags.narrow === true,
      insist: flags.insist === true,
      rankings: flags.rankings?.split(',').map((name) => rankingNamed(name.trim())),
    };
    const { storage, ...execution } = executionOf(flags);

    const backend = await openBackend(flags.backend);
    const masks = adaptive === undefined ? solve.budget + solve.heldOut : 0;
    const progress = createProgress(process.stderr, { masks, backend, err: streams.err });
    const output = createOutput(flags.out);
    try {
      const model = await loadModel(flags.model, {
        storage,
        hub: hubOptions(running, progress),
      });
      try {
        const prompts = await promptsOf(flags, model);
        const result = await findCircuits(model, backend, {
          ...asked,
          rivals:
            flags.beside === undefined ? undefined : graphRankings(flags.beside, asked.players, asked.layers, model),
          adaptive,
          prompts,
          meanPrompts: await meanPromptsOf(flags, prompts),
          keep,
          ...execution,
          elsewhere: elsewhereOf(flags, model, (text) => {
            progress.stop();
            streams.err(`${printable(text)}\n`);
          }),
          command: withoutPassword(running.line),
          openLog: output.openLog,
          signal: running.measuring,
          onProgress: progress.update,
        });
        progress.stop();
        const written = await output.write(result);
        if (flags.graph !== undefined) writeGraph(flags.graph, written, model);
        showResult(written, flags, streams);
      } finally {
        model[Symbol.dispose]();
      }
    } finally {
      progress.stop();
      await output.settle();
      backend.close();
    }
  });
