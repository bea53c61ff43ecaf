/**
 * ProxySPEX and the stack measured: single tree fits, games with a known spectrum, bundled models, stored real games.
 *
 *     npx tsx bench/proxy.ts [--compare python] [--games FOLDER] [--only PARTS] [--results FILE] [--picture FILE]
 *
 * Every method gets the same masks and values; R² is on masks that were not fitted. Seconds are CPU time, one thread
 * each. Parts: fits (against LightGBM), made (six games of fixed seeds), scale (5,000 players, 20,000 masks), games
 * (stored ones). With --results every score is written as it comes and none is measured twice.
 */
import { cpus } from 'node:os';
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { orderThree } from './synthetic.ts';
import { openBackend } from '../src/open-backend.ts';
import { selectRows, type Masks } from '../src/masks.ts';
import { uniformMasks } from '../src/uniform-masks.ts';
import { fail, SpexlensError } from '../src/errors.ts';
import { boost } from '../src/proxy/trees/boost.ts';
import { fitProxySpex } from '../src/proxy/fit.ts';
import { endOf } from '../src/proxy/measured.ts';
import { fitStack } from '../src/proxy/stack.ts';
import { predict } from '../src/proxy/trees/tree.ts';
import { REFERENCE_GRID, type TuneGrid } from '../src/proxy/trees/tune.ts';
import { createRandom } from '../src/random.ts';
import { r2 } from '../src/spectrum/r2.ts';
import { createSpectrum, evaluate, setKey, type FourierSpectrum } from '../src/spectrum/spectrum.ts';
import { MADE_GAMES, type MadeGame } from './proxy/made-games.ts';
import { cpuSeconds, METHODS, REFERENCE, REFERENCE_INSIDE, REFERENCES } from './proxy/methods.ts';
import { pythonLacks, runPython, type PythonAnswer, type PythonCase } from './proxy/python.ts';
import { openResults, type Results, type Score } from './proxy/results.ts';
import { masksOf, scoreOf, storedGames, valuesOf } from './proxy/stored-games.ts';
import { budgetPicture, duel, scoreTable } from './proxy/tables.ts';
import { runCommand, terminal, whole } from '../cli/command.ts';

/** What an answer is fitted on and how it is scored. */
interface Cell extends Pick<Score, 'game' | 'family' | 'alpha' | 'seed'> {
  readonly masks: Masks;
  readonly values: Float64Array;
  readonly score: (spectrum: FourierSpectrum) => { readonly r2: number; readonly recall: number | null };
}

interface Settings {
  readonly alphas: readonly number[];
  readonly seeds: readonly number[];
  readonly methods: readonly string[];
  readonly grid: TuneGrid;
  readonly python: string | undefined;
  readonly nested: boolean;
  /** Seconds that the reference may take for one fit. */
  readonly limit: number;
  readonly results: Results;
  readonly signal: AbortSignal;
}

const SINGLE_FITS = [
  { players: 16, rows: 820, maxDepth: -1 },
  { players: 144, rows: 3000, maxDepth: 5 },
  { players: 1000, rows: 10_000, maxDepth: 5 },
];
const HELD = 2000;
const TOP = 20;
const PARTS = ['fits', 'made', 'scale', 'games'] as const;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** Additive terms, pairs and triples of a made-up game, with a little noise. */
async function singleFits(python: string | undefined): Promise<void> {
  print(
    '\nSingle fits: 500 trees, rate .1, 31 leaves, 20 rows a leaf; CPU seconds (best of 3) and R² on 2,000 other masks',
  );
  for (const { players, rows, maxDepth } of SINGLE_FITS) {
    const random = createRandom(1, 'single fits');
    const all = uniformMasks(players, rows + HELD, random);
    const values = evaluate(orderThree(players, 1, players), all).map((value) => value + 0.1 * random.normal());
    const rowsOf = (from: number, count: number): Masks =>
      selectRows(
        all,
        Int32Array.from({ length: count }, (_, k) => from + k),
      );
    const [train, held, truth] = [rowsOf(0, rows), rowsOf(rows, HELD), values.subarray(rows)];
    const setting = { numIterations: 500, learningRate: 0.1, maxDepth, minDataInLeaf: 20 };
    const runs = [];
    for (let k = 0; k < 3; k++) runs.push(await cpuSeconds(() => boost(train, values.slice(0, rows), setting)));
    const seconds = Math.min(...runs.map((run) => run[1]));
    let line =
      `${players} players x ${rows} masks, depth ${maxDepth}`.padEnd(42) +
      `spexlens ${seconds.toFixed(3)} s  R² ${r2(truth, predict(runs[0][0].ensemble, held)).toFixed(5)}`;
    if (python !== undefined) {
      const theirs: PythonAnswer[] = [];
      for await (const answer of runPython(
        python,
        [0, 1, 2].map(() => ({ kind: 'fit', masks: all, values: values.slice(0, rows), setting })),
      ))
        theirs.push(answer);
      const time = Math.min(...theirs.map((answer) => ('seconds' in answer ? answer.seconds : Number.NaN)));
      const [first] = theirs;
      line +=
        'predicted' in first
          ? `   LightGBM ${time.toFixed(3)} s (${(time / seconds).toFixed(1)}x)  R² ${r2(truth, first.predicted).toFixed(5)}`
          : '   LightGBM failed';
    }
    print(line);
  }
}

async function* madeCells(settings: Settings, only: readonly string[]): AsyncGenerator<Cell> {
  for (const name of only) {
    const game = await MADE_GAMES[name]();
    try {
      for (const alpha of settings.alphas) for (const seed of settings.seeds) yield await madeCell(game, alpha, seed);
    } finally {
      game.close();
    }
  }
}

async function madeCell(game: MadeGame, alpha: number, seed: number): Promise<Cell> {
  const masks = masksOf(game.players, alpha, seed);
  const held = uniformMasks(game.players, HELD, createRandom(seed, 'held'));
  const truth = await game.value(held);
  const largest = game.truth === undefined ? undefined : topOf(game.truth);
  return {
    game: game.name,
    family: game.name,
    alpha,
    seed,
    masks,
    values: await game.value(masks),
    score(spectrum) {
      const found = topOf(spectrum);
      return {
        r2: r2(truth, evaluate(spectrum, held)),
        recall: largest === undefined ? null : [...largest].filter((key) => found.has(key)).length / largest.size,
      };
    },
  };
}

/** The TOP largest terms besides ∅; precision and recall are then the same number. */
function topOf(spectrum: FourierSpectrum): Set<string> {
  return new Set(
    spectrum.terms
      .filter(({ members }) => members.length > 0)
      .slice(0, TOP)
      .map(({ members }) => setKey(members)),
  );
}

async function* storedCells(folder: string, every: number, { alphas, seeds }: Settings): AsyncGenerator<Cell> {
  for (const seed of seeds) {
    for (const game of storedGames(folder, every)) {
      for (const alpha of alphas) {
        const masks = masksOf(game.players, alpha, seed);
        yield {
          game: game.name,
          family: game.family,
          alpha,
          seed,
          masks,
          values: valuesOf(game, masks),
          score: (spectrum) => scoreOf(game, masks, spectrum),
        };
      }
    }
  }
}

/** Fits every method to every cell that has no score yet. */
async function scoreCells(cells: AsyncIterable<Cell>, settings: Settings): Promise<void> {
  const { results, methods, grid, python, signal } = settings;
  for await (const cell of cells) {
    if (signal.aborted) throw fail('aborted', 'bench-proxy', 'stopped on request.');
    const { game, family, alpha, seed, masks, values } = cell;
    const missing = methods.filter((method) => !results.has(game, alpha, seed, method));
    for (const method of missing) {
      const known = { game, family, alpha, seed, method };
      if (REFERENCES.includes(method)) {
        const given = method === REFERENCE ? cell : withoutEnds(cell);
        if (python !== undefined) results.add({ ...known, ...(await reference(python, given, settings)) });
        continue;
      }
      try {
        const [spectrum, seconds] = await cpuSeconds(() => METHODS[method](masks, values, grid));
        results.add({ ...known, ...cell.score(spectrum), seconds });
      } catch (error) {
        // A baseline that the masks, or the time, do not allow.
        if (!(error instanceof SpexlensError && error.kind === 'input')) throw error;
        results.add({ ...known, r2: null, recall: null, seconds: null, error: error.message });
      }
    }
    if (missing.length > 0) process.stderr.write(`${game}, α = ${alpha}, seed ${seed}\n`);
  }
}

/** The cell without the masks that keep nothing or everything; scored as before. */
function withoutEnds(cell: Cell): Cell {
  const inner = Array.from({ length: cell.masks.count }, (_, row) => row).filter(
    (row) => endOf(cell.masks, row) === undefined,
  );
  return { ...cell, masks: selectRows(cell.masks, inner), values: Float64Array.from(inner, (row) => cell.values[row]) };
}

async function reference(
  python: string,
  cell: Cell,
  { grid, nested, limit }: Settings,
): Promise<Pick<Score, 'r2' | 'recall' | 'seconds' | 'error'>> {
  const { masks, values } = cell;
  const request: PythonCase = {
    kind: 'proxyspex',
    masks,
    values,
    nested,
    grid: { max_depth: grid.maxDepth, n_estimators: grid.numIterations, learning_rate: grid.learningRate },
  };
  const none = { r2: null, recall: null, seconds: null };
  for await (const answer of runPython(python, [request], limit)) {
    if (!('terms' in answer)) return { ...none, error: 'error' in answer ? answer.error : 'no terms' };
    const spectrum = createSpectrum(
      'fourier',
      masks.players,
      answer.terms.map(([members, value]) => ({ members, value })),
    );
    return { ...cell.score(spectrum), seconds: answer.seconds };
  }
  return { ...none, error: 'no answer' };
}

/** The default grid on 5,000 players and 20,000 masks: wall-clock seconds and peak memory of this process. */
async function atScale(signal: AbortSignal): Promise<void> {
  print('\nScale: wall-clock seconds, all cores');
  const run = async (
    label: string,
    players: number,
    rows: number,
    fit: (masks: Masks, values: Float64Array) => Promise<{ spectrum: FourierSpectrum }>,
  ): Promise<void> => {
    const truth = orderThree(players, 0, 300);
    const masks = uniformMasks(players, rows, createRandom(0, 'scale'));
    const held = uniformMasks(players, HELD, createRandom(1, 'held'));
    const started = performance.now();
    const { spectrum } = await fit(masks, evaluate(truth, masks));
    const seconds = (performance.now() - started) / 1000;
    print(
      `${label}, ${players} players x ${rows} masks`.padEnd(48) +
        `${seconds.toFixed(1)} s  R² ${r2(evaluate(truth, held), evaluate(spectrum, held)).toFixed(4)}  peak ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB so far`,
    );
  };
  await run('stack', 16, 512, (masks, values) => fitStack(masks, values, { signal }));
  await run('stack', 144, 5000, (masks, values) => fitStack(masks, values, { signal }));
  await run('proxyspex', 5000, 20_000, (masks, values) => fitProxySpex(masks, values, { signal }));
}

function report(
  settings: Settings,
  title: string,
  cells: (score: Score) => boolean,
  groupOf: (score: Score) => string,
  picture: string | undefined,
): void {
  const { alphas, seeds, results, methods } = settings;
  const scores = results.scores.filter(
    (score) =>
      cells(score) && methods.includes(score.method) && alphas.includes(score.alpha) && seeds.includes(score.seed),
  );
  if (scores.length === 0) return;
  print(`\n${title}\n\n${scoreTable(scores, groupOf, alphas, true)}\n`);
  for (const [ours, theirs] of [
    ['proxyspex', REFERENCE],
    ['proxyspex, same grid', REFERENCE],
    ['stack', REFERENCE],
    ['stack', REFERENCE_INSIDE],
    ['stack', 'proxyspex'],
  ])
    duel(scores, ours, theirs, alphas).forEach(print);
  if (picture === undefined) return;
  writeFileSync(
    picture,
    budgetPicture(
      scores,
      groupOf,
      methods.filter((method) => scores.some((score) => score.method === method)),
      `R² against the number of masks, ${title}`,
    ),
  );
}

/** What the players of a stored game are. */
function kindOf({ family }: Score): string {
  if (family.startsWith('sentiment')) return 'input words';
  if (family.startsWith('image')) return 'image patches';
  if (family.startsWith('soum')) return 'synthetic';
  return family.includes('datasetvaluation') ? 'parts of data sets' : 'training points';
}

interface Flags {
  readonly compare?: string;
  readonly python: string;
  readonly games?: string;
  readonly alphas: string;
  readonly seeds: string;
  readonly every: string;
  readonly methods?: string;
  readonly redo?: string;
  readonly made?: string;
  readonly results?: string;
  readonly picture?: string;
  readonly only?: string;
  readonly nested?: boolean;
  readonly shortGrid?: boolean;
  readonly limit: string;
  readonly debug?: boolean;
}

const SHORT_GRID: TuneGrid = { maxDepth: [3, 5], numIterations: [500, 1000], learningRate: [0.1] };

const command = new Command('bench-proxy')
  .description(
    'Measure ProxySPEX and the stack: speed of tree fits, R² and time of whole fits, on made-up and on stored games.',
  )
  .option('--compare <what>', 'python: run the reference implementations on the same masks and values')
  .option('--python <command>', 'the interpreter that has lightgbm and spectralexplain', 'python3')
  .option('--games <folder>', 'stored games: index.json and NAME.f32 with all 2^n values')
  .option('--alphas <list>', 'masks as multiples of n log2 n', '1,2,4,8')
  .option('--seeds <list>', 'seeds of the masks', '0')
  .option('--every <k>', 'only every k-th stored game', '1')
  .option('--methods <list>', `of ${[...Object.keys(METHODS), ...REFERENCES].join(', ')} (default: all)`)
  .option('--made <list>', `made-up games, of ${Object.keys(MADE_GAMES).join(', ')} (default: all)`)
  .option('--results <file>', 'JSONL of scores: read first, and written as they come')
  .option('--redo <list>', 'methods whose scores in --results are measured anew')
  .option('--picture <file>', 'SVG of R² against the budget')
  .option('--only <parts>', `of ${PARTS.join(', ')} (default: all but games without --games)`)
  .option('--nested', 'the reference reads its tree counts from one run each: same answer, less time')
  .option('--short-grid', "2 depths x {500, 1000} trees at rate .1 for both sides, instead of the reference's")
  .option('--limit <seconds>', 'of one fit of the reference', '900')
  .option('--debug', 'show stack traces');

const numbers = (option: string, text: string): number[] => {
  const list = text.split(',').map(Number);
  if (list.some((value) => !(value >= 0))) throw fail('input', option, `"${text}" is not a list of numbers >= 0.`);
  return list;
};
const names = (option: string, text: string | undefined, known: readonly string[]): string[] => {
  const list = text === undefined ? [...known] : splitNames(text, known);
  const unknown = list.find((name) => !known.includes(name));
  if (unknown !== undefined) throw fail('input', option, `"${unknown}" is unknown; there are ${known.join(', ')}.`);
  return list;
};
/** Names may hold commas: known ones are taken whole. */
function splitNames(text: string, known: readonly string[]): string[] {
  const parts = text.split(',').map((part) => part.trim());
  const list: string[] = [];
  for (let k = 0; k < parts.length; k++) {
    const pair = `${parts[k]}, ${parts[k + 1]}`;
    if (known.includes(pair)) list.push(pair);
    else list.push(parts[k]);
    if (known.includes(pair)) k++;
  }
  return list;
}

process.exitCode = await runCommand<Flags>(
  command,
  process.argv.slice(2),
  terminal,
  async (flags, { signal, line }) => {
    if (flags.compare !== undefined && flags.compare !== 'python')
      throw fail('input', '--compare', `"${flags.compare}"; the only one there is, is python.`);
    const parts = names('--only', flags.only, PARTS).filter(
      (part) => flags.only !== undefined || part !== 'games' || flags.games !== undefined,
    );
    const every = [...Object.keys(METHODS), ...REFERENCES];
    const methods = names('--methods', flags.methods, every);
    let python: string | undefined;
    if (flags.compare !== undefined) {
      const lacking = pythonLacks(flags.python);
      if (lacking === undefined) python = flags.python;
      else print(`comparison skipped: ${lacking}`);
    }
    const settings: Settings = {
      alphas: numbers('--alphas', flags.alphas),
      seeds: numbers('--seeds', flags.seeds),
      methods,
      grid: flags.shortGrid === true ? SHORT_GRID : REFERENCE_GRID,
      python,
      nested: flags.nested === true,
      limit: whole('--limit', flags.limit),
      results: openResults(flags.results, new Set(flags.redo === undefined ? [] : names('--redo', flags.redo, every))),
      signal,
    };
    print(`\`${line}\`\nNode ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, one thread each`);
    if (parts.includes('fits')) await singleFits(python);
    if (parts.includes('made')) {
      const made = names('--made', flags.made, Object.keys(MADE_GAMES));
      const backend = await openBackend('wasm');
      try {
        await scoreCells(madeCells(settings, made), settings);
      } finally {
        backend.close();
      }
      report(
        settings,
        'Six games, R² on 2,000 other masks, CPU seconds',
        ({ game }) => game in MADE_GAMES,
        ({ game }) => game,
        flags.picture,
      );
    }
    if (parts.includes('scale')) await atScale(signal);
    if (parts.includes('games')) {
      if (flags.games === undefined) throw fail('input', '--only', 'games needs --games FOLDER.');
      await scoreCells(storedCells(flags.games, Math.max(1, whole('--every', flags.every)), settings), settings);
      const stored = ({ game }: Score): boolean => !(game in MADE_GAMES);
      report(
        settings,
        'Stored games by family, R² on all other masks, CPU seconds',
        stored,
        ({ family }) => family,
        undefined,
      );
      report(settings, 'Stored games, all together', stored, () => 'all games', undefined);
      report(settings, 'Stored games by kind', stored, kindOf, flags.picture);
    }
  },
);
