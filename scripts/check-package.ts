/**
 * What a user installs and how it runs there: the tarball in an empty project, without this checkout's overrides or its
 * node_modules; its size; what publint and arethetypeswrong say; its types, strict, as Node and as bundlers resolve them; the command;
 * programs for pages as esbuild and Vite bundle them; and the README's own program on every runtime that is said to work.
 *
 *     npx tsx scripts/check-package.ts [--runtimes node,bun]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { fromRoot } from '../cli/package-root.ts';
import { checkBundles, tableOfBundles } from './browser-bundles.ts';
import { blocksOf } from './markdown.ts';

/** Most that an installation may weigh. */
const MOST_PACKAGES = 60;
const MOST_MEGABYTES = 150;

/** How the program is run on each runtime; those of npm are fetched from there. */
const RUNTIMES: Readonly<Record<string, readonly string[]>> = {
  node: [process.execPath],
  'node 20': ['npx', '--yes', '-p', 'node@20', 'node'],
  'node 22': ['npx', '--yes', '-p', 'node@22', 'node'],
  'node 24': ['npx', '--yes', '-p', 'node@24', 'node'],
  bun: ['npx', '--yes', '-p', 'bun@1', 'bun'],
  deno: ['npx', '--yes', '-p', 'deno@2', 'deno', 'run', '--quiet', '--allow-all'],
};

const { values: flags } = parseArgs({
  options: { runtimes: { type: 'string', default: Object.keys(RUNTIMES).join(',') } },
});

const project = mkdtempSync(join(tmpdir(), 'spexlens-installed-'));

async function check(): Promise<void> {
  const [{ filename, size }] = JSON.parse(run(['npm', 'pack', '--json', '--pack-destination', project], '.')) as [
    { readonly filename: string; readonly size: number },
  ];
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'empty', private: true, type: 'module' }));
  run(['npm', 'install', '--no-fund', '--no-audit', '--silent', join(project, filename)]);
  const packages = run(['npm', 'ls', '--all', '--parseable']).trim().split('\n').length - 1;
  const megabytes = bytesIn(join(project, 'node_modules')) / 1e6;
  say(`tarball ${(size / 1e6).toFixed(1)} MB; installed ${packages} packages, ${megabytes.toFixed(0)} MB`);
  must(packages <= MOST_PACKAGES, `${packages} packages are installed; ${MOST_PACKAGES} at most are wanted`);
  must(megabytes <= MOST_MEGABYTES, `${megabytes.toFixed(0)} MB are installed; ${MOST_MEGABYTES} at most are wanted`);

  // what other people's tools say of it; it is a package of ES modules alone
  run(['npx', '--yes', 'publint@0.3.25', '--strict', join(project, filename)]);
  run(['npx', '--yes', '@arethetypeswrong/cli@0.18.5', '--profile', 'esm-only', join(project, filename)]);
  say('publint and arethetypeswrong find no fault');

  const [program] = blocksOf(readFileSync(fromRoot('README.md'), 'utf8'), 'ts');
  const [prelude, ...idioms] = blocksOf(readFileSync(fromRoot('docs/coming-from.md'), 'utf8'), 'ts');
  const sources = [`${program}${SUBPATHS}`, ...idioms.map((idiom) => `${prelude}${idiom}`)];
  sources.forEach((source, k) => writeFileSync(join(project, `program-${k}.ts`), source));
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    // skipLibCheck: the declarations of TensorFlow.js do not hold by themselves
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: true,
      noEmit: true,
      target: 'esnext',
      types: [],
    };
    const config = { compilerOptions: { ...compilerOptions, module, moduleResolution }, include: ['program-*.ts'] };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config));
    run([process.execPath, tsc]);
  }
  say('its types resolve as nodenext and as bundler, strict');

  const told = run(['npx', 'spexlens', 'circuits', '--backend', 'wasm', '--budget', '300', '--out', 'out']);
  must(
    /^circuit +\d+ of 16 heads/m.test(told) && statSync(join(project, 'out', 'report.html')).size > 0,
    'npx spexlens circuits finds no circuit',
  );
  say('npx spexlens circuits runs');

  say(tableOfBundles(await checkBundles(project, say)));

  writeFileSync(join(project, 'program.mjs'), program); // the README's program has no types in it
  for (const name of flags.runtimes.split(',')) {
    const story = run([...RUNTIMES[name], 'program.mjs']);
    const [circuit] = /^circuit +\d+ of 16 heads.*$/m.exec(story) ?? [];
    must(circuit !== undefined, `the README's program finds no circuit on ${name}; it printed:\n${story}`);
    say(`${name.padEnd(8)} ${circuit}`);
  }
}

/** Beside the README's program, what the subpaths give. */
const SUBPATHS = `
import { createSpectrum } from 'spexlens/spectrum';
import { spex } from 'spexlens/solvers';
import { forward } from 'spexlens/model';
import { openCheckpoint } from 'spexlens/checkpoint';
import { loadModel as loadInPage, tf } from 'spexlens/browser';
export const parts: readonly unknown[] = [createSpectrum, spex, forward, openCheckpoint, loadInPage, tf.tensor];
`;

/** What a command prints. Ends this program where it fails. */
function run([command, ...args]: readonly string[], cwd = project): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 });
  must(status === 0, `${[command, ...args].join(' ')} failed (${error?.message ?? status}):\n${stdout}${stderr}`);
  return stdout;
}

function must(holds: boolean, what: string): asserts holds {
  if (holds) return;
  throw new Error(what);
}

function say(text: string): void {
  console.log(text);
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(resolve(parentPath, name)).size, 0);
}

try {
  await check();
} finally {
  rmSync(project, { recursive: true, force: true });
}
