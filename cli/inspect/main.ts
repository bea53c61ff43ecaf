/** The inspect command: its options and the order in which things happen. */
import * as tf from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { BACKENDS } from '../../src/backend/backend.ts';
import { openBackend } from '../../src/open-backend.ts';
import { fail } from '../../src/errors.ts';
import { printableJson } from '../../src/printable.ts';
import { loadModel } from '../../src/model/model.ts';
import { requireStorage, STORAGES } from '../../src/model/weights/parameters.ts';
import { VERSION } from '../../src/version.ts';
import { runCommand, type Streams } from '../command.ts';
import { createProgress, hubOptions } from '../circuits/progress.ts';
import { inspect } from './inspection.ts';
import { inspectionText } from './text.ts';

const describe = (): Command =>
  new Command('inspect')
    .description(
      'Say what a model is: its record, files, memory by backend, hooks, what its tokenizer does; and compare its numbers with golden.safetensors where the folder has it (exit code 1 when they differ).',
    )
    .version(VERSION)
    .argument('<folder|id>', 'model folder in Hugging Face layout, or a hub id: org/name or org/name@revision')
    .option('--backend <name>', `auto | ${BACKENDS.join(' | ')}`, 'auto')
    .option(
      '--storage <format>',
      `how matrices are held on the device: ${STORAGES.join(' | ')}; halves need webgpu, and their error against golden numbers is reported`,
      'float32',
    )
    .option('--json', 'print the record as JSON')
    .option('--debug', 'show stack traces');

interface Flags {
  readonly backend: string;
  readonly storage: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** Runs the command with `args`; the result is the exit code. */
export const inspectCommand = (args: readonly string[], streams: Streams): Promise<number> => {
  const command = describe();
  return runCommand(command, args, streams, async (flags: Flags, running) => {
    const backend = await openBackend(flags.backend);
    const progress = createProgress(process.stderr);
    try {
      const { numTensors, numBytes } = tf.memory();
      const model = await loadModel(command.args[0], {
        storage: requireStorage(flags.storage),
        hub: hubOptions(running, progress),
      });
      progress.stop();
      try {
        const inspection = await inspect(model, backend, { numTensors, numBytes });
        streams.out(
          flags.json === true
            ? printableJson(`${JSON.stringify(inspection, undefined, 2)}\n`)
            : inspectionText(inspection),
        );
        const { golden } = inspection;
        if (golden?.agrees === false) {
          throw fail(
            'checkpoint',
            `model ${model.name}`,
            `differs from its golden numbers by ${golden.logits.toExponential(1)} in the logits and ${(golden.residuals ?? 0).toExponential(1)} in the residuals; at most ${golden.tolerance} is rounding on ${backend.name}.`,
          );
        }
      } finally {
        model[Symbol.dispose]();
      }
    } finally {
      progress.stop();
      backend.close();
    }
  });
};
