/**
 * Do nested masks, several late-layer masks for each early-layer one, buy more R² a second than independent ones?
 *
 *     npx tsx bench/design.ts [--model FOLDER | gpt2-small] [--players heads] [--budgets 128,256,512] [--seeds 3]
 *
 * Nested masks share early layers, so the same work buys more of them; but the early players are then seen in fewer
 * combinations. Each design gets as many masks as cost what `budget` independent ones cost, counted in rows that pass a
 * layer. ProxySPEX is fitted on them, and R² is taken on uniform masks that no design used.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { SHAPES, writeCheckpoint } from './shapes.ts';
import { openBackend } from '../src/open-backend.ts';
import { emptyMasks, keep, maskHex, selectRows, type Masks } from '../src/masks.ts';
import { uniformMasks } from '../src/uniform-masks.ts';
import { createComponentGame, type ComponentGame } from '../src/lens/components/component-game.ts';
import { parsePlayers } from '../src/lens/components/components.ts';
import { sortByStage } from '../src/lens/components/mask-order.ts';
import { metricOf } from '../src/lens/metrics.ts';
import { readPrompts, toTasks, type Task } from '../src/lens/prompts.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import { layerOf } from '../src/place.ts';
import { fitProxySpex } from '../src/proxy/fit.ts';
import { createRandom } from '../src/random.ts';
import { r2 } from '../src/spectrum/r2.ts';
import { evaluate } from '../src/spectrum/spectrum.ts';
import { runCommand, terminal, whole } from '../cli/command.ts';
import { fromRoot } from '../cli/package-root.ts';
import { ABLATIONS } from '../src/lens/components/ablations.ts';

/** How many distinct prefixes `count` masks have up to and with each layer. */
type Design = (layer: number, layers: number, count: number) => number;

/** `times` late masks for each early one: the layers from `from` on (a share of all) are drawn anew for each mask. */
const nested =
  (times: number, from: number): Design =>
  (layer, layers, count) =>
    layer < from * layers ? Math.max(1, Math.round(count / times)) : count;
/** One split at every layer, so that prefixes double from layer to layer, back from the last. */
const doubling: Design = (layer, layers, count) => Math.max(1, Math.round(count / 2 ** (layers - 1 - layer)));

const DESIGNS: Readonly<Record<string, Design>> = {
  independent: (_layer, _layers, count) => count,
  '2 late for 1 early half': nested(2, 1 / 2),
  '4 late for 1 early half': nested(4, 1 / 2),
  '8 late for 1 early half': nested(8, 1 / 2),
  '4 last quarters for 1 rest': nested(4, 3 / 4),
  'doubling in each layer': doubling,
};

/** Distinct masks of a design: where two share a prefix, they share its bits. */
function masksOf(design: Design, playerLayers: readonly number[], layers: number, count: number, seed: number): Masks {
  const random = createRandom(seed, 'design');
  const masks = emptyMasks(playerLayers.length, count);
  for (let layer = 0; layer < layers; layer++) {
    const here = playerLayers.flatMap((l, player) => (l === layer ? [player] : []));
    const prefixes = Math.min(count, design(layer, layers, count));
    const bits = Array.from({ length: prefixes }, () => here.map(() => random.uniform() < 0.5));
    for (let row = 0; row < count; row++) {
      bits[Math.floor((row * prefixes) / count)].forEach((kept, k) => {
        if (kept) keep(masks, row, here[k]);
      });
    }
  }
  const seen = new Set<string>();
  return selectRows(
    masks,
    Array.from({ length: count }, (_, row) => row).filter((row) => seen.size < seen.add(maskHex(masks, row)).size),
  );
}

/** Rows that pass the layers, as the engine shares them within the whole request; the last layer, at one position, counts a quarter. */
function costOf(masks: Masks, playerLayers: readonly number[], layers: number): number {
  const { differs } = sortByStage(masks, playerLayers);
  let cost = 0;
  for (let layer = 0; layer < layers; layer++) {
    const rows = differs.filter((at, i) => i === 0 || at <= layer).length;
    cost += layer === layers - 1 ? rows / 4 : rows;
  }
  return cost;
}

/** As many masks of a design as cost `cost`, by bisection. */
function masksFor(design: Design, playerLayers: readonly number[], layers: number, cost: number, seed: number): Masks {
  let [low, high] = [1, 2 ** 17];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (costOf(masksOf(design, playerLayers, layers, middle, seed), playerLayers, layers) <= cost) low = middle;
    else high = middle - 1;
  }
  return masksOf(design, playerLayers, layers, low, seed);
}

async function timed(
  game: ComponentGame,
  masks: Masks,
): Promise<{ readonly values: Float64Array; readonly seconds: number }> {
  const started = performance.now();
  const values = await game.value(masks);
  return { values, seconds: (performance.now() - started) / 1000 };
}

interface Setting {
  readonly model: Model;
  readonly tasks: readonly Task[];
}

async function bundledTask(folder: string, count: number): Promise<Setting> {
  const model = await loadModel(folder);
  return {
    model,
    tasks: toTasks(model, (await readPrompts(`${folder}/prompts.jsonl`)).slice(0, count), {
      metric: metricOf('logit-diff'),
      corrupted: false,
    }),
  };
}

/** Random weights, one prompt of 16 random tokens. */
async function randomTask(shape: string): Promise<Setting> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-design-'));
  try {
    await writeCheckpoint(folder, shape, 'F32', 1);
    const model = await loadModel(folder);
    const random = createRandom(1, 'bench-design/prompt');
    const tokens = Array.from({ length: 16 }, () => random.integer(model.config.dVocab));
    const [correct, incorrect] = random.subset(model.config.dVocabOut, 2);
    return {
      model,
      tasks: [
        {
          tokens,
          correct,
          incorrect,
          corrupted: undefined,
          label: shape,
          text: { prompt: shape },
          strTokens: tokens.map(String),
        },
      ],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Flags {
  readonly model: string;
  readonly players: string;
  readonly prompts: string;
  readonly budgets: string;
  readonly seeds: string;
  readonly designs: string;
  readonly heldOut: string;
  readonly backend: string;
  readonly debug?: boolean;
}

const command = new Command('bench-design')
  .description('Compare nested with independent masks for ProxySPEX at equal cost.')
  .option(
    '--model <folder>',
    `a model folder with prompts.jsonl, or a shape to fill with random weights: ${Object.keys(SHAPES).join(', ')}`,
    fromRoot('models/ioi-tiny'),
  )
  .option('--players <list>', 'as for find-circuits', 'heads')
  .option('--prompts <n>', 'prompts of the model to use', '2')
  .option('--budgets <list>', 'independent masks to compare with', '128,256,512,1024')
  .option('--seeds <n>', 'seeds', '3')
  .option(
    '--designs <list>',
    'which, by number from 0',
    Object.keys(DESIGNS)
      .map((_, i) => i)
      .join(),
  )
  .option('--held-out <n>', 'uniform masks for R²', '4096')
  .option('--backend <name>', 'where to run', 'wasm')
  .option('--debug', 'show stack traces');

process.exitCode = await runCommand<Flags>(command, process.argv.slice(2), terminal, async (flags, { signal }) => {
  const backend = await openBackend(flags.backend);
  const metric = metricOf('logit-diff');
  const { model, tasks } = Object.hasOwn(SHAPES, flags.model)
    ? await randomTask(flags.model)
    : await bundledTask(flags.model, whole('--prompts', flags.prompts));
  const players = parsePlayers(flags.players, model.config);
  const { nLayers } = model.config;
  const playerLayers = players.map(({ place }) => layerOf(place) ?? 0);
  const game = createComponentGame(model, { players, tasks, metric, ablation: ABLATIONS.zero });
  const n = players.length;
  const fresh = uniformMasks(
    n,
    Math.min(whole('--held-out', flags.heldOut), 2 ** Math.min(n, 30)),
    createRandom(99, 'held out'),
  );
  const { values: truth } = await timed(game, fresh);
  terminal.out(
    `${Object.hasOwn(SHAPES, flags.model) ? `${flags.model} shape, random weights` : model.name}, ${n} players in ${nLayers} layers, ${tasks.length} prompts, ${backend.name}; R² on ${fresh.count} uniform masks; medians of ${flags.seeds} seeds\n`,
  );
  terminal.out('budget  design                        masks  row-layers  seconds  R²     (lowest - highest)\n');
  for (const budget of flags.budgets.split(',').map((text) => whole('--budgets', text))) {
    const wanted = flags.designs.split(',').map((text) => whole('--designs', text));
    for (const [name, design] of Object.entries(DESIGNS).filter((_, i) => wanted.includes(i))) {
      const rows: { readonly masks: number; readonly cost: number; readonly seconds: number; readonly r2: number }[] =
        [];
      for (let seed = 1; seed <= whole('--seeds', flags.seeds); seed++) {
        const cost = costOf(
          masksOf(DESIGNS['independent'], playerLayers, nLayers, budget, seed),
          playerLayers,
          nLayers,
        );
        const masks =
          name === 'independent'
            ? masksOf(design, playerLayers, nLayers, budget, seed)
            : masksFor(design, playerLayers, nLayers, cost, seed);
        const { values, seconds } = await timed(game, masks);
        const { spectrum } = await fitProxySpex(masks, values, { seed, signal });
        rows.push({
          masks: masks.count,
          cost: costOf(masks, playerLayers, nLayers),
          seconds,
          r2: r2(truth, evaluate(spectrum, fresh)),
        });
      }
      const median = (key: 'masks' | 'cost' | 'seconds' | 'r2'): number =>
        rows.map((row) => row[key]).sort((a, b) => a - b)[Math.floor(rows.length / 2)];
      const found = rows.map((row) => row.r2);
      terminal.out(
        `${String(budget).padEnd(6)}  ${name.padEnd(28)}  ${String(median('masks')).padEnd(5)}  ${median('cost').toFixed(0).padEnd(10)}  ${median('seconds').toFixed(2).padEnd(7)}  ${median('r2').toFixed(3)}  (${Math.min(...found).toFixed(3)} - ${Math.max(...found).toFixed(3)})\n`,
      );
    }
  }
  game[Symbol.dispose]();
  model[Symbol.dispose]();
  backend.close();
});
