/**
 * Builds dist/: what the package ships. Types and modules come from tsc; the charts' libraries (Observable Plot with d3, and
 * linkedom, the document it draws in) and what only a page needs become a file each, so that who installs the package does not
 * install their 65 packages; and dist/browser/ is everything as one module for pages without a bundler.
 *
 *     npm run build
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { build, type BuildOptions } from 'esbuild';
import { fromRoot } from '../cli/package-root.ts';
import { packedWasm, TARGET } from './browser-build.ts';

/** The file of dist/bundled/ that is imported in place of a package. */
const BUNDLED: Readonly<Record<string, string>> = {
  '@observablehq/plot': 'plot',
  '@noble/hashes/sha2.js': 'sha256',
  'tfjs-backend-wasm-simd.wasm': 'tfjs-backend-wasm-simd',
};
const DIST = fromRoot('dist');
const BUNDLES = join(DIST, 'bundled');

rmSync(DIST, { recursive: true, force: true });
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
// npm run types is what checks them
const { status } = spawnSync(process.execPath, [tsc, '-p', fromRoot('tsconfig.build.json'), '--noCheck'], {
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);

const common: BuildOptions & { metafile: true } = {
  absWorkingDir: resolve(fromRoot('.')),
  bundle: true,
  minify: true,
  legalComments: 'none', // the whole licences are beside it
  metafile: true,
  logLevel: 'warning',
};
// what a page's modules import
const forPages = await build({
  ...common,
  entryPoints: { plot: '@observablehq/plot', sha256: '@noble/hashes/sha2.js' },
  outdir: BUNDLES,
  format: 'esm',
  platform: 'browser',
  target: TARGET,
});
writeFileSync(join(BUNDLES, 'tfjs-backend-wasm-simd.js'), packedWasm());
// what Node loads when the first figure is drawn, all at once
const forNode = await build({
  ...common,
  stdin: {
    contents: "export * as Plot from '@observablehq/plot'; export { parseHTML } from 'linkedom';",
    resolveDir: resolve(fromRoot('.')),
  },
  outfile: join(BUNDLES, 'charts.cjs'),
  external: ['canvas'], // which linkedom uses where it is installed
  format: 'cjs',
  platform: 'node',
  target: 'node20',
});
redirectImports();
const standalone = await build({
  ...common,
  entryPoints: { spexlens: join(DIST, 'src', 'standalone.js') },
  outdir: join(DIST, 'browser'),
  chunkNames: '[name]-[hash]',
  splitting: true,
  format: 'esm',
  platform: 'browser',
  target: TARGET,
});
const inputs = [forPages, forNode, standalone].flatMap(({ metafile }) => Object.keys(metafile.inputs));
writeFileSync(
  join(BUNDLES, 'LICENSES.txt'),
  licences([...inputs, 'node_modules/@tensorflow/tfjs-backend-wasm/package.json']),
);

/** The licence of every package that `inputs` are files of. */
function licences(inputs: readonly string[]): string {
  const folders = new Set(
    inputs.flatMap((file) => /^((?!\(disabled\):).*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []),
  );
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
  return `What the files of this folder and of ../browser are made of, and under which terms.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
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
