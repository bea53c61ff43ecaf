/**
 * What a user installs and how it runs there: the tarball in an empty project, without this checkout's overrides or its
 * node_modules; its size; what publint and arethetypeswrong say; its types, strict, as Node and as bundlers resolve them; the command;
 * programs for pages as esbuild and Vite bundle them; and the README's own program on every runtime that is said to work, with the
 * seconds to its end.
 *
 *     npx tsx scripts/check-package.ts [--runtimes node,bun | --git]
 *
 * With --git, instead: the last commit installed from a bare repository, which npm clones and builds, and the command run.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { fromRoot } from '../cli/package-root.ts';
import { checkBundles, tableOfBundles } from './browser-bundles.ts';
import { blocksOf } from './markdown.ts';

/** Most that an installation may weigh. */
const MOST_PACKAGES = 60;
const MOST_MEGABYTES = 150;

interface Runtime {
  readonly program: readonly string[];
  /** Before the file that it runs. */
  readonly flags?: readonly string[];
}

/** Those of npm are fetched from there. */
const RUNTIMES: Readonly<Record<string, Runtime>> = {
  node: { program: [process.execPath] },
  'node 20': { program: ['npx', '--yes', '-p', 'node@20', 'node'] },
  'node 22': { program: ['npx', '--yes', '-p', 'node@22', 'node'] },
  'node 24': { program: ['npx', '--yes', '-p', 'node@24', 'node'] },
  bun: { program: ['npx', '--yes', '-p', 'bun@1', 'bun'] },
  deno: { program: ['npx', '--yes', '-p', 'deno@2', 'deno'], flags: ['run', '--quiet', '--allow-all'] },
};

const { values: flags } = parseArgs({
  options: {
    runtimes: { type: 'string', default: Object.keys(RUNTIMES).join(',') },
    git: { type: 'boolean', default: false },
  },
});

const project = mkdtempSync(join(tmpdir(), 'spexlens-installed-'));

async function check(): Promise<void> {
  const [{ filename, size }] = JSON.parse(run(['npm', 'pack', '--json', '--pack-destination', project], '.')) as [
    { readonly filename: string; readonly size: number },
  ];
  install(join(project, filename));
  const packages = run(['npm', 'ls', '--all', '--parseable']).trim().split('\n').length - 1;
  const megabytes = bytesIn(join(project, 'node_modules')) / 1e6;
  say(`tarball ${(size / 1e6).toFixed(1)} MB; installed ${packages} packages, ${megabytes.toFixed(0)} MB`);
  must(packages <= MOST_PACKAGES, `${packages} packages are installed; ${MOST_PACKAGES} at most are wanted`);
  must(megabytes <= MOST_MEGABYTES, `${megabytes.toFixed(0)} MB are installed; ${MOST_MEGABYTES} at most are wanted`);

  // what other people's tools say of it; it is a package of ES modules alone
  run(['npx', '--yes', 'publint@0.3.25', '--strict', join(project, filename)]);
  run(['npx', '--yes', '@arethetypeswrong/cli@0.18.5', '--profile', 'esm-only', join(project, filename)]);
  say('publint and arethetypeswrong find no fault');

  const readme = blocksOf(readFileSync(fromRoot('README.md'), 'utf8'), 'ts');
  const [program] = readme;
  const [prelude, ...idioms] = blocksOf(readFileSync(fromRoot('docs/coming-from.md'), 'utf8'), 'ts');
  const sources = [`${readme.join('')}${SUBPATHS}`, ...idioms.map((idiom) => `${prelude}${idiom}`)];
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

  tryCommand();
  say(tableOfBundles(await checkBundles(project, say)));

  writeFileSync(join(project, 'program.mjs'), program); // the README's program has no types in it
  for (const name of flags.runtimes.split(',')) {
    const { program: runtime, flags: before = [] } = RUNTIMES[name];
    const version = /\d+\.\d+\.\d+/.exec(run([...runtime, '--version']))?.[0]; // and it is fetched before it is timed
    const started = performance.now();
    const story = run([...runtime, ...before, 'program.mjs']);
    const seconds = (performance.now() - started) / 1000;
    const [circuit] = /^circuit +\d+ of 16 heads.*$/m.exec(story) ?? [];
    must(circuit !== undefined, `the README's program finds no circuit on ${name}; it printed:\n${story}`);
    say(`${`${name.replace(/ \d+$/, '')} ${version}`.padEnd(14)} ${seconds.toFixed(1).padStart(5)} s  ${circuit}`);
  }
}

/** The same from a repository: npm clones it, installs what it is developed with, and builds. */
function checkGit(): void {
  const repository = join(project, 'repository.git');
  run(['git', 'clone', '--quiet', '--bare', fromRoot('.'), repository], '.');
  const started = performance.now();
  install(`git+${pathToFileURL(repository).href}`);
  say(`installed from git in ${((performance.now() - started) / 1000).toFixed(0)} s`);
  tryCommand();
}

/** Into a project that is empty. */
function install(what: string): void {
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'empty', private: true, type: 'module' }));
  run(['npm', 'install', '--no-fund', '--no-audit', '--silent', what]);
}

function tryCommand(): void {
  const told = run(['npx', 'spexlens', 'circuits', '--backend', 'wasm', '--budget', '300', '--out', 'out']);
  must(
    /^circuit +\d+ of 16 heads/m.test(told) && statSync(join(project, 'out', 'report.html')).size > 0,
    'npx spexlens circuits finds no circuit',
  );
  say('npx spexlens circuits runs');
}

/** Beside the README's programs, what the subpaths give. */
const SUBPATHS = `
import { createSpectrum } from 'spexlens/spectrum';
import { spex } from 'spexlens/solvers';
import { forward } from 'spexlens/model';
import { openCheckpoint } from 'spexlens/checkpoint';
import { loadModel as loadInPage, tf as tfInPage } from 'spexlens/browser';
export const parts: readonly unknown[] = [createSpectrum, spex, forward, openCheckpoint, loadInPage, tfInPage.tensor];
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
  if (flags.git) checkGit();
  else await check();
} finally {
  rmSync(project, { recursive: true, force: true });
}
