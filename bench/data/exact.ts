/**
 * Few groups, every subset truly retrained: R², order 2 and interaction LDS of every estimate and solver against that; and at which weights
 * slopes tell most of it.
 */
import { spectrumOfLeftOut } from '../../src/attribution/left-out.ts';
import { gradientCost, type Game } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import { createDataGame } from '../../src/lens/examples/data-game.ts';
import type { Example } from '../../src/lens/examples/data-set.ts';
import { ESTIMATE_NAMES, estimateOf } from '../../src/lens/examples/estimates/estimates.ts';
import { trainOnAll } from '../../src/lens/examples/estimates/trained.ts';
import { allMasks, masksFromMembers, type Masks } from '../../src/masks.ts';
import { createRandom } from '../../src/random.ts';
import { SOLVERS, type SolverName } from '../../src/solve/solve.ts';
import { pearson, spearman } from '../../src/spectrum/correlation.ts';
import { evaluate, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { r2 } from '../../src/spectrum/r2.ts';
import { fourierFromTable } from '../../src/spectrum/walsh-hadamard.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { retrainedSettings, rowNumbers, type Table } from './settings.ts';

/** Every subset truly retrained. */
export async function exactTables(digits: readonly Example[]): Promise<Table[]> {
  const tables: Table[] = [];
  for (const { title, asked, players } of retrainedSettings(digits)) {
    const n = players.length;
    const masks = allMasks(n);
    using game = createDataGame({ ...asked, players });
    const start = performance.now();
    const truth = await game.value(masks);
    const seconds = (performance.now() - start) / 1000;
    const dense = fourierFromTable(truth);
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
    tables.push({
      title: `${title}: ${masks.count * asked.seeds.length} trainings in ${seconds.toFixed(1)} s`,
      head: ['answer', 'retrainings', 'R²', 'correlation', 'order 2', 'interaction LDS'],
      rows,
    });
  }
  return tables;
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

/** How well slopes at some weight predict what a player's leaving does, over random masks. */
export async function insideTable(digits: readonly Example[]): Promise<Table> {
  const weights = [0, 0.05, 0.15, 0.3, 0.5];
  const rows: string[][] = [];
  for (const { title, asked, players } of retrainedSettings(digits)) {
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
  return { head: ['slopes at weights w and 1 - w, with differences', ...weights.map((w) => `w = ${w}`)], rows };
}
