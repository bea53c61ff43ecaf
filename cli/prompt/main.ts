/** The prompt command: its options, what they mean, and the order in which things happen. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { fail } from '../../src/errors.ts';
import { explainPrompt, type ExplainPromptOptions } from '../../src/explain-prompt.ts';
import { absenceOf, ABSENCES } from '../../src/lens/tokens/absences.ts';
import { UNITS, type Unit } from '../../src/lens/tokens/cut-text.ts';
import { parseSpans, unmark } from '../../src/lens/tokens/spans.ts';
import { TEXT_VALUES, textValueOf } from '../../src/lens/tokens/text-values.ts';
import { loadModel } from '../../src/model/model.ts';
import { openBackend } from '../../src/open-backend.ts';
import { printable } from '../../src/printable.ts';
import { VERSION } from '../../src/version.ts';
import { createOutput } from '../circuits/output.ts';
import { createProgress, hubOptions } from '../circuits/progress.ts';
import { runCommand, type Streams } from '../command.ts';
import { addQueueOptions, elsewhereOf, withoutPassword, type QueueFlags } from '../queue-options.ts';
import {
  addBackendOption,
  addOutputOptions,
  addInsistOption,
  addSolveOptions,
  namesOf,
  optional,
  showResult,
  solveOptionsOf,
  type OutputFlags,
  type SolveFlags,
} from '../shared-options.ts';

const describe = (): Command => {
  const command = new Command('prompt')
    .description(
      'Take parts of a prompt away in all kinds of ways and read from the values which words act together on an answer.',
    )
    .version(VERSION)
    .optionsGroup('What to ask:')
    .requiredOption('--model <folder|id>', 'model folder, GGUF file or hub id')
    .option('--prompt <text>', 'the text that is taken apart')
    .option('--prompt-file <file>', 'the same from a file')
    .option(
      '--template <text>',
      'text around the prompt that is always kept, {} where it stands: "Review: {} Sentiment:"',
    )
    .option('--chat', "put the prompt into the model's own chat template, which is kept")
    .option('--answer <text>', 'what should follow, e.g. " positive"; one token or several')
    .option('--against <text>', 'what it is compared with, e.g. " negative"')
    .option('--generate <n>', 'instead of an answer: the n tokens that the model says itself')
    .option('--value <name>', `${namesOf(TEXT_VALUES)} (default: contrast with two answers, else logprob)`)
    .optionsGroup('How to cut it:')
    .option('--players <kind>', `tokens | ${UNITS.join(' | ')} | marks: the parts in [[ ]]`, 'words')
    .option('--separator <text>', 'what stands between examples (default: an empty line; \\n is a line break)')
    .option('--spans <file>', 'JSON of [{start, end, name?}] in characters; equal names are one player')
    .option('--keep-text <regex>', 'what it matches is always kept')
    .option('--absent <kind>', `auto | ${namesOf(ABSENCES)}; auto: by a pilot, the first sound one`, 'auto')
    .option('--replace <text>', 'what --absent replace puts in the place of a part')
    .option('--corrupted <text>', 'a prompt of as many tokens, for resample');
  addSolveOptions(command, { heldOut: '512', target: 'share of the value that the smallest set of parts has to keep' });
  addInsistOption(command);
  addBackendOption(command).option('--batch-size <rows>', 'masks per forward pass (default: from the byte estimate)');
  addOutputOptions(command, '<model>-<hash>');
  return addQueueOptions(command).addHelpText(
    'after',
    `
Examples:
  spexlens prompt --model org/name --template "Review: {} Sentiment:" --prompt "The plot is not bad at all." --answer " positive" --against " negative"
  spexlens prompt --model org/name --chat --prompt-file question.txt --players sentences --generate 25`,
  );
};

interface Flags extends QueueFlags, SolveFlags, OutputFlags {
  readonly model: string;
  readonly prompt?: string;
  readonly promptFile?: string;
  readonly template?: string;
  readonly chat?: boolean;
  readonly answer?: string;
  readonly against?: string;
  readonly generate?: string;
  readonly value?: string;
  readonly players: string;
  readonly separator?: string;
  readonly spans?: string;
  readonly keepText?: string;
  readonly absent: string;
  readonly replace?: string;
  readonly corrupted?: string;
  readonly backend: string;
  readonly batchSize?: string;
  readonly insist?: boolean;
}

/** The prompt's text and its players. */
function textOf({ prompt, promptFile, players, spans }: Flags): Pick<ExplainPromptOptions, 'prompt' | 'players'> {
  if ((prompt === undefined) === (promptFile === undefined))
    throw fail('input', '--prompt', 'or --prompt-file is needed, and only one of them.');
  const text = prompt ?? readInput('--prompt-file', promptFile as string).replace(/\n$/, '');
  if (spans !== undefined) {
    if (players !== 'words')
      throw fail('input', '--spans', `says what the players are; leave --players ${players} out.`);
    return { prompt: text, players: parseSpans(readInput('--spans', spans), '--spans') };
  }
  if (players === 'marks') {
    const marked = unmark(text);
    return { prompt: marked.text, players: marked.spans };
  }
  if (players !== 'tokens' && !(UNITS as readonly string[]).includes(players))
    throw fail('input', '--players', `"${players}" is unknown; there are tokens, ${UNITS.join(', ')} and marks.`);
  return { prompt: text, players: players as Unit | 'tokens' };
}

function readInput(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw fail('input', option, `${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

/** Runs the command with `args`; the result is the exit code. */
export const promptCommand = (args: readonly string[], streams: Streams): Promise<number> =>
  runCommand(describe(), args, streams, async (flags: Flags, running) => {
    const asked: ExplainPromptOptions = {
      ...textOf(flags),
      template: flags.template,
      chat: flags.chat,
      keepText: flags.keepText,
      separator: flags.separator?.replaceAll('\\n', '\n'),
      answer: flags.answer,
      against: flags.against,
      generate: optional('--generate', flags.generate),
      value: flags.value === undefined ? undefined : textValueOf(flags.value),
      absent: flags.absent === 'auto' ? undefined : absenceOf(flags.absent),
      replacement: flags.replace,
      corrupted: flags.corrupted,
      ...solveOptionsOf(flags),
      insist: flags.insist === true,
      batchSize: optional('--batch-size', flags.batchSize),
    };
    const backend = await openBackend(flags.backend);
    const masks = (asked.budget ?? 0) + (asked.heldOut ?? 0);
    const progress = createProgress(process.stderr, { masks, backend, err: streams.err });
    const output = createOutput(flags.out);
    try {
      const model = await loadModel(flags.model, { hub: hubOptions(running, progress) });
      try {
        const result = await explainPrompt(model, backend, {
          ...asked,
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
        showResult(await output.write(result), flags, streams);
      } finally {
        model[Symbol.dispose]();
      }
    } finally {
      progress.stop();
      await output.settle();
      backend.close();
    }
  });
