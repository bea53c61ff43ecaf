/**
 * Compiles wasm/ (AssemblyScript) into src/kernels/kernels-bytes.ts.
 *
 *     npx tsx scripts/build-wasm.ts [--check]
 *
 * The compiled file is committed, so that nothing needs the compiler to install, run or test; --check compiles anew
 * and fails when the committed bytes are not those of the source. The compiler comes by npx, pinned.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { fail } from '../src/errors.ts';
import { fromText, runCommand, terminal } from './command.ts';

const COMPILER = 'assemblyscript@0.28.20';
const SOURCE = fromText('../wasm/kernels.ts');
const TARGET = fromText('../src/kernels/kernels-bytes.ts');
const FLAGS = ['-O3', '--noAssert', '--enable', 'simd', '--runtime', 'stub'];

function compile(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'build-wasm-'));
  try {
    const out = join(folder, 'kernels.wasm');
    const run = spawnSync('npx', ['--yes', '-p', COMPILER, 'asc', SOURCE, '-o', out, ...FLAGS], { encoding: 'utf8' });
    if (run.status !== 0) throw fail('input', 'build-wasm', `${COMPILER} failed: ${(run.stderr || run.stdout || String(run.error)).trim()}`);
    return readFileSync(out);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function textOf(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,160}/g) ?? [];
  return `/**
 * The WebAssembly module of wasm/, ${bytes.length} bytes, compiled by ${COMPILER} ${FLAGS.join(' ')}.
 * Written by scripts/build-wasm.ts, which also checks that it is the source's; do not edit.
 */

/** Base64. */
export const KERNELS = [
${lines.map((line) => `  '${line}',`).join('\n')}
].join('');
`;
}

const command = new Command('build-wasm')
  .description('Compile the WebAssembly kernels.')
  .option('--check', 'compare with the committed file instead of writing it')
  .option('--debug', 'show stack traces');

process.exitCode = await runCommand<{ check?: boolean; debug?: boolean }>(command, process.argv.slice(2), terminal, async ({ check }) => {
  const text = textOf(compile());
  if (check !== true) writeFileSync(TARGET, text);
  else if (readFileSync(TARGET, 'utf8') !== text) throw fail('input', 'build-wasm', `${TARGET} is not what wasm/ compiles to; run npx tsx scripts/build-wasm.ts.`);
  terminal.out(`${check === true ? 'the committed module is the source\'s' : `wrote ${TARGET}`}\n`);
});
