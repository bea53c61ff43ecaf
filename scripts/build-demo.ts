/**
 * Builds the demo page into static files, out/demo/, and serves them on this machine.
 *
 *     npm run demo [-- --port 8080] [--build]
 *
 * --build only writes the files; any web server can serve them.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { fromRoot } from '../cli/package-root.ts';
import { PAGE_SCRIPT_HASH } from '../src/report/page-script.ts';
import { PAGE_STYLE } from '../src/report/page-style.ts';
import { SCRIPT_STYLE } from '../src/report/script-style.ts';
import { browserSources, TARGET } from './browser-build.ts';
import { serveFolder } from './serve-folder.ts';

const MODEL = 'models/ioi-tiny';
const MODEL_FILES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'prompts.jsonl'];
/** Its own files, WebAssembly, and the script of a report that is opened from it, which inherits this. */
const POLICY = `default-src 'none'; script-src 'self' 'wasm-unsafe-eval' '${PAGE_SCRIPT_HASH}'; worker-src 'self'; connect-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'`;

/** Writes the page to `folder`, in place of what is there. */
export async function buildDemo(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, MODEL), { recursive: true });
  for (const name of MODEL_FILES) cpSync(fromRoot(join(MODEL, name)), join(folder, MODEL, name));
  const html = readFileSync(fromRoot('demo/index.html'), 'utf8');
  writeFileSync(join(folder, 'index.html'), html.replace('POLICY', POLICY));
  const style = readFileSync(fromRoot('demo/style.css'), 'utf8');
  writeFileSync(join(folder, 'style.css'), PAGE_STYLE + SCRIPT_STYLE + style);
  await build({
    entryPoints: [fromRoot('demo/main.ts'), fromRoot('demo/worker.ts')],
    outdir: folder,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: TARGET,
    legalComments: 'none',
    plugins: [browserSources],
    logLevel: 'warning',
  });
}

if (import.meta.filename === process.argv[1]) {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '8080' }, build: { type: 'boolean', default: false } },
  });
  const folder = fromRoot('out/demo');
  await buildDemo(folder);
  console.log(`wrote ${folder}`);
  if (!values.build) console.log(`open ${(await serveFolder(folder, Number(values.port))).url}; Ctrl-C ends it`);
}
