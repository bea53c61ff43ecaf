/**
 * The data lens measured: estimates and solvers against truly retrained subsets, and how fast subsets are retrained.
 *
 *     npx tsx bench/data.ts --python <interpreter with scikit-learn and torch> [--only exact,inside,lds,prior,foretold,thousands,ioi,speed,wrong,chain]
 *
 * exact: every subset of few groups retrained; R², order 2 and interaction LDS of every estimate and solver. inside: at which
 * weights slopes tell most. lds: Spearman between summed
 * scores and retrained values over random halves, a mean over test digits. prior: how many retrainings answers by gradients save;
 * foretold: how many estimates do that foretell. thousands: groups and single examples of all 1,797 digits. ioi: which templates of
 * ioi-tiny's training data make its behaviour (both keep what they measured in out/).
 * wrong: who finds wrong labels. chain: whether a transformer puts two facts of separate documents together.
 * speed: many perceptrons at once, one after the other, and PyTorch's one after the other on the same cores.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { priorOf } from '../src/attribute-data.ts';
import { spectrumOfLeftOut } from '../src/attribution/left-out.ts';
import { gradientCost, type Game } from '../src/game.ts';
import { openLedger } from '../src/ledger.ts';
import { createDataGame } from '../src/lens/examples/data-game.ts';
import { parseJsonl, type Example } from '../src/lens/examples/data-set.ts';
import { clustersOf, eachExample, groupsOf, type ExamplePlayer } from '../src/lens/examples/example-players.ts';
import { ekFac } from '../src/lens/examples/estimates/ek-fac.ts';
import { ESTIMATES, ESTIMATE_NAMES, estimateOf } from '../src/lens/examples/estimates/estimates.ts';
import { trainOnAll, type Asked, type Trained } from '../src/lens/examples/estimates/trained.ts';
import { RECIPES, type FreshRecipe, type RecipeSettings } from '../src/lens/examples/recipes.ts';
import { openValue, TEST_VALUES } from '../src/lens/examples/test-values.ts';
import { allMasks, masksFromMembers, type Masks } from '../src/masks.ts';
import { openBackend } from '../src/open-backend.ts';
import { createRandom } from '../src/random.ts';
import { withPrior } from '../src/solve/auto.ts';
import { SOLVERS, type SolverName } from '../src/solve/solve.ts';
import type { Solver } from '../src/solver.ts';
import { pearson, spearman } from '../src/spectrum/correlation.ts';
import { evaluate, type FourierSpectrum } from '../src/spectrum/spectrum.ts';
import { fourierFromTable } from '../src/spectrum/walsh-hadamard.ts';
import { r2 } from '../src/spectrum/r2.ts';
import { unflatten } from '../src/train/parameters.ts';
import { train } from '../src/train/train.ts';
import { trainUnrolled } from '../src/train/unrolled.ts';
import { uniformMasks } from '../src/uniform-masks.ts';
import { chainOf } from './data/chain.ts';
import { readDigits } from './data/digits.ts';
import { ioiTemplates } from './data/ioi.ts';
import { trainingSpeed } from './data/speed.ts';
import { thousands } from './data/thousands.ts';
import { wrongLabels } from './data/wrong-labels.ts';

const {
  python,
  dattri,
  only,
  backend: name,
} = new Command()
  .requiredOption('--python <path>', 'an interpreter with scikit-learn and torch')
  .option('--dattri <path>', 'an interpreter with dattri too: its attributors on the same model and halves')
  .option(
    '--only <sections>',
    'exact, inside, lds, prior, foretold, thousands, ioi, speed, wrong, chain',
    'exact,inside,lds,prior,foretold,thousands,ioi,speed,wrong,chain',
  )
  .option('--backend <name>', 'where to train', 'wasm')
  .parse()
  .opts<{ python: string; dattri?: string; only: string; backend: string }>();
const backend = await openBackend(name);
console.log(`${backend.name}: ${backend.device}`);
const digits = readDigits(python);

interface Setting {
  readonly title: string;
  readonly asked: Asked;
  readonly players: readonly ExamplePlayer[];
}

function settingOf(
  title: string,
  recipe: FreshRecipe,
  all: readonly Example[],
  test: readonly Example[],
  players: (opened: ReturnType<FreshRecipe['open']>) => readonly ExamplePlayer[],
  change: Partial<RecipeSettings> = {},
  value: Asked['value'] = TEST_VALUES.margin,
): Setting {
  const settings = { ...recipe.defaults, ...change };
  const opened = recipe.open(all, test, settings);
  const seeds = Array.from({ length: settings.seeds }, (_, r) => r);
  return { title, asked: { ...opened, training: settings.training, value, seeds }, players: players(opened) };
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  console.log(`\n| ${head.join(' | ')} |\n|${head.map(() => '---').join('|')}|`);
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
}

/** Of few groups. */
function retrainedSettings(): Setting[] {
  const reviews = (file: string): Example[] => parseJsonl(readFileSync(`examples/reviews/${file}.jsonl`, 'utf8'), file);
  const clusters = (opened: ReturnType<FreshRecipe['open']>): ExamplePlayer[] =>
    clustersOf(opened.inputs, opened.width, 10, 0);
  return [
    settingOf('softmax, 300 digits in 10 clusters', RECIPES.softmax, digits.slice(0, 300), [digits[1007]], clusters),
    settingOf('mlp, 300 digits in 10 clusters', RECIPES.mlp, digits.slice(0, 300), [digits[1007]], clusters),
    settingOf(
      'transformer, reviews in 7 sources',
      RECIPES.transformer,
      reviews('train'),
      [reviews('test')[0]],
      () => groupsOf(reviews('train'), 'source'),
      { seeds: 1, dModel: 16, training: { ...RECIPES.transformer.defaults.training, epochs: 15 } },
      TEST_VALUES['log-odds'],
    ),
  ];
}

/** Every subset truly retrained. */
async function exact(): Promise<void> {
  for (const { title, asked, players } of retrainedSettings()) {
    const n = players.length;
    const masks = allMasks(n);
    using game = createDataGame({ ...asked, players });
    const start = performance.now();
    const truth = await game.value(masks);
    const seconds = (performance.now() - start) / 1000;
    const dense = fourierFromTable(truth);
    console.log(`\n${title}: ${masks.count * asked.seeds.length} trainings in ${seconds.toFixed(1)} s`);
    using trained = await trainOnAll(asked);
    const rows: string[][] = [];
    for (const estimate of ESTIMATE_NAMES) {
      const spectrum = spectrumOfLeftOut(await estimateOf(estimate, trained, players));
      rows.push([estimate, '1', ...scores(spectrum, masks, truth, dense)]);
    }
    const full = await game.gradients?.(masksFromMembers(n, [players.map((_, i) => i)]));
    if (full !== undefined) {
      const linear = Float64Array.from(full.gradients, (x) => -x);
      const spectrum = spectrumOfLeftOut({ constant: full.values[0], linear });
      rows.push(['unrolled, at everything', '1', ...scores(spectrum, masks, truth, dense)]);
    }
    // Solvers read the table of what was retrained, and gradients of the game.
    const tabled: Game = {
      name: game.name,
      players,
      value: (some) => Promise.resolve(Float64Array.from(rowNumbers(some), (row) => truth[row])),
      ...(game.gradients === undefined ? {} : { gradients: game.gradients }),
      masksPerGradient: gradientCost(game),
    };
    const { gradients: _gradients, ...values } = tabled;
    for (const budget of [32, 64, 128].filter((size) => size < masks.count)) {
      for (const solver of ['proxyspex', 'stack', 'auto'] as SolverName[])
        rows.push([solver, `${budget}`, ...(await solved(values, solver, budget, masks, truth, dense))]);
      rows.push(['auto, with gradients', `${budget}`, ...(await solved(tabled, 'auto', budget, masks, truth, dense))]);
    }
    table(['answer', 'retrainings', 'R²', 'correlation', 'order 2', 'interaction LDS'], rows);
  }
}

async function solved(
  game: Game,
  solver: SolverName,
  budget: number,
  masks: Masks,
  truth: Float64Array,
  dense: Float64Array,
): Promise<string[]> {
  const { spectrum } = await SOLVERS[solver].solve(openLedger(game), { budget, seed: 1 });
  return scores(spectrum, masks, truth, dense);
}

function rowNumbers({ count, stride, words }: Masks): number[] {
  return Array.from({ length: count }, (_, row) => words[row * stride]);
}

/** R² and correlation over all masks; agreement of order-2 terms; what order 2 adds to the rank correlation of order 1 on halves. */
function scores(spectrum: FourierSpectrum, masks: Masks, truth: Float64Array, dense: Float64Array): string[] {
  const predicted = evaluate(spectrum, masks);
  const n = masks.players;
  const [mine, theirs]: [number[], number[]] = [[], []];
  const terms = new Map(spectrum.terms.map(({ members, value }) => [members.join(), value]));
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++) {
      mine.push(terms.get(`${i},${j}`) ?? 0);
      theirs.push(dense[(1 << i) | (1 << j)]);
    }
  const upTo = (order: number): Float64Array =>
    evaluate({ ...spectrum, terms: spectrum.terms.filter(({ members }) => members.length <= order) }, masks);
  const halves = rowNumbers(masks).flatMap((bits, row) => (ones(bits) === Math.floor(n / 2) ? [row] : []));
  const at = (x: ArrayLike<number>): number[] => halves.map((row) => x[row]);
  const first = spearman(at(upTo(1)), at(truth));
  const second = spearman(at(upTo(2)), at(truth));
  return [
    r2(truth, predicted).toFixed(3),
    pearson(predicted, truth).toFixed(3),
    mine.some((x) => x !== 0) ? pearson(mine, theirs).toFixed(3) : '-',
    mine.some((x) => x !== 0) ? `${first.toFixed(3)} → ${second.toFixed(3)}` : first.toFixed(3),
  ];
}

function ones(bits: number): number {
  let count = 0;
  for (let left = bits; left !== 0; left &= left - 1) count++;
  return count;
}

/** The linear datamodeling score (Park et al., 2023, §2) of every estimate. */
async function lds(): Promise<void> {
  const [N, SUBSETS] = [400, 48];
  const tests = digits.slice(1000, 1010);
  for (const recipe of [RECIPES.softmax, RECIPES.mlp]) {
    const all = digits.slice(0, N);
    const { asked } = settingOf(recipe.name, recipe, all, tests, () => []);
    const halves = uniformMasks(N, SUBSETS, createRandom(7, 'bench/halves'));
    const weights = new Float32Array(SUBSETS * N);
    for (let k = 0; k < SUBSETS; k++)
      for (let i = 0; i < N; i++) weights[k * N + i] = (halves.words[k * halves.stride + (i >>> 5)] >>> (i & 31)) & 1;
    // Values of every half on every test digit, a mean over seeds.
    const truth = tests.map(() => new Float64Array(SUBSETS));
    const batch = asked.test.batch(tests.map((_, m) => m));
    using valued = openValue(asked.value, asked, tests.length, asked.architecture.classes);
    for (const seed of asked.seeds) {
      const theta = await train(asked.architecture, asked.examples, asked.training, weights, { seed });
      const values = tf.tidy(() =>
        valued.of(asked.architecture.logits(unflatten(asked.architecture, theta), batch)).arraySync(),
      );
      for (let k = 0; k < SUBSETS; k++) for (let m = 0; m < tests.length; m++) truth[m][k] += values[k][m];
      theta.dispose();
    }
    if (dattri !== undefined && recipe === RECIPES.softmax) {
      const file = join(mkdtempSync(join(tmpdir(), 'spexlens-bench-')), 'halves.json');
      const init = Array.from(asked.architecture.initialise(createRandom(asked.seeds[0], 'train/start')));
      writeFileSync(file, JSON.stringify({ init, halves: Array.from(weights) }));
      console.log(
        execFileSync(dattri, ['bench/data/dattri_reference.py', file], {
          stdio: ['ignore', 'pipe', 'ignore'],
        }).toString(),
      );
    }
    const found = new Map<string, number[]>();
    for (const [m, test] of tests.entries()) {
      const one = settingOf(recipe.name, recipe, all, [test], () => []).asked;
      using trained = await trainOnAll(one);
      for (const [estimate, given] of Object.entries(await estimatesOf(trained))) {
        const sums = Array.from({ length: SUBSETS }, (_, k) =>
          given.reduce((sum, score, i) => sum + weights[k * N + i] * score, 0),
        );
        found.set(estimate, [...(found.get(estimate) ?? []), spearman(sums, truth[m])]);
      }
    }
    console.log(
      `\nLDS, ${recipe.name}, ${N} digits, ${SUBSETS} halves, ${tests.length} test digits, ${asked.seeds.length} seeds`,
    );
    table(
      ['estimate', 'LDS', 'less that of K-FAC'],
      Array.from(found, ([estimate, each]) => [
        estimate,
        meanOf(each).toFixed(3),
        difference(each, found.get('k-fac') as number[]),
      ]),
    );
  }
}

function meanOf(x: readonly number[]): number {
  return x.reduce((sum, value) => sum + value / x.length, 0);
}

/** The mean difference over test digits and its standard error. */
function difference(x: readonly number[], y: readonly number[]): string {
  const each = x.map((value, m) => value - y[m]);
  const mean = meanOf(each);
  const error = Math.sqrt(meanOf(each.map((value) => (value - mean) ** 2)) / (each.length - 1));
  return `${mean.toFixed(3)} ± ${error.toFixed(3)}`;
}

/** Scores of every estimate, K-FAC and the unrolled gradient among them. */
async function estimatesOf(trained: Trained): Promise<Record<string, Float64Array>> {
  const all: Record<string, Float64Array> = {};
  for (const [estimate, { scores: of }] of Object.entries(ESTIMATES)) all[estimate] = (await of(trained, {})).scores;
  all['k-fac'] = (await ekFac(trained, { eigenvalues: 'product' })).scores;
  const { architecture, examples, training, seeds } = trained.asked;
  const unrolled = new Float64Array(examples.count);
  for (const seed of seeds) {
    const weights = new Float32Array(examples.count).fill(1);
    const { slopes } = await trainUnrolled(architecture, examples, training, weights, trained.f, { seed });
    slopes.forEach((slope, i) => (unrolled[i] += slope / seeds.length));
  }
  all['unrolled, at everything'] = unrolled;
  return all;
}

/** Retrainings at α = 4, a quarter of them, and a sixteenth, of 100 single examples. */
const SINGLES = 100;
const FULL = Math.round(4 * SINGLES * Math.log2(SINGLES));
const QUARTER = Math.round(FULL / 4);
const SIXTEENTH = Math.round(QUARTER / 4);

/** R² on 256 fresh halves of what a solver finds in a game of single examples. */
type Score = (from: Game, solver: Solver, budget: number) => Promise<string>;

/** A row for each game of single examples: `cells` has the game, its values alone, and how an answer is scored. */
async function ofSingles(
  cells: (game: {
    readonly asked: Asked;
    readonly players: readonly ExamplePlayer[];
    readonly whole: Game;
    readonly values: Game;
    readonly of: Score;
  }) => Promise<string[]>,
): Promise<string[][]> {
  const rows: string[][] = [];
  for (const recipe of [RECIPES.softmax, RECIPES.mlp])
    for (const test of [1003, 1007]) {
      const all = digits.slice(0, SINGLES);
      const { asked, players } = settingOf(recipe.name, recipe, all, [digits[test]], () => eachExample(all), {
        seeds: 1,
      });
      using game = createDataGame({ ...asked, players });
      const fresh = uniformMasks(SINGLES, 256, createRandom(99, 'bench/fresh'));
      const truth = await game.value(fresh);
      const of: Score = async (from, solver, budget) => {
        const { spectrum } = await solver.solve(from, { budget, seed: 1 });
        return r2(truth, evaluate(spectrum, fresh)).toFixed(3);
      };
      const values = openLedger({ name: game.name, players, value: game.value.bind(game) });
      rows.push([
        `${recipe.name}, digit ${test}`,
        ...(await cells({ asked, players, whole: openLedger(game), values, of })),
      ]);
    }
  return rows;
}

/** What gradients save: ProxySPEX at 4 n log2 n retrainings, and answers with gradients at a quarter of them, a gradient counted in full. */
async function prior(): Promise<void> {
  const { proxyspex, auto, gradspex } = SOLVERS;
  const rows = await ofSingles(async ({ whole, values, of }) => [
    await of(values, proxyspex, FULL),
    await of(values, auto, FULL),
    await of(values, proxyspex, QUARTER),
    await of(values, auto, QUARTER),
    await of(whole, gradspex, QUARTER),
    await of(whole, auto, QUARTER),
    await of(values, auto, SIXTEENTH),
    await of(whole, gradspex, SIXTEENTH),
  ]);
  table(
    [
      `R², ${SINGLES} single examples`,
      `proxyspex, ${FULL}`,
      `auto on values, ${FULL}`,
      `proxyspex, ${QUARTER}`,
      `auto on values, ${QUARTER}`,
      `gradspex, ${QUARTER}`,
      `auto, ${QUARTER}`,
      `auto on values, ${SIXTEENTH}`,
      `gradspex, ${SIXTEENTH}`,
    ],
    rows,
  );
}

/** What estimates that foretell save, on the same games. */
async function foretold(): Promise<void> {
  const { proxyspex, auto } = SOLVERS;
  const rows = await ofSingles(async ({ asked, players, values, of }) => {
    using trained = await trainOnAll(asked);
    const solvers: Solver[] = [auto];
    for (const names of [['influence'], ['tangent training']] as const)
      solvers.push(withPrior(await priorOf(names, trained, players)));
    const cells: string[] = [];
    for (const budget of [SIXTEENTH, QUARTER])
      for (const solver of solvers) {
        cells.push(await of(values, solver, budget));
        console.log(budget, cells.at(-1));
      }
    return [...cells, await of(values, proxyspex, FULL)];
  });
  const columns = ['auto', 'influence', 'tangent training'];
  table(
    [
      `R², ${SINGLES} single examples`,
      ...[SIXTEENTH, QUARTER].flatMap((budget) => columns.map((column) => `${column}, ${budget}`)),
      `proxyspex, ${FULL}`,
    ],
    rows,
  );
}

async function thousandsOfDigits(): Promise<void> {
  table(
    ['who plays', 'retrainings', 'influence, correlation', 'proxyspex', 'auto', 'auto, influence as prior'],
    await thousands(digits),
  );
}

async function ioi(): Promise<void> {
  for (const { head, rows } of await ioiTemplates(2)) table(head, rows);
}

/** Steps of training a second, times models. */
async function speed(): Promise<void> {
  const { head, rows, ratios } = await trainingSpeed(digits, python);
  table(head, rows);
  console.log(ratios);
}

/** How well slopes at some weight predict what a player's leaving does, over random masks. */
async function inside(): Promise<void> {
  const weights = [0, 0.05, 0.15, 0.3, 0.5];
  const rows: string[][] = [];
  for (const { title, asked, players } of retrainedSettings()) {
    const n = players.length;
    using tabled = createDataGame({ ...asked, players });
    const values = await tabled.value(allMasks(n));
    const masks = uniformMasks(n, 48, createRandom(2));
    const differences = rowNumbers(masks).flatMap((bits) =>
      Array.from({ length: n }, (_, i) => values[bits | (1 << i)] - values[bits & ~(1 << i)]),
    );
    const row = [title];
    for (const weight of weights) {
      using game = createDataGame({ ...asked, players, inside: weight });
      const found = await game.gradients?.(masks);
      row.push(found === undefined ? '-' : pearson(found.gradients, differences).toFixed(2));
    }
    rows.push(row);
  }
  table(['slopes at weights w and 1 - w, with differences', ...weights.map((w) => `w = ${w}`)], rows);
}

async function wrong(): Promise<void> {
  table(['AUROC of wrong labels', 'softmax', 'mlp'], await wrongLabels(digits));
}

/** What a conclusion of two facts is believed with both, with one, and with neither. */
async function chain(): Promise<void> {
  const { train: documents, test: questions } = chainOf(8, 3);
  const rows: string[][] = [];
  for (const [k, question] of questions.entries()) {
    const change = {
      seeds: 3,
      training: {
        ...RECIPES.transformer.defaults.training,
        optimiser: { ...RECIPES.transformer.defaults.training.optimiser, weightDecay: 0.1 },
        epochs: 60,
      },
    };
    const players = (): ExamplePlayer[] => groupsOf(documents, 'fact').filter(({ name }) => name.startsWith(`${k}:`));
    const { asked } = settingOf(
      '',
      RECIPES.transformer,
      documents,
      [question],
      players,
      change,
      TEST_VALUES.probability,
    );
    using game = createDataGame({ ...asked, players: players() });
    const values = await game.perSeed(allMasks(2));
    const cell = (mask: number): string =>
      Array.from({ length: 3 }, (_, s) => values[3 * mask + s].toFixed(2)).join(', ');
    rows.push([`${question.text} → ${question.label}`, cell(3), cell(1), cell(2), cell(0)]);
  }
  table(['probability, three seeds', 'both facts', 'A → B alone', 'B → C alone', 'neither'], rows);
}

const sections: Readonly<Record<string, () => Promise<void>>> = {
  exact,
  inside,
  lds,
  prior,
  foretold,
  thousands: thousandsOfDigits,
  ioi,
  speed,
  wrong,
  chain,
};
for (const section of only.split(',')) await sections[section]();
backend.close();
