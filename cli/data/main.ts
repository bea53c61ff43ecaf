/** The data command: its options, what they mean, and the order in which things happen. */
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { attributeData, type AttributeDataOptions } from '../../src/attribute-data.ts';
import { fail } from '../../src/errors.ts';
import { parseCsv, parseJsonl, type Example } from '../../src/lens/examples/data-set.ts';
import { PRIOR_NAMES, priorNameOf } from '../../src/lens/examples/estimates/estimate-prior.ts';
import { ESTIMATE_NAMES, ESTIMATES, estimateNameOf, scoreNameOf } from '../../src/lens/examples/estimates/estimates.ts';
import { FINE_TUNE_ABOUT, fineTune, tuningOf } from '../../src/lens/examples/fine-tune.ts';
import { FINE_TUNE, RECIPES, recipeOf, type Recipe, type RecipeSettings } from '../../src/lens/examples/recipes.ts';
import { TEST_VALUES, testValueOf } from '../../src/lens/examples/test-values.ts';
import { loadModel } from '../../src/model/model.ts';
import { openBackend } from '../../src/open-backend.ts';
import type { Optimiser } from '../../src/train/optimiser.ts';
import { VERSION } from '../../src/version.ts';
import { createOutput } from '../circuits/output.ts';
import { createProgress, hubOptions } from '../circuits/progress.ts';
import { runCommand, whole, type Streams } from '../command.ts';
import {
  addBackendOption,
  addThreadsOption,
  addOutputOptions,
  addSolveOptions,
  namesOf,
  number,
  optional,
  showResult,
  solveOptionsOf,
  threadsOf,
  type OutputFlags,
  type SolveFlags,
} from '../shared-options.ts';

const describe = (): Command => {
  const command = new Command('data')
    .description(
      'Train a model without examples in all kinds of ways and read from the values which training examples act together on an answer.',
    )
    .version(VERSION)
    .optionsGroup('What to ask:')
    .requiredOption('--train <file>', 'JSONL of {"text" or "vector", "label", ...}, or CSV with a column "label"')
    .requiredOption('--test <file>', 'the examples that are asked, alike; the value is their mean')
    .option('--rows <numbers>', 'of the test file: only these rows, from 0: 3 or 0,4,7')
    .option('--groups <how>', 'each | clusters:<k> | the name of a field, "label" too', 'each')
    .option('--screen <n>', 'of single examples: the n most influential ones play, the others are always kept')
    .option('--screen-by <name>', `by which estimate: ${namesOf(ESTIMATES)} (default: influence)`)
    .option('--value <name>', namesOf(TEST_VALUES), 'margin')
    .optionsGroup('What is trained:')
    .option('--recipe <name>', `${namesOf(RECIPES)} | ${FINE_TUNE}`, 'softmax')
    .option('--model <folder|id>', `of ${FINE_TUNE}: a model folder, a GGUF file, or a hub id`)
    .option('--tune <what>', `of ${FINE_TUNE}: lora (adapters), blocks, or all`, 'lora')
    .option('--rank <n>', `of ${FINE_TUNE}: columns of an adapter (default: 4)`)
    .option('--hidden <widths>', 'of mlp: widths of the hidden layers, 32 or 64,32')
    .option('--layers <n>', `of transformer; of ${FINE_TUNE}: how many are trained, from the last one (default: all)`)
    .option('--d-model <n>', 'of transformer')
    .option('--heads <n>', 'of transformer')
    .option('--epochs <n>', 'times that every example is met')
    .option('--train-batch <n>', 'examples a step (default: the recipe)')
    .option('--optimiser <name>', 'sgd | adamw')
    .option('--learning-rate <x>', 'size of a step (default: the recipe)')
    .option(
      '--weight-decay <x>',
      'pull of the weights towards 0: with sgd part of the loss, with adamw decoupled (default: 0)',
    )
    .option('--seeds <n>', 'trainings of a mask, whose mean counts');
  addSolveOptions(command, { heldOut: '256', target: 'share of the value that the smallest training set has to keep' });
  command.option('--estimates <names>', `measure the sets of these too: ${ESTIMATE_NAMES.join(', ')}`);
  command.option('--prior <names>', `let these foretell and the proxy correct them: ${PRIOR_NAMES.join(', ')}`);
  addBackendOption(command).option('--models-at-once <n>', 'models trained together (default: from their bytes)');
  addThreadsOption(command, 'that train');
  return addOutputOptions(command, '<data>-<hash>').addHelpText(
    'after',
    `
Recipes:
${Object.values(RECIPES)
  .map(({ name, about }) => `  ${name.padEnd(12)} ${about}`)
  .join('\n')}
  ${FINE_TUNE.padEnd(12)} ${FINE_TUNE_ABOUT}

Examples:
  spexlens data --train examples/reviews/train.jsonl --test examples/reviews/test.jsonl --rows 0 --groups source --value probability
  spexlens data --train facts.jsonl --test questions.jsonl --groups document --recipe finetune --model path/to/gpt2 --value logit-diff
  spexlens data --train digits.csv --test test.csv --rows 7 --recipe mlp --screen 200 --estimates influence,trak`,
  );
};

interface Flags extends SolveFlags, OutputFlags {
  readonly train: string;
  readonly test: string;
  readonly rows?: string;
  readonly groups: string;
  readonly screen?: string;
  readonly screenBy?: string;
  readonly value: string;
  readonly recipe: string;
  readonly model?: string;
  readonly tune: string;
  readonly rank?: string;
  readonly hidden?: string;
  readonly layers?: string;
  readonly dModel?: string;
  readonly heads?: string;
  readonly epochs?: string;
  readonly trainBatch?: string;
  readonly optimiser?: string;
  readonly learningRate?: string;
  readonly weightDecay?: string;
  readonly seeds?: string;
  readonly estimates?: string;
  readonly prior?: string;
  readonly backend: string;
  readonly modelsAtOnce?: string;
  readonly threads: string;
}

function readExamples(option: string, path: string): Example[] {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    throw fail('input', option, `${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  return path.endsWith('.csv') ? parseCsv(content, path) : parseJsonl(content, path);
}

/** What the data are called: the file, or its folder where that only says that it is to be trained on. */
function nameOf(path: string): string {
  const file = basename(path).replace(/\.[^.]*$/, '');
  return file === 'train' ? basename(dirname(resolve(path))) : file;
}

function chosenRows(all: readonly Example[], rows: string | undefined): readonly Example[] {
  if (rows === undefined) return all;
  return rows.split(',').map((text) => {
    const row = whole('--rows', text);
    if (row >= all.length)
      throw fail('input', '--rows', `there is no row ${row}; the file has 0 to ${all.length - 1}.`);
    return all[row];
  });
}

function groupsOf(text: string): AttributeDataOptions['groups'] {
  if (text === 'each') return 'each';
  const clusters = /^clusters:(.*)$/.exec(text);
  return clusters === null ? { field: text } : { clusters: whole('--groups', clusters[1]) };
}

/** What of the recipe's settings the flags change. */
function settingsOf(flags: Flags, { name: recipe, defaults }: Recipe): RecipeSettings {
  const one = <T>(text: string | undefined, read: (text: string) => T, other: T): T =>
    text === undefined ? other : read(text);
  const { optimiser: name, learningRate, weightDecay } = flags;
  if (name !== undefined && name !== 'sgd' && name !== 'adamw')
    throw fail('input', '--optimiser', `"${name}" is unknown; there are sgd and adamw.`);
  const known = defaults.training.optimiser;
  const base: Optimiser =
    name === undefined || name === known.kind
      ? known
      : name === 'sgd'
        ? { kind: 'sgd', learningRate: 0.1, momentum: 0.9 }
        : { kind: 'adamw', learningRate: 0.003, eps: 1e-4 };
  const optimiser = {
    ...base,
    ...(learningRate === undefined ? {} : { learningRate: number('--learning-rate', learningRate) }),
    ...(weightDecay === undefined ? {} : { weightDecay: number('--weight-decay', weightDecay) }),
  };
  return {
    ...defaults,
    training: {
      ...defaults.training,
      optimiser,
      epochs: one(flags.epochs, (text) => whole('--epochs', text), defaults.training.epochs),
      batchSize: one(flags.trainBatch, (text) => whole('--train-batch', text), defaults.training.batchSize),
    },
    seeds: one(flags.seeds, (text) => whole('--seeds', text), defaults.seeds),
    hidden: one(flags.hidden, (text) => text.split(',').map((width) => whole('--hidden', width)), defaults.hidden),
    layers: one(flags.layers, (text) => whole('--layers', text), defaults.layers),
    dModel: one(flags.dModel, (text) => whole('--d-model', text), defaults.dModel),
    heads: one(flags.heads, (text) => whole('--heads', text), defaults.heads),
    ...(recipe === FINE_TUNE
      ? {
          tune: tuningOf(flags.tune),
          rank: one(flags.rank, (text) => whole('--rank', text), defaults.rank),
        }
      : {}),
  };
}

/** Runs the command with `args`; the result is the exit code. */
export const dataCommand = (args: readonly string[], streams: Streams): Promise<number> =>
  runCommand(describe(), args, streams, async (flags: Flags, running) => {
    const { signal, line } = running;
    const tunes = flags.recipe === FINE_TUNE;
    if (tunes !== (flags.model !== undefined))
      throw fail(
        'input',
        '--model',
        tunes ? `is what ${FINE_TUNE} goes on training; give one.` : `is for --recipe ${FINE_TUNE}.`,
      );
    const fresh = tunes ? undefined : recipeOf(flags.recipe);
    const asked = {
      train: readExamples('--train', flags.train),
      test: chosenRows(readExamples('--test', flags.test), flags.rows),
      name: nameOf(flags.train),
      groups: groupsOf(flags.groups),
      screen: optional('--screen', flags.screen),
      screenBy: flags.screenBy === undefined ? undefined : scoreNameOf(flags.screenBy),
      value: testValueOf(flags.value),
      estimates: flags.estimates?.split(',').map((name) => estimateNameOf(name.trim())),
      prior: flags.prior?.split(',').map((name) => priorNameOf(name.trim())),
      ...solveOptionsOf(flags),
      modelsAtOnce: optional('--models-at-once', flags.modelsAtOnce),
      threads: threadsOf(flags.threads),
    };
    const backend = await openBackend(flags.backend);
    const progress = createProgress(process.stderr);
    const output = createOutput(flags.out);
    try {
      const model =
        flags.model === undefined ? undefined : await loadModel(flags.model, { hub: hubOptions(running, progress) });
      try {
        const recipe = model === undefined ? (fresh as Recipe) : fineTune(model);
        const result = await attributeData(backend, {
          ...asked,
          recipe,
          settings: settingsOf(flags, recipe),
          command: line,
          openLog: output.openLog,
          signal,
          onProgress: progress.update,
        });
        progress.stop();
        showResult(await output.write(result), flags, streams);
      } finally {
        model?.[Symbol.dispose]();
      }
    } finally {
      progress.stop();
      await output.settle();
      backend.close();
    }
  });
