/**
 * The same masks through PyTorch (bench/transformer_lens_ablation.py), one process that takes turns with ours.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { fail } from '../../src/errors.ts';
import { headMasks, type Job } from './job.ts';

export interface PythonSetting {
  /** The interpreter. */
  readonly python: string;
  readonly device: string;
  readonly threads: number;
  readonly tf32: boolean;
}

const About = z.object({ versions: z.record(z.string(), z.string()), threads: z.number(), device: z.string() });
const Result = z.object({ rowsPerSecond: z.number(), peakBytes: z.number(), values: z.array(z.number()) });

export interface Python extends z.infer<typeof About> {
  /** One run of all masks after one warm batch. */
  measure(variant: string, batchSize: number): Promise<z.infer<typeof Result>>;
  close(): void;
}

const TWIN = fileURLToPath(new URL('../transformer_lens_ablation.py', import.meta.url));
/** The twin's exit code for a package that is missing. */
const LACKS = 3;

/** The twin, ready; or, as a text, why there is none here. @throws 'aborted' after the signal. */
export async function openPython(
  job: Job,
  { python, device, threads, tf32 }: PythonSetting,
  signal: AbortSignal,
): Promise<Python | string> {
  if (job.config.family !== 'gpt2') return `the twin knows GPT-2 only, and this model is ${job.config.family}`;
  const masks = headMasks(job);
  if (masks === undefined) return `the twin ablates heads only, and the players are ${job.players}`;
  const scratch = mkdtempSync(join(tmpdir(), 'spexlens-ablation-job-'));
  const remove = (): void => rmSync(scratch, { recursive: true, force: true });
  process.on('exit', remove);
  const file = join(scratch, 'job.json');
  writeFileSync(
    file,
    JSON.stringify({
      tokens: job.tokens,
      masks,
      correct: job.correct,
      incorrect: job.incorrect,
      repeats: 1,
      warmup: 1,
      threads,
      device,
      tf32,
    }),
  );
  const child = spawn(python, ['-W', 'ignore', TWIN, job.folder, file, '--serve'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill);
  process.on('exit', kill);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
  child.stdin.on('error', () => undefined); // it ended; the answer that does not come says so
  const ended = new Promise<{ readonly code: number | null; readonly why: string }>((resolve) => {
    child.once('error', () => resolve({ code: LACKS, why: `${python} cannot be started` }));
    child.once('close', (code) => resolve({ code, why: said.trim().split('\n').at(-1) ?? '' }));
  });
  void ended.then(() => {
    remove();
    process.off('exit', kill);
    process.off('exit', remove);
    signal.removeEventListener('abort', kill);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string | undefined> => {
    const line = await lines.next();
    if (signal.aborted) throw fail('aborted', 'bench-ablation', 'stopped on request.');
    return line.done === true ? undefined : line.value;
  };
  const first = await next();
  if (first === undefined) {
    const { code, why } = await ended;
    return code === LACKS ? why.replace(/^transformer_lens_ablation: /, '') : `${python} failed (${why})`;
  }
  return {
    ...About.parse(JSON.parse(first)),
    async measure(variant, batchSize) {
      child.stdin.write(`${JSON.stringify({ variant, batchSize })}\n`);
      const line = await next();
      if (line === undefined) throw fail('input', '--compare python', `${python} failed (${(await ended).why}).`);
      return Result.parse(JSON.parse(line));
    },
    close: () => child.stdin.end(),
  };
}
