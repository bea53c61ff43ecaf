/** A redis-server of its own for a test: a loopback port, its append-only file in a temporary folder; can be killed and started again. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

export interface RedisSettings {
  readonly password?: string;
  /** Where its files are; removed at the end. */
  readonly folder?: string;
  readonly options?: readonly string[];
}

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** The process, to be killed. */
  readonly pid: () => number;
  kill(): Promise<void>;
  start(): Promise<void>;
  /** A connection to look in with; closed with the server. */
  readonly redis: Redis;
  stop(): Promise<void>;
}

/** Whether there is one here; says why not, so that nothing is skipped silently. */
export const HAS_REDIS = ((): boolean => {
  const found = spawnSync('redis-server', ['--version']).status === 0;
  if (!found) console.info('the queue is not tested here: there is no redis-server (apt-get install redis-server).');
  return found;
})();

export async function startRedis({
  password,
  folder = mkdtempSync(join(tmpdir(), 'redis-')),
  options = [],
}: RedisSettings = {}): Promise<RedisServer> {
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes', '--save', ''];
  if (password !== undefined) args.push('--requirepass', password);
  let server: ChildProcess | undefined;
  const redis = new Redis(port, '127.0.0.1', {
    lazyConnect: true,
    ...(password === undefined ? {} : { password }),
    maxRetriesPerRequest: null,
    retryStrategy: () => 100,
  });
  redis.on('error', () => undefined);
  const start = async (): Promise<void> => {
    server = spawn('redis-server', [...args, ...options], { stdio: 'ignore' });
    if (redis.status === 'wait') await redis.connect().catch(() => undefined);
    await redis.ping();
  };
  const kill = async (): Promise<void> => {
    const gone = new Promise((resolve) => server?.once('exit', resolve));
    server?.kill('SIGKILL');
    await gone;
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: () => server?.pid as number,
    kill,
    start,
    redis,
    async stop() {
      redis.disconnect();
      if (server?.exitCode === null && server.signalCode === null) await kill();
      for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
      if (!isMount(folder)) rmdirSync(folder);
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function isMount(folder: string): boolean {
  return statSync(folder).dev !== statSync(join(folder, '..')).dev;
}
