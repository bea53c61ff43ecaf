/** The queue command: who works on a queue, who asks, how far they are, and what failed. */
import { Command } from 'commander';
import { printable, printableJson } from '../../src/printable.ts';
import { readQueue, type QueueState } from '../../src/measure/queue/queue-state.ts';
import { VERSION } from '../../src/version.ts';
import { runCommand, type Streams } from '../command.ts';
import { addressOf, QUEUE_HELP } from '../queue-options.ts';

const WATCH_MS = 2000;

const describe = (): Command =>
  new Command('queue')
    .description('Show the workers of a queue, the studies on it with their rate and what is left, and what failed.')
    .version(VERSION)
    .requiredOption('--queue <url>', QUEUE_HELP)
    .option('--watch', 'again every two seconds, until Ctrl-C')
    .option('--json', 'print it as JSON')
    .option('--debug', 'show stack traces');

interface Flags {
  readonly queue: string;
  readonly watch?: boolean;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** Runs the command with `args`; the result is the exit code. */
export const queueCommand = (args: readonly string[], streams: Streams): Promise<number> =>
  runCommand(describe(), args, streams, async ({ queue, watch = false, json = false }: Flags, { signal }) => {
    do {
      const state = await readQueue(addressOf(queue));
      streams.out(json ? printableJson(`${JSON.stringify(state, undefined, 2)}\n`) : queueText(state));
      if (watch) await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
    } while (watch && !signal.aborted);
  });

/** The state of a queue for a reader. */
export function queueText({ shown, memory, workers, studies }: QueueState): string {
  const lines = [
    `queue ${shown}: ${count(workers.length, 'worker')}, ${studies.length} ${studies.length === 1 ? 'study' : 'studies'}, ${(memory / 2 ** 20).toFixed(0)} MiB`,
  ];
  for (const { id, backend, threads, version, studies: own } of workers) {
    lines.push(`worker ${id}  ${backend}, ${count(Number(threads) || threads, 'thread')}, spexlens ${version}`);
    for (const [hash, { state, why, rate, masks = 0 }] of Object.entries(own)) {
      const speed = rate === undefined ? '' : `, ${number(rate)} masks/s, ${number(masks)} masks`;
      lines.push(`  ${hash.slice(0, 8)}  ${state}${speed}${why === undefined ? '' : `: ${why}`}`);
    }
  }
  for (const { hash, name, players, askers, jobs, failures } of studies) {
    lines.push(
      `study ${hash.slice(0, 8)}  ${name ?? 'of another version'}, ${players} players; jobs: ${jobs.waiting} waiting, ${jobs.active} at work, ${jobs.failed} failed`,
    );
    for (const { id, asked, done, rate } of askers)
      lines.push(
        `  asker ${id}  ${number(done)} of ${number(asked)} masks, ${number(rate)}/s${eta(asked - done, rate)}`,
      );
    for (const failure of failures) lines.push(`  failed: ${failure}`);
  }
  return `${lines.map(printable).join('\n')}\n`;
}

function eta(left: number, rate: number): string {
  if (left <= 0 || rate <= 0) return '';
  const seconds = Math.ceil(left / rate);
  return seconds < 120 ? `, ${seconds} s left` : `, ${Math.ceil(seconds / 60)} min left`;
}

function number(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 });
}

function count(value: number | string, what: string): string {
  return `${value} ${what}${value === 1 ? '' : 's'}`;
}
