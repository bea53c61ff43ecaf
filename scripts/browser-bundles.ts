/**
 * Programs for pages as users bundle them, with esbuild and with Vite, from the package as it is installed: what they weigh, and
 * that they run.
 *
 *     npm run build && npx tsx scripts/browser-bundles.ts
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';
import { build as buildWithVite } from 'vite';
import { fromRoot } from '../cli/package-root.ts';
import { CHROMIUM, startChromium } from '../test/report/chromium.ts';
import { TARGET } from './browser-build.ts';
import { serveFolder } from './serve-folder.ts';

/** What a page may want, from little to all. Each leaves its answer in `answer`. */
const PROGRAMS: Readonly<Record<string, { readonly about: string; readonly source: string }>> = {
  spectrum: {
    about: 'spectra and indices (`spexlens/spectrum`)',
    source: `
import { banzhaf, createSpectrum } from 'spexlens/spectrum';
globalThis.answer = banzhaf(createSpectrum('fourier', 2, [{ members: [0], value: -1 }, { members: [1], value: -2 }])).length === 2;
`,
  },
  solvers: {
    about: 'all solvers (`spexlens/solvers`)',
    source: `
import { solve, SOLVERS } from 'spexlens/solvers';
globalThis.answer = typeof solve === 'function' && 'proxyspex' in SOLVERS;
`,
  },
  hooks: {
    about: 'a model, its hooks and caches',
    source: `
import { loadModel, openBackend, runWithCache } from 'spexlens';
const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
const get = async (name) => [name, await (await fetch('model/' + name)).blob()];
globalThis.begin = async () => {
  await openBackend('wasm');
  const model = await loadModel(Object.fromEntries(await Promise.all(names.map(get))));
  const { logits } = runWithCache(model, 'When Mary and John went to the store, John gave a drink to');
  return logits.shape.join() === '1,15,182';
};
`,
  },
  circuits: {
    about: 'circuits and their report as well',
    source: `
import { findCircuits, loadModel, openBackend, renderReport } from 'spexlens';
const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
const get = async (name) => [name, await (await fetch('model/' + name)).blob()];
globalThis.begin = async () => {
  const backend = await openBackend('wasm');
  const model = await loadModel(Object.fromEntries(await Promise.all(names.map(get))), { name: 'ioi-tiny' });
  const prompt = 'When Mary and John went to the store, John gave a drink to';
  const prompts = [{ prompt, correct: ' Mary', incorrect: ' John' }];
  const result = await findCircuits(model, backend, { prompts, budget: 128, heldOut: 64 });
  return renderReport(result).includes('What acts together in ioi-tiny');
};
`,
  },
};

/** Bytes of a program: minified, and under gzip. */
interface Weight {
  readonly minified: number;
  readonly gzip: number;
}

export interface Bundled {
  readonly name: string;
  readonly about: string;
  /** What is loaded with the page. */
  readonly first: Weight;
  /** What is loaded when it is first wanted: backends and their WebAssembly, views of notebooks. */
  readonly later: Weight;
}

/** Bundles all programs in `project`, where spexlens is installed, both ways; runs those of a page in Chromium, where there is one. @throws where anything fails. */
export async function checkBundles(project: string, say: (text: string) => void): Promise<Bundled[]> {
  const bundled: Bundled[] = [];
  for (const [name, { source }] of Object.entries(PROGRAMS)) writeFileSync(join(project, `${name}.js`), source);
  for (const [name, { about }] of Object.entries(PROGRAMS)) {
    const { metafile } = await build({
      absWorkingDir: project,
      entryPoints: [`./${name}.js`],
      outdir: join(project, 'esbuild', name),
      bundle: true,
      splitting: true,
      minify: true,
      format: 'esm',
      target: TARGET,
      legalComments: 'none',
      metafile: true,
      logLevel: 'error',
    });
    bundled.push({ name, about, ...weigh(project, name, metafile) });
    await buildWithVite({
      root: project,
      configFile: false,
      logLevel: 'error',
      build: {
        outDir: join(project, 'vite', name),
        emptyOutDir: false,
        lib: { entry: join(project, `${name}.js`), formats: ['es'], fileName: () => `${name}.js` },
      },
    });
  }
  for (const tool of ['esbuild', 'vite'])
    for (const name of Object.keys(PROGRAMS)) refuseNode(join(project, tool, name), `${name} by ${tool}`);
  await runAll(project, say);
  bundled.push({
    name: 'standalone',
    about: 'everything, without a bundler (`spexlens/browser`)',
    ...weighStandalone(project),
  });
  return bundled;
}

/** @throws where a bundle asks for a module of Node's. */
function refuseNode(folder: string, who: string): void {
  for (const file of readdirSync(folder).filter((each) => each.endsWith('.js'))) {
    const [found] = /(?:from|import\()\s*["']node:[^"']*/.exec(readFileSync(join(folder, file), 'utf8')) ?? [];
    if (found !== undefined) throw new Error(`${who}: ${file} has ${found}`);
  }
}

function weigh(project: string, name: string, { outputs }: Metafile): Pick<Bundled, 'first' | 'later'> {
  return weighFiles(project, Object.keys(outputs), `esbuild/${name}/${name}.js`, (path) =>
    outputs[path].imports.filter(({ kind }) => kind === 'import-statement').map(({ path: next }) => next),
  );
}

/** The module for pages without a bundler, as it was built. */
function weighStandalone(project: string): Pick<Bundled, 'first' | 'later'> {
  const folder = join(project, 'node_modules/spexlens/dist/browser');
  return weighFiles(
    folder,
    readdirSync(folder).filter((file) => file.endsWith('.js')),
    'spexlens.js',
    (file) =>
      [...readFileSync(join(folder, file), 'utf8').matchAll(/(?:from|import)\s*"\.\/([^"]+)"/g)].map(
        ([, next]) => next,
      ),
  );
}

/** What is loaded with `entry`, and what later, of `files` in a folder. */
function weighFiles(
  folder: string,
  files: readonly string[],
  entry: string,
  importsOf: (file: string) => readonly string[],
): Pick<Bundled, 'first' | 'later'> {
  const first = new Set<string>();
  const walk = (file: string): void => {
    if (first.has(file)) return;
    first.add(file);
    importsOf(file).forEach(walk);
  };
  walk(entry);
  const weightOf = (some: readonly string[]): Weight =>
    some
      .map((file) => readFileSync(resolve(folder, file)))
      .reduce(
        ({ minified, gzip }, bytes) => ({
          minified: minified + bytes.length,
          gzip: gzip + gzipSync(bytes, { level: 9 }).length,
        }),
        { minified: 0, gzip: 0 },
      );
  return { first: weightOf([...first]), later: weightOf(files.filter((file) => !first.has(file))) };
}

/** Runs what was bundled, and the module for pages without a bundler. */
async function runAll(project: string, say: (text: string) => void): Promise<void> {
  if (CHROMIUM === undefined) {
    say('skipped: bundles in a browser (there is no Chromium here)');
    return;
  }
  const browser = await startChromium();
  const server = await serveFolder(project, 0);
  try {
    const pages = ['esbuild', 'vite'].flatMap((tool) =>
      Object.keys(PROGRAMS).map((name) => ({ folder: join(tool, name), script: `./${name}.js` })),
    );
    const standalone = PROGRAMS['circuits'].source.replace(
      "from 'spexlens'",
      "from '/node_modules/spexlens/dist/browser/spexlens.js'",
    );
    mkdirSync(join(project, 'standalone'), { recursive: true });
    writeFileSync(join(project, 'standalone', 'circuits.js'), standalone);
    for (const { folder, script } of [...pages, { folder: 'standalone', script: './circuits.js' }]) {
      cpSync(fromRoot('models/ioi-tiny'), join(project, folder, 'model'), { recursive: true });
      writeFileSync(
        join(project, folder, 'index.html'),
        `<!doctype html><link rel="icon" href="data:,"><script type="module" src="${script}"></script>`,
      );
      const tab = await browser.open(`${server.url}${folder.replaceAll('\\', '/')}/`);
      const answer = await tab.evaluate('globalThis.begin === undefined ? globalThis.answer : begin()');
      if (answer !== true || tab.complaints.length > 0)
        throw new Error(`${folder} answers ${String(answer)} in Chromium; it complains: ${tab.complaints.join('; ')}`);
    }
    say('programs bundled by esbuild and by Vite, and the module without a bundler, run in Chromium');
  } finally {
    await browser.close();
    await server.close();
  }
}

/** The table of docs/browser.md. */
export function tableOfBundles(bundled: readonly Bundled[]): string {
  const kilobytes = ({ minified, gzip }: Weight): string =>
    `${(minified / 1000).toFixed(0)} kB, ${(gzip / 1000).toFixed(0)} kB gzip`;
  const rows = bundled.map(
    ({ about, first, later }) =>
      `| ${about} | ${kilobytes(first)} | ${later.minified === 0 ? 'nothing' : kilobytes(later)} |`,
  );
  return ['| a page that imports | loads at once | and when it is wanted |', '|---|---|---|', ...rows].join('\n');
}

if (import.meta.filename === process.argv[1]) {
  const project = mkdtempSync(join(tmpdir(), 'spexlens-bundles-'));
  try {
    writeFileSync(join(project, 'package.json'), '{"type":"module"}');
    mkdirSync(join(project, 'node_modules'));
    symlinkSync(resolve(fromRoot('.')), join(project, 'node_modules', 'spexlens'));
    console.log(tableOfBundles(await checkBundles(project, (text) => console.log(text))));
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}
