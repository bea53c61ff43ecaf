/** The patch command: its options, what they mean, and the order in which things happen. */
import { join } from 'node:path';
import { Command } from 'commander';
import { fail } from '../../src/errors.ts';
import { printable, printableJson } from '../../src/printable.ts';
import { twinned } from '../../src/lens/components/choose-ablation.ts';
import { METRICS, metricOf } from '../../src/lens/metrics.ts';
import { toTasks, type Task } from '../../src/lens/prompts.ts';
import { openRunLog, type RunLog } from '../../src/measure/run-log.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { openBackend } from '../../src/open-backend.ts';
import { patchPaths } from '../../src/patch-paths.ts';
import { PATCHED, patchSweep, type Patched } from '../../src/patch-sweep.ts';
import type { PatchedRuns } from '../../src/patched-runs.ts';
import { patchPage } from '../../src/report/patch-page.ts';
import type { PatchRecord } from '../../src/report/patch-record.ts';
import { patchText } from '../../src/report/patch-text.ts';
import { hashStudy, type OwnStudy, type Study } from '../../src/study.ts';
import { VERSION } from '../../src/version.ts';
import { createProgress } from '../circuits/progress.ts';
import { addPromptOptions, promptsOf, type PromptFlags } from '../circuits/prompts.ts';
import { runCommand, storyOptions, whole, type Streams } from '../command.ts';
import { makeFolder, writeFile } from '../files.ts';
import { fromRoot } from '../package-root.ts';
import { addQueueOptions, elsewhereOf, withoutPassword, type QueueFlags } from '../queue-options.ts';
import { addBackendOption, layersOf, namesOf, optional } from '../shared-options.ts';

const describe = (): Command => {
  const command = new Command('patch')
    .description(
      'Put activations of a clean run into a corrupted one (or back), one place at a time, and show which of them bring the answer.',
    )
    .version(VERSION)
    .optionsGroup('What to ask:')
    .option('--model <folder|id>', 'model folder, GGUF file or hub id', fromRoot('models/ioi-tiny'));
  addPromptOptions(command)
    .option('--metric <name>', namesOf(METRICS), 'logit-diff')
    .option('--direction <way>', 'denoise: clean into corrupted | noise: corrupted into clean', 'denoise')
    .optionsGroup('What to patch:')
    .option('--what <list>', PATCHED.join(', '), 'resid_pre,attn_out,mlp_out,z')
    .option(
      '--positions <how>',
      'each | together (default: each for streams and layers, together for heads and neurons)',
    )
    .option('--layers <list>', 'layers to patch, e.g. 0,2-3 (default: all)')
    .option('--receivers <list>', 'path patching instead: who reads, e.g. L9H6.q,L9H9.q or MLP10 or logits')
    .option('--senders <kind>', 'who writes, for --receivers: heads | mlps', 'heads')
    .option('--direct', 'for --receivers: only the way straight from sender to receiver, through no MLP');
  addBackendOption(command)
    .option('--threads <n>', 'threads on wasm and cpu; auto: more than one where that pays', 'auto')
    .option('--batch-size <rows>', 'rows of a forward pass (default: from the byte estimate)')
    .option('--seed <n>', 'seed of the prompts that --task makes', '0')
    .option('--out <folder>', 'where patch.json, patch.html and the run logs go (default: out/patch-<model>)')
    .option('--json', 'print patch.json instead of the maps')
    .option('--debug', 'show stack traces');
  return addQueueOptions(command).addHelpText(
    'after',
    `
Examples:
  spexlens patch                                                       the bundled model, a pair of its prompts
  spexlens patch --what q,k,v,pattern                                  what its heads read with
  spexlens patch --model org/name --task ioi --what z --positions each heads, position by position
  spexlens patch --receivers L2H1.q,L2H3.q                             which heads reach these queries
A run that was stopped goes on where it was when the same command is given again.`,
  );
};

interface Flags extends PromptFlags, QueueFlags {
  readonly metric: string;
  readonly direction: string;
  readonly what: string;
  readonly positions?: string;
  readonly layers?: string;
  readonly receivers?: string;
  readonly senders: string;
  readonly direct?: boolean;
  readonly backend: string;
  readonly threads: string;
  readonly batchSize?: string;
  readonly out?: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** One of a few words. @throws 'input' naming the option. */
function oneOf<T extends string>(option: string, given: string, words: readonly T[]): T {
  const word = words.find((known) => known === given);
  if (word !== undefined) return word;
  throw fail('input', option, `"${given}" is unknown; there are ${words.join(', ')}.`);
}

/** The two runs of every prompt. @throws 'input' for a prompt without a corrupted one. */
async function runsOf(
  flags: Flags,
  model: Model,
): Promise<Pick<PatchedRuns, 'clean' | 'corrupted' | 'correct' | 'incorrect'>> {
  const tasks = twinned(
    toTasks(model, await promptsOf(flags, model), { metric: metricOf(flags.metric), corrupted: false }),
  );
  const lone = tasks.find(({ corrupted }) => corrupted === undefined);
  if (lone !== undefined)
    throw fail(
      'input',
      '--corrupted',
      `is missing for ${lone.label}: give a prompt of as many tokens, or prompts in pairs whose answers are swapped.`,
    );
  const answers = (side: 'correct' | 'incorrect'): number[] | undefined =>
    tasks.every((task) => task[side] !== undefined) ? tasks.map((task) => task[side] as number) : undefined;
  return {
    clean: tasks.map(({ tokens }: Task) => tokens),
    corrupted: tasks.map(({ corrupted }) => corrupted as readonly number[]),
    correct: answers('correct'),
    incorrect: answers('incorrect'),
  };
}

/** Runs the command with `args`; the result is the exit code. */
export const patchCommand = (args: readonly string[], streams: Streams): Promise<number> =>
  runCommand(describe(), args, streams, async (flags: Flags, { signal, line }) => {
    if (flags.receivers !== undefined && flags.queue !== undefined)
      throw fail(
        'input',
        '--queue',
        'has workers measure sweeps; paths (--receivers) are measured here, leave it out.',
      );
    const whats = flags.what.split(',').map((name) => oneOf<Patched>('--what', name.trim(), PATCHED));
    const asked = {
      metric: metricOf(flags.metric),
      direction: oneOf('--direction', flags.direction, ['denoise', 'noise']),
      layers: layersOf(flags.layers),
      threads: flags.threads === 'auto' ? ('auto' as const) : whole('--threads', flags.threads),
      batchSize: optional('--batch-size', flags.batchSize),
      command: withoutPassword(line),
      signal,
    };
    const positions =
      flags.positions === undefined ? undefined : oneOf('--positions', flags.positions, ['each', 'together']);
    const senders = oneOf('--senders', flags.senders, ['heads', 'mlps']);
    const backend = await openBackend(flags.backend);
    const progress = createProgress(process.stderr);
    try {
      const model = await loadModel(flags.model, { hub: { signal } });
      try {
        const folder = flags.out ?? join('out', `patch-${model.name}`);
        makeFolder('--out', folder);
        const openLog = (study: Study | OwnStudy): RunLog =>
          openRunLog(join(folder, `run-log-${hashStudy(study).slice(0, 8)}.jsonl`), study);
        const runs = { ...asked, ...(await runsOf(flags, model)), openLog, onProgress: progress.update };
        const records: PatchRecord[] = [];
        if (flags.receivers !== undefined)
          records.push(
            await patchPaths(model, backend, {
              ...runs,
              receivers: flags.receivers,
              senders,
              direct: flags.direct === true ? true : undefined,
            }),
          );
        else {
          const elsewhere = elsewhereOf(flags, model, (text) => {
            progress.stop();
            streams.err(`${printable(text)}\n`);
          });
          for (const what of whats)
            records.push(await patchSweep(model, backend, { ...runs, what, positions, elsewhere }));
        }
        progress.stop();
        const json = printableJson(`${JSON.stringify(records, null, 1)}\n`);
        writeFile('--out', join(folder, 'patch.json'), json);
        writeFile('--out', join(folder, 'patch.html'), patchPage(records));
        streams.out(flags.json === true ? json : patchText(records, storyOptions(streams)));
        if (flags.json !== true) streams.out(`\nwritten  ${join(folder, 'patch.html')}, patch.json, run logs\n`);
      } finally {
        model[Symbol.dispose]();
      }
    } finally {
      progress.stop();
      backend.close();
    }
  });
