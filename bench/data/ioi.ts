/**
 * Which templates of ioi-tiny's training data make the indirect-object behaviour: every subset of their groups retrained at reduced steps.
 *
 * The sentences are those that scripts/train-ioi.ts draws, each met once, of the first twenty of its people; the model has half of ioi-tiny's
 * layers, d_model 32, and a sixth of its steps. Values are mean logit differences on prompts of pairs of names that no sentence has. A log
 * keeps what was measured: a run goes on where the last one stopped.
 */
import { mkdirSync } from 'node:fs';
import { drawIoiPair, drawTrainingSentence, NAMES, splitWords, templateOf } from '../../scripts/training/ioi-data.ts';
import { openLedger } from '../../src/ledger.ts';
import type { Example } from '../../src/lens/examples/data-set.ts';
import { groupsOf } from '../../src/lens/examples/example-players.ts';
import { RECIPES } from '../../src/lens/examples/recipes.ts';
import { allMasks } from '../../src/masks.ts';
import { createPooledDataGame } from '../../src/measure/pooled-game.ts';
import { openRunLog } from '../../src/measure/run-log.ts';
import { cores } from '../../src/platform/threads.ts';
import { createRandom } from '../../src/random.ts';
import { banzhaf, banzhafInteraction } from '../../src/spectrum/indices.ts';
import { spectrumOfDense, fourierFromTable } from '../../src/spectrum/walsh-hadamard.ts';

const [STEPS, BATCH, PEOPLE, PROMPTS] = [200, 64, 20, 64];
const SHAPE = { layers: 2, dModel: 32, heads: 4, wordWeight: 0.1 };
const TRAINING = {
  optimiser: { kind: 'adamw', learningRate: 0.01, betas: [0.9, 0.98], eps: 1e-6, weightDecay: 0.01 },
  epochs: 1,
  batchSize: BATCH,
} as const;
const OTHERS = NAMES.slice(PEOPLE);

/** What a template says, in the groups that play. */
function groupOf(sentence: string): string {
  const { kind, template } = templateOf(sentence);
  if (kind === 'one') return 'one person, a stranger gives';
  if (kind === 'both') return 'two people, a stranger gives to both';
  return /gave|handed|sent/.test(template) ? 'one of two gave it' : 'one of two decided to, or passed it';
}

/** A sentence and its last word. */
function exampleOf(sentence: string): Example {
  const at = sentence.lastIndexOf(' ');
  return { text: sentence.slice(0, at), label: sentence.slice(at + 1), fields: { group: groupOf(sentence) } };
}

/** Draws until no other person is named. */
function drawn<T>(draw: () => T, textOf: (x: T) => string): T {
  for (;;) {
    const x = draw();
    if (!splitWords(textOf(x)).some((word) => OTHERS.includes(word))) return x;
  }
}

/** Tables of markdown, a head and rows: values of every subset, and what each group and pair is worth. */
export async function ioiTemplates(seeds: number): Promise<{ head: string[]; rows: string[][] }[]> {
  const random = createRandom(1, 'bench/ioi');
  const train = Array.from({ length: STEPS * BATCH }, () =>
    exampleOf(
      drawn(
        () => drawTrainingSentence(random),
        (sentence) => sentence,
      ),
    ),
  );
  const prompts = Array.from({ length: PROMPTS / 2 }, () =>
    drawn(
      () => drawIoiPair('pairs', random),
      ([{ prompt, correct }]) => `${prompt}${correct}`,
    ),
  ).flat();
  const test = prompts.map(({ prompt, correct, incorrect }) => ({
    text: prompt,
    label: correct.trim(),
    fields: { against: incorrect.trim() },
  }));
  const settings = { ...RECIPES.transformer.defaults, ...SHAPE, training: TRAINING };
  const players = groupsOf(train, 'group');
  const n = players.length;
  const masks = allMasks(n);
  mkdirSync('out/bench-ioi', { recursive: true });
  const bySeed: Float64Array[] = [];
  for (let seed = 0; seed < seeds; seed++) {
    const study = { players: players.map(({ name }) => name), ...SHAPE, training: TRAINING, steps: STEPS, seed };
    const log = openRunLog(`out/bench-ioi/seed-${seed}.jsonl`, study);
    const asked = { train, test, players, recipe: 'transformer', settings, value: 'logit-diff', modelsAtOnce: 2 };
    using game = createPooledDataGame({ ...asked, seeds: [seed] }, { threads: cores() });
    const start = performance.now();
    try {
      bySeed.push(await openLedger(game, log).value(masks));
    } finally {
      log.close();
    }
    const fresh = masks.count - log.resumed;
    console.log(`seed ${seed}: ${fresh} trainings in ${((performance.now() - start) / 1000).toFixed(0)} s`);
  }
  const means = meanAndError(bySeed);
  const spectra = bySeed.map((values) => spectrumOfDense('fourier', fourierFromTable(values), () => 0));
  const worth = meanAndError(spectra.map((spectrum) => banzhaf(spectrum)));
  const pairs = players.flatMap((_, i) => players.slice(i + 1).map((__, k) => [i, i + 1 + k] as const));
  const together = meanAndError(
    spectra.map(({ terms, ...rest }) =>
      Float64Array.from(pairs, (pair) => {
        const term = terms.find(({ members }) => members.join() === pair.join());
        return banzhafInteraction({ ...rest, terms }, pair, term?.value ?? 0);
      }),
    ),
  );
  const cell = ({ mean, error }: Measured): string => `${mean.toFixed(2)} ± ${error.toFixed(2)}`;
  const [within, between] = noiseOf(bySeed);
  console.log(
    `${train.length} sentences, ${STEPS} steps of ${BATCH}; a value moves by ${within.toFixed(2)} with the seed and by ${between.toFixed(2)} with the subset (standard deviations); ceiling of R² ${(1 - within ** 2 / between ** 2).toFixed(3)} for one seed`,
  );
  const shown = (mask: number): string =>
    players.flatMap(({ name }, i) => ((mask >>> i) & 1 ? [name] : [])).join(', ') || 'nothing';
  const everything = masks.count - 1;
  const chosen = [everything, ...players.map((_, i) => everything ^ (1 << i)), ...players.map((_, i) => 1 << i), 0];
  return [
    {
      head: ['group', 'sentences', 'worth to the logit difference (Banzhaf)'],
      rows: players.map(({ name, place }, i) => [name, String(place.rows.length), cell(worth[i])]),
    },
    {
      head: ['pair', 'interaction'],
      rows: pairs
        .map(([i, j], k) => ({ row: [`${players[i].name} × ${players[j].name}`, cell(together[k])], is: together[k] }))
        .sort((a, b) => Math.abs(b.is.mean) - Math.abs(a.is.mean))
        .slice(0, 5)
        .map(({ row }) => row),
    },
    { head: ['trained on', 'logit difference'], rows: chosen.map((mask) => [shown(mask), cell(means[mask])]) },
  ];
}

interface Measured {
  readonly mean: number;
  readonly error: number;
}

/** By place, the mean over seeds and its standard error. */
function meanAndError(bySeed: readonly Float64Array[]): Measured[] {
  const count = bySeed.length;
  return Array.from(bySeed[0], (_, at) => {
    const mean = bySeed.reduce((sum, values) => sum + values[at] / count, 0);
    const variance = bySeed.reduce((sum, values) => sum + (values[at] - mean) ** 2 / Math.max(1, count - 1), 0);
    return { mean, error: Math.sqrt(variance / count) };
  });
}

/** Standard deviations of one seed's value: over seeds, and over subsets. */
function noiseOf(bySeed: readonly Float64Array[]): [number, number] {
  const each = meanAndError(bySeed);
  const within = Math.sqrt(each.reduce((sum, { error }) => sum + error ** 2 * bySeed.length, 0) / each.length);
  const all = bySeed.flatMap((values) => [...values]);
  const mean = all.reduce((sum, x) => sum + x / all.length, 0);
  return [within, Math.sqrt(all.reduce((sum, x) => sum + (x - mean) ** 2 / all.length, 0))];
}
