/**
 * All 1,797 digits: the last hundred are not trained on, one of them is asked, and the other 1,697 play, in clusters, each by itself, or
 * the 200 that influence says matter. R² on fresh halves of each game, at equal retrainings. A log keeps what was measured.
 */
import { mkdirSync } from 'node:fs';
import { priorOf } from '../../src/attribute-data.ts';
import { openLedger, type Ledger } from '../../src/ledger.ts';
import { createDataGame } from '../../src/lens/examples/data-game.ts';
import type { Example } from '../../src/lens/examples/data-set.ts';
import { clustersOf, eachExample, type ExamplePlayer } from '../../src/lens/examples/example-players.ts';
import { ESTIMATES } from '../../src/lens/examples/estimates/estimates.ts';
import { trainOnAll } from '../../src/lens/examples/estimates/trained.ts';
import { RECIPES } from '../../src/lens/examples/recipes.ts';
import { TEST_VALUES } from '../../src/lens/examples/test-values.ts';
import { openRunLog } from '../../src/measure/run-log.ts';
import { createRandom } from '../../src/random.ts';
import { withPrior } from '../../src/solve/auto.ts';
import { SOLVERS } from '../../src/solve/solve.ts';
import type { Solver } from '../../src/solver.ts';
import { pearson } from '../../src/spectrum/correlation.ts';
import { r2 } from '../../src/spectrum/r2.ts';
import { evaluate } from '../../src/spectrum/spectrum.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';

const [TRAIN, ASKED, FRESH, EPOCHS] = [1697, 1750, 128, 30];

/** Rows of markdown: what plays, retrainings, the correlation of influence alone, R² of ProxySPEX, auto, and auto with influence as its prior. */
export async function thousands(digits: readonly Example[]): Promise<string[][]> {
  const recipe = RECIPES.softmax;
  const settings = { ...recipe.defaults, training: { ...recipe.defaults.training, epochs: EPOCHS } };
  const train = digits.slice(0, TRAIN);
  const opened = recipe.open(train, [digits[ASKED]], settings);
  const asked = { ...opened, training: settings.training, value: TEST_VALUES.margin, seeds: [0] };
  using trained = await trainOnAll(asked);
  const { scores } = await ESTIMATES.influence.scores(trained, {});
  const strongest = Array.from(scores.keys())
    .sort((a, b) => Math.abs(scores[b]) - Math.abs(scores[a]))
    .slice(0, 200)
    .sort((a, b) => a - b);
  const games: { title: string; players: readonly ExamplePlayer[]; budget: number }[] = [
    { title: '40 clusters', players: clustersOf(opened.inputs, opened.width, 40, 0), budget: 256 },
    { title: 'each of 200, screened by influence', players: eachExample(train, strongest), budget: 512 },
    { title: 'each of all 1,697', players: eachExample(train), budget: 1280 },
  ];
  mkdirSync('out/bench-data', { recursive: true });
  const rows: string[][] = [];
  for (const [g, { title, players, budget }] of games.entries()) {
    const study = { players: players.map(({ name }) => name), game: title, asked: ASKED, settings };
    const log = openRunLog(`out/bench-data/digits-${g}.jsonl`, study);
    try {
      using game = createDataGame({ ...asked, players });
      const ledger: Ledger = openLedger({ name: game.name, players, value: game.value.bind(game) }, log);
      const fresh = uniformMasks(players.length, FRESH, createRandom(99, 'bench/fresh'));
      const truth = await ledger.value(fresh);
      const influence = await priorOf(['influence'], trained, players);
      const foretold = pearson((await influence.columns(fresh))[0], truth).toFixed(3);
      const prior = withPrior(influence);
      const of = async (solver: Solver): Promise<string> => {
        const start = performance.now();
        const solution = await solver.solve(ledger, { budget, seed: 1 });
        const score = r2(truth, evaluate(solution.spectrum, fresh)).toFixed(3);
        console.log(
          `${title}, ${budget}: ${score}, ${solution.solver}, ${((performance.now() - start) / 1000).toFixed(0)} s`,
        );
        return score;
      };
      rows.push([
        title,
        String(budget),
        foretold,
        await of(SOLVERS.proxyspex),
        await of(SOLVERS.auto),
        await of(prior),
      ]);
    } finally {
      log.close();
    }
  }
  return rows;
}
