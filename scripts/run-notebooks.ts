/**
 * Runs the notebooks fresh, each by itself in Deno's kernel, and looks at what they show: no cell may fail, and none may draw an
 * empty picture. With --update the outputs are kept in the notebooks. Notebooks of a real model run where SPEXLENS_REAL_MODEL names
 * one (a folder, a .gguf file, a hub id), and are skipped elsewhere.
 *
 *     npm run build && npx tsx scripts/run-notebooks.ts [--update] [first-circuit ...]
 *
 * Needs python3 with venv and the registries of npm and PyPI (for Deno and nbconvert).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { fromRoot } from '../cli/package-root.ts';
import { faultsOf, type Notebook } from './notebook-faults.ts';

const DENO = 'deno@2';
const NBCONVERT = ['nbconvert==7.17.0', 'nbclient==0.10.4', 'jupyter_client==8.8.0'];
const SECONDS = 900;
/** Notebooks that need weights which do not come along. */
const REAL = ['real-model'];

const { values: flags, positionals } = parseArgs({
  options: { update: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const folder = resolve(fromRoot('notebooks'));
const realModel = process.env['SPEXLENS_REAL_MODEL'];
const all = readdirSync(folder)
  .filter((file) => file.endsWith('.ipynb'))
  .map((file) => file.replace(/\.ipynb$/, ''));
const work = mkdtempSync(join(tmpdir(), 'spexlens-notebooks-'));
try {
  if (!existsSync(fromRoot('dist/src/index.js'))) throw new Error('notebooks import the built package: npm run build');
  const python = install();
  const faults = (positionals.length > 0 ? positionals : all).flatMap((name) => {
    if (!REAL.includes(name) || realModel !== undefined) return check(name, python);
    console.log(`skipped: ${name} (SPEXLENS_REAL_MODEL names no model; a folder, a .gguf file or a hub id is needed)`);
    return [];
  });
  faults.forEach((fault) => console.error(fault));
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** nbconvert and a kernel that is Deno, both in `work`; the result is the Python that has nbconvert. */
function install(): string {
  const python = join(work, 'venv', 'bin', 'python');
  run(['python3', '-m', 'venv', join(work, 'venv')]);
  run([python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...NBCONVERT]);
  const deno = run(['npx', '--yes', '-p', DENO, 'sh', '-c', 'command -v deno']).trim();
  const kernel = join(work, 'jupyter', 'kernels', 'deno');
  mkdirSync(kernel, { recursive: true });
  const argv = [deno, 'jupyter', '--kernel', '--conn', '{connection_file}'];
  writeFileSync(join(kernel, 'kernel.json'), JSON.stringify({ argv, display_name: 'Deno', language: 'typescript' }));
  return python;
}

/** What is wrong with a notebook, run now. */
function check(name: string, python: string): string[] {
  const started = performance.now();
  const kernel = ['--ExecutePreprocessor.kernel_name=deno', `--ExecutePreprocessor.timeout=${SECONDS}`];
  const told = ['--to', 'notebook', '--execute', '--allow-errors', ...kernel, '--output-dir', work];
  run([python, '-m', 'nbconvert', ...told, join(folder, `${name}.ipynb`)]);
  const path = join(work, `${name}.ipynb`);
  const notebook = JSON.parse(readFileSync(path, 'utf8')) as Notebook;
  const faults = faultsOf(notebook).map((fault) => `${name}: ${fault}`);
  console.log(
    `${faults.length === 0 ? 'ran' : 'FAILED'}: ${name}, ${((performance.now() - started) / 1000).toFixed(0)} s`,
  );
  if (flags.update && faults.length === 0) keep(name, notebook);
  return faults;
}

/** The notebook as it was written, with the outputs of this run. */
function keep(name: string, { cells }: Notebook): void {
  const path = join(folder, `${name}.ipynb`);
  const written = JSON.parse(readFileSync(path, 'utf8')) as Notebook;
  const kept = written.cells.map((cell, k) =>
    cell.cell_type === 'code'
      ? { ...cell, outputs: cells[k].outputs, execution_count: cells[k].execution_count }
      : cell,
  );
  writeFileSync(path, `${JSON.stringify({ ...written, cells: kept }, null, 1)}\n`);
}

function run([command, ...args]: readonly string[]): string {
  const real = realModel !== undefined && existsSync(realModel) ? { SPEXLENS_REAL_MODEL: resolve(realModel) } : {};
  const env = { ...process.env, ...real, JUPYTER_DATA_DIR: join(work, 'jupyter'), NO_COLOR: '1' };
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: folder,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')} failed (${error?.message ?? status}):\n${stdout}${stderr}`);
  return stdout;
}
