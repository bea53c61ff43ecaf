/**
 * ProxySPEX measured: single tree fits, whole fits on games with a known spectrum, and real games.
 *
 *     npx tsx scripts/bench-proxy.ts [--compare python] [--games FOLDER] [--alphas 1,2,4,8] [--only PARTS]
 *
 * Every method gets the same masks and values; R² is on masks that were not fitted. Seconds are CPU time,
 * one thread each. Parts: fits (against LightGBM), synthetic, large and games (against the reference implementation).
 */
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { z } from 'zod';
import { hierarchical, orderThree, staircases } from '../bench/synthetic.ts';
import { allCoalitions, selectRows, uniformCoalitions, type Coalitions } from '../src/coalitions.ts';
import { fail, SpexlensError } from '../src/errors.ts';
import { fitFaithBanzhaf, fitKernelShap } from '../src/proxy/baselines.ts';
import { boost } from '../src/proxy/boost.ts';
import { fitFirstOrder } from '../src/proxy/first-order.ts';
import { fitProxySpex } from '../src/proxy/fit.ts';
import { fitGreedyParities } from '../src/proxy/greedy-parities.ts';
import { proxyMasks } from '../src/proxy/proxyspex.ts';
import { fitStack } from '../src/proxy/stack.ts';
import { predict } from '../src/proxy/tree.ts';
import { PAPER_GRID, type TuneGrid } from '../src/proxy/tune.ts';
import { createRandom } from '../src/random.ts';
import { r2 } from '../src/spectrum/r2.ts';
import { createSpectrum, evaluate, type FourierSpectrum } from '../src/spectrum/spectrum.ts';
import { runCommand, terminal, whole } from './command.ts';
import { pythonLacks, runPython, type PythonCase } from './bench-proxy/python.ts';

/** Masks and values of one cell, and what the answer is scored on. */
interface Cell {
  readonly game: string;
  readonly family: string;
  readonly alpha: number;
  readonly masks: Coalitions;
  readonly values: Float64Array;
  readonly held: Coalitions;
  readonly truth: Float64Array;
}

const COMMON_GRID: TuneGrid = { maxDepth: [3, 5], numIterations: [500, 1000], learningRate: [0.1] };

const METHODS: Readonly<Record<string, (masks: Coalitions, values: Float64Array, grid: TuneGrid) => Promise<FourierSpectrum>>> = {
  lasso: async (masks, values) => fitFirstOrder(masks, values).spectrum,
  // Every step of the reference, with our trees: 95 % of the energy (1,000 terms at most), always refitted, end masks always fitted, 20 rows a leaf.
  recipe: async (masks, values, grid) =>
    (await fitProxySpex(masks, values, { grid, refit: 'always', energy: [0.95], cap: 1000, endMasks: 'keep', minDataInLeaf: 20 })).spectrum,
  proxyspex: async (masks, values, grid) => (await fitProxySpex(masks, values, { grid })).spectrum,
  'proxyspex (default grid)': async (masks, values) => (await fitProxySpex(masks, values)).spectrum,
  stack: async (masks, values) => (await fitStack(masks, values)).spectrum,
  parities: async (masks, values) => (await fitGreedyParities(masks, values)).spectrum,
  'order 2 (ridge)': async (masks, values) => fitFaithBanzhaf(masks, values, { order: 2, penalty: 'ridge' }).spectrum,
  'kernel shap': async (masks, values) => fitKernelShap(masks, values),
};

const SINGLE_FITS = [
  { players: 16, rows: 820, maxDepth: -1 },
  { players: 144, rows: 3000, maxDepth: 5 },
  { players: 1000, rows: 10_000, maxDepth: 5 },
];

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function cpuSeconds<T>(work: () => T): [T, number] {
  const start = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(start);
  return [result, (user + system) / 1e6];
}

/** Additive terms, pairs and triples of a made-up game, with a little noise. */
function singleFits(python: string | undefined): void {
  print('\nSingle fits: 500 trees, rate .1, 31 leaves, 20 rows a leaf; CPU seconds (best of 2) and R² on 2,000 other masks');
  for (const { players, rows, maxDepth } of SINGLE_FITS) {
    const random = createRandom(1, 'single fits');
    const all = uniformCoalitions(players, rows + 2000, random);
    const values = evaluate(orderThree(players, 1, players), all).map((value) => value + 0.1 * random.normal());
    const rowsOf = (from: number, count: number): Coalitions => selectRows(all, Int32Array.from({ length: count }, (_, k) => from + k));
    const [train, held, truth] = [rowsOf(0, rows), rowsOf(rows, 2000), values.subarray(rows)];
    const setting = { numIterations: 500, learningRate: 0.1, maxDepth, minDataInLeaf: 20 };
    const runs = [0, 1].map(() => cpuSeconds(() => boost(train, values.slice(0, rows), setting)));
    const seconds = Math.min(...runs.map((run) => run[1]));
    let line = `${players} players x ${rows} masks, depth ${maxDepth}`.padEnd(42) + `spexlens ${seconds.toFixed(2)} s  R² ${r2(truth, predict(runs[0][0].ensemble, held)).toFixed(5)}`;
    if (python !== undefined) {
      const theirs = [...runPython(python, [0, 1].map(() => ({ kind: 'fit', masks: all, values: values.slice(0, rows), setting })))];
      const times = theirs.map((answer) => ('seconds' in answer ? answer.seconds : Number.NaN));
      const first = theirs[0];
      if ('predicted' in first) line += `   LightGBM ${Math.min(...times).toFixed(2)} s (${(Math.min(...times) / seconds).toFixed(1)}x)  R² ${r2(truth, first.predicted).toFixed(5)}`;
      else line += `   LightGBM failed`;
    }
    print(line);
  }
}

function syntheticCells(part: 'synthetic' | 'large', alphas: readonly number[], seed: number): Cell[] {
  const games = {
    synthetic: [
      { name: 'hierarchical n=100', truth: hierarchical(100, seed) },
      { name: 'staircases n=100', truth: staircases(100, seed) },
    ],
    large: [{ name: 'order three n=1000', truth: orderThree(1000, seed) }],
  };
  return games[part].flatMap(({ name, truth }) =>
    alphas.map((alpha) => {
      const masks = proxyMasks(truth.players, Math.ceil(alpha * truth.players * Math.log2(truth.players)), seed);
      const held = uniformCoalitions(truth.players, 2000, createRandom(seed, 'held'));
      return { game: name, family: name, alpha, masks, values: evaluate(truth, masks), held, truth: evaluate(truth, held) };
    }),
  );
}

const Index = z.array(z.object({ name: z.string(), players: z.number() }));

/** Cells of stored games: FOLDER/index.json and FOLDER/NAME.f32 with all 2^n values. @throws 'input' when they are not there. */
function* storedCells(folder: string, alphas: readonly number[], seed: number, every: number): Generator<Cell> {
  const path = join(folder, 'index.json');
  if (!existsSync(path)) throw fail('input', 'bench-proxy', `${path} is not there; --games needs a folder with index.json and NAME.f32 files of 2^n values.`);
  const games = Index.parse(JSON.parse(readFileSync(path, 'utf8'))).filter((_, k) => k % every === 0);
  for (const { name, players } of games) {
    const bytes = readFileSync(join(folder, `${name}.f32`));
    const table = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    if (table.length !== 2 ** players) throw fail('input', 'bench-proxy', `${name}.f32 has ${table.length} values; 2^${players} are needed.`);
    const everything = allCoalitions(players);
    for (const alpha of alphas) {
      const masks = proxyMasks(players, Math.ceil(alpha * players * Math.log2(players)), seed);
      const seen = new Set(masks.words);
      const held = selectRows(everything, everything.words.filter((word) => !seen.has(word)));
      const read = (rows: Coalitions): Float64Array => Float64Array.from(rows.words, (word) => table[word]);
      yield { game: name, family: name.replace(/-\d+(-(vit|\d+))*-?\d*$/, ''), alpha, masks, values: read(masks), held, truth: read(held) };
    }
  }
}

interface Score {
  readonly family: string;
  readonly alpha: number;
  readonly method: string;
  readonly r2: number;
  readonly seconds: number;
}

async function scoreCells(cells: Iterable<Cell>, grid: TuneGrid, python: string | undefined, signal: AbortSignal): Promise<Score[]> {
  const scores: Score[] = [];
  for (const cell of cells) {
    if (signal.aborted) throw fail('aborted', 'bench-proxy', 'stopped on request.');
    const { family, alpha, masks, values, held, truth } = cell;
    const add = (method: string, score: number, seconds: number): void => void scores.push({ family, alpha, method, r2: score, seconds });
    for (const [method, solve] of Object.entries(METHODS)) {
      const start = process.cpuUsage();
      let spectrum: FourierSpectrum;
      try {
        spectrum = await solve(masks, values, grid);
      } catch (error) {
        // A baseline that the masks, or the time, do not allow.
        if (!(error instanceof SpexlensError && error.kind === 'input')) throw error;
        print(`${cell.game}, α = ${alpha}: no ${method}: ${error.message}`);
        continue;
      }
      const { user, system } = process.cpuUsage(start);
      add(method, r2(truth, evaluate(spectrum, held)), (user + system) / 1e6);
    }
    if (python === undefined) continue;
    const request: PythonCase = { kind: 'proxyspex', masks, values, grid: { max_depth: grid.maxDepth, n_estimators: grid.numIterations, learning_rate: grid.learningRate } };
    const [answer] = runPython(python, [request]);
    if ('terms' in answer) {
      const spectrum = createSpectrum('fourier', masks.players, answer.terms.map(([members, value]) => ({ members, value })));
      add('reference', r2(truth, evaluate(spectrum, held)), answer.seconds);
    } else {
      // No answer is the mean: R² 0.
      add('reference', 0, Number.NaN);
      print(`reference failed on ${cell.game}, α = ${alpha}: ${'error' in answer ? answer.error : 'no terms'}`);
    }
  }
  return scores;
}

/** Mean R² (each at least -1) and seconds a fit, a line per family and method, a column per α. */
function printScores(title: string, scores: readonly Score[], alphas: readonly number[]): void {
  print(`\n${title}\n${''.padEnd(58)}${alphas.map((alpha) => `α = ${alpha}`.padStart(16)).join('')}`);
  const methods = [...new Set(scores.map((score) => score.method))];
  const families = [...new Set(scores.map((score) => score.family))];
  for (const family of families.length > 1 ? [...families, 'all'] : families) {
    for (const method of methods) {
      const cells = alphas.map((alpha) => {
        const these = scores.filter((score) => score.alpha === alpha && score.method === method && (family === 'all' || score.family === family));
        if (these.length === 0) return '-'.padStart(16);
        const mean = (pick: (score: Score) => number): number => these.reduce((sum, score) => sum + pick(score) / these.length, 0);
        return `${mean((score) => Math.max(-1, score.r2)).toFixed(4)} ${mean((score) => score.seconds).toFixed(2).padStart(7)}s`.padStart(16);
      });
      print(`${family.slice(0, 32).padEnd(33)}${method.padEnd(25)}${cells.join('')}`);
    }
  }
}

interface Flags {
  readonly compare?: string;
  readonly python: string;
  readonly games?: string;
  readonly alphas: string;
  readonly every: string;
  readonly seed: string;
  readonly only?: string;
  readonly paperGrid?: boolean;
  readonly debug?: boolean;
}

const command = new Command('bench-proxy')
  .description('Measure ProxySPEX: speed of tree fits, R² and time of whole fits, on made-up and on stored games.')
  .option('--compare <what>', 'python: run the reference implementations on the same masks and values')
  .option('--python <command>', 'the interpreter that has lightgbm and spectralexplain', 'python3')
  .option('--games <folder>', 'stored games: index.json and NAME.f32 with all 2^n values')
  .option('--alphas <list>', 'masks as multiples of n log2 n', '1,2,4,8')
  .option('--every <k>', 'only every k-th stored game', '1')
  .option('--seed <n>', 'seed of games and masks', '0')
  .option('--only <parts>', 'of fits, synthetic, large (1,000 players: minutes a fit), games (default: all that apply but large)')
  .option('--paper-grid', "the paper's grid of up to 5,000 trees instead of 2 depths x {500, 1000} trees")
  .option('--debug', 'show stack traces');

process.exitCode = await runCommand<Flags>(command, process.argv.slice(2), terminal, async (flags, { signal, line }) => {
  const alphas = flags.alphas.split(',').map(Number);
  if (alphas.some((alpha) => !(alpha > 0))) throw fail('input', '--alphas', `"${flags.alphas}" is not a list of positive numbers.`);
  if (flags.compare !== undefined && flags.compare !== 'python') throw fail('input', '--compare', `"${flags.compare}"; the only one there is, is python.`);
  const parts = flags.only?.split(',') ?? ['fits', 'synthetic', ...(flags.games === undefined ? [] : ['games'])];
  const unknown = parts.find((part) => !['fits', 'synthetic', 'large', 'games'].includes(part));
  if (unknown !== undefined) throw fail('input', '--only', `"${unknown}"; any of fits, synthetic, large, games.`);
  const seed = whole('--seed', flags.seed);
  const grid = flags.paperGrid === true ? PAPER_GRID : COMMON_GRID;
  let python: string | undefined;
  if (flags.compare !== undefined) {
    const lacking = pythonLacks(flags.python);
    if (lacking === undefined) python = flags.python;
    else print(`comparison skipped: ${lacking}`);
  }
  print(`\`${line}\`\nNode ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, one thread each`);
  if (parts.includes('fits')) singleFits(python);
  for (const part of ['synthetic', 'large'] as const) {
    if (parts.includes(part)) printScores('Made-up games, R² on 2,000 other masks', await scoreCells(syntheticCells(part, alphas, seed), grid, python, signal), alphas);
  }
  if (parts.includes('games')) {
    if (flags.games === undefined) throw fail('input', '--only', 'games needs --games FOLDER.');
    const scores = await scoreCells(storedCells(flags.games, alphas, seed, Math.max(1, whole('--every', flags.every))), grid, python, signal);
    printScores('Stored games, R² on all other masks', scores, alphas);
  }
});
