/** The compare command: its options, what they mean, and the order in which things happen. */
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { circuitOfGraph, eapGraphOf, scoresOfGraph } from '../../src/circuit/eap-graph.ts';
import { compareCircuits } from '../../src/compare-circuits.ts';
import { fail } from '../../src/errors.ts';
import { ask, type AskedParts } from '../../src/find-circuits.ts';
import type { Player } from '../../src/game.ts';
import type { Prompt } from '../../src/lens/prompts.ts';
import { givenScores } from '../../src/methods/given-scores.ts';
import { HARMS, type Harm } from '../../src/methods/harm.ts';
import { methodOf, METHODS } from '../../src/methods/methods.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { openBackend } from '../../src/open-backend.ts';
import { comparisonPage } from '../../src/report/comparison-page.ts';
import { formatComparison, type ComparisonRecord } from '../../src/report/comparison-record.ts';
import { comparisonMarkdown, comparisonText } from '../../src/report/comparison-text.ts';
import { VERSION } from '../../src/version.ts';
import { graphFor, jsonOf, saveGraph, shapeOf, sharingOf } from '../circuits/graph.ts';
import { createProgress, hubOptions } from '../circuits/progress.ts';
import { meanPromptsOf, promptsOf } from '../circuits/prompts.ts';
import { runCommand, storyOptions, whole, type Streams } from '../command.ts';
import { makeFolder, writeFile } from '../files.ts';
import {
  addExecutionOptions,
  addQuestionOptions,
  executionOf,
  partsOf,
  type ExecutionFlags,
  type QuestionFlags,
} from '../question-options.ts';
import { namesOf, number } from '../shared-options.ts';

const describe = (): Command => {
  const command = new Command('compare')
    .description(
      'Find the circuit of a task by many methods, each within the same budget, and judge what they find by the same measurements: CPR, CMD, AUROC where the truth is known, completeness, minimality, rows and seconds.',
    )
    .version(VERSION);
  addQuestionOptions(command)
    .optionsGroup('What to compare:')
    .option('--methods <names>', `all, or some with commas between: ${namesOf(METHODS)}`, 'all')
    .option('--beside <files>', 'graphs in the JSON of EAP-IG and MIB, whose scores are judged too')
    .option('--budget <masks>', 'masks of each method, one with its gradients counting three', '1024')
    .option('--harm <kind>', `what methods that remove parts count as harm: ${HARMS.join(' | ')}`, 'divergence')
    .option('--target <share>', 'share of the metric that a circuit keeps', '0.9')
    .option(
      '--truth <file>',
      'the true circuit: a JSON list of names of players, or a graph in the JSON of EAP-IG and MIB',
    )
    .option(
      '--judge-seed <n>',
      'judge on as many other prompts of --task, drawn by this seed (default: on the same ones)',
    )
    .option('--knock-outs <n>', "sets of a circuit's parts that are knocked out to judge it", '10')
    .option('--seed <n>', 'seed of everything random', '0');
  return addExecutionOptions(command)
    .option('--out <folder>', 'where comparison.json and comparison.html go (default: out/compare-<model>)')
    .option('--graphs <folder>', "write every method's scores and circuit there, in the JSON of EAP-IG and MIB")
    .option('--json', 'print comparison.json instead of the table')
    .option('--markdown', 'print the table in Markdown')
    .option('--debug', 'show stack traces')
    .addHelpText(
      'after',
      `
Methods:
${Object.values(METHODS)
  .map(({ name, about, source }) => `  ${name.padEnd(22)}${about}${source === '' ? '' : ` (${source})`}`)
  .join('\n')}

Examples:
  spexlens compare --players heads,mlps                                 all of them on the bundled model
  spexlens compare --task ioi --methods acdc,greedy-removal,spectrum    some of them
  spexlens compare --players heads,mlps --beside eap-ig.json            beside scores of another program`,
    );
};

interface Flags extends QuestionFlags, ExecutionFlags {
  readonly methods: string;
  readonly beside?: string;
  readonly budget: string;
  readonly harm: string;
  readonly target: string;
  readonly truth?: string;
  readonly judgeSeed?: string;
  readonly knockOuts: string;
  readonly out?: string;
  readonly graphs?: string;
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly debug?: boolean;
}

/** Runs the command with `args`; the result is the exit code. */
export const compareCommand = (args: readonly string[], streams: Streams): Promise<number> =>
  runCommand(describe(), args, streams, async (flags: Flags, running) => {
    const named = flags.methods === 'all' ? Object.values(METHODS) : namesIn(flags.methods).map(methodOf);
    const numbers = {
      budget: whole('--budget', flags.budget),
      knockOuts: whole('--knock-outs', flags.knockOuts),
      seed: whole('--seed', flags.seed),
      target: number('--target', flags.target, 'a share in (0, 1] is needed, e.g. 0.9'),
      harm: harmNamed(flags.harm),
    };
    const { storage, ...execution } = executionOf(flags);
    const backend = await openBackend(flags.backend);
    const progress = createProgress(process.stderr);
    try {
      const model = await loadModel(flags.model, { storage, hub: hubOptions(running, progress) });
      try {
        const prompts = await promptsOf(flags, model);
        const asked: AskedParts = { ...partsOf(flags), prompts, meanPrompts: await meanPromptsOf(flags, prompts) };
        const { players } = ask(model, asked);
        const given = namesIn(flags.beside ?? '').map((path) =>
          givenScores(
            basename(path, '.json'),
            scoresOfGraph(graphFor(model, path, jsonOf('--beside', path)), players, sharingOf(model)),
          ),
        );
        const record = await compareCircuits(model, backend, {
          ...asked,
          ...numbers,
          ...execution,
          methods: [...named, ...given],
          judgePrompts: await otherPrompts(flags, model),
          truth: flags.truth === undefined ? undefined : truthIn(flags.truth, players, model),
          command: running.line,
          signal: running.signal,
          onProgress: progress.update,
        });
        progress.stop();
        const folder = flags.out ?? join('out', `compare-${model.name}`);
        const json = formatComparison(record);
        makeFolder('--out', folder);
        writeFile('--out', join(folder, 'comparison.json'), json);
        writeFile('--out', join(folder, 'comparison.html'), comparisonPage(record));
        if (flags.graphs !== undefined) saveGraphs(flags.graphs, record, players, model);
        if (flags.json === true) streams.out(json);
        else if (flags.markdown === true) streams.out(comparisonMarkdown(record));
        else {
          streams.out(comparisonText(record, storyOptions(streams)));
          streams.out(`written  ${join(folder, 'comparison.html')}, comparison.json\n`);
        }
      } finally {
        model[Symbol.dispose]();
      }
    } finally {
      progress.stop();
      backend.close();
    }
  });

/** The prompts that judge, where they are others. @throws 'input' without a task to draw them from. */
async function otherPrompts({ judgeSeed, ...flags }: Flags, model: Model): Promise<Prompt[] | undefined> {
  if (judgeSeed === undefined) return undefined;
  if (flags.task === undefined) throw fail('input', '--judge-seed', 'draws prompts of a task; give --task too.');
  return promptsOf({ ...flags, seed: judgeSeed }, model);
}

function namesIn(list: string): string[] {
  return list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function harmNamed(name: string): Harm {
  const harm = HARMS.find((known) => known === name);
  if (harm === undefined) throw fail('input', '--harm', `"${name}" is unknown; there are ${HARMS.join(', ')}.`);
  return harm;
}

/** The names of the true circuit's players: a list of them, or those in a graph. */
function truthIn(path: string, players: readonly Player[], model: Model): readonly string[] {
  const json = jsonOf('--truth', path);
  if (Array.isArray(json) && json.every((name) => typeof name === 'string')) return json;
  return circuitOfGraph(graphFor(model, path, json), players, sharingOf(model)).map((player) => players[player].name);
}

/** A graph of each method: its scores, and its circuit. */
function saveGraphs(folder: string, { methods }: ComparisonRecord, players: readonly Player[], model: Model): void {
  makeFolder('--graphs', folder);
  for (const { name, scores, circuit } of methods) {
    const graph = eapGraphOf(shapeOf(model), players, scores, circuit.players, sharingOf(model));
    saveGraph('--graphs', join(folder, `${name}.json`), graph);
  }
}
