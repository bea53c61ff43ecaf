/** The options by which a command has its masks measured by workers of a queue, and what they mean. */
import type { Command } from 'commander';
import { BACKENDS } from '../src/backend/backend.ts';
import { fail } from '../src/errors.ts';
import type { Elsewhere } from '../src/measure/elsewhere.ts';
import { createQueuedGame } from '../src/measure/queue/queued-game.ts';
import { openInThread } from '../src/measure/queue/study-host.ts';
import type { Model } from '../src/model/model.ts';

export interface QueueFlags {
  readonly model: string;
  readonly queue?: string;
  readonly queueBackend?: string;
  readonly localWorker?: boolean;
}

export const QUEUE_HELP =
  'redis://[user:password@]host[:port][/db], rediss:// for TLS; SPEXLENS_QUEUE_PASSWORD may hold the password';

export function addQueueOptions(command: Command): Command {
  return command
    .optionsGroup('Many machines:')
    .option('--queue <url>', `have workers of a queue measure (spexlens worker): ${QUEUE_HELP}`)
    .option(
      '--queue-backend <name>',
      `the backend that workers compute on: ${BACKENDS.join(' | ')} (default: this one's)`,
    )
    .option('--local-worker', 'measure here too, beside workers elsewhere');
}

/** The address that an option gives, with the password of the environment where it has none. */
export function addressOf(url: string): string {
  const password = process.env['SPEXLENS_QUEUE_PASSWORD'];
  if (password === undefined || password === '') return url;
  const match = /^(rediss?:\/\/)(?:([^/:@]*)@)?([^@]*)$/.exec(url);
  return match === null ? url : `${match[1]}${match[2] ?? ''}:${encodeURIComponent(password)}@${match[3]}`;
}

/** A command line as a record may hold it. */
export function withoutPassword(line: string): string {
  return line.replace(/(rediss?:\/\/)[^\s/@]*@/g, '$1');
}

/** Who measures by these flags; undefined for this process. @throws 'input' for options that mean nothing without a queue. */
export function elsewhereOf(
  { model: named, queue, queueBackend, localWorker = false }: QueueFlags,
  model: Model,
  onNote: (text: string) => void,
): Elsewhere | undefined {
  if (queue === undefined) {
    const lone = queueBackend === undefined ? (localWorker ? '--local-worker' : undefined) : '--queue-backend';
    if (lone !== undefined) throw fail('input', lone, 'says something of a queue; give --queue redis://host:6379 too.');
    return undefined;
  }
  if (queueBackend !== undefined && !(BACKENDS as readonly string[]).includes(queueBackend))
    throw fail('input', '--queue-backend', `"${queueBackend}" is unknown; there are ${BACKENDS.join(', ')}.`);
  const { folder } = model;
  return {
    backend: queueBackend,
    open: async (study) =>
      createQueuedGame(study, addressOf(queue), {
        onNote,
        source: /^[^/.~][^/]*\/[^/]+$/.test(named) ? named : undefined,
        ...(localWorker && folder !== undefined
          ? {
              local: {
                open: async (asked) => openInThread({ study: asked, model: folder, fromHub: false, threads: 1 }),
              },
            }
          : {}),
      }),
  };
}
