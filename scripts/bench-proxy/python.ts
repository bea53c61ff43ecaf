/**
 * Hands masks and values to bench/proxy_reference.py and reads its answers back: one process for all cases,
 * one thread, its own CPU seconds.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { maskBytes, type Coalitions } from '../../src/coalitions.ts';
import { fail } from '../../src/errors.ts';

export interface PythonCase {
  /** One LightGBM fit (predictions of the rows beyond `values`), or the whole reference ProxySPEX (terms). */
  readonly kind: 'fit' | 'proxyspex';
  readonly masks: Coalitions;
  readonly values: Float64Array;
  readonly setting?: { readonly maxDepth: number; readonly learningRate: number; readonly numIterations: number; readonly minDataInLeaf: number };
  /** Names of scikit-learn. */
  readonly grid?: { readonly max_depth: readonly number[]; readonly n_estimators: readonly number[]; readonly learning_rate: readonly number[] };
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
  return probe.status === 0 ? undefined : `${python} lacks a package (${probe.stderr.trim().split('\n').at(-1)}); pip install lightgbm spectralexplain`;
}

/** Runs the cases in order. @throws when the process fails as a whole; a case that fails has an `error`. */
export function runPython(python: string, cases: readonly PythonCase[]): PythonAnswer[] {
  const folder = mkdtempSync(join(tmpdir(), 'bench-proxy-'));
  try {
    const request = cases.map(({ masks, values, ...rest }, k) => {
      writeFileSync(join(folder, `masks-${k}`), maskBytes(masks));
      writeFileSync(join(folder, `values-${k}`), new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      return { ...rest, players: masks.players, rows: values.length, masks: `masks-${k}`, values: `values-${k}` };
    });
    writeFileSync(join(folder, 'request.json'), JSON.stringify(request));
    const twin = fileURLToPath(new URL('../../bench/proxy_reference.py', import.meta.url));
    const run = spawnSync(python, ['-W', 'ignore', twin, folder], { encoding: 'utf8', maxBuffer: 2 ** 30, env: { ...process.env, OMP_NUM_THREADS: '1' } });
    const lines = run.stdout.trim().split('\n').filter((line) => line !== '');
    if (lines.length !== cases.length) throw fail('input', 'bench-proxy', `the Python side answered ${lines.length} of ${cases.length} cases: ${run.stderr.trim().split('\n').at(-1)}`);
    return lines.map((line) => Answer.parse(JSON.parse(line)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
