/**
 * What a bundle for pages is made with: the twins of package.json's "browser", which stand in for modules that ask Node for
 * something, and the WebAssembly of tfjs-backend-wasm as text.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { relative, resolve, sep } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { BuildOptions, Plugin } from 'esbuild';
import { fromRoot } from '../cli/package-root.ts';

const ROOT = resolve(fromRoot('.'));
const WASM = 'tfjs-backend-wasm-simd.wasm';

/** Browsers that have everything that is used: WebAssembly SIMD, DecompressionStream, module workers. */
export const TARGET: NonNullable<BuildOptions['target']> = ['chrome111', 'firefox115', 'safari16.4'];

const { browser } = JSON.parse(readFileSync(resolve(ROOT, 'package.json'), 'utf8')) as {
  readonly browser: Readonly<Record<string, string>>;
};
const sourceOf = (built: string): string => built.replace('./dist/', '').replace(/\.js$/, '.ts');

/** Sources and the sources of their twins, from the package's root. */
export const TWINS: ReadonlyMap<string, string> = new Map(
  Object.entries(browser).map(([module, twin]) => [sourceOf(module), sourceOf(twin)]),
);

/** The module of tfjs-backend-wasm with SIMD as the text of a module: base64 of its bytes under gzip. */
export function packedWasm(): string {
  const bytes = readFileSync(createRequire(import.meta.url).resolve(`@tensorflow/tfjs-backend-wasm/dist/${WASM}`));
  return `export default '${gzipSync(bytes, { level: 9 }).toString('base64')}';\n`;
}

/** Sources as a page gets them. */
export const browserSources: Plugin = {
  name: 'browser-sources',
  setup(bundle) {
    bundle.onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path, resolveDir }) => {
      const twin = TWINS.get(relative(ROOT, resolve(resolveDir, path)).split(sep).join('/'));
      return twin === undefined ? undefined : { path: resolve(ROOT, twin) };
    });
    bundle.onResolve({ filter: new RegExp(`^${WASM}$`) }, () => ({ path: WASM, namespace: 'packed' }));
    bundle.onLoad({ filter: /.*/, namespace: 'packed' }, () => ({ contents: packedWasm() }));
  },
};
