/** Ctrl-C on a command that does not stop by itself: the first is heard, one right after it is the same one, a later one ends it. */
import { spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';

/** Beyond the second in which wrappers pass one Ctrl-C on again. */
const LATER_MS = 1200;

it('ends at once on a second Ctrl-C, and not on a first that wrappers passed on twice', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/cli/deaf-command.ts'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const said = async (text: string): Promise<void> => {
    while (!out.includes(text)) await new Promise((resolve) => child.stdout.once('data', resolve));
  };
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  await said('ready');
  child.kill('SIGINT');
  await said('heard');
  child.kill('SIGINT');
  await wait(LATER_MS);
  expect(child.exitCode).toBeNull();
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  expect(out).toBe('ready\nheard\n');
}, 30_000);
