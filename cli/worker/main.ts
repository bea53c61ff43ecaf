/** The worker command: measures for whoever asks on a queue, until it is stopped. */
import { Command } from 'commander';
import { BACKENDS } from '../../src/backend/backend.ts';
import { fail } from '../../src/errors.ts';
import { modelNames, openFromFolders } from '../../src/measure/queue/model-folders.ts';
import { startQueueWorker } from '../../src/measure/queue/queue-worker.ts';
import { shownAddress } from '../../src/measure/queue/connection.ts';
import { printable } from '../../src/printable.ts';
import { VERSION } from '../../src/version.ts';
import { runCommand, whole, type Streams } from '../command.ts';
import { fromRoot } from '../package-root.ts';
import { addressOf, QUEUE_HELP } from '../queue-options.ts';

const describe = (): Command =>
  new Command('worker')
    .description(
      'Wait for studies on a queue and measure their masks; what this machine does not have it leaves to others.',
    )
    .version(VERSION)
    .requiredOption('--queue <url>', QUEUE_HELP)
    .option('--models <folder...>', 'folders with models: name, name.gguf or organisation/name', [fromRoot('models')])
    .option('--hub', 'fetch models that are not there from the hub, by the id that the asker gives')
    .option('--backend <name>', `auto: the one that a study names | ${BACKENDS.join(' | ')}`, 'auto')
    .option('--threads <n|auto>', 'threads that measure, on wasm and cpu', '1')
    .option('--studies <n>', 'studies that are open at once', '4')
    .option('--name <name>', 'what others see (default: host/process)')
    .option('--lock <seconds>', 'silence after which a job of this worker is given to another', '30')
    .option('--debug', 'show stack traces')
    .addHelpText(
      'after',
      `
Example, with a server on the same machine (apt-get install redis-server):
  spexlens worker --queue redis://localhost:6379 --models ./models
  spexlens circuits --queue redis://localhost:6379 --budget 65536`,
    );

interface Flags {
  readonly queue: string;
  readonly models: readonly string[];
  readonly hub?: boolean;
  readonly backend: string;
  readonly threads: string;
  readonly studies: string;
  readonly name?: string;
  readonly lock: string;
  readonly debug?: boolean;
}

/** Runs the command with `args`; the result is the exit code. */
export const workerCommand = (args: readonly string[], streams: Streams): Promise<number> =>
  runCommand(describe(), args, streams, async (flags: Flags, { signal }) => {
    if (flags.backend !== 'auto' && !(BACKENDS as readonly string[]).includes(flags.backend))
      throw fail('input', '--backend', `"${flags.backend}" is unknown; choose auto, ${BACKENDS.join(', ')}.`);
    const threads = flags.threads === 'auto' ? 'auto' : positive('--threads', flags.threads);
    const lockMs = 1000 * positive('--lock', flags.lock);
    const models = await modelNames(flags.models);
    const say = (text: string): void => streams.out(`${printable(text)}\n`);
    const worker = await startQueueWorker(addressOf(flags.queue), {
      open: openFromFolders({ models: flags.models, hub: flags.hub, backend: flags.backend, threads }),
      about: { backend: flags.backend, threads: String(threads), models: models.slice(0, 1000) },
      name: flags.name,
      mostStudies: positive('--studies', flags.studies),
      lockMs,
      onNote: say,
    });
    say(
      `worker ${worker.name} waits for studies on ${shownAddress(flags.queue)}; models: ${models.join(', ') || 'none'}`,
    );
    await stopped(signal);
    say('giving back what is not done ...');
    await worker[Symbol.asyncDispose]();
  });

function positive(option: string, text: string): number {
  const value = whole(option, text);
  if (value < 1) throw fail('input', option, `${value} is not a whole number >= 1.`);
  return value;
}

/** Ctrl-C, or what ends a service. */
async function stopped(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    process.once('SIGTERM', () => resolve());
  });
}
