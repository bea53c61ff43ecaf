/**
 * Builds dist/: what the package ships. Types and modules come from tsc; the charts' libraries (Observable Plot with d3, and
 * linkedom, the document it draws in) become a file each, so that who installs the package does not install their 64 packages.
 *
 *     npm run build
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { build } from 'esbuild';
import { fromRoot } from '../cli/package-root.ts';

/** The file of dist/bundled/ that is imported in place of a package. */
const BUNDLED: Readonly<Record<string, string>> = { '@observablehq/plot': 'plot', linkedom: 'linkedom' };
const DIST = fromRoot('dist');
const BUNDLES = join(DIST, 'bundled');

rmSync(DIST, { recursive: true, force: true });
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
// npm run types is what checks them
const { status } = spawnSync(process.execPath, [tsc, '-p', fromRoot('tsconfig.build.json'), '--noCheck'], {
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);

const { metafile } = await build({
  entryPoints: Object.fromEntries(Object.entries(BUNDLED).map(([name, file]) => [file, name])),
  outdir: BUNDLES,
  absWorkingDir: resolve(fromRoot('.')),
  external: ['canvas'], // which linkedom uses where it is installed
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  minify: true,
  legalComments: 'none', // the whole licences are beside it
  metafile: true,
  logLevel: 'warning',
});
writeFileSync(join(BUNDLES, 'LICENSES.txt'), licences(Object.keys(metafile.inputs)));
redirectImports();

/** The licence of every package that `inputs` are files of. */
function licences(inputs: readonly string[]): string {
  const folders = new Set(inputs.flatMap((file) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []));
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(fromRoot(join(folder, 'package.json')), 'utf8')) as {
      readonly name: string;
      readonly version: string;
      readonly license?: string;
    };
    const file = readdirSync(fromRoot(folder)).find((entry) => /^licen[sc]e/i.test(entry));
    const text =
      file === undefined ? (license ?? 'no licence is stated') : readFileSync(fromRoot(join(folder, file)), 'utf8');
    return `${name} ${version}\n\n${text.trim()}\n`;
  });
  return `What the files of this folder are made of, and under which terms.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

/** Lets the built modules import those files in place of the packages. */
function redirectImports(): void {
  for (const file of readdirSync(DIST, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'))) {
    const path = join(DIST, file);
    if (dirname(path) === BUNDLES) continue;
    const text = readFileSync(path, 'utf8');
    const folder = relative(dirname(path), BUNDLES).split(sep).join('/');
    const redirected = text.replace(/(\bfrom |\bimport\()'([^']+)'/g, (whole, before: string, name: string) =>
      Object.hasOwn(BUNDLED, name) ? `${before}'${folder}/${BUNDLED[name]}.js'` : whole,
    );
    if (redirected !== text) writeFileSync(path, redirected);
  }
}
