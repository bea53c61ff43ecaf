/** The house rules, read from the imports: who may import whom, and where tensors may live. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TWINS } from '../scripts/browser-build.ts';
import { VERSION } from '../src/version.ts';

const SRC = resolve(import.meta.dirname, '../src');

/** Every room and the rooms it may import; files of src itself are rooms named after the file. */
const SEAMS = [
  'printable',
  'errors',
  'awaited',
  'version',
  'frozen',
  'random',
  'masks',
  'mask-table',
  'mask-room',
  'keep',
  'uniform-masks',
  'showing',
  'place',
  'game',
  'account',
  'ledger',
  'study',
  'solver',
  'platform',
];
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  printable: [],
  errors: ['printable'],
  awaited: ['errors'],
  version: [],
  frozen: [],
  showing: ['errors'],
  platform: ['errors'],
  random: ['errors'],
  masks: ['errors'],
  'mask-table': ['errors', 'masks'],
  'mask-room': ['errors', 'platform'],
  keep: ['errors'],
  'uniform-masks': ['errors', 'random', 'masks', 'mask-table', 'keep'],
  place: [],
  game: ['errors', 'masks', 'place'],
  account: ['errors', 'masks', 'mask-table', 'game'],
  ledger: ['errors', 'masks', 'mask-table', 'game', 'account'],
  study: ['errors', 'frozen', 'place', 'platform'],
  solver: ['game', 'keep', 'spectrum'],
  pilot: ['errors', 'random', 'masks', 'uniform-masks', 'game'],
  kernels: ['errors'],
  backend: ['errors', 'platform', 'kernels'],
  checkpoint: ['errors', 'platform'],
  tokenizer: ['errors', 'awaited', 'platform', 'checkpoint'],
  model: ['errors', 'awaited', 'showing', 'platform', 'random', 'study', 'checkpoint', 'tokenizer'],
  hooks: [...SEAMS, 'backend', 'model', 'tokenizer'],
  train: ['errors', 'random', 'platform'],
  rasp: ['errors', 'random'],
  lens: [...SEAMS, 'pilot', 'model', 'hooks', 'train'],
  measure: [...SEAMS, 'model', 'lens'],
  spectrum: [...SEAMS, 'kernels'],
  spex: [...SEAMS, 'spectrum'],
  proxy: [...SEAMS, 'kernels', 'spectrum'],
  solve: [...SEAMS, 'spectrum', 'spex', 'proxy'],
  attribution: [...SEAMS, 'spectrum'],
  circuit: [...SEAMS, 'spectrum'],
  evaluation: [...SEAMS, 'circuit'],
  methods: [...SEAMS, 'spectrum', 'solve', 'attribution', 'circuit', 'evaluation'],
  'compare-methods': [...SEAMS, 'evaluation', 'methods'],
  explain: [...SEAMS, 'spectrum', 'solve', 'attribution', 'circuit'],
  'explain-on-thread': [...SEAMS, 'solve', 'circuit', 'explain'],
  'explain-worker': [...SEAMS, 'solve', 'circuit', 'explain', 'explain-on-thread'],
  'output-map': [...SEAMS, 'spectrum', 'proxy'],
  'framed-prompt': ['errors', 'model', 'tokenizer', 'lens'],
  report: [...SEAMS, 'spectrum', 'circuit', 'explain', 'evaluation', 'compare-methods'],
  notebook: [...SEAMS, 'spectrum', 'model', 'hooks', 'solve', 'circuit', 'explain', 'report'],
  'run-facts': [...SEAMS, 'backend', 'model', 'measure', 'explain', 'report'],
};
/** Left of the game; and notebooks show tensors too, and a page without a bundler is given TensorFlow.js. */
const TENSOR_ROOMS = ['backend', 'model', 'hooks', 'train', 'lens', 'measure', 'notebook', 'standalone'];
/**
 * The files that put everything together: the drivers and the public API. mask-worker.ts and study-thread.ts do so in a thread, which opens
 * a backend of its own; open-backend.ts joins a backend with the forward pass that checks it.
 */
const TOP = [
  'find-circuits.ts',
  'compare-circuits.ts',
  'explain-prompt.ts',
  'patched-runs.ts',
  'patch-sweep.ts',
  'patch-paths.ts',
  'attribute-data.ts',
  'write-program.ts',
  'index.ts',
  'standalone.ts',
  'solvers.ts',
  'open-backend.ts',
  'measure/mask-worker.ts',
  'measure/queue/study-thread.ts',
];

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

function roomOf(file: string): string {
  const [first] = file.split(/[/\\]/);
  return first.replace(/\.ts$/, '');
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  return [...text.matchAll(/^(?:import|export)[^'";]*?from\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm)].map(
    (match) => match[1] ?? match[2],
  );
}

describe('the house', () => {
  it('has only known rooms', () => {
    const rooms = new Set(files.filter((file) => !TOP.includes(file)).map(roomOf));
    expect([...rooms].filter((room) => !(room in MAY_IMPORT))).toEqual([]);
  });

  it('has no circles', () => {
    const to = new Map(
      files.map((file) => [
        file,
        importsOf(file)
          .filter((s) => s.startsWith('.'))
          .map((s) => relative(SRC, resolve(SRC, dirname(file), s))),
      ]),
    );
    const done = new Set<string>();
    const circles: string[] = [];
    const walk = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (done.has(file)) return;
      done.add(file);
      for (const next of to.get(file) ?? []) walk(next, [...path, file]);
    };
    for (const file of files) walk(file, []);
    expect(circles).toEqual([]);
  });

  it('imports only along its arrows', () => {
    const wrong: string[] = [];
    for (const file of files) {
      const room = roomOf(file);
      if (TOP.includes(file)) continue;
      for (const specifier of importsOf(file).filter((s) => s.startsWith('.'))) {
        const target = roomOf(relative(SRC, resolve(SRC, dirname(file), specifier)));
        if (target !== room && !MAY_IMPORT[room].includes(target)) wrong.push(`${file} imports ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('keeps tensors left of the game: no TensorFlow.js in the rooms that hold only numbers', () => {
    const wrong = files.filter(
      (file) => !TENSOR_ROOMS.includes(roomOf(file)) && importsOf(file).some((s) => s.startsWith('@tensorflow')),
    );
    expect(wrong).toEqual([]);
  });

  it('asks Node for something only where that is said', () => {
    const allowed = /^(platform|checkpoint\/hub)\/|^measure\/(read-)?run-log/;
    const wrong = files.filter((file) => !allowed.test(file) && importsOf(file).some((s) => s.startsWith('node:')));
    expect(wrong).toEqual([]);
  });

  it('asks Node for nothing in a page, whose twins package.json names', () => {
    const twins = new Map([...TWINS].map(([module, twin]) => [module.slice(4), twin.slice(4)]));
    const inBrowserFolders = files.filter((file) => /(^|\/)browser\/[^/]+$/.test(file));
    expect([...twins.values()].sort()).toEqual(inBrowserFolders.sort());
    expect([...twins].filter(([module, twin]) => module !== twin.replace(/browser\/([^/]+)$/, '$1'))).toEqual([]);
    const loaded = new Set<string>();
    const asks: string[] = [];
    const walk = (asked: string): void => {
      const file = twins.get(asked) ?? asked;
      if (loaded.has(file)) return;
      loaded.add(file);
      const text = readFileSync(join(SRC, file), 'utf8').replace(/^(?:import|export) type\b[^;]*;/gm, '');
      for (const [, from, called] of text.matchAll(
        /^(?:import|export)[^'";]*?from\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm,
      )) {
        const specifier = from ?? called;
        if (specifier.startsWith('.')) walk(relative(SRC, resolve(SRC, dirname(file), specifier)));
        else if (/^(node:|bullmq|ioredis|highs|linkedom)/.test(specifier)) asks.push(`${file} imports ${specifier}`);
      }
      if (
        /(?<![\w.$'])(process\.(env|platform|arch|pid|argv|cwd|exit|kill|on|versions?|std\w+|\w*[mM]emory)\b|Buffer\.)/.test(
          text.replace(/\/\*[^]*?\*\/|\/\/.*$/gm, ''),
        )
      )
        asks.push(`${file} names a global of Node`);
    };
    for (const entry of ['standalone', 'spectrum/index', 'solvers', 'model/index', 'checkpoint/index', 'rasp/index'])
      walk(`${entry}.ts`);
    expect(asks).toEqual([]);
    expect(loaded.size).toBeGreaterThan(200);
  });

  it('has files that are read at a sitting: 300 lines, but for those that wait to be split', () => {
    const waiting = ['checkpoint/torch/pickle.ts'];
    const long = files.filter(
      (file) => !file.endsWith('-bytes.ts') && readFileSync(join(SRC, file), 'utf8').trimEnd().split('\n').length > 300,
    );
    expect(long.filter((file) => !waiting.includes(file))).toEqual([]);
  });

  it('has exactly one TensorFlow.js core, and src takes it from tfjs-core alone', () => {
    const wrong = files.filter((file) => importsOf(file).some((s) => s === '@tensorflow/tfjs'));
    expect(wrong).toEqual([]);
    const lock = JSON.parse(readFileSync(resolve(SRC, '../package-lock.json'), 'utf8')) as {
      packages: Record<string, { version?: string }>;
    };
    const cores = Object.entries(lock.packages).filter(([path]) => path.endsWith('@tensorflow/tfjs-core'));
    expect(cores.map(([, { version }]) => version)).toEqual(['4.22.0']);
  });

  it('imports every local file with its .ts ending', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((s) => s.startsWith('.') && !s.endsWith('.ts'))
        .map((s) => `${file}: ${s}`),
    );
    expect(wrong).toEqual([]);
  });

  it('prints nothing from src', () => {
    const wrong = files.filter((file) =>
      /\bconsole\.(log|info|warn|error|debug)\(|process\.std(out|err)/.test(
        readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''),
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('speaks of no option of the command in an error: who calls a function has none', () => {
    const wrong = files.flatMap((file) => {
      const text = readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
      const messages = [...text.matchAll(/\bfail\(([^]*?)\);/g)].map(([, message]) => message);
      return messages
        .filter((message) => /(?<!llama-gguf-split )--[a-z]/.test(message))
        .map((message) => `${file}: ${message}`);
    });
    expect(wrong).toEqual([]);
  });

  it('has numbers and files that load without TensorFlow.js', () => {
    const seen = new Set<string>();
    const walk = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      for (const next of importsOf(file).filter((s) => s.startsWith('.')))
        walk(relative(SRC, resolve(SRC, dirname(file), next)));
    };
    ['spectrum/index.ts', 'solvers.ts', 'checkpoint/index.ts'].forEach(walk);
    const wrong = [...seen].filter((file) => importsOf(file).some((s) => s.startsWith('@tensorflow')));
    expect(wrong).toEqual([]);
  });

  it('states one version', () => {
    const { version } = JSON.parse(readFileSync(resolve(SRC, '../package.json'), 'utf8')) as { version: string };
    expect(VERSION).toBe(version);
  });

  it('has a header on every file', () => {
    expect(files.filter((file) => !readFileSync(join(SRC, file), 'utf8').startsWith('/**'))).toEqual([]);
  });
});
