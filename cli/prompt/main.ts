/** The prompt command: its options, what they mean, and the order in which things happen. */
import { Command } from 'commander';
import { explainPrompt } from '../../src/explain-prompt.ts';
import { ABSENCES } from '../../src/lens/tokens/absences.ts';
import { UNITS } from '../../src/lens/tokens/cut-text.ts';
import { TEXT_VALUES } from '../../src/lens/tokens/text-values.ts';
import { loadModel } from '../../src/model/model.ts';
import { openBackend } from '../../src/open-backend.ts';
import { printable } from '../../src/printable.ts';
import { VERSION } from '../../src/version.ts';
import { createOutput } from '../circuits/output.ts';
import { createProgress, hubOptions } from '../circuits/progress.ts';
import { runCommand, type Streams } from '../command.ts';
import { addQueueOptions, elsewhereOf, withoutPassword } from '../queue-options.ts';
import {
  addBackendOption,
  addInsistOption,
  addOutputOptions,
  addRunOptions,
  addSolveOptions,
  namesOf,
  showResult,
} from '../shared-options.ts';
import { askedOf, promptOf, spansOf, textOf, type PromptFlags } from './asked.ts';
import { readPromptList, runPromptList } from './prompt-list.ts';

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
      '--prompts <file>',
      'many of them, JSON Lines: {"prompt", "name"?, "answer"?, "against"?, "template"?, "corrupted"?, "spans"?, "labels"?}',
    )
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
  addRunOptions(addBackendOption(command));
  addOutputOptions(command, '<model>-<hash>');
  return addQueueOptions(command).addHelpText(
    'after',
    `
Examples:
  spexlens prompt --model org/name --template "Review: {} Sentiment:" --prompt "The plot is not bad at all." --answer " positive" --against " negative"
  spexlens prompt --model org/name --chat --prompt-file question.txt --players sentences --generate 25
  spexlens prompt --model org/name --prompts reviews.jsonl --template "Review: {} Sentiment:" --answer " positive" --against " negative"
What was finished of a list is not asked again when the same command is given again.`,
  );
};

/** Runs the command with `args`; the result is the exit code. */
export const promptCommand = (args: readonly string[], streams: Streams): Promise<number> =>
  runCommand(describe(), args, streams, async (flags: PromptFlags, running) => {
    const asked = askedOf(flags);
    const spans = spansOf(flags);
    const list = flags.prompts === undefined ? undefined : readPromptList(flags, asked, spans);
    const single = list === undefined ? { ...asked, ...textOf(promptOf(flags), flags, spans) } : undefined;
    const backend = await openBackend(flags.backend);
    const masks = (asked.budget ?? 0) + (asked.heldOut ?? 0);
    const progress = createProgress(process.stderr, { masks, backend, err: streams.err });
    const output = single && createOutput(flags.out);
    try {
      const model = await loadModel(flags.model, { hub: hubOptions(running, progress) });
      const shared = {
        elsewhere: elsewhereOf(flags, model, (text) => {
          progress.stop();
          streams.err(`${printable(text)}\n`);
        }),
        command: withoutPassword(running.line),
        signal: running.measuring,
      };
      try {
        if (list !== undefined) {
          await runPromptList(list, model, backend, { flags, streams, shared, onProgress: progress.update });
          return;
        }
        if (single === undefined || output === undefined) return;
        const result = await explainPrompt(model, backend, {
          ...single,
          ...shared,
          openLog: output.openLog,
          onProgress: progress.update,
        });
        progress.stop();
        showResult(await output.write(result), flags, streams);
      } finally {
        model[Symbol.dispose]();
      }
    } finally {
      progress.stop();
      await output?.settle();
      backend.close();
    }
  });
