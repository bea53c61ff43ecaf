/** The queue's commands from end to end: a worker in a process of its own, a run that it measures, and what is shown of them. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { queueText } from '../../cli/queue/main.ts';
import { addressOf, withoutPassword } from '../../cli/queue-options.ts';
import { spexlens } from '../../cli/spexlens.ts';
import { parseResult } from '../../src/report/result.ts';
import { HAS_REDIS, startRedis, type RedisServer } from '../measure/queue/redis.ts';

const folder = mkdtempSync(join(tmpdir(), 'spexlens-queue-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const streams = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  return { code: await spexlens(args, streams), out, err };
}

describe.skipIf(!HAS_REDIS)('spexlens worker and spexlens queue', { timeout: 120_000 }, () => {
  let server: RedisServer;
  let worker: ChildProcess;
  let said = '';
  beforeAll(async () => {
    server = await startRedis({ password: 'a b/c' });
  });
  afterAll(async () => {
    worker.kill('SIGKILL');
    await server.stop();
  });
  const url = (): string => server.url.replace('//', '//:a%20b%2Fc@');

  it('measure a run and show it; SIGTERM ends the worker', async () => {
    worker = spawn(
      process.execPath,
      ['--import', 'tsx', 'cli/spexlens.ts', 'worker', '--queue', url(), '--name', 'here', '--lock', '5'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    worker.stdout?.on('data', (data: Buffer) => (said += data.toString()));
    await vi.waitFor(() => expect(said).toContain('waits for studies'), { timeout: 60_000 });
    expect(said).toContain(`worker here waits for studies on ${server.url}; models: induction-2l-h1,`);
    const out = join(folder, 'a');
    const asked = await run(
      'circuits',
      '--backend',
      'wasm',
      '--budget',
      '300',
      '--held-out',
      '100',
      '--out',
      out,
      '--queue',
      url(),
    );
    expect([asked.code, asked.err]).toEqual([0, '']);
    const result = parseResult(readFileSync(join(out, 'result.json'), 'utf8'));
    expect(result.backend?.notes.join()).toMatch(/^masks by worker: here [\d,]{3,}/);
    expect(result.circuit?.chosen?.size).toBeGreaterThan(5);
    expect(readFileSync(join(out, 'result.json'), 'utf8')).not.toContain('a%20b');
    const text = '--prompt|e n 4 q m s b o d j v 0 q|--answer| m|--keep-text|q$|--budget|200|--held-out|50'.split('|');
    const where = ['--backend', 'wasm', '--out', join(folder, 'b'), '--queue', url()];
    const words = await run('prompt', '--model', 'models/induction-2l-h2', ...text, ...where);
    expect([words.code, words.err]).toEqual([0, '']);
    expect(words.out).toContain('masks by worker: here');
    const [there, here] = [join(folder, 'patched'), join(folder, 'patched-here')];
    const sweep = ['patch', '--backend', 'wasm', '--what', 'z'];
    const patched = await run(...sweep, '--out', there, '--queue', url());
    expect([patched.code, patched.err]).toEqual([0, '']);
    expect((await run(...sweep, '--threads', '1', '--out', here)).code).toBe(0);
    const valuesIn = (path: string): unknown =>
      (JSON.parse(readFileSync(join(path, 'patch.json'), 'utf8')) as { values: number[] }[]).map(
        ({ values }) => values,
      );
    expect(valuesIn(there)).toEqual(valuesIn(here));
    const shown = await run('queue', '--queue', url());
    expect(shown.out).toMatch(/^queue redis:\/\/127\.0\.0\.1:\d+: 1 worker, /);
    expect(shown.out).toContain('worker here  auto, 1 thread, spexlens ');
    const gone = new Promise((resolve) => worker.once('exit', resolve));
    worker.kill('SIGTERM');
    expect(await gone).toBe(0);
    expect((await run('queue', '--queue', url())).out).toContain(': 0 workers');
  });

  it('say in one line what is wrong with an address', async () => {
    for (const [address, line] of [
      [server.url, 'Redis lets nobody in'],
      ['redis://127.0.0.1:1', 'queue redis://127.0.0.1:1: cannot be reached (ECONNREFUSED); start a server'],
      ['http://127.0.0.1', 'queue: "http://127.0.0.1" is no address; write redis://host:6379'],
    ]) {
      const { code, err } = await run('queue', '--queue', address);
      expect([code, err.trim().split('\n').length]).toEqual([1, 1]);
      expect(err).toContain(line);
    }
  });
});

describe('a queue that nobody asked for', () => {
  it('is not loaded, and says what it needs where it is not installed', { timeout: 60_000 }, () => {
    const hooks = join(folder, 'hooks.mjs');
    writeFileSync(
      hooks,
      `import { register } from 'node:module';
      if (!process.env.INNER) { process.env.INNER = '1'; register(${JSON.stringify(pathToFileURL(hooks).href)}); }
      export async function resolve(name, context, next) {
        if (name === 'bullmq' || name === 'ioredis') throw Object.assign(new Error('Cannot find package ' + name), { code: 'ERR_MODULE_NOT_FOUND' });
        return next(name, context);
      }`,
    );
    const cli = (...args: string[]): ReturnType<typeof spawnSync> =>
      spawnSync(process.execPath, [
        '--import',
        'tsx',
        '--import',
        pathToFileURL(hooks).href,
        'cli/spexlens.ts',
        ...args,
      ]);
    const asked = cli('queue', '--queue', 'redis://localhost');
    expect(String(asked.stderr).trim()).toBe(
      'queue: needs the packages bullmq and ioredis, which are not installed; npm install bullmq@^6.7 ioredis@^5.',
    );
    const program = `import('./src/index.ts').then(({ createQueuedGame }) => console.log(typeof createQueuedGame))`;
    const loaded = spawnSync(process.execPath, [
      '--import',
      'tsx',
      '--import',
      pathToFileURL(hooks).href,
      '-e',
      program,
    ]);
    expect([String(loaded.stdout).trim(), String(loaded.stderr)]).toEqual(['function', '']);
  });

  it('has options that mean nothing without it', async () => {
    const { code, err } = await run('circuits', '--backend', 'wasm', '--local-worker', '--out', join(folder, 'c'));
    expect([code, err]).toEqual([
      1,
      '--local-worker: says something of a queue; give --queue redis://host:6379 too.\n',
    ]);
  });

  it('keeps passwords out of records, and takes one from the environment', () => {
    expect(withoutPassword('spexlens circuits --queue rediss://me:secret@host:6380/1 --seed 2')).toBe(
      'spexlens circuits --queue rediss://host:6380/1 --seed 2',
    );
    vi.stubEnv('SPEXLENS_QUEUE_PASSWORD', 'a b/c@d');
    expect(addressOf('redis://host')).toBe('redis://:a%20b%2Fc%40d@host');
    expect(addressOf('rediss://me@host:1/2')).toBe('rediss://me:a%20b%2Fc%40d@host:1/2');
    expect(addressOf('redis://me:own@host')).toBe('redis://me:own@host');
    vi.unstubAllEnvs();
    expect(addressOf('redis://host')).toBe('redis://host');
  });

  it('is shown by line: workers, studies, who asks, what failed', () => {
    const hash = 'ab'.repeat(32);
    const text = queueText({
      shown: 'redis://host:6379',
      memory: 3 * 2 ** 20,
      workers: [
        {
          id: 'gpu-1/7',
          version: '0.1.0',
          backend: 'webgpu',
          threads: '1',
          models: ['gpt2'],
          studies: {
            [hash]: { state: 'serving', rate: 1234.5, masks: 5000 },
            cd: { state: 'refused', why: 'no such model' },
          },
        },
      ],
      studies: [
        {
          hash,
          name: 'gpt2 logit-diff',
          players: 144,
          askers: [{ id: 'laptop/1', asked: 9000, done: 5000, rate: 1000 }],
          jobs: { waiting: 2, active: 1, completed: 9, failed: 1 },
          failures: ['gpt2: mask 03 fails: \u001b[31mno (measured by gpu-1/7)'],
        },
      ],
    });
    expect(text).toBe(
      [
        'queue redis://host:6379: 1 worker, 1 study, 3 MiB',
        'worker gpu-1/7  webgpu, 1 thread, spexlens 0.1.0',
        '  abababab  serving, 1,235 masks/s, 5,000 masks',
        '  cd  refused: no such model',
        'study abababab  gpt2 logit-diff, 144 players; jobs: 2 waiting, 1 at work, 1 failed',
        '  asker laptop/1  5,000 of 9,000 masks, 1,000/s, 4 s left',
        '  failed: gpt2: mask 03 fails:  [31mno (measured by gpu-1/7)',
        '',
      ].join('\n'),
    );
  });
});
