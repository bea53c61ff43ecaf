/**
 * Hands masks and values to bench/proxy_reference.py and reads its answers back: one process for all cases,
 * one thread, its own CPU seconds.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { maskBytes, type Masks } from '../../src/masks.ts';
import { fail } from '../../src/errors.ts';

export interface PythonCase {
  /** One LightGBM fit (predictions of the rows beyond `values`), or the whole reference ProxySPEX (terms). */
  readonly kind: 'fit' | 'proxyspex';
  readonly masks: Masks;
  readonly values: Float64Array;
  readonly setting?: {
    readonly maxDepth: number;
    readonly learningRate: number;
    readonly numIterations: number;
    readonly minDataInLeaf: number;
  };
  /** Read the tree counts of the grid from one run each (see proxy_reference.py): the same terms, sooner. */
  readonly nested?: boolean;
  /** Names of scikit-learn. */
  readonly grid?: {
    readonly max_depth: readonly number[];
    readonly n_estimators: readonly number[];
    readonly learning_rate: readonly number[];
  };
}

const Answer = z.union([
  z.object({ error: z.string() }),
  z.object({ seconds: z.number(), predicted: z.array(z.number()) }),
  z.object({ seconds: z.number(), terms: z.array(z.tuple([z.array(z.number()), z.number()])) }),
]);
export type PythonAnswer = z.infer<typeof Answer>;

/** Why the twin cannot run with this interpreter, or undefined when it can. */
export function pythonLacks(python: string): string | undefined {
  const probe = spawnSync(python, ['-c', 'import lightgbm, spectralexplain.utils'], { encoding: 'utf8' });
  if (probe.error !== undefined) return `${python} cannot be started`;
  return probe.status === 0
    ? undefined
    : `${python} lacks a package (${probe.stderr.trim().split('\n').at(-1)}); pip install lightgbm spectralexplain`;
}

/**
 * Runs the cases in order, an answer as it comes; a case that fails, or that the process is at when `limit` seconds are
 * over, has an `error`. @throws when the process fails as a whole.
 */
export async function* runPython(
  python: string,
  cases: readonly PythonCase[],
  limit?: number,
): AsyncGenerator<PythonAnswer> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-proxy-'));
  try {
    const request = cases.map(({ masks, values, ...rest }, k) => {
      writeFileSync(join(folder, `masks-${k}`), maskBytes(masks));
      writeFileSync(join(folder, `values-${k}`), new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      return { ...rest, players: masks.players, rows: values.length, masks: `masks-${k}`, values: `values-${k}` };
    });
    writeFileSync(join(folder, 'request.json'), JSON.stringify(request));
    const twin = fileURLToPath(new URL('../proxy_reference.py', import.meta.url));
    const child = spawn(python, ['-W', 'ignore', twin, folder], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, OMP_NUM_THREADS: '1' },
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-10_000)));
    let answers = 0;
    let late = false;
    const timer = limit === undefined ? undefined : setTimeout(() => (late = child.kill('SIGKILL')), 1000 * limit);
    try {
      for await (const line of createInterface({ input: child.stdout })) {
        yield Answer.parse(JSON.parse(line));
        answers++;
      }
    } finally {
      clearTimeout(timer);
      child.kill();
    }
    if (late && answers < cases.length) yield { error: `not done after ${limit} s` };
    else if (answers !== cases.length)
      throw fail(
        'input',
        'bench-proxy',
        `the Python side answered ${answers} of ${cases.length} cases: ${errors.trim().split('\n').at(-1)}`,
      );
  } finally {
    rmSync(folder, { recursive: true });
  }
}
