/**
 * What the command asks of the processes that measure (worker.ts), and how: one question at a time, by message.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { fail } from '../../src/errors.ts';
import type { Profile } from './flops.ts';
import type { Job } from './job.ts';
import type { Peak } from './peak.ts';
import type { WaySpec } from './ways.ts';

export interface Questions {
  /** Start the backend and load the model. */
  readonly open: { readonly job: Job; readonly backend: string };
  /** Make a way and run it once: warm, and the values of its masks. */
  readonly prepare: WaySpec;
  readonly measure: { readonly name: string };
  readonly profile: { readonly name: string };
  readonly peak: undefined;
  readonly memory: undefined;
  readonly close: undefined;
}
export type Question = keyof Questions;

export interface Measured {
  /** How often all masks were run. */
  readonly runs: number;
  readonly rowsPerSecond: number;
  /** By the processor time of the process, all its threads. */
  readonly rowsPerCpuSecond: number;
}

export interface Answers {
  readonly open: {
    readonly device: string;
    readonly gpu: boolean;
    readonly selfCheckError: number;
    readonly versions: Readonly<Record<string, string>>;
    readonly parameters: number;
    /** Resident memory with the model loaded. */
    readonly loadedBytes: number;
  };
  readonly prepare: { readonly batch: number; readonly masks: number; readonly values: readonly number[] };
  readonly measure: Measured;
  readonly profile: Profile & { readonly rows: number };
  readonly peak: Peak;
  /** The most that was ever resident, loading included; not what a GPU holds. */
  readonly memory: { readonly peakBytes: number; readonly tensors: number };
  readonly close: undefined;
}

export interface Worker {
  /** @throws 'backend' with the worker's own message, or when it ends instead of answering; 'aborted' after the signal. */
  ask<K extends Question>(question: K, given: Questions[K]): Promise<Answers[K]>;
  /** Ends the process, by force where it does not end itself within two seconds. */
  close(): Promise<void>;
}

const FILE = fileURLToPath(new URL('./worker.ts', import.meta.url));
const PATIENCE_MS = 2000;

export function startWorker(label: string, signal: AbortSignal): Worker {
  const child = fork(FILE, [], {
    execArgv: ['--import', 'tsx'],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill);
  process.on('exit', kill);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, by) => {
      process.off('exit', kill);
      signal.removeEventListener('abort', kill);
      const last = said.trim().split('\n').at(-1);
      resolve(`${by === null ? `exit code ${code}` : by}${last === '' || last === undefined ? '' : `: ${last}`}`);
    });
  });
  return {
    async ask(question, given) {
      const reply = new Promise<{ readonly value?: never; readonly error?: string }>((resolve) =>
        child.once('message', resolve),
      );
      if (child.connected) child.send({ question, given });
      const answer = await Promise.race([reply, ended]);
      if (signal.aborted) throw fail('aborted', 'bench-ablation', 'stopped on request.');
      if (typeof answer === 'string')
        throw fail('backend', label, `its process ended when asked to ${question} (${answer}).`);
      if (answer.error !== undefined) throw fail('backend', label, answer.error);
      return answer.value as never;
    },
    async close() {
      if (!child.connected) return void (await ended);
      child.send({ question: 'close', given: undefined });
      const timer = setTimeout(kill, PATIENCE_MS);
      child.once('message', () => child.disconnect());
      await ended;
      clearTimeout(timer);
    },
  };
}
