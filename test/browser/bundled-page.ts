/** A folder with a program of these tests bundled for browsers, and the page that runs it. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { browserSources, TARGET } from '../../scripts/browser-build.ts';

/** The folder's path; whoever asks for it removes it. `program`: a file of this folder, without its ending. */
export async function bundledPage(program: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'spexlens-in-browser-'));
  await build({
    entryPoints: [resolve(import.meta.dirname, `${program}.ts`)],
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: TARGET,
    plugins: [browserSources],
    logLevel: 'warning',
  });
  writeFileSync(
    join(folder, 'index.html'),
    `<!doctype html><link rel="icon" href="data:,"><script type="module" src="${program}.js"></script>`,
  );
  return folder;
}
