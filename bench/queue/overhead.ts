/** The queue beside the pooled game: the same masks on the same two cores, by two threads and by two workers, in turns. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { studyOf } from '../../src/find-circuits.ts';
import { ABLATIONS } from '../../src/lens/components/ablations.ts';
import type { ComponentGameOptions } from '../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../src/lens/components/components.ts';
import { METRICS } from '../../src/lens/metrics.ts';
import { promptsOfTask, taskOf } from '../../src/lens/tasks/task.ts';
import { TASKS } from '../../src/lens/tasks/tasks.ts';
import { readPrompts, toTasks, type Prompt } from '../../src/lens/prompts.ts';
import { createPooledGame } from '../../src/measure/pooled-game.ts';
import { createQueuedGame } from '../../src/measure/queue/queued-game.ts';
import { loadModel, tokenizerOf, type Model } from '../../src/model/model.ts';
import { openBackend } from '../../src/open-backend.ts';
import { createRandom } from '../../src/random.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { startRedis } from '../../test/measure/queue/redis.ts';

export interface Overhead {
  readonly model: string;
  readonly masks: number;
  /** Masks a second by round. */
  readonly pooled: readonly number[];
  readonly queued: readonly number[];
  /** Seconds of processor that all processes together took, over the rounds. */
  readonly cpu: { readonly pooled: number; readonly queued: number };
  readonly equal: boolean;
}

async function promptsFor(model: Model, count: number): Promise<Prompt[]> {
  const own = await readPrompts(`${model.folder}/prompts.jsonl`).catch(() => undefined);
  return own?.slice(0, count) ?? promptsOfTask(taskOf('ioi', TASKS), tokenizerOf(model), Math.ceil(count / 2), 0);
}

/** `rounds` requests of `count` masks on each. */
export async function measureOverhead(
  path: string,
  count: number,
  { rounds, prompts }: { readonly rounds: number; readonly prompts: number },
): Promise<Overhead> {
  const backend = await openBackend('wasm');
  const model = await loadModel(path);
  const metric = METRICS['logit-diff'];
  const asked: ComponentGameOptions = {
    players: parsePlayers('heads', model.config),
    tasks: toTasks(model, await promptsFor(model, prompts), { metric, corrupted: true }),
    metric,
    ablation: ABLATIONS.resample,
  };
  const study = await studyOf(model, backend, asked);
  const server = await startRedis();
  const workers: ChildProcess[] = [];
  const pooled = createPooledGame(model, asked, { threads: 2 });
  const queued = await createQueuedGame(study, server.url);
  try {
    const drawn = Array.from({ length: rounds + 1 }, (_, k) =>
      uniformMasks(asked.players.length, count, createRandom(k, 'overhead')),
    );
    for (const name of ['one', 'two'])
      workers.push(
        spawn(
          process.execPath,
          [
            '--import',
            'tsx',
            'cli/spexlens.ts',
            'worker',
            '--queue',
            server.url,
            '--models',
            dirname(path),
            '--name',
            name,
          ],
          { stdio: ['ignore', 'ignore', 'inherit'] },
        ),
      );
    const values = { pooled: [] as Float64Array[], queued: [] as Float64Array[] };
    const cpu = { pooled: 0, queued: 0 };
    const used = (): number =>
      process.cpuUsage().user / 1e6 +
      process.cpuUsage().system / 1e6 +
      [server.pid(), ...workers.map(({ pid }) => pid as number)].reduce((sum, pid) => sum + cpuSeconds(pid), 0);
    const rates = { pooled: [] as number[], queued: [] as number[] };
    while (queued.measuredBy.size < 2)
      await queued.value(
        uniformMasks(asked.players.length, 100, createRandom(queued.measuredBy.size, `warm${performance.now()}`)),
      );
    for (const [round, masks] of drawn.entries())
      for (const way of round % 2 === 0 ? (['pooled', 'queued'] as const) : (['queued', 'pooled'] as const)) {
        const start = performance.now();
        const before = used();
        values[way].push(await (way === 'pooled' ? pooled : queued).value(masks));
        if (round === 0) continue; // warms
        rates[way].push((1000 * count) / (performance.now() - start));
        cpu[way] += used() - before;
      }
    const equal = values.pooled.every((each, round) =>
      each.every((value, row) => Math.abs(value - values.queued[round][row]) < 1e-5),
    );
    return { model: model.name, masks: count, ...rates, cpu, equal };
  } finally {
    for (const worker of workers) worker.kill('SIGKILL');
    pooled[Symbol.dispose]();
    await queued[Symbol.asyncDispose]();
    await server.stop();
    model[Symbol.dispose]();
    backend.close();
  }
}

/** What a process has taken of a processor (Linux; its clock ticks 100 times a second). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
