/** What gradients, and estimates that foretell, save of retrainings in games of a hundred single digits. */
import { priorOf } from '../../src/attribute-data.ts';
import type { Game } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import { createDataGame } from '../../src/lens/examples/data-game.ts';
import type { Example } from '../../src/lens/examples/data-set.ts';
import { trainOnAll, type Asked } from '../../src/lens/examples/estimates/trained.ts';
import { eachExample, type ExamplePlayer } from '../../src/lens/examples/example-players.ts';
import { RECIPES } from '../../src/lens/examples/recipes.ts';
import { createRandom } from '../../src/random.ts';
import { withPrior } from '../../src/solve/auto.ts';
import { SOLVERS } from '../../src/solve/solve.ts';
import type { Solver } from '../../src/solver.ts';
import { r2 } from '../../src/spectrum/r2.ts';
import { evaluate } from '../../src/spectrum/spectrum.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { settingOf, type Table } from './settings.ts';

/** Retrainings at α = 4, a quarter of them, and a sixteenth, of 100 single examples. */
const SINGLES = 100;
const FULL = Math.round(4 * SINGLES * Math.log2(SINGLES));
const QUARTER = Math.round(FULL / 4);
const SIXTEENTH = Math.round(QUARTER / 4);

/** R² on 256 fresh halves of what a solver finds in a game of single examples. */
type Score = (from: Game, solver: Solver, budget: number) => Promise<string>;

/** A row for each game of single examples of `digits`: `cells` has the game, its values alone, and how an answer is scored. */
async function ofSingles(
  digits: readonly Example[],
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
export async function slopesTable(digits: readonly Example[]): Promise<Table> {
  const { proxyspex, auto, gradspex } = SOLVERS;
  const rows = await ofSingles(digits, async ({ whole, values, of }) => [
    await of(values, proxyspex, FULL),
    await of(values, auto, FULL),
    await of(values, proxyspex, QUARTER),
    await of(values, auto, QUARTER),
    await of(whole, gradspex, QUARTER),
    await of(whole, auto, QUARTER),
    await of(values, auto, SIXTEENTH),
    await of(whole, gradspex, SIXTEENTH),
  ]);
  return {
    head: [
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
  };
}

/** What estimates that foretell save, on the same games. */
export async function foretoldTable(digits: readonly Example[]): Promise<Table> {
  const { proxyspex, auto } = SOLVERS;
  const rows = await ofSingles(digits, async ({ asked, players, values, of }) => {
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
  return {
    head: [
      `R², ${SINGLES} single examples`,
      ...[SIXTEENTH, QUARTER].flatMap((budget) => columns.map((column) => `${column}, ${budget}`)),
      `proxyspex, ${FULL}`,
    ],
    rows,
  };
}
