/** A server that speaks TLS alone and wants a password: by an address and a certificate in code, and as the command gets them. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allMasks } from '../../../src/masks.ts';
import { createQueuedGame } from '../../../src/measure/queue/queued-game.ts';
import { startQueueWorker } from '../../../src/measure/queue/queue-worker.ts';
import { madeUpStudy, madeUpValue, openMadeUp } from './made-up.ts';
import { freePort, HAS_REDIS } from './redis.ts';

const HAS_OPENSSL = spawnSync('openssl', ['version']).status === 0;
if (!HAS_OPENSSL) console.info('TLS to the queue is not tested here: there is no openssl to make a certificate with.');

describe.skipIf(!HAS_REDIS || !HAS_OPENSSL)('a queue behind TLS and a password', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tls-'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const password = 'pass/word@1';
  let port = 0;
  let server: ReturnType<typeof spawn>;
  beforeAll(async () => {
    const words = (text: string): string[] => text.trim().split(/\s+/);
    const made = `req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost
      -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout ${key} -out ${certificate}`;
    execFileSync('openssl', words(made), { stdio: 'ignore' });
    port = await freePort();
    const served = `--port 0 --tls-port ${port} --bind 127.0.0.1 --dir ${folder} --appendonly yes --requirepass ${password}
      --tls-cert-file ${certificate} --tls-key-file ${key} --tls-ca-cert-file ${certificate} --tls-auth-clients no`;
    server = spawn('redis-server', [...words(served), '--save', ''], { stdio: 'ignore' });
  });
  afterAll(() => {
    server.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  const address = (): Record<string, unknown> => ({
    host: 'localhost',
    port,
    password,
    tls: { ca: readFileSync(certificate, 'utf8') },
  });

  it('a worker and an asker meet there', async () => {
    await using worker = await startQueueWorker(address(), { open: openMadeUp(), name: 'behind TLS' });
    await using game = await createQueuedGame(madeUpStudy(5), address());
    const masks = allMasks(5);
    const values = await game.value(masks);
    expect(worker.name).toBe('behind TLS');
    expect(Array.from(values)).toEqual(Array.from({ length: 32 }, (_, row) => madeUpValue(masks, row)));
  });

  it('the command takes rediss://, the password of the environment, and certificates as Node.js does', () => {
    const ask = (env: Record<string, string>): { status: number | null; stdout: string; stderr: string } =>
      spawnSync('node', ['--import', 'tsx', 'cli/spexlens.ts', 'queue', '--queue', `rediss://localhost:${port}`], {
        env: { ...process.env, ...env },
        encoding: 'utf8',
      });
    const known = ask({ SPEXLENS_QUEUE_PASSWORD: password, NODE_EXTRA_CA_CERTS: certificate });
    expect(known.stderr).toBe('');
    expect(known.status).toBe(0);
    expect(known.stdout).not.toContain(password);
    const stranger = ask({ SPEXLENS_QUEUE_PASSWORD: password });
    expect(stranger.stderr).toMatch(/cannot be reached \(DEPTH_ZERO_SELF_SIGNED_CERT\)/);
    expect(stranger.status).toBe(1);
    expect(ask({ NODE_EXTRA_CA_CERTS: certificate }).stderr).toContain('Redis lets nobody in');
  });
});
