/**
 * Everything that bench/gpu.ts needs, in a folder that can be carried to a machine without a network, an npm or a compiler:
 *
 *   npx tsx bench/gpu/pack.ts FOLDER
 *
 * There, with a Node of 22.18 or later (it runs TypeScript as it is): `node bench/gpu.ts --quick`. What is copied is found by
 * following the imports; nothing is bundled or changed. docs/gpu.md says what else a bare machine needs.
 */
import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { fromRoot } from '../../cli/package-root.ts';

/** Programs, and what they read or import by a path that they make up. */
const ENTRIES = ['bench/gpu.ts', 'bench/gpu/section-process.ts'];
const ASSETS = ['bench/gpu/torch_twin.py', 'test/golden/families', 'package.json', 'LICENSE'];
/** Without its tokenizer: prompts are token ids here, and the tokenizer's library would have to be carried too. */
const MODEL = ['config.json', 'model.safetensors'].map((file) => `models/ioi-tiny/${file}`);
const EXTERNAL = ['webgpu', '@tensorflow/tfjs-node-gpu', 'sharp', 'onnxruntime-node', '*.node'];
const WEBGPU = ['index.js', 'package.json', `dist/${process.platform}-${process.arch}`];

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: npx tsx bench/gpu/pack.ts FOLDER');
const root = resolve(fromRoot('.'));

const { metafile } = await build({
  entryPoints: ENTRIES.map((entry) => join(root, entry)),
  absWorkingDir: root,
  bundle: true,
  write: false,
  metafile: true,
  platform: 'node',
  format: 'esm',
  outdir: 'out',
  external: EXTERNAL,
  logLevel: 'error',
});
const copy = (path: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  cpSync(join(root, path), join(folder, path), { recursive: true, dereference: true });
};
const packages = new Set<string>();
for (const path of Object.keys(metafile.inputs)) {
  copy(path);
  const within = /^((?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
  if (within !== undefined) packages.add(within);
}
for (const path of packages) copy(join(path, 'package.json'));
for (const asset of [...ASSETS, ...MODEL]) copy(asset);
for (const part of WEBGPU) copy(join('node_modules/webgpu', part));
console.log(`${Object.keys(metafile.inputs).length} source files and ${packages.size} packages in ${folder}`);
