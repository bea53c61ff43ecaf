/**
 * What the queue costs: a million masks, the pooled game beside it, and how it grows with workers.
 *
 *     npx tsx bench/queue.ts million                       1,000,000 masks of 1,000 players, 4 workers, memory of each part
 *     npx tsx bench/queue.ts overhead [--model FILE --masks n --prompts n --rounds n]
 *     npx tsx bench/queue.ts fleet [--fleet 1,10,100,1000 --seconds 40 --picture docs/scale-out.svg]
 *
 * Everything runs on a redis-server of its own with its log on. The workers of `million` and `fleet` make up their values: in
 * `million` at once, in `fleet` after as long as a machine of 100 masks a second would take.
 */
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { fail } from '../src/errors.ts';
import { runCommand, terminal, whole } from '../cli/command.ts';
import { measureOverhead } from './queue/overhead.ts';
import { scalingPicture, type Point } from './queue/picture.ts';
import { runMadeUp, type Asked } from './queue/processes.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const mega = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
const number = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 1 : 0 });
const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

interface Flags {
  readonly model: string;
  readonly masks: string;
  readonly prompts: string;
  readonly rounds: string;
  readonly fleet: string;
  readonly seconds: string;
  readonly picture?: string;
  readonly debug?: boolean;
}

const RATE = 100;

function tell(what: string, masks: number, asked: Asked): void {
  if (asked.wrong > 0) throw fail('backend', what, `${asked.wrong} of ${masks} values are wrong.`);
  say(
    `${what}: ${number(masks / asked.seconds)} masks/s, ${asked.seconds.toFixed(1)} s; asker ${mega(asked.askerBytes)}, ${asked.askerCpu.toFixed(1)} s of CPU; ` +
      `redis ${mega(asked.redisBytes)} at most; ${number(asked.commands)} commands, ${mega(asked.bytes)} in and out`,
  );
}

async function million(): Promise<void> {
  const setting = { players: 1000, masks: 1_000_000, workers: 4, rate: 0, processes: 4 };
  for (const log of [false, true])
    tell(log ? 'with ledger and run log' : 'the game alone', setting.masks, await runMadeUp({ ...setting, log }));
}

async function overhead({ model, masks, prompts, rounds }: Flags): Promise<void> {
  const found = await measureOverhead(model, whole('--masks', masks), {
    rounds: whole('--rounds', rounds),
    prompts: whole('--prompts', prompts),
  });
  const [pooled, queued] = [median(found.pooled), median(found.queued)];
  const spread = (rates: readonly number[]): string => `${number(Math.min(...rates))} to ${number(Math.max(...rates))}`;
  say(
    `${found.model}, ${number(found.masks)} masks: pooled ${number(pooled)} masks/s (${spread(found.pooled)}), queued ${number(queued)} (${spread(found.queued)}): ` +
      `overhead ${(100 * (pooled / queued - 1)).toFixed(1)} % of time, ${(100 * (found.cpu.queued / found.cpu.pooled - 1)).toFixed(1)} % of processor ` +
      `(${found.cpu.queued.toFixed(1)} s for ${found.cpu.pooled.toFixed(1)} s, asker and server included); values ${found.equal ? 'agree' : 'DIFFER'}`,
  );
}

async function fleet({ fleet: sizes, seconds, picture }: Flags): Promise<void> {
  const points: Point[] = [];
  for (const size of sizes.split(',')) {
    const workers = whole('--fleet', size);
    const masks = workers * RATE * whole('--seconds', seconds);
    const asked = await runMadeUp({ players: 144, masks, workers, rate: RATE, processes: Math.min(2, workers) });
    tell(`${workers} workers`, masks, asked);
    const [rate, ideal] = [masks / asked.seconds, workers * RATE];
    say(
      `  ${((100 * rate) / ideal).toFixed(1)} % of ${number(ideal)} masks/s; ${number(asked.commands / asked.seconds)} commands/s; ${asked.workers} workers answered`,
    );
    points.push({ workers, rate, ideal });
  }
  if (picture !== undefined) writeFileSync(picture, scalingPicture(points));
}

const SECTIONS: Readonly<Record<string, (flags: Flags) => Promise<void>>> = { million, overhead, fleet };

const command = new Command('queue')
  .argument('<section>', Object.keys(SECTIONS).join(' | '))
  .option('--model <folder>', 'the model of overhead', 'models/ioi-tiny')
  .option('--masks <n>', 'its masks in a request', '40000')
  .option('--prompts <n>', 'its prompts', '2')
  .option('--rounds <n>', 'its rounds', '5')
  .option('--fleet <sizes>', 'workers of fleet', '1,10,100,1000')
  .option('--seconds <n>', 'what fleet would take without a queue', '40')
  .option('--picture <file>', 'where fleet draws its curve')
  .option('--debug', 'show stack traces');

process.exitCode = await runCommand(command, process.argv.slice(2), terminal, async (flags: Flags) => {
  const [section] = command.args;
  if (!Object.hasOwn(SECTIONS, section))
    throw fail('input', 'section', `"${section}" is unknown; there are ${Object.keys(SECTIONS).join(', ')}.`);
  await SECTIONS[section](flags);
});
