/** The processes of a measurement: a server, workers, an asker. */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '../../test/measure/queue/redis.ts';

/** What an asker says. */
export interface Asked {
  readonly seconds: number;
  readonly wrong: number;
  readonly askerBytes: number;
  readonly askerCpu: number;
  readonly redisBytes: number;
  readonly commands: number;
  readonly bytes: number;
  readonly workers: number;
}

export interface Setting {
  readonly players: number;
  readonly masks: number;
  readonly workers: number;
  /** Masks a second of each; 0 for as fast as they can. */
  readonly rate: number;
  /** Processes that the workers are in. */
  readonly processes: number;
  readonly log?: boolean;
}

export function start(file: string, ...args: readonly (string | number)[]): ChildProcess {
  return fork(join(import.meta.dirname, file), args.map(String), {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

export async function message(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`a process ended with ${code}`)));
  });
}

/** One run of made-up work on a real queue. */
export async function runMadeUp({ players, masks, workers, rate, processes, log = false }: Setting): Promise<Asked> {
  const server = await startRedis({ options: ['--maxclients', '15000'] });
  const folder = mkdtempSync(join(tmpdir(), 'bench-queue-'));
  const each = Math.ceil(workers / processes);
  const fleet = Array.from({ length: processes }, (_, k) =>
    start('fleet-process.ts', server.url, `fleet${k}`, Math.min(each, workers - k * each), rate),
  );
  try {
    await Promise.all(fleet.map(message));
    const asker = start('asker-process.ts', server.url, players, masks, workers, log ? join(folder, 'log.jsonl') : '-');
    const gone = new Promise((resolve) => asker.once('exit', resolve));
    const asked = (await message(asker)) as Asked;
    await gone;
    return asked;
  } finally {
    for (const child of fleet) child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
    await server.stop();
  }
}
