/** Processes of a test: started from TypeScript, killed at its end. */
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const started: ChildProcess[] = [];

/** Starts a file of this folder. */
export function start(file: string, ...args: readonly (string | number)[]): ChildProcess {
  const child = fork(join(import.meta.dirname, file), args.map(String), {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  started.push(child);
  return child;
}

/** The next message of a process. @throws when it ends without one. */
export async function message(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
  });
}

export async function kill(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** To be called in a test file that starts some. */
export function killAllAtTheEnd(): void {
  afterAll(async () => {
    for (const child of started) if (child.exitCode === null && child.signalCode === null) await kill(child);
  });
}

export async function sleep(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}
