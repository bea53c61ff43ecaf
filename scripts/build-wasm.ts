/**
 * Compiles wasm/ (AssemblyScript) into src/kernels/*-bytes.ts.
 *
 *     npx tsx scripts/build-wasm.ts [--check]
 *
 * The compiled files are committed, so that nothing needs the compiler to install, run or test; --check compiles anew
 * and fails when the committed bytes are not those of the source. The compiler comes by npx, pinned.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { fail } from '../src/errors.ts';
import { runCommand, terminal } from '../cli/command.ts';
import { fromRoot } from '../cli/package-root.ts';

const COMPILER = 'assemblyscript@0.28.20';
const FLAGS = ['-O3', '--noAssert', '--enable', 'simd', '--runtime', 'stub'];
/** For a module that works in the memory of another. */
const GUEST = [...FLAGS, '--importMemory', '--noExportMemory', '--disableWarning'];

interface Built {
  readonly source: string;
  readonly target: string;
  /** The constant that holds the bytes. */
  readonly name: string;
  readonly flags: readonly string[];
}

const MODULES: readonly Built[] = [
  { source: 'kernels.ts', target: 'kernels-bytes.ts', name: 'KERNELS', flags: FLAGS },
  { source: 'tensors/tensors.ts', target: 'tensors-simd-bytes.ts', name: 'TENSORS_SIMD', flags: GUEST },
  {
    source: 'tensors/tensors.ts',
    target: 'tensors-fma-bytes.ts',
    name: 'TENSORS_FMA',
    flags: [...GUEST, '--enable', 'relaxed-simd'],
  },
];

function compile({ source, flags }: Built): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'build-wasm-'));
  try {
    const out = join(folder, 'module.wasm');
    const run = spawnSync('npx', ['--yes', '-p', COMPILER, 'asc', fromRoot(`wasm/${source}`), '-o', out, ...flags], {
      encoding: 'utf8',
    });
    if (run.status !== 0)
      throw fail(
        'input',
        'build-wasm',
        `${COMPILER} failed: ${(run.stderr || run.stdout || String(run.error)).trim()}`,
      );
    return readFileSync(out);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function textOf({ source, name, flags }: Built, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,160}/g) ?? [];
  return `/**
 * The WebAssembly module of wasm/${source}, ${bytes.length} bytes, compiled by ${COMPILER} ${flags.join(' ')}.
 * Written by scripts/build-wasm.ts, which also checks that it is the source's; do not edit.
 */

/** Base64. */
export const ${name} = [
${lines.map((line) => `  '${line}',`).join('\n')}
].join('');
`;
}

const command = new Command('build-wasm')
  .description('Compile the WebAssembly kernels.')
  .option('--check', 'compare with the committed files instead of writing them')
  .option('--debug', 'show stack traces');

process.exitCode = await runCommand<{ check?: boolean; debug?: boolean }>(
  command,
  process.argv.slice(2),
  terminal,
  async ({ check }) => {
    for (const built of MODULES) {
      const text = textOf(built, compile(built));
      const target = fromRoot(`src/kernels/${built.target}`);
      if (check !== true) writeFileSync(target, text);
      else if (readFileSync(target, 'utf8') !== text)
        throw fail(
          'input',
          'build-wasm',
          `${target} is not what wasm/ compiles to; run npx tsx scripts/build-wasm.ts.`,
        );
    }
    terminal.out(
      check === true
        ? "the committed modules are the source's\n"
        : `wrote ${MODULES.map(({ target }) => target).join(', ')}\n`,
    );
  },
);
