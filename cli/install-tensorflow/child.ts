/** Other programs (npm, pip, the compiler) run to their end, with what they said kept for the one line that explains a failure. */
import { spawn } from 'node:child_process';
import { fail } from '../../src/errors.ts';

export interface Ran {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly timeoutSeconds?: number;
}

/** @throws 'input' when there is no such program, 'aborted' when the signal fired. */
export async function run(
  program: string,
  args: readonly string[],
  { cwd, env, signal, timeoutSeconds }: RunOptions = {},
): Promise<Ran> {
  throwIfStopped(signal);
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const kill = (): void => void child.kill();
  signal?.addEventListener('abort', kill);
  const timer = timeoutSeconds === undefined ? undefined : setTimeout(kill, 1000 * timeoutSeconds);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    throwIfStopped(signal);
    return { code, out, err };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw fail('input', program, 'is not on the PATH.');
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', kill);
  }
}

/** The line of a failed program's output that says most: its first error of a readable length, else its last line. */
export function reasonOf({ code, out, err }: Ran): string {
  const lines = `${out}\n${err}`
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const telling =
    lines.find(
      (line) =>
        line.length < 300 && /\berror:?\s/i.test(line) && !/^(npm )?error (code|errno|syscall|path)\b/i.test(line),
    ) ?? lines.at(-1);
  return telling?.replace(/\.$/, '') ?? (code === null ? 'it took too long or was stopped' : `exit code ${code}`);
}

/** @throws 'aborted' when the signal has fired. */
export function throwIfStopped(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw fail('aborted', 'install-tensorflow', 'stopped on request; nothing was changed.');
}
