/**
 * An asker in a process of its own, whose memory is then its own: `asker-process.ts URL PLAYERS MASKS WORKERS LOG`. LOG is a file, or
 * - for the game alone. Waits for the workers, asks every mask in one request, and says how long it took, what it took, and
 * whether the values are right.
 */
import { openLedger } from '../../src/ledger.ts';
import { createQueuedGame } from '../../src/measure/queue/queued-game.ts';
import { openRunLog } from '../../src/measure/run-log.ts';
import { madeUpStudy } from '../../test/measure/queue/made-up.ts';
import { Redis } from 'ioredis';
import { distinctMasks, madeUpOf } from './made-up.ts';

const [url, players, count, workers, path] = process.argv.slice(2);
const study = madeUpStudy(Number(players));
const masks = distinctMasks(Number(players), Number(count));
const game = await createQueuedGame(study, url, { onNote: (text) => process.stderr.write(`${text}\n`) });
const look = new Redis(url);
for (;;) {
  const ids = await look.smembers('spexlens:workers');
  const records = ids.length === 0 ? [] : await look.mget(ids.map((id) => `spexlens:worker:${id}`));
  if (records.filter((text) => text?.includes('"serving"')).length >= Number(workers)) break;
  await new Promise((resolve) => setTimeout(resolve, 500));
}
await new Promise((resolve) => setTimeout(resolve, 3000)); // until the asker has seen them too
const statistics = async (): Promise<Record<'commands' | 'input' | 'output', number>> => {
  const info = await look.info('stats');
  const field = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
  return {
    commands: field('total_commands_processed'),
    input: field('total_net_input_bytes'),
    output: field('total_net_output_bytes'),
  };
};
const before = await statistics();
const cpu = process.cpuUsage();
const start = performance.now();
let values: Float64Array;
if (path === '-') values = await game.value(masks);
else {
  const log = openRunLog(path, study);
  const ledger = openLedger(game, log);
  values = await ledger.value(masks);
  log.close();
}
const seconds = (performance.now() - start) / 1000;
const used = process.cpuUsage(cpu);
const after = await statistics();
let wrong = 0;
for (let row = 0; row < masks.count; row++) if (values[row] !== madeUpOf(masks, row)) wrong++;
const peak = /^used_memory_peak:(\d+)/m.exec(await look.info('memory'))?.[1];
look.disconnect();
process.send?.({
  seconds,
  wrong,
  askerBytes: 1024 * process.resourceUsage().maxRSS,
  askerCpu: (used.user + used.system) / 1e6,
  redisBytes: Number(peak),
  commands: after.commands - before.commands,
  bytes: after.input + after.output - before.input - before.output,
  workers: game.measuredBy.size,
});
await game[Symbol.asyncDispose]();
process.disconnect?.();
